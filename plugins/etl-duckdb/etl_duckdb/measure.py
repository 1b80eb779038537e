"""Control totals by SQL."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from etl_duckdb.sql import in_utc, type_name, with_zone
from etl_framework import EVERY_ROW, Column, ColumnTotals, Condition, Kind, Statement, Totals

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 100
"""Columns per query: aggregates of text hold memory for each of them."""

_SURE_DIGITS = 26
"""Sums of decimals with so many digits fit DuckDB's 38 digits up to 10^12 rows."""

_EXACT = Context(prec=100)
_NOTHING = {Kind.DECIMAL: Decimal(0), Kind.REAL: 0.0, Kind.DOUBLE: 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is measured: an expression and the column that its values are compared as.

    :param expression: SQL for the value.
    :param type: the expression's DuckDB type.
    :param column: name and type in the control totals.
    """

    expression: str
    type: str
    column: Column

    @property
    def value(self) -> str:
        """SQL for the value in the column's own type: a table's may be wider."""
        name = type_name(self.column.type)
        return self.expression if self.type == name else f"CAST({self.expression} AS {name})"

    def figures(self) -> str:
        """SQL for rows with a value, minimum, maximum and total."""
        kind, value, total = self.column.type.kind, self.value, "NULL"
        compared = value
        match kind:
            case Kind.REAL | Kind.DOUBLE:
                compared = f"CASE WHEN isfinite({value}) THEN {value} END"
                total = f"fsum(CAST({compared} AS DOUBLE))"
            case Kind.VARCHAR:
                compared = f'{value} COLLATE "binary"'
                total = f"sum(strlen({value}))"
            case Kind.DECIMAL if (self.column.type.precision or 38) > _SURE_DIGITS:
                total = f"CAST(sum(CAST(replace(CAST({value} AS VARCHAR), '.', '') AS BIGNUM)) AS VARCHAR)"
            case Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT | Kind.DECIMAL:
                total = f"sum({value})"
        bounds = [f"min({compared})", f"max({compared})"]
        if kind is Kind.TIMESTAMPTZ:
            bounds = [in_utc(bound) for bound in bounds]
        return ", ".join([f"count({self.expression})", *bounds, total])

    def totals(self, rows: int, found: Sequence[Any]) -> ColumnTotals:
        """What the figures mean."""
        values, low, high, total = found
        kind = self.column.type.kind
        if kind is Kind.TIMESTAMPTZ:
            low, high = with_zone(low), with_zone(high)
        if isinstance(total, str):
            total = Decimal(total).scaleb(-(self.column.type.scale or 0), _EXACT)
        if total is None and (self.column.type.is_number or kind is Kind.VARCHAR):
            total = _NOTHING.get(kind, 0)
        return ColumnTotals(name=self.column.name, nulls=rows - values, minimum=low, maximum=high, total=total)


def queries(table: str, measured: Sequence[Measured], where: Condition = EVERY_ROW) -> list[Statement]:
    """The queries that measure; each gives the number of rows, then four figures per column."""
    return [
        Statement(
            f"SELECT {', '.join(['count(*)', *(each.figures() for each in measured[at : at + _AT_ONCE])])} "
            f"FROM {table} WHERE {where.sql}",
            where.values,
        )
        for at in range(0, max(len(measured), 1), _AT_ONCE)
    ]


def measure(
    connection: duckdb.DuckDBPyConnection, table: str, measured: Sequence[Measured], where: Condition = EVERY_ROW
) -> Totals:
    """Control totals of the rows that fulfil the condition."""
    rows = 0
    figures: list[Any] = []
    for query in queries(table, measured, where):
        (answer,) = connection.execute(query.sql, query.values).fetchall()
        rows, figures = answer[0], [*figures, *answer[1:]]
    columns = (each.totals(rows, figures[4 * at : 4 * at + 4]) for at, each in enumerate(measured))
    return Totals(rows=rows, columns=tuple(columns))
