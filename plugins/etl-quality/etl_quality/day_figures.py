"""How many rows each day has: counted in files, and asked of a warehouse. Days are days in UTC, numbered from 1970."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from etl_framework import (
    NO_ROWS,
    RELATION,
    Finding,
    Kind,
    RunFailed,
    Severity,
    UsageError,
    no_date,
    outside_period,
    quote,
)
from etl_quality.dialects import statement
from etl_quality.sections import unknown_column

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from etl_framework import Column, Job, Period, Rows

_MICROSECONDS = 86_400_000_000
_DENSE = 1 << 16
"""Days up to which counting in an array is quicker than sorting, however few the rows."""
_MOST_DAYS = 10_000_000
"""All days of the years 1 to 9999 are fewer."""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """Rows per day.

    :param days: numbers of the days that have rows, ascending.
    :param rows: how many each of them has.
    :param undated: rows without a date.
    """

    days: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    undated: int

    def chosen(self, which: npt.NDArray[np.bool_]) -> DayFigures:
        """Only some of the days."""
        return DayFigures(days=self.days[which], rows=self.rows[which], undated=self.undated)

    def within(self, period: Period | None) -> npt.NDArray[np.bool_]:
        """Whether each day is one of the period; without one, all are."""
        if period is None:
            return np.ones(len(self.days), np.bool_)
        first, last = ends(period)
        return (self.days >= first) & (self.days <= last)


class DayTally:
    """Counts the rows of each day. Mergeable."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self.undated = 0

    def update(self, days: npt.NDArray[np.int64], undated: int) -> None:
        """Take in the days of some rows.

        :param days: of the rows that have one.
        :param undated: how many have none.
        """
        self.undated += undated
        if len(days):
            low, high = int(days.min()), int(days.max())
            if high - low < max(_DENSE, len(days)):
                counts = np.bincount(days - low)
                found = np.flatnonzero(counts)
                self._add(zip((found + low).tolist(), counts[found].tolist(), strict=True))
            else:
                found, counts = np.unique(days, return_counts=True)
                self._add(zip(found.tolist(), counts.tolist(), strict=True))

    def merge(self, other: DayTally) -> None:
        """Take in what another tally counted."""
        self.undated += other.undated
        self._add(other._rows.items())

    def figures(self) -> DayFigures:
        """What was counted."""
        return _figures(self._rows.items(), self.undated)

    def _add(self, counts: Iterable[tuple[int, int]]) -> None:
        for day, rows in counts:
            self._rows[day] = self._rows.get(day, 0) + rows


def day_numbers(values: pa.Array) -> npt.NDArray[np.int64]:
    """The day of each value of a date or timestamp column, but for nulls, which are left out."""
    import pyarrow as pa

    whole = values.drop_null() if values.null_count else values
    if pa.types.is_date32(whole.type):
        days: npt.NDArray[np.int64] = whole.view(pa.int32()).to_numpy().astype(np.int64)
        return days
    moments: npt.NDArray[np.int64] = whole.view(pa.int64()).to_numpy()
    return np.floor_divide(moments, _MICROSECONDS)


def ask_days(rows: Rows, days: DayColumn) -> DayFigures:
    """Rows per day, by one query.

    :raises RunFailed: the warehouse cannot tell.
    """
    day = f"datediff('day', DATE '{EPOCH}', CAST({in_utc(days.column)} AS DATE))"
    sql = f'SELECT {day} AS "day", count(*) AS "rows" FROM {RELATION} GROUP BY 1'  # noqa: S608 - quoted names
    answer = rows.query(statement(sql, (), rows.dialect), limit=_MOST_DAYS)
    if not answer.complete:
        raise RunFailed(f"column {days.name!r} has more than {_MOST_DAYS:,} days", advice="Mend the dates.")
    counts = {None if day is None else int(day): int(number) for day, number in answer.rows}
    undated = counts.pop(None, 0)
    return _figures(((day, number) for day, number in counts.items() if day is not None), undated)


def in_utc(column: Column) -> str:
    """DuckDB's SQL for a date, or a moment in UTC without a time zone."""
    name = quote(column.name)
    return f"CAST({name} AT TIME ZONE 'UTC' AS TIMESTAMP)" if column.type.kind is Kind.TIMESTAMPTZ else name


@dataclass(frozen=True, slots=True, kw_only=True)
class DayColumn:
    """The column that tells the day of a row.

    :param name: as the configuration spells it, which findings repeat.
    :param at: its index among the columns.
    :param column: as the source or the warehouse has it.
    """

    name: str
    at: int
    column: Column


def day_column(columns: Sequence[Column], asked: str | None, job: Job, check: str) -> DayColumn:
    """The column that tells the day of a row.

    :param asked: what the check's own settings say; None for the job's date column.
    :param check: the check's name.
    :raises UsageError: no column is named, there is none of that name, or it holds no dates.
    """
    key = "date_column" if asked is None else f"checks.{check}.column"
    name = asked or job.date_column
    if name is None:
        raise UsageError(
            f"checks.{check} needs to know which column tells the day of a row",
            advice=f'Set date_column in the job, or {check} = {{ column = "…" }}.',
            key=f"checks.{check}",
        )
    # As for rows of a warehouse: the exact name first, then the case of letters does not matter.
    exact = (at for at, column in enumerate(columns) if column.name == name)
    folded = (at for at, column in enumerate(columns) if column.name.casefold() == name.casefold())
    at = next(exact, next(folded, None))
    if at is None:
        raise unknown_column(name, columns, key)
    found = columns[at]
    if found.type.kind not in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        raise UsageError(
            f"{key}: column {found.name!r} is {found.type}, which tells no day",
            advice="Name a column of dates or timestamps. Where this one should be, declare it in columns: values that "
            "are no dates are then bad rows, with their lines.",
            key=key,
        )
    return DayColumn(name=name, at=at, column=found)


def nothing_found(rule: str, column: str, period: Period | None, figures: DayFigures) -> Finding:
    """What is said where no day of the period has rows: nothing was looked at, so that nothing is valid.

    :param figures: of all rows, which tell what that comes of.
    """
    elsewhere = outside_period(column) if len(figures.days) else no_date(column)
    return Finding(
        rule=rule,
        severity=Severity.ERROR,
        count=1,
        message=f"there are no rows of the period {period} by column {column!r}"
        if period
        else f"no row has a date in column {column!r}",
        advice="Is it the right file, was it written to its end, and is the period the right one?",
        cause=elsewhere if len(figures.days) or figures.undated else NO_ROWS,
    )


def ends(period: Period) -> tuple[int, int]:
    """Numbers of the first and the last day."""
    return (period.first - EPOCH).days, (period.last - EPOCH).days


def _figures(counts: Iterable[tuple[int, int]], undated: int) -> DayFigures:
    table = np.array(sorted(counts), np.int64).reshape(-1, 2)
    return DayFigures(days=table[:, 0], rows=table[:, 1], undated=undated)
