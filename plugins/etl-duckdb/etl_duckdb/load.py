"""The load: one transaction that changes the table, proves what it now holds, and writes the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import duckdb

from etl_duckdb import ledger, sql
from etl_duckdb.measure import Measured, measure, queries
from etl_duckdb.sql import Condition, Statement
from etl_duckdb.staging import StagedRows
from etl_duckdb.table import Place, Table, differences, find, fold
from etl_framework import Event, Mode, Receipt, ReconciliationError, Refused, UsageError, quote, reconcile

if TYPE_CHECKING:
    from etl_duckdb.database import Database
    from etl_framework import Run, StagedPart, Totals

_STAGED_VIEW = "_etl_staged"
_SAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a load of a run does to its table.

    :param place: where the table lies.
    :param ledger: where the load ledger lies.
    :param table: the table as it is, None when the load makes it.
    """

    run: Run
    place: Place
    ledger: Place
    table: Table | None

    @property
    def created(self) -> bool:
        """Whether the load makes the table."""
        return self.table is None

    @property
    def landed(self) -> bool:
        """Whether the rows go through the landing table.

        A merge looks at the new rows before it changes the table. And where a column is called rowid, new rows cannot
        be told from old ones by their number.
        """
        hidden = self.table.hides_rowid if self.table else "rowid" in map(fold, self._names())
        return hidden or self.run.job.mode is Mode.MERGE

    def _names(self) -> Iterator[str]:
        return (column.name for column in self.run.columns)

    def _index(self, name: str, what: str) -> int:
        for index, column in enumerate(self.run.columns):
            if fold(column.name) == fold(name):
                return index
        raise UsageError(
            f"{what} {name!r} is not among the columns of job {self.run.job.name!r}",
            advice=f"The columns are {', '.join(map(repr, list(self._names())[:20]))}.",
        )

    def type_of(self, index: int) -> str:
        """The DuckDB type that a column has in the table."""
        column = self.run.columns[index]
        return self.table.columns[fold(column.name)].type if self.table else sql.type_name(column.type)

    def keys(self) -> list[tuple[str, str]]:
        """Of each key column of a merge, its name in the table and in the landing table.

        :raises UsageError: there are none, or one is no column.
        """
        if not self.run.job.keys:
            raise UsageError(f"job {self.run.job.name!r} merges without keys", advice="Name the key columns in keys.")
        return [(name, sql.stream_name(self._index(name, "key"))) for name in self.run.job.keys]

    def period(self, *, landing: bool = False) -> Condition:
        """The rows of the table, or of the landing table, that the run's period covers.

        :raises UsageError: the job has no period, or no date column that can tell.
        """
        covered = self.run.period_filter
        if covered is None:
            raise UsageError(
                f"job {self.run.job.name!r} replaces a period, but has no period or no date_column",
                advice="Give both, or choose another mode.",
            )
        index = self._index(covered.column, "date_column")
        if landing:
            return sql.covers(covered, sql.stream_name(index), sql.type_name(self.run.columns[index].type))
        return sql.covers(covered, quote(covered.column), self.type_of(index))

    def measured(self, *, landing: bool = False) -> list[Measured]:
        """What the audit measures, of the table or of the landing table."""
        return [
            Measured(
                expression=sql.stream_name(index) if landing else quote(column.name),
                type=sql.type_name(column.type) if landing else self.type_of(index),
                column=column,
            )
            for index, column in enumerate(self.run.columns)
        ]

    def make(self) -> Iterator[Statement]:
        """What must be there first: schema, table, ledger."""
        if self.table is None:
            yield Statement(f"CREATE SCHEMA IF NOT EXISTS {self.place.schema_sql}")
            yield sql.create_table(self.place.sql, self.run.columns)
        yield Statement(f"CREATE SCHEMA IF NOT EXISTS {self.ledger.schema_sql}")
        yield ledger.create(self.ledger)

    def remove(self) -> Statement | None:
        """What takes old rows away, None when nothing does."""
        match self.run.job.mode:
            case Mode.REPLACE:
                return sql.delete(self.place.sql, sql.EVERY_ROW)
            case Mode.REPLACE_PERIOD:
                return sql.delete(self.place.sql, self.period())
            case Mode.MERGE:
                return sql.delete_matches(self.place.sql, self.keys())
        return None

    def put(self) -> Statement:
        """What inserts the new rows."""
        return sql.insert(self.place.sql, self.run.columns, sql.LANDING if self.landed else sql.STAGED)

    def statements(self) -> Iterator[Statement]:
        """Every statement, in order, for people."""
        yield Statement("BEGIN TRANSACTION")
        yield from self.make()
        if self.landed:
            yield sql.land(self.run.columns)
        if (removal := self.remove()) is not None:
            yield removal
        yield self.put()
        audited, new = (
            (sql.LANDING, sql.EVERY_ROW) if self.landed else (self.place.sql, sql.rows_after("the last row before"))
        )
        yield from queries(audited, self.measured(landing=self.landed), new)
        yield ledger.insert(self.ledger)
        yield Statement("COMMIT")


