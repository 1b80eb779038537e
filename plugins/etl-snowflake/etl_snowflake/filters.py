"""Which rows a filter means, in Snowflake's dialect."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

from etl_framework import EVERY_ROW, Condition, Kind, PeriodFilter, both, comparisons, no_such_column, quote
from etl_snowflake.sql import covers
from etl_snowflake.table import Table, as_column

if TYPE_CHECKING:
    from etl_framework import Bound, RowFilter, TableColumn


def column_of(table: Table, name: str) -> TableColumn:
    """The table's column of that name.

    :raises UsageError: there is none.
    """
    column = table.column(name)
    if column is None:
        raise no_such_column(table.place, name)
    return column


def within(table: Table, where: RowFilter | None) -> Condition:
    """The rows that a filter means.

    :param where: None for every row.
    :raises UsageError: there is no such column, or the filter does not suit it.
    """
    if where is None:
        return EVERY_ROW
    column = column_of(table, where.column)
    name = quote(column.name)
    if isinstance(where, PeriodFilter):
        return covers(where, name, column.type)
    as_plain = as_column(column)
    kind, conditions = as_plain.type.kind, []
    for operator, value in comparisons(where, as_plain):
        bound, sent = _bound(value, kind, column.type)
        conditions.append(Condition(f"{name} {operator} {bound}", (sent,)))
    return reduce(both, conditions)


def _bound(bound: Bound, kind: Kind, type_: str) -> tuple[str, str]:
    """SQL for a bound, and the text that it is sent with, which both lines of the driver send alike."""
    match kind:
        case Kind.VARCHAR:
            return "?", str(bound)
        case Kind.DATE:
            return "TO_DATE(?)", str(bound)
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ if isinstance(bound, date):
            # Sessions are in UTC, and so are moments without a time zone in them.
            return f"CAST(? AS {type_})", _moment(bound)
        case Kind.REAL | Kind.DOUBLE:
            return "CAST(? AS FLOAT)", repr(float(bound)) if isinstance(bound, int | float | Decimal) else str(bound)
    return f"CAST(? AS NUMBER(38,{_scale(bound)}))", f"{Decimal(str(bound)):f}"


def _moment(bound: date) -> str:
    if not isinstance(bound, datetime):
        return f"{bound.isoformat()} 00:00:00"
    in_utc = bound if bound.tzinfo is None else bound.astimezone(UTC).replace(tzinfo=None)
    return in_utc.isoformat(sep=" ")


def _scale(bound: Bound) -> int:
    exponent = Decimal(str(bound)).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def days(column: TableColumn) -> str | None:
    """SQL for the day of a date or timestamp in UTC, None where the type has no day."""
    name = quote(column.name)
    if column.type in ("TIMESTAMP_TZ", "TIMESTAMP_LTZ"):
        return f"CONVERT_TIMEZONE('UTC', {name})::DATE"
    if column.type == "DATE":
        return name
    return f"{name}::DATE" if column.type == "TIMESTAMP_NTZ" else None
