"""Whether columns are those that the job declares, and those of the table: names, order, types.

A declared column that a file lacks, values that do not have their declared type, and columns that do not fit the table
are told without this check, too. It adds what goes well in silence otherwise: other columns, another order, and types
that fit without being the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from etl_framework import FLOATS, INTEGERS, Finding, Kind, Sample, Severity, UsageError, counted
from etl_quality.sections import Flag, Settings, settings

if TYPE_CHECKING:
    from etl_framework import Analysis, Block, Column, Job, Rows, TableCheck, Validator, Warehouse

NAME = "schema"
KEY = f"checks.{NAME}"
_LISTED = 8


class SchemaSettings(Settings):
    """The settings of the check.

    :ivar missing: whether every wanted column must be there.
    :ivar extra: whether there may be no others.
    :ivar order: whether they must stand in the same order.
    :ivar types: whether their types must be the same; how large a number or how long a text may be does not count.
    :ivar table: whether the columns of files are compared with those of the table, too.
    :ivar severity: of the findings.
    """

    missing: Flag = True
    extra: Flag = True
    order: Flag = True
    types: Flag = True
    table: Flag = True
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Checks:
    """See :class:`etl_quality.sections.Checks`."""

    settings: SchemaSettings

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:
        """The columns of the files against those of the job and of the table."""
        yield SchemaOfFiles(self.settings, job, analysis.columns)

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:  # noqa: ARG002 - those of rows
        """The columns of the table against those of the job."""
        yield SchemaOfTable(self.settings, job.columns)


def read(value: object, job: Job) -> Checks:  # noqa: ARG001 - all that it says is needed later
    """The check as ``schema = "strict"``, or as a table, asks for it.

    :raises UsageError: the settings are not allowed.
    """
    if value not in ("strict", True) and not isinstance(value, Mapping):
        raise UsageError(
            f"{KEY} must be 'strict' or a table, not {value!r}",
            advice='Write schema = "strict", or schema = { order = false }.',
            key=KEY,
        )
    return Checks(settings(SchemaSettings, KEY, value if isinstance(value, Mapping) else {}))


class SchemaOfFiles:
    """Looks at no values: what there is to compare is known before they are read.

    :param columns: of the run.
    """

    name = NAME

    def __init__(self, settings: SchemaSettings, job: Job, columns: tuple[Column, ...]) -> None:
        self._settings, self._declared, self._columns = settings, job.columns, columns
        self._table_name = job.table
        self._table: tuple[Column, ...] | None = None
        self._asked = not settings.table
        self.insists = False

    def ask(self, warehouse: Warehouse) -> tuple[Column, ...]:
        """See :meth:`etl_framework.Asking.ask`."""
        return (warehouse.describe(self._table_name) or ()) if self._settings.table else ()

    def tell(self, answer: object | None) -> None:
        """See :meth:`etl_framework.Asking.tell`."""
        if isinstance(answer, tuple):
            self._table = answer
            self._asked = True

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._asked |= other._asked
        self._table = self._table or other._table

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        if self._declared:
            yield from differences(self._settings, self._columns, "the file", self._declared, "the job")
        if self._table:
            yield from differences(self._settings, self._columns, "the file", self._table, "the table")
        if not self._asked:
            yield _not_compared(
                "the columns were not compared with those of the table: it is out of reach",
                "`etl targets test` tells why. Where no table is meant, say so: schema = { table = false }.",
            )
        elif not self._declared and not self._table:
            yield _not_compared("there is nothing to compare columns with: no declared ones, and no table")


class SchemaOfTable:
    """Compares the columns of a table with the declared ones."""

    name = NAME

    def __init__(self, settings: SchemaSettings, declared: tuple[Column, ...]) -> None:
        self._settings, self._declared = settings, declared

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        if self._declared:
            yield from differences(self._settings, rows.columns, "the table", self._declared, "the job")
        else:
            yield _not_compared("there is nothing to compare columns with: the job declares none")


def differences(
    settings: SchemaSettings, found: Sequence[Column], having: str, wanted: Sequence[Column], wanting: str
) -> Iterator[Finding]:
    """A finding for each way in which columns are not those that are wanted.

    Names are compared without regard to case: warehouses have their own ways to spell them.

    :param having: whose the columns are, in words.
    :param wanting: who wants others.
    """
    mine = {column.name.casefold(): column for column in found}
    theirs = {column.name.casefold(): column for column in wanted}
    shared = [(mine[name], theirs[name]) for name in mine if name in theirs]
    told = {
        "missing": _missing([column.name for name, column in theirs.items() if name not in mine], having, wanting),
        "extra": _extra([column.name for name, column in mine.items() if name not in theirs], having, wanting),
        "order": _order(
            [two.name for _, two in shared],
            [column.name for name, column in theirs.items() if name in mine],
            having,
            wanting,
        ),
        "types": _types([pair for pair in shared if _sort(pair[0]) != _sort(pair[1])], having, wanting),
    }
    for setting, difference in told.items():
        if difference is not None and getattr(settings, setting):
            yield dataclasses.replace(difference, severity=settings.severity)


def _missing(names: Sequence[str], having: str, wanting: str) -> Finding | None:
    if not names:
        return None
    message = f"{having} lacks {_of(names)} of {wanting}"
    return _finding(message, "Was a column dropped or renamed at the source?", names, "is missing")


def _extra(names: Sequence[str], having: str, wanting: str) -> Finding | None:
    if not names:
        return None
    message = f"{having} has {_of(names)} that {wanting} does not have"
    return _finding(message, "Is it a new column at the source? Declare it.", names, "is not wanted")


def _order(order: Sequence[str], right: Sequence[str], having: str, wanting: str) -> Finding | None:
    moved = [name for name, other in zip(order, right, strict=True) if name != other]
    if not moved:
        return None
    message = (
        f"the columns of {having} stand in another order than those of {wanting}: "
        f"{_listed(order)} instead of {_listed(right)}"
    )
    return _finding(message, "Was the export changed? Names still tell the columns.", moved, "has moved")


def _types(other: Sequence[tuple[Column, Column]], having: str, wanting: str) -> Finding | None:
    if not other:
        return None
    told = "; ".join(f"{one.name!r} is {one.type} instead of {two.type}" for one, two in other[:_LISTED])
    are = f"{counted(len(other), 'column')} of {having} {'is' if len(other) == 1 else 'are'}"
    return _finding(
        f"{are} of another type than in {wanting}: {told}",
        "Declare the columns as the table has them, or change the table.",
        [one.name for one, _ in other],
        "is of another type",
    )


def _sort(column: Column) -> tuple[str, int]:
    """What must be the same of two types."""
    kind = column.type.kind
    if kind in INTEGERS:
        return "exact", 0
    if kind is Kind.DECIMAL:
        return "exact", column.type.scale or 0
    return ("float" if kind in FLOATS else kind.value), 0


def _finding(message: str, advice: str, names: Sequence[str], reason: str) -> Finding:
    return Finding(
        rule=NAME,
        severity=Severity.ERROR,
        count=len(names),
        message=message,
        advice=advice,
        samples=tuple(Sample(column=name, reason=reason) for name in names[:_LISTED]),
    )


def _not_compared(message: str, advice: str = "Declare columns, or load the table first.") -> Finding:
    return Finding(rule=NAME, severity=Severity.INFO, count=0, message=message, advice=advice)


def _of(names: Sequence[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_LISTED]))
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED:,} more"
