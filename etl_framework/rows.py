"""Rows of a warehouse that checks ask about by SQL: those of a table, or those that a load is about to publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework.columns import quote
from etl_framework.sql import Statement
from etl_framework.tables import MOST_ROWS

if TYPE_CHECKING:
    from etl_framework.columns import Column
    from etl_framework.tables import QueryResult

RELATION = quote("_etl_rows")
"""What stands after FROM in a query about :class:`Rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a warehouse, as something to query.

    :param definition: the SELECT that gives them, every column under its name in ``columns``.
    :param columns: their names and types; foreign types count as text.
    :param dialect: of the warehouse; see :class:`~etl_framework.protocols.Warehouse`.
    :param ask: runs one SELECT with at most so many rows of answer; raises as ``Warehouse.query`` does.
    """

    definition: Statement
    columns: tuple[Column, ...]
    dialect: str
    ask: Callable[[Statement, int], QueryResult]

    def query(self, statement: Statement, *, limit: int = MOST_ROWS) -> QueryResult:
        """Run one SELECT about these rows, which are called :data:`RELATION` in it.

        :param statement: begins with SELECT; names of columns are as in ``columns``, quoted.
        :param limit: the most rows of the answer.
        :raises RunFailed: the warehouse cannot run it; the message says why.
        """
        return self.ask(
            Statement(
                f"WITH {RELATION} AS (\n{self.definition.sql}\n)\n{statement.sql}",
                (*self.definition.values, *statement.values),
            ),
            limit,
        )

    def column(self, name: str) -> Column | None:
        """The column of that name, whatever the case of its letters; None when there is none.

        Warehouses spell names in their own way: SQL must use the name of the column that is returned.
        """
        exact = next((column for column in self.columns if column.name == name), None)
        folded = (column for column in self.columns if column.name.casefold() == name.casefold())
        return exact or next(folded, None)
