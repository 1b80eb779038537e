"""The statements of a load. Names are always quoted; values are always bound."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_framework import Kind, UsageError, quote

if TYPE_CHECKING:
    from etl_framework import Column, ColumnType, PeriodFilter

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


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the values that it is sent with."""

    sql: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.sql} -- {', '.join(map(str, self.values))}" if self.values else self.sql


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows and the values that it is sent with."""

    sql: str
    values: tuple[Any, ...] = ()


EVERY_ROW = Condition("true")


def rows_after(row: object) -> Condition:
    """The rows that came after a row number: those that a transaction inserted since."""
    return Condition("rowid > ?", (row,))


def both(one: Condition, other: Condition) -> Condition:
    """Both conditions at once."""
    return Condition(f"{one.sql} AND {other.sql}", (*one.values, *other.values))


def no(condition: Condition) -> Condition:
    """The rows for which the condition is false or unknown."""
    return Condition(f"NOT coalesce({condition.sql}, false)", condition.values)


def type_name(type_: ColumnType) -> str:
    """The DuckDB type, spelt as DuckDB's catalog spells it."""
    if type_.kind is Kind.DECIMAL:
        return f"DECIMAL({type_.precision},{type_.scale})"
    return _TYPES[type_.kind]


def stream_name(index: int) -> str:
    """The name of a column in :data:`STAGED` and :data:`LANDING`, whatever its name in the table."""
    return f"c{index}"


def create_table(table: str, columns: Sequence[Column]) -> Statement:
    """Make the table; columns that must have a value are declared so."""
    defined = ", ".join(
        f"{quote(column.name)} {type_name(column.type)}{' NOT NULL' if column.required else ''}" for column in columns
    )
    return Statement(f"CREATE TABLE {table} ({defined})")


def insert(table: str, columns: Sequence[Column], source: str) -> Statement:
    """Insert every row of the stream or of the landing table."""
    names = ", ".join(quote(column.name) for column in columns)
    values = ", ".join(map(stream_name, range(len(columns))))
    return Statement(f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}")


def land(columns: Sequence[Column]) -> Statement:
    """Put the staged rows into the landing table."""
    values = ", ".join(map(stream_name, range(len(columns))))
    return Statement(f"CREATE TEMP TABLE {LANDING} AS SELECT {values} FROM {STAGED}")


def delete(table: str, condition: Condition) -> Statement:
    """Delete the rows that fulfil the condition."""
    where = "" if condition == EVERY_ROW else f" WHERE {condition.sql}"
    return Statement(f"DELETE FROM {table}{where}", condition.values)


def delete_matches(table: str, keys: Sequence[tuple[str, str]]) -> Statement:
    """Delete the rows whose keys are among the landed ones.

    :param keys: of each key column, its name in the table and in the landing table.
    """
    same = " AND ".join(f"target.{quote(name)} = landed.{landed}" for name, landed in keys)
    return Statement(f"DELETE FROM {table} AS target USING {LANDING} AS landed WHERE {same}")


def duplicates(landed: Sequence[str], limit: int) -> Statement:
    """The first keys that several landed rows share: the keys, then how many rows."""
    keys = ", ".join(landed)
    return Statement(
        f"SELECT {keys}, count(*) FROM {LANDING} GROUP BY {keys} HAVING count(*) > 1 ORDER BY {keys} LIMIT {limit}"
    )


def count(table: str, condition: Condition) -> Statement:
    """How many rows fulfil the condition."""
    return Statement(f"SELECT count(*) FROM {table} WHERE {condition.sql}", condition.values)


def any_row(table: str) -> Statement:
    """One row when there are any."""
    return Statement(f"SELECT 1 FROM {table} LIMIT 1")


def last_row(table: str) -> Statement:
    """The highest row number, NULL in an empty table."""
    return Statement(f"SELECT max(rowid) FROM {table}")


def count_without_key(landed: Sequence[str]) -> Statement:
    """How many landed rows have no value in a key column."""
    return count(LANDING, Condition(" OR ".join(f"{key} IS NULL" for key in landed)))


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
        raise UsageError(
            f"column {period.column!r} is {type_.lower()}, so it cannot tell which rows a period covers",
            advice="Name a date or timestamp column as date_column.",
        )
    return Condition(f"{expression} >= {start} AND {expression} < {end}", days)