def plan(connection: duckdb.DuckDBPyConnection | None, place: Place, ledger_place: Place, run: Run) -> Plan:
    """What a load of the run would do.

    :param connection: None while there is no database.
    :raises UsageError: the run would load into the ledger.
    """
    if fold(place.name) == ledger.NAME:
        raise UsageError(f"table {place} is the load ledger", advice="Choose another table.")
    table = None if connection is None else find(connection, place)
    return Plan(run=run, place=place, ledger=ledger_place, table=table)


def load(database: Database, planned: Plan, parts: Sequence[StagedPart]) -> Receipt:
    """Load the staged parts: all or nothing.

    :raises Refused: the columns do not fit the table, or the rows break what the mode needs.
    :raises RunFailed: anything else went wrong; the table is as it was.
    """
    run = planned.run
    if reasons := tuple(differences(run.columns, planned.table, run.totals)):
        raise Refused(
            f"the sources do not fit table {planned.place}: {' '.join(reasons)}",
            advice="Declare the columns as the table has them, change the table, or load into another one.",
        )
    width = len(run.columns)
    limits = list(database.memory_limits(width))
    with database.errors(f"load into table {planned.place}"):
        for limit, more in zip_longest(limits, limits[1:]):
            database.configure(limit, width)
            try:
                with _staged(database, StagedRows(parts, run)):
                    return database.interruptible(lambda: _Transaction(database, planned, parts).run())
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
            receipt = self._change()
            row = ledger.values(self._plan.run, self._plan.place, receipt, len(self._parts))
            self._send(ledger.insert(self._plan.ledger, row))
            self._database.go_on()
            self._connection.commit()
        except BaseException:
            self._database.rollback()
            raise
        return receipt

    def _change(self) -> Receipt:
        for statement in self._plan.make():
            self._send(statement)
        if self._plan.landed:
            self._land()
        removal = self._plan.remove()
        deleted = 0 if removal is None else self._number(removal)
        last = None
        if not self._plan.landed:
            last = self._one(sql.last_row(self._plan.place.sql))
        rows = self._number(self._plan.put())
        totals = self._audit(rows, last)
        if self._plan.landed:
            self._send(Statement(f"DROP TABLE {sql.LANDING}"))
        transaction = self._number(Statement("SELECT txid_current()"))
        return Receipt(
            rows=rows, deleted=deleted, query_id=f"transaction {transaction}", totals=totals, created=self._plan.created
        )

    def _audit(self, rows: int, last: int | None) -> Totals:
        """Measure the new rows, and nothing but them, against the sources."""
        landed, run = self._plan.landed, self._plan.run
        table = sql.LANDING if landed else self._plan.place.sql
        new = sql.EVERY_ROW if last is None else sql.rows_after(last)
        found = measure(self._connection, table, self._plan.measured(landing=landed), new)
        staged = sum(part.rows for part in self._parts)
        if not staged == rows == found.rows:
            raise ReconciliationError(
                f"{staged} rows were staged, {rows} inserted and {found.rows} found in table {self._plan.place}",
                advice="Nothing was committed. Resume; if it happens again, please report this as a defect.",
            )
        if run.totals is not None:
            reconcile(run.totals, found)
        if run.job.mode is Mode.REPLACE_PERIOD:
            self._refuse_strays(table, new)
        return found

    def _refuse_strays(self, table: str, new: Condition) -> None:
        """Rows outside of the period would be there twice after the same load had run again."""
        inside = self._plan.period(landing=self._plan.landed)
        outside = sql.both(new, sql.no(inside))
        if strays := self._number(sql.count(table, outside)):
            run = self._plan.run
            raise Refused(
                f"{strays} rows of the sources lie outside of the period {run.job.period} by column "
                f"{run.job.date_column!r}, or have no date",
                advice="Nothing was committed. Widen the period, correct the dates, or choose another mode.",
            )

    def _land(self) -> None:
        self._send(sql.land(self._plan.run.columns))
        if self._plan.run.job.mode is not Mode.MERGE:
            return
        names, landed = zip(*self._plan.keys(), strict=True)
        if missing := self._number(sql.count_without_key(landed)):
            raise Refused(
                f"{missing} rows of the sources have no value in a key column ({', '.join(names)})",
                advice="Nothing was committed. Give every row its keys, or choose other keys.",
            )
        if found := self._send(sql.duplicates(landed, _SAMPLES)):
            shown = "; ".join(f"{', '.join(map(str, key))} in {count} rows" for *key, count in found)
            raise Refused(
                f"rows of the sources share a key ({', '.join(names)}): {shown}",
                advice="Nothing was committed. Remove the duplicates, or choose keys that tell the rows apart.",
            )

    def _send(self, statement: Statement) -> list[tuple[Any, ...]]:
        self._database.go_on()
        # All rows, always: DuckDB takes a result that is not read to its end for work that goes on.
        return self._connection.execute(statement.sql, statement.values).fetchall()

    def _one(self, statement: Statement) -> int | None:
        rows = self._send(statement)
        return rows[0][0] if rows else None

    def _number(self, statement: Statement) -> int:
        return self._one(statement) or 0
