"""DuckDB's own dialect, beside what every warehouse takes alike."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

from etl_framework import (
    Condition,
    Kind,
    PeriodFilter,
    Statement,
    both,
    comparisons,
    holds_no_days,
    quote,
)

if TYPE_CHECKING:
    from etl_framework import Bound, Column, ColumnType, RowFilter

STAGED = 'temp.main."_etl_staged"'
"""The staged rows, as a stream that can be read once; its columns are named by :func:`stream_name`."""

LANDING = 'temp.main."_etl_landing"'
"""The staged rows in a temporary table, for loads that must look at them before they change the table."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.SMALLINT: "SMALLINT",
    Kind.INTEGER: "INTEGER",
    Kind.BIGINT: "BIGINT",
    Kind.REAL: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    Kind.VARCHAR: "VARCHAR",
}


def rows_after(row: object) -> Condition:
    """The rows that came after a row number: those that a transaction inserted since."""
    return Condition("rowid > ?", (row,))


def type_name(type_: ColumnType) -> str:
    """The DuckDB type, spelt as DuckDB's catalog spells it."""
    if type_.kind is Kind.DECIMAL:
        return f"DECIMAL({type_.precision},{type_.scale})"
    return _TYPES[type_.kind]


def stream_name(index: int) -> str:
    """The name of a column in :data:`STAGED` and :data:`LANDING`, whatever its name in the table."""
    return f"c{index}"


def land(width: int) -> Statement:
    """Put the staged rows, of so many columns, into the landing table."""
    values = ", ".join(map(stream_name, range(width)))
    return Statement(f"CREATE TEMP TABLE {LANDING} AS SELECT {values} FROM {STAGED}")


def last_row(table: str) -> Statement:
    """The highest row number, NULL in an empty table."""
    return Statement(f"SELECT max(rowid) FROM {table}")


def covers(period: PeriodFilter, expression: str, type_: str) -> Condition:
    """The rows of a period, its last day whole.

    :param expression: the date column.
    :param type_: its DuckDB type.
    :raises UsageError: the column holds neither dates nor timestamps.
    """
    days = (period.first.isoformat(), period.last.isoformat())
    start, end = "CAST(CAST(? AS DATE) AS TIMESTAMP)", "CAST(CAST(? AS DATE) + 1 AS TIMESTAMP)"
    if type_ == "DATE":
        return Condition(f"{expression} BETWEEN CAST(? AS DATE) AND CAST(? AS DATE)", days)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        # Days are days in UTC, whatever the time zone of the session.
        start, end = (f"make_timestamptz(epoch_us({bound}))" for bound in (start, end))
    elif not type_.startswith("TIMESTAMP"):
        raise holds_no_days(period.column, type_)
    return Condition(f"{expression} >= {start} AND {expression} < {end}", days)


def within(where: RowFilter, column: Column, type_: str) -> Condition:
    """The rows that a filter means.

    :param column: the filter's column, by its name in the table and the type that comes nearest.
    :param type_: its DuckDB type.
    :raises UsageError: the filter does not suit the column.
    """
    name = quote(column.name)
    if isinstance(where, PeriodFilter):
        return covers(where, name, type_)
    kind, conditions = column.type.kind, []
    for operator, value in comparisons(where, column):
        bound, sent = _bound(value, kind, type_)
        conditions.append(Condition(f"{name} {operator} {bound}", (sent,)))
    return reduce(both, conditions)


def _bound(bound: Bound, kind: Kind, type_: str) -> tuple[str, Any]:
    """SQL for a bound, and the value that it is sent with."""
    match kind:
        case Kind.DATE:
            return "CAST(? AS DATE)", str(bound)
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ if isinstance(bound, date):
            micros = _micros(bound)
            return (
                "make_timestamptz(?)" if kind is Kind.TIMESTAMPTZ else f"CAST(make_timestamp(?) AS {type_})"
            ), micros
    return "?", bound


def _micros(moment: date) -> int:
    """Microseconds since 1970, in UTC where there is a time zone."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - _EPOCH) // timedelta(microseconds=1)


def in_utc(expression: str) -> str:
    """SQL for a moment with a time zone as a timestamp in UTC, whatever the time zone of the session.

    DuckDB's own way of giving such moments to Python needs one more library; see :func:`with_zone`.
    """
    # Infinity has no microseconds.
    infinite = f"CAST(CAST({expression} AS VARCHAR) AS TIMESTAMP)"
    return f"CASE WHEN isfinite({expression}) THEN make_timestamp(epoch_us({expression})) ELSE {infinite} END"


def with_zone(value: datetime | str | None) -> datetime | str | None:
    """The moment that :func:`in_utc` gave; as text where Python has no such year."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return None if value is None else f"{value}+00"


def days(expression: str, type_: str) -> str | None:
    """SQL for the day of a date or timestamp in UTC, None where the type has no day."""
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return f"CAST({in_utc(expression)} AS DATE)"
    return f"CAST({expression} AS DATE)" if type_ == "DATE" or type_.startswith("TIMESTAMP") else None
