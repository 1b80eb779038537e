"""Deleting rows: one transaction that also writes the ledger, counted once whatever becomes of its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import (
    Deletion,
    Statement,
    count_rows,
    delete_rows,
    deletion_record,
    refuse_unexpected,
)
from etl_snowflake import ledger
from etl_snowflake.sql import literal

if TYPE_CHECKING:
    from etl_framework import Condition, RowFilter
    from etl_snowflake.pool import Pool
    from etl_snowflake.session import Session
    from etl_snowflake.table import Place

_PLACEHOLDERS = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^'\\]|''|\\.)*'|\?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A deletion that is to be done.

    :param id: by which the ledger knows it.
    :param place: the table.
    :param where: which rows; None for all.
    :param condition: the same in SQL.
    :param expect: how many rows there are to be; None for however many.
    """

    id: str
    place: Place
    where: RowFilter | None
    condition: Condition
    expect: int | None

    def carry_out(self, pool: Pool) -> Deletion:
        """Delete the rows: all of them and the ledger's row, or nothing.

        :raises Refused: there are more or fewer rows than expected.
        :raises RunFailed: anything else went wrong.
        """
        pool.do(self._make_ledger)
        # Each attempt asks the ledger first: the one before may have committed although its answer did not come.
        return pool.do(self._attempt)

    def _make_ledger(self, session: Session) -> None:
        # Before the transaction, which making a table would end.
        for statement in ledger.create(ledger.place_for(self.place)):
            session.rows(statement)

    def _attempt(self, session: Session) -> Deletion:
        place = ledger.place_for(self.place)
        with ledger.turn(session, place, self.id):
            if (done := ledger.deletion_of(session, place, self.id)) is not None:
                return self._deletion(*done)
            [(there,)] = session.rows(count_rows(self.place.sql, self.condition))
            refuse_unexpected(self.place, int(there), self.expect)
            [(rows, *_)] = session.rows(delete_rows(self.place.sql, self.condition))
            query = session.last_query
            refuse_unexpected(self.place, int(rows), self.expect)
            deletion = self._deletion(int(rows), query)
            session.rows(ledger.insert(place, deletion_record(self.place.name, deletion, self.where)))
        return deletion

    def _deletion(self, rows: int, query: str) -> Deletion:
        return Deletion(id=self.id, rows=rows, query_id=query, undo=self._undo(query))

    def _undo(self, query: str) -> str:
        """What brings the rows back, as long as Time Travel reaches back to the deletion."""
        table, rows = self.place.sql, spelt_out(Statement(self.condition.sql, self.condition.values))
        return f"INSERT INTO {table} SELECT * FROM {table} BEFORE(STATEMENT => {literal(query)}) WHERE {rows}"  # noqa: S608


def spelt_out(statement: Statement) -> str:
    """A statement for people to run, its values, which are texts, written into it."""
    values = iter(statement.values)
    return _PLACEHOLDERS.sub(lambda found: literal(str(next(values))) if found[0] == "?" else found[0], statement.sql)
