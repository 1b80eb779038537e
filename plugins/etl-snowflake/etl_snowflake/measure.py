"""Control totals by SQL."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_framework import EVERY_ROW, Column, ColumnTotals, Condition, Kind, Statement, Totals, quote

if TYPE_CHECKING:
    from etl_snowflake.session import Session

_AT_ONCE = 100
"""Columns per query."""

_SURE_DIGITS = 26
"""Sums of decimals with so many digits fit Snowflake's 38 digits up to 10^12 rows."""

_NOTHING = {Kind.DECIMAL: Decimal(0), Kind.REAL: 0.0, Kind.DOUBLE: 0.0}
_HALF = 10**12


def queries(table: str, columns: Sequence[tuple[Column, str]], where: Condition = EVERY_ROW) -> list[Statement]:
    """The queries that measure; each gives the number of rows, then five figures per column.

    :param columns: each with its name in the table.
    """
    return [
        Statement(
            f"SELECT {', '.join(['COUNT(*)', *(_figures(*each) for each in columns[at : at + _AT_ONCE])])} "
            f"FROM {table} WHERE {where.sql}",
            where.values,
        )
        for at in range(0, max(len(columns), 1), _AT_ONCE)
    ]


def measure(
    session: Session, table: str, columns: Sequence[tuple[Column, str]], where: Condition = EVERY_ROW
) -> Totals:
    """Control totals of the rows that fulfil the condition."""
    rows = 0
    figures: list[Any] = []
    for query in queries(table, columns, where):
        [answer] = session.rows(query)
        rows, figures = int(answer[0]), [*figures, *answer[1:]]
    return Totals(
        rows=rows,
        columns=tuple(_totals(column, rows, figures[5 * at : 5 * at + 5]) for at, (column, _) in enumerate(columns)),
    )


def _figures(column: Column, name: str) -> str:
    """SQL for rows with a value, minimum, maximum, total, and the total's low half where it is given in two."""
    value, kind = quote(name), column.type.kind
    low = high = value
    total, rest = "NULL", "NULL"
    match kind:
        case Kind.REAL | Kind.DOUBLE:
            # NaN is larger than any other to Snowflake; control totals are of finite numbers.
            finite = f"IFF({value} IN ('NaN'::FLOAT, 'inf'::FLOAT, '-inf'::FLOAT), NULL, {value})"
            low = high = finite
            total = f"SUM({finite})"
        case Kind.VARCHAR:
            total = f"SUM(OCTET_LENGTH({value}))"
        case Kind.DECIMAL if (column.type.precision or 38) > _SURE_DIGITS:
            # In two halves, neither of which can overflow.
            total = f"SUM(TRUNC({value} / {_HALF}))"
            rest = f"SUM({value} - TRUNC({value} / {_HALF}) * {_HALF})"
        case Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT | Kind.DECIMAL:
            total = f"SUM({value})"
        case Kind.TIMESTAMPTZ:
            low = high = f"CONVERT_TIMEZONE('UTC', {value})::TIMESTAMP_NTZ"
    return f"COUNT({value}), MIN({low}), MAX({high}), {total}, {rest}"


def _totals(column: Column, rows: int, found: Sequence[Any]) -> ColumnTotals:
    values, low, high, total, rest = found
    kind = column.type.kind
    if rest is not None:
        total = Decimal(total) * _HALF + Decimal(rest)
    if total is None and (column.type.is_number or kind is Kind.VARCHAR):
        total = _NOTHING.get(kind, 0)
    low, high, total = (_as(kind, value) for value in (low, high, total))
    return ColumnTotals(name=column.name, nulls=rows - int(values), minimum=low, maximum=high, total=total)


def _as(kind: Kind, value: Any) -> Any:
    """A figure as the type that control totals of such a column have."""
    if value is None:
        return None
    match kind:
        case Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT:
            return int(value)
        case Kind.DECIMAL:
            return Decimal(value)
        case Kind.REAL | Kind.DOUBLE:
            return float(value)
        case Kind.TIMESTAMPTZ if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case Kind.VARCHAR if not isinstance(value, str):
            return int(value)
    return value
