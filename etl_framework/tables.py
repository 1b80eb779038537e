"""What can be asked of a warehouse's tables, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from etl_framework.columns import NUMBERS, Column, Kind
from etl_framework.errors import Refused, UsageError
from etl_framework.terminal import counted
from etl_framework.totals import ColumnTotals, Totals
from etl_framework.values import PeriodFilter

if TYPE_CHECKING:
    from etl_framework.columns import TableName

Bound = int | float | Decimal | date | datetime | str

MOST_ROWS = 100_000
"""Rows of a query's answer, unless more are asked for."""

_NUMBER = (int, float, Decimal)
_BOUNDS: dict[Kind, tuple[type, ...]] = {
    **dict.fromkeys(NUMBERS, _NUMBER),
    Kind.DATE: (date,),
    Kind.TIMESTAMP: (date,),
    Kind.TIMESTAMPTZ: (date,),
    Kind.VARCHAR: (str,),
}


class Unit(StrEnum):
    """A span of the calendar; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFilter:
    """Which rows of a table have a value within bounds; those without a value have none.

    :param column: of numbers, dates, timestamps or text.
    :param first: the lowest value, included; None for no lower bound. Text compares by its UTF-8 bytes.
    :param last: the highest value, included; None for no upper bound. Of a timestamp column, a date is the whole day,
        in UTC; a timestamp without a time zone is in UTC, too, where the column has time zones.
    :raises UsageError: there is no bound, the last is below the first, or they are of different types.
    """

    column: str
    first: Bound | None = None
    last: Bound | None = None

    def __post_init__(self) -> None:
        if self.first is None and self.last is None:
            raise UsageError(f"the range of column {self.column!r} has no bound", advice="Give one, or both.")
        if self.first is None or self.last is None:
            return
        first: Any = self.first
        try:
            swapped = first > self.last
        except TypeError:
            raise UsageError(
                f"the bounds of column {self.column!r} are of different types: {self.first!r} and {self.last!r}",
                advice="Give two numbers, two dates, two timestamps or two texts.",
            ) from None
        if swapped:
            raise UsageError(
                f"the range of column {self.column!r} ends ({self.last}) before it begins ({self.first})",
                advice="Swap the two ends.",
            )


RowFilter = PeriodFilter | RangeFilter


def filter_in_words(where: RowFilter | None) -> str:
    """Which rows a filter means, for people and for the ledger."""
    if where is None:
        return "every row"
    bounds = [f"{word} {bound}" for word, bound in (("from", where.first), ("to", where.last)) if bound is not None]
    return f"{where.column} {' '.join(bounds)}"


def comparisons(where: RangeFilter, column: Column) -> Iterator[tuple[str, Bound]]:
    """The comparisons that a range means, each an operator and what the column's value is compared with.

    :param column: of the table.
    :raises UsageError: values of the column cannot be compared with the bounds.
    """
    _check_bounds(where, column)
    if where.first is not None:
        yield ">=", where.first
    last = where.last
    if last is None:
        return
    if column.type.kind is Kind.DATE or isinstance(last, datetime) or not isinstance(last, date):
        yield "<=", last
    elif last < date.max:
        yield "<", last + timedelta(days=1)
    else:
        yield "<=", datetime.max.replace(tzinfo=UTC)


def _check_bounds(where: RangeFilter, column: Column) -> None:
    for bound in (where.first, where.last):
        if bound is None:
            continue
        fits = isinstance(bound, _BOUNDS.get(column.type.kind, ())) and not isinstance(bound, bool)
        if isinstance(bound, _NUMBER):
            fits = fits and math.isfinite(bound)
        if not fits or (column.type.kind is Kind.DATE and isinstance(bound, datetime)):
            raise UsageError(
                f"column {where.column!r} is {column.type}, which cannot be compared with {bound!r}",
                advice="Give numbers, dates or texts, as the column holds them.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """A table or view of a warehouse.

    :param name: as the warehouse's other methods take it.
    :param view: whether it is a view.
    :param rows: how many it holds; None when unknown, as of views.
    :param bytes: what it takes in storage; None when unknown.
    :param changed_at: when its data or its definition changed last, in UTC; None when unknown.
    """

    name: TableName
    view: bool = False
    rows: int | None = None
    bytes: int | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The answer of a query.

    :param columns: the names, as the warehouse spells them.
    :param rows: a tuple of values each: None, bool, int, float, Decimal, str, date, time, datetime (in UTC where the
        column has time zones, and without one where it has none), or what the warehouse has beyond these.
    :param complete: whether these are all rows; False where the limit cut the answer off.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodCount:
    """How many rows lie in a day, week, month or year.

    :param first: the first day; None for the rows without a date.
    :param rows: how many, at least one.
    """

    first: date | None
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What a deletion did.

    :param id: by which the warehouse's load ledger knows it.
    :param rows: how many were deleted.
    :param query_id: the warehouse's name for the statement or transaction.
    :param undo: the SQL that brings the rows back, as long as the warehouse keeps them; empty when there is none.
    """

    id: str
    rows: int
    query_id: str
    undo: str = ""


def refuse_unexpected(table: object, rows: int, expect: int | None) -> None:
    """Insist that as many rows are deleted as were expected.

    :param rows: how many would be.
    :param expect: how many were seen before; None when nobody looked.
    :raises Refused: they differ.
    """
    if expect is not None and rows != expect:
        raise Refused(
            f"{counted(rows, 'row')} of {table} would be deleted, but {expect:,} were expected",
            advice="Nothing was deleted. The table has changed in between: look at it again.",
        )


def deleted_bounds(where: RowFilter | None, rows: int) -> Totals:
    """The bounds of a deletion in the form of control totals, which is how a ledger holds them.

    :param rows: how many were deleted.
    """
    if where is None:
        return Totals(rows=rows, columns=())
    bounds = ColumnTotals(name=where.column, nulls=0, minimum=where.first, maximum=where.last, total=None)
    return Totals(rows=rows, columns=(bounds,))


def within_bounds(loaded: Totals, deleted: Totals) -> bool:
    """Whether certainly every row of a load lies within the bounds of a deletion.

    :param loaded: the load's control totals.
    :param deleted: what :func:`deleted_bounds` gave.
    """
    if not deleted.columns:
        return True
    bounds = deleted.columns[0]
    figures = [column for column in loaded.columns if column.name.casefold() == bounds.name.casefold()]
    if len(figures) != 1 or figures[0].nulls:
        return False
    low, high = figures[0].minimum, figures[0].maximum
    # Not-a-number and the infinities are among no control totals, and within no bounds.
    if isinstance(low, float) or low is None or high is None:
        return False
    try:
        return not (_below(low, bounds.minimum) or _below(bounds.maximum, high))
    except TypeError:  # the column had another type when it was loaded
        return False


def _below(value: Any, other: Any) -> bool:
    """Whether one value is lower than the other; None is no bound, a date a whole day."""
    if value is None or other is None:
        return False
    if isinstance(value, datetime) != isinstance(other, datetime):
        value, other = (day.date() if isinstance(day, datetime) else day for day in (value, other))
    elif isinstance(value, datetime) and (value.tzinfo is None) != (other.tzinfo is None):
        value, other = (moment.replace(tzinfo=None) for moment in (value, other))
    return bool(value < other)
