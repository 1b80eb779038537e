"""DuckDB's own dialect, beside what every warehouse takes alike."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import Condition, Kind, Statement, holds_no_days

if TYPE_CHECKING:
    from etl_framework import ColumnType, PeriodFilter

STAGED = 'temp.main."_etl_staged"'
"""The staged rows, as a stream that can be read once; its columns are named by :func:`stream_name`."""

LANDING = 'temp.main."_etl_landing"'
"""The staged rows in a temporary table, for loads that must look at them before they change the table."""

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
