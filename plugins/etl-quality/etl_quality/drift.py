"""The check ``drift``: what a run read looks like what the last good run of the job read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field

from etl_framework import FLOATS, RELATION, Check, Finding, Severity, UsageError, quote
from etl_quality.comparing import Drifts, of_column
from etl_quality.dialects import statement
from etl_quality.sections import Number, Settings, Texts, settings
from etl_quality.sketches import DistinctCount
from etl_quality.sums import Spread

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import Analysis, Block, Column, Figure, Job, Rows, TableCheck, Validator

NAME = "drift"
_LARGEST = 1e150
"""Numbers beyond it have no standard deviation: their squares are none."""


class DriftSettings(Settings):
    """What can be said under ``checks.drift``; a threshold of 0 compares nothing.

    :param rows: change of the number of rows, as a share of what it was.
    :param nulls: change of a column's share of nulls: 0.1 for 10 percentage points.
    :param distinct: change of a column's number of different values, as a share of what it was.
    :param mean: change of a column's mean, as a share of what it was, or of the standard deviation if that was larger.
    :param columns: whose figures are compared; None for all.
    """

    rows: Number = Field(default=0.5, ge=0)
    nulls: Number = Field(default=0.1, ge=0, lt=1)
    distinct: Number = Field(default=0.5, ge=0)
    mean: Number = Field(default=0.5, ge=0)
    columns: Texts | None = None
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True)
class Checks:
    """See :class:`etl_quality.sections.Checks`."""

    settings: DriftSettings

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:
        # Both sides say the same: what is said twice is told once.
        yield Drift(self._wanted(analysis.columns), self._drifts(job, in_table=job.check is Check.BOTH), self.settings)

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:
        yield DriftInTable(self._wanted(columns), self._drifts(job, in_table=True), self.settings)

    def _drifts(self, job: Job, *, in_table: bool) -> Drifts:
        known = self.settings
        limits = {"rows": known.rows, "nulls": known.nulls, "distinct": known.distinct, "mean": known.mean}
        previous = job.previous.get(NAME)
        return Drifts(previous=previous, limits=limits, severity=known.severity, keys=job.keys, in_table=in_table)

    def _wanted(self, columns: tuple[Column, ...]) -> tuple[Column | None, ...]:
        """The columns to compare, in their places; None for the others.

        :raises UsageError: one that is named is not there.
        """
        if self.settings.columns is None:
            return columns
        wanted = {name.casefold(): name for name in self.settings.columns}
        for name in wanted.keys() - {column.name.casefold() for column in columns}:
            raise UsageError(
                f"checks.drift.columns names {wanted[name]!r}, and there is no such column",
                advice=f"The columns are {', '.join(column.name for column in columns)}.",
                key="checks.drift.columns",
            )
        return tuple(column if column.name.casefold() in wanted else None for column in columns)


def read(value: object, job: Job) -> Checks:  # noqa: ARG001 - the same for every job
    """The check, from ``true``, a severity, or a table of settings.

    :raises UsageError: the value is not allowed.
    """
    if value is True:
        value = {}
    elif isinstance(value, str):
        value = {"severity": value}
    return Checks(settings(DriftSettings, f"checks.{NAME}", value))


class Drift:
    """Measures files, and compares."""

    name = NAME

    def __init__(self, columns: tuple[Column | None, ...], drifts: Drifts, chosen: DriftSettings) -> None:
        self._drifts = drifts
        self._rows = 0
        self._columns = [None if column is None else _ColumnFigures(column, chosen) for column in columns]

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        self._rows += block.batch.num_rows
        for figures, values in zip(self._columns, block.batch.columns, strict=True):
            if figures is not None:
                figures.update(values)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._rows += other._rows
        for mine, theirs in zip(self._columns, other._columns, strict=True):
            if mine is not None and theirs is not None:
                mine.merge(theirs)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from self._drifts.findings(self.measures())

    def measures(self) -> Mapping[str, Figure]:
        """See :meth:`etl_framework.Measuring.measures`."""
        found: dict[str, Figure] = {"rows": self._rows}
        for figures in self._columns:
            if figures is not None:
                found |= figures.measures()
        return found


class _ColumnFigures:
    def __init__(self, column: Column, chosen: DriftSettings) -> None:
        self._name = column.name
        self._floats = column.type.kind in FLOATS
        self._nulls = 0
        self._distinct = DistinctCount() if chosen.distinct else None
        self._spread = Spread() if chosen.mean and column.type.is_number else None

    def update(self, values: pa.Array) -> None:
        import pyarrow as pa

        self._nulls += values.null_count
        values = values.drop_null()
        if self._distinct is not None:
            self._distinct.update(values)
        if self._spread is not None:
            numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
            self._spread.update(numbers[np.isfinite(numbers)] if self._floats else numbers)

    def merge(self, other: _ColumnFigures) -> None:
        self._nulls += other._nulls
        if self._distinct is not None and other._distinct is not None:
            self._distinct.merge(other._distinct)
        if self._spread is not None and other._spread is not None:
            self._spread.merge(other._spread)

    def measures(self) -> dict[str, Figure]:
        found: dict[str, Figure] = {of_column(self._name, "nulls"): self._nulls}
        if self._distinct is not None:
            found[of_column(self._name, "distinct")] = self._distinct.distinct
        if self._spread is not None:
            found[of_column(self._name, "mean")] = self._spread.mean
            found[of_column(self._name, "deviation")] = self._spread.deviation
        return found


class DriftInTable:
    """Measures rows in a warehouse, and compares."""

    name = NAME

    def __init__(self, columns: tuple[Column | None, ...], drifts: Drifts, chosen: DriftSettings) -> None:
        self._drifts = drifts
        self._asked = {"rows": "count(*)"}
        for column in columns:
            if column is not None:
                self._asked |= dict(_asked(column, chosen))
        self._found: dict[str, Figure] = {}

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        sql = f"SELECT {', '.join(self._asked.values())} FROM {RELATION}"  # noqa: S608 - names are quoted
        (answers,) = rows.query(statement(sql, (), rows.dialect)).rows
        self._found = {
            figure: None if answer is None else float(answer) if _is_real(figure) else int(answer)
            for figure, answer in zip(self._asked, answers, strict=True)
        }
        yield from self._drifts.findings(self._found)

    def measures(self) -> Mapping[str, Figure]:
        """See :meth:`etl_framework.Measuring.measures`."""
        return self._found


def _is_real(figure: str) -> bool:
    return figure.endswith((".mean", ".deviation"))


def _asked(column: Column, chosen: DriftSettings) -> Iterator[tuple[str, str]]:
    """The figures of a column, and the SQL that measures each."""
    name = quote(column.name)
    yield of_column(column.name, "nulls"), f"count(*) - count({name})"
    if chosen.distinct:
        yield of_column(column.name, "distinct"), f"count(DISTINCT {name})"
    if chosen.mean and column.type.is_number:
        number = f"CAST({name} AS DOUBLE)"
        finite = f"CASE WHEN abs({number}) <= 1.7976931348623157e308 THEN {number} END"
        squared = f"CASE WHEN abs({number}) <= {_LARGEST} THEN {number} END"
        yield of_column(column.name, "mean"), f"avg({finite if column.type.kind in FLOATS else number})"
        yield (
            of_column(column.name, "deviation"),
            f"CASE WHEN count({squared}) = count({finite}) THEN stddev_samp({squared}) END",
        )
