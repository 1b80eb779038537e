"""Control totals by SQL."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_framework import EVERY_ROW, Column, ColumnTotals, Condition, Kind, Statement, Totals, quote
from etl_snowflake.sql import by_bytes

if TYPE_CHECKING:
    from etl_snowflake.session import Session

_AT_ONCE = 100
"""Columns per query."""

_SURE_DIGITS = 26
"""Sums of decimals with so many digits fit Snowflake's 38 digits up to 10^12 rows."""

_NOTHING = {Kind.DECIMAL: Decimal(0), Kind.REAL: 0.0, Kind.DOUBLE: 0.0}
_HALF = 10**12
_FIGURES = 5
_BITS = 53


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


def float_sums(
    table: str, scaled: Sequence[tuple[str, int | None]], where: Condition = EVERY_ROW
) -> Iterator[Statement]:
    """The queries that add up floating point numbers: each value times a power of two, as a whole number.

    Snowflake adds floats in any order, which may be wrong by rows · ε · Σ|x| (Higham, Accuracy and Stability of
    Numerical Algorithms, 4.2): more than a lost row of a large table. Whole numbers are added exactly, so that only
    the rounding of each value is left.

    :param scaled: names of columns in the table, each with its exponent as :func:`exponent` gives it.
    """
    for at in range(0, len(scaled), _AT_ONCE):
        several = scaled[at : at + _AT_ONCE]
        # In two steps: the powers that the smallest numbers need are no floating point numbers themselves.
        sums = (f"SUM(CAST({_finite(quote(name))} * POWER(2, ?) * POWER(2, ?) AS NUMBER(38,0)))" for name, _ in several)
        powers = (half for _, power in several for half in _halves(power))
        yield Statement(f"SELECT {', '.join(sums)} FROM {table} WHERE {where.sql}", (*powers, *where.values))


def exponent(largest: float) -> int:
    """By which power of two numbers up to ``largest`` are multiplied, so that they keep all of their 53 bits."""
    return _BITS - math.frexp(largest)[1]


def _halves(power: int | None) -> tuple[int | None, int | None]:
    return (None, None) if power is None else (power // 2, power - power // 2)


def measure(
    session: Session, table: str, columns: Sequence[tuple[Column, str]], where: Condition = EVERY_ROW
) -> Totals:
    """Control totals of the rows that fulfil the condition."""
    rows = 0
    figures: list[Any] = []
    for query in queries(table, columns, where):
        [answer] = session.rows(query)
        rows, figures = int(answer[0]), [*figures, *answer[1:]]
    found = [
        _totals(column, rows, figures[_FIGURES * at : _FIGURES * (at + 1)]) for at, (column, _) in enumerate(columns)
    ]
    scaled = {
        at: (columns[at][1], exponent(max(abs(each.minimum), abs(each.maximum))))
        for at, each in enumerate(found)
        if isinstance(each.minimum, float) and isinstance(each.maximum, float)
    }
    sums: list[Any] = []
    for query in float_sums(table, list(scaled.values()), where):
        [answer] = session.rows(query)
        sums += answer
    for (at, (_, power)), total in zip(scaled.items(), sums, strict=True):
        found[at] = replace(found[at], total=math.ldexp(int(total), -power))
    return Totals(rows=rows, columns=tuple(found))


def _finite(value: str) -> str:
    # NaN is larger than any other to Snowflake; control totals are of finite numbers.
    return f"IFF({value} IN ('NaN'::FLOAT, 'inf'::FLOAT, '-inf'::FLOAT), NULL, {value})"


def _figures(column: Column, name: str) -> str:
    """SQL for rows with a value, minimum, maximum, total, and the total's low half where it is given in two."""
    value, kind = quote(name), column.type.kind
    low, high = f"MIN({value})", f"MAX({value})"
    total, rest = "NULL", "NULL"
    match kind:
        case Kind.BOOLEAN:
            # Documented for booleans, as MIN and MAX are not.
            low, high = f"BOOLAND_AGG({value})", f"BOOLOR_AGG({value})"
        case Kind.REAL | Kind.DOUBLE:
            low, high = f"MIN({_finite(value)})", f"MAX({_finite(value)})"
        case Kind.VARCHAR:
            low, high = f"MIN({by_bytes(value)})", f"MAX({by_bytes(value)})"
            total = f"SUM(OCTET_LENGTH({value}))"
        case Kind.DECIMAL if (column.type.precision or 38) > _SURE_DIGITS:
            # In two halves, neither of which can overflow.
            total = f"SUM(TRUNC({value} / {_HALF}))"
            rest = f"SUM({value} - TRUNC({value} / {_HALF}) * {_HALF})"
        case Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT | Kind.DECIMAL:
            total = f"SUM({value})"
        case Kind.TIMESTAMPTZ:
            moment = f"CONVERT_TIMEZONE('UTC', {value})::TIMESTAMP_NTZ"
            low, high = f"MIN({moment})", f"MAX({moment})"
    return f"COUNT({value}), {low}, {high}, {total}, {rest}"


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
        case Kind.DATE if isinstance(value, datetime):
            # A table may hold the days of the sources as timestamps.
            return value.date()
        case Kind.TIMESTAMPTZ if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case Kind.VARCHAR if not isinstance(value, str):
            return int(value)
    return value
