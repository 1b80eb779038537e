"""Snowflake's own dialect, beside what every warehouse takes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import Condition, Kind, Statement, holds_no_days, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def literal(text: str) -> str:
    """A text as a string constant, for the places where Snowflake takes no bound value: file names and formats."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r") + "'"


def type_name(type_: ColumnType) -> str:
    """The type of a new column."""
    if type_.kind is Kind.DECIMAL:
        return f"NUMBER({type_.precision},{type_.scale})"
    return _TYPES[type_.kind]


def landing_type(type_: ColumnType, length: int | None) -> str:
    """The type of a column of a landing table, whose texts compare as their bytes do.

    :param length: the most characters of a text, None for as many as Snowflake takes where nothing is said.
    """
    if type_.kind is not Kind.VARCHAR:
        return type_name(type_)
    return f"VARCHAR{'' if length is None else f'({length})'} COLLATE 'utf8'"


def by_bytes(text: str) -> str:
    """A text that compares as its bytes do, whatever collation its column, schema or account has.

    :param text: SQL for it.
    """
    return f"COLLATE({text}, 'utf8')"


def delete_matches(table: str, source: str, keys: Iterable[tuple[str, bool]]) -> Statement:
    """Delete the rows whose keys are among those of another table.

    :param keys: names of the key columns, which both have, each with whether it holds text.
    """
    same = " AND ".join(
        f"{by_bytes(f'target.{quote(key)}')} = {by_bytes(f'landed.{quote(key)}')}"
        if is_text
        else f"target.{quote(key)} = landed.{quote(key)}"
        for key, is_text in keys
    )
    return Statement(f"DELETE FROM {table} AS target USING {source} AS landed WHERE {same}")  # noqa: S608


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
        raise holds_no_days(period.column, type_)
    # Sessions are in UTC: days of a column with a time zone are days in UTC.
    return Condition(f"{expression} >= TO_DATE(?) AND {expression} < DATEADD(DAY, 1, TO_DATE(?))", days)
