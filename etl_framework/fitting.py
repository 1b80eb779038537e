"""Whether a run's columns fit a table: the sentences that are the same for every warehouse.

What a name and a type mean is the warehouse's own: its plugin says how names are compared and which type holds which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from etl_framework.errors import Refused, UsageError
from etl_framework.terminal import counted

if TYPE_CHECKING:
    from etl_framework.columns import Column, ColumnType, TableName
    from etl_framework.protocols import Run
    from etl_framework.totals import Totals
    from etl_framework.values import Job, PeriodFilter

Fold = Callable[[str], str]
"""Gives names that are one to the warehouse the same spelling."""

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """One column of a table, as the warehouse's catalog has it.

    :param name: as the warehouse stores it.
    :param type: as the warehouse spells it.
    :param required: whether it must have a value.
    :param filled: whether the warehouse fills it when a load does not: by a default, or because it is generated.
    """

    name: str
    type: str
    required: bool
    filled: bool


def same_names(columns: Sequence[Column], fold: Fold, warehouse: str) -> Iterator[str]:
    """A sentence for each column whose name another one has already.

    :param warehouse: to which they are one, such as ``DuckDB``.
    """
    first: dict[str, str] = {}
    for column in columns:
        other = first.setdefault(fold(column.name), column.name)
        if other is not column.name:
            yield f"Columns {other!r} and {column.name!r} of the sources are one name to {warehouse}."


def misfits(
    columns: Sequence[Column],
    target_of: Callable[[str], TableColumn | None],
    holds: Callable[[str, ColumnType], bool],
    totals: Totals | None,
    *,
    evolving: bool = False,
) -> Iterator[str]:
    """A sentence for each column of the sources that cannot be put into the table.

    :param target_of: the table's column that a source's column goes into, by the name of the latter.
    :param holds: whether a type of the warehouse holds every value of a source's type, unchanged.
    :param totals: control totals of the rows, when they are known: they tell of missing values.
    :param evolving: whether columns that the table lacks are added to it.
    """
    nulls = {figures.name: figures.nulls for figures in totals.columns} if totals else {}
    for column in columns:
        target = target_of(column.name)
        if target is None:
            if not evolving:
                yield f"Column {column.name!r} of the sources is not in the table."
        elif not holds(target.type, column.type):
            yield (
                f"Column {column.name!r} is {column.type} in the sources, but {target.type.lower()} in the table, "
                f"which cannot hold every {column.type} exactly."
            )
        elif target.required and nulls.get(column.name):
            yield (
                f"Column {column.name!r} has no value in {counted(nulls[column.name], 'row')} of the sources, "
                f"but must have one in the table."
            )


def merge_keys(run: Run, fold: Fold) -> list[int]:
    """The key columns of a merge, each by its index among the run's columns.

    :raises UsageError: there are none, or one is no column.
    """
    if not run.job.keys:
        raise UsageError(f"job {run.job.name!r} merges without keys", advice="Name the key columns in keys.")
    return [_index(run, name, "key", fold) for name in run.job.keys]


def period_column(run: Run, fold: Fold) -> tuple[PeriodFilter, int]:
    """The rows that the run's period covers, and the index of the date column among the run's columns.

    :raises UsageError: the job has no period, or no date column, or that is no column.
    """
    covered = run.period_filter
    if covered is None:
        raise UsageError(
            f"job {run.job.name!r} replaces a period, but has no period or no date_column",
            advice="Give both, or choose another mode.",
        )
    return covered, _index(run, covered.column, "date_column", fold)


def _index(run: Run, name: str, what: str, fold: Fold) -> int:
    for index, column in enumerate(run.columns):
        if fold(column.name) == fold(name):
            return index
    shown = ", ".join(repr(column.name) for column in run.columns[:_SHOWN])
    raise UsageError(
        f"{what} {name!r} is not among the columns of job {run.job.name!r}", advice=f"The columns are {shown}."
    )


def no_such_table(table: TableName, url: str) -> UsageError:
    """What is said of a table that is not there.

    :param url: of the warehouse.
    """
    return UsageError(f"there is no table {table} in {url}", advice="Check the name, or load it first.", key="table")


def no_such_column(table: object, name: str) -> UsageError:
    """What is said of a column that the table does not have."""
    return UsageError(f"table {table} has no column {name!r}", advice="Check the name.")


def holds_no_days(column: str, type_: str) -> UsageError:
    """What is said of a column that tells no day, where one is needed.

    :param type_: as the warehouse spells it.
    """
    return UsageError(
        f"column {column!r} is {type_.lower()}, so it cannot tell which rows a period covers",
        advice="Name a date or timestamp column as date_column.",
    )


def refuse_strays(job: Job, strays: int) -> None:
    """Insist that no row lies outside of the period: it would be there twice after the same load had run again.

    :param strays: how many do.
    :raises Refused: some do.
    """
    if strays:
        raise Refused(
            f"{counted(strays, 'row of the sources lies', 'rows of the sources lie')} outside of the period "
            f"{job.period} by column {job.date_column!r}, or without a date",
            advice="Nothing was committed. Widen the period, correct the dates, or choose another mode.",
        )


def refuse_without_key(job: Job, missing: int) -> None:
    """Insist that every row to be merged has its keys.

    :param missing: how many rows lack one.
    :raises Refused: some do.
    """
    if missing:
        raise Refused(
            f"{counted(missing, 'row of the sources has', 'rows of the sources have')} no value in a key column "
            f"({', '.join(job.keys)})",
            advice="Nothing was committed. Give every row its keys, or choose other keys.",
        )


def refuse_shared_keys(job: Job, shared: Sequence[tuple[Any, ...]]) -> None:
    """Insist that no two rows to be merged have the same keys.

    :param shared: some keys that several rows have: the keys, then how many rows.
    :raises Refused: there are any.
    """
    if shared:
        asked = job.name if job.configured else f"FILE --keys {quote(','.join(job.keys))}"
        shown = "; ".join(f"{', '.join(map(str, key))} in {counted(int(rows), 'row')}" for *key, rows in shared)
        raise Refused(
            f"rows of the sources share a key ({', '.join(job.keys)}): {shown}",
            advice=f"Nothing was committed. `etl duplicates {asked}` tells the lines of such rows, and the check "
            "`duplicates` refuses them before they are loaded. Remove them, or choose keys that tell them apart.",
        )
