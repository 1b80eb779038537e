"""The statements that are sent. Names are always quoted; values are always bound."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_framework import Kind, UsageError, quote

if TYPE_CHECKING:
    from etl_framework import ColumnType, PeriodFilter

_TYPES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.SMALLINT: "NUMBER(5,0)",
    Kind.INTEGER: "NUMBER(10,0)",
    Kind.BIGINT: "NUMBER(19,0)",
    Kind.REAL: "FLOAT",
    Kind.DOUBLE: "FLOAT",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME(6)",
    Kind.TIMESTAMP: "TIMESTAMP_NTZ(6)",
    Kind.TIMESTAMPTZ: "TIMESTAMP_TZ(6)",
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


def literal(text: str) -> str:
    """A text as a string constant, for the places where Snowflake takes no bound value: file names and formats."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r") + "'"


def type_name(type_: ColumnType) -> str:
    """The type of a new column."""
    if type_.kind is Kind.DECIMAL:
        return f"NUMBER({type_.precision},{type_.scale})"
    return _TYPES[type_.kind]


def no(condition: Condition) -> Condition:
    """The rows for which the condition is false or unknown."""
    return Condition(f"NOT COALESCE({condition.sql}, FALSE)", condition.values)


def covers(period: PeriodFilter, expression: str, type_: str) -> Condition:
    """The rows of a period, its last day whole.

    :param expression: the date column.
    :param type_: its type as Snowflake spells it.
    :raises UsageError: the column holds neither dates nor timestamps.
    """
    days = (period.first.isoformat(), period.last.isoformat())
    if type_ == "DATE":
        return Condition(f"{expression} BETWEEN TO_DATE(?) AND TO_DATE(?)", days)
    if not type_.startswith("TIMESTAMP"):
        raise UsageError(
            f"column {period.column!r} is {type_.lower()}, so it cannot tell which rows a period covers",
            advice="Name a date or timestamp column as date_column.",
        )
    # Sessions are in UTC: days of a column with a time zone are days in UTC.
    return Condition(f"{expression} >= TO_DATE(?) AND {expression} < DATEADD(DAY, 1, TO_DATE(?))", days)


def delete(table: str, condition: Condition) -> Statement:
    """Delete the rows that fulfil the condition."""
    where = "" if condition == EVERY_ROW else f" WHERE {condition.sql}"
    return Statement(f"DELETE FROM {table}{where}", condition.values)


def count(table: str, condition: Condition) -> Statement:
    """How many rows fulfil the condition."""
    return Statement(f"SELECT COUNT(*) FROM {table} WHERE {condition.sql}", condition.values)


def any_row(table: str) -> Statement:
    """One row when there are any."""
    return Statement(f"SELECT 1 FROM {table} LIMIT 1")


def insert_all(target: str, source: str, columns: Sequence[str]) -> Statement:
    """Insert every row of one table into another; names are those of both."""
    names = ", ".join(map(quote, columns))
    return Statement(f"INSERT INTO {target} ({names}) SELECT {names} FROM {source}")


def delete_matches(target: str, source: str, keys: Sequence[str]) -> Statement:
    """Delete the rows whose keys are among those of another table."""
    same = " AND ".join(f"target.{quote(key)} = landed.{quote(key)}" for key in keys)
    return Statement(f"DELETE FROM {target} AS target USING {source} AS landed WHERE {same}")


def duplicates(table: str, keys: Sequence[str], limit: int) -> Statement:
    """The first keys that several rows share: the keys, then how many rows."""
    names = ", ".join(map(quote, keys))
    return Statement(
        f"SELECT {names}, COUNT(*) FROM {table} GROUP BY {names} HAVING COUNT(*) > 1 ORDER BY {names} LIMIT {limit}"
    )


def without_key(table: str, keys: Sequence[str]) -> Statement:
    """How many rows have no value in a key column."""
    return count(table, Condition(" OR ".join(f"{quote(key)} IS NULL" for key in keys)))
