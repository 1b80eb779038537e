"""The load: one transaction that changes the table, proves what it now holds, and writes the ledger."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import zip_longest
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb

from etl_duckdb import ledger, sql
from etl_duckdb.asking import query_within
from etl_duckdb.measure import measure
from etl_duckdb.plan import Plan
from etl_duckdb.staging import StagedRows
from etl_duckdb.table import differences
from etl_framework import (
    EVERY_ROW,
    Event,
    Mode,
    Receipt,
    ReconciliationError,
    Refused,
    Rows,
    Statement,
    both,
    count_rows,
    counted,
    load_record,
    no,
    quote,
    reconcile,
    refuse_repeat,
    refuse_shared_keys,
    refuse_strays,
    refuse_without_key,
)

if TYPE_CHECKING:
    from etl_duckdb.database import Database
    from etl_framework import Condition, Run, StagedPart, Totals

_STAGED_VIEW = "_etl_staged"
_LOADING: defaultdict[str, Lock] = defaultdict(Lock)
"""Held by the load that is under way, for each database file."""


@contextmanager
def one_at_a_time(database: Database, run: Run | None = None) -> Iterator[None]:
    """Be the only one of this process that changes the database.

    DuckDB keeps other processes from an open file, but transactions of one process overlap without seeing each other:
    the ledger could not tell them of one another.

    :param run: whose waiting is told.
    """
    # One file may have several names.
    loading = _LOADING[os.path.realpath(database.address.path)]
    waits = not loading.acquire(blocking=False)
    if waits:
        message = "another load of this process into the database goes first"
        if run is not None:
            run.emit(Event(name="load_waits", run=run.id, step="load", message=message))
        while not loading.acquire(timeout=0.1):
            database.go_on()
    try:
        if waits and run is not None:
            run.emit(Event(name="load_proceeds", run=run.id, step="load", message="the other load has ended"))
        yield
    finally:
        loading.release()


def load(database: Database, planned: Plan, parts: Sequence[StagedPart]) -> Receipt:
    """Load the staged parts: all or nothing.

    :raises Refused: the table holds the sources already, the columns do not fit it, or the rows break what the mode
        needs.
    :raises RunFailed: anything else went wrong; the table is as it was.
    """
    run = planned.run
    if reasons := tuple(differences(run.columns, planned.table, run.totals)):
        raise Refused(
            f"the sources do not fit table {planned.place}: {' '.join(reasons)}",
            advice="Declare the columns as the table has them, change the table, or load into another one.",
        )
    width = len(run.columns)
    limits = list(database.memory_limits(width, sum(part.rows for part in parts)))
    with database.errors(f"load into table {planned.place}"):
        for limit, more in zip_longest(limits, limits[1:]):
            database.configure(limit, width)
            try:
                with _staged(database, StagedRows(parts, run)):
                    return _Transaction(database, planned, parts).run()
            except duckdb.OutOfMemoryException:
                if more is None:
                    raise
                message = f"DuckDB needs more memory than {limit}; loading again with {more}"
                run.emit(Event(name="load_again", run=run.id, step="load", message=message))
    raise AssertionError("the last limit returns or raises")


@contextmanager
def _staged(database: Database, rows: StagedRows) -> Iterator[None]:
    connection = database.open()
    connection.register(_STAGED_VIEW, rows.reader())
    try:
        yield
    except duckdb.Error:
        if rows.error is not None:
            raise rows.error from rows.error.__cause__
        raise
    finally:
        if database.is_open:
            # Interrupted work may hold the connection a moment longer; what hides an interruption is worse than a view
            # that ends with the connection.
            with suppress(duckdb.Error):
                connection.unregister(_STAGED_VIEW)


class _Transaction:
    def __init__(self, database: Database, planned: Plan, parts: Sequence[StagedPart]) -> None:
        self._database = database
        self._connection = database.open()
        self._plan = planned
        self._parts = parts

    def run(self) -> Receipt:
        """Everything between BEGIN and COMMIT, or nothing."""
        self._connection.begin()
        try:
            self._refuse_repeat()
            receipt = self._change()
            record = load_record(self._plan.run, str(self._plan.place), receipt, len(self._parts))
            self._send(ledger.insert(self._plan.ledger, record))
            self._database.go_on()
            self._connection.commit()
        except BaseException:
            self._database.rollback()
            raise
        return receipt

    def _refuse_repeat(self) -> None:
        """Decide it where nobody can come in between: another process may have loaded the sources just before."""
        if self._plan.table is not None:
            run = self._plan.run
            entries = ledger.standing(self._connection, self._plan.ledger, self._plan.table.place)
            refuse_repeat(run.job, run.sources, entries)

    def _change(self) -> Receipt:
        for statement in self._plan.make():
            self._send(statement)
        if self._plan.landed:
            self._land()
        removal = self._plan.remove()
        deleted = 0 if removal is None else self._number(removal)
        last = None if self._plan.hides_rowid else self._one(sql.last_row(self._plan.place.sql))
        rows = self._number(self._plan.put())
        totals = self._audit(rows, last)
        findings = self._plan.run.audit(self._published(last))
        if self._plan.landed:
            self._send(Statement(f"DROP TABLE {sql.LANDING}"))
        transaction = self._number(Statement("SELECT txid_current()"))
        return Receipt(
            rows=rows,
            deleted=deleted,
            query_id=f"transaction {transaction}",
            totals=totals,
            created=self._plan.created,
            findings=findings,
        )

    def _audit(self, rows: int, last: int | None) -> Totals:
        """Measure the new rows, and nothing but them, against the sources."""
        run, table = self._plan.run, self._plan.audited
        new = EVERY_ROW if last is None else sql.rows_after(last)
        found = measure(self._connection, table, self._plan.measured(), new)
        staged = sum(part.rows for part in self._parts)
        if not staged == rows == found.rows:
            raise ReconciliationError(
                f"{counted(staged, 'row was', 'rows were')} staged, {rows:,} inserted and {found.rows:,} found "
                f"in table {self._plan.place}",
                advice="Nothing was committed. If it happens again, please report this as a defect.",
            )
        if run.totals is not None:
            reconcile(run.totals, found)
        if run.job.mode is Mode.REPLACE_PERIOD:
            self._refuse_strays(table, new)
        return found

    def _published(self, last: int | None) -> Rows:
        """The new rows, and nothing but them, as checks ask about them: with the names and types of the sources."""
        new = EVERY_ROW if last is None else sql.rows_after(last)
        measured = self._plan.measured()
        values = ", ".join(f"{each.expression} AS {quote(each.column.name)}" for each in measured)
        definition = f"SELECT {values} FROM {self._plan.audited} WHERE {new.sql}"  # noqa: S608 - quoted and bound
        return Rows(
            definition=Statement(definition, new.values),
            columns=self._plan.run.columns,
            dialect="duckdb",
            ask=lambda statement, limit: query_within(self._connection, statement, limit),
        )

    def _refuse_strays(self, table: str, new: Condition) -> None:
        """Rows outside of the period would be there twice after the same load had run again."""
        inside = self._plan.period(landing=self._plan.hides_rowid)
        outside = both(new, no(inside))
        refuse_strays(self._plan.run.job, self._number(count_rows(table, outside)))

    def _land(self) -> None:
        self._send(sql.land(len(self._plan.run.columns)))
        if self._plan.run.job.mode is not Mode.MERGE:
            return
        without_key, shared = self._plan.key_checks()
        refuse_without_key(self._plan.run.job, self._number(without_key))
        refuse_shared_keys(self._plan.run.job, self._send(shared))

    def _send(self, statement: Statement) -> list[tuple[Any, ...]]:
        self._database.go_on()
        # All rows, always: DuckDB takes a result that is not read to its end for work that goes on.
        return self._connection.execute(statement.sql, statement.values).fetchall()

    def _one(self, statement: Statement) -> int | None:
        rows = self._send(statement)
        return rows[0][0] if rows else None

    def _number(self, statement: Statement) -> int:
        return self._one(statement) or 0
