"""The embedded warehouse as the core sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeAlias, TypeVar

from etl_duckdb import asking, ledger, sql, staging
from etl_duckdb.address import Address
from etl_duckdb.database import Database
from etl_duckdb.deleting import delete
from etl_duckdb.facts import facts
from etl_duckdb.load import load, one_at_a_time
from etl_duckdb.measure import Measured, measure
from etl_duckdb.plan import Plan, plan
from etl_duckdb.table import Place, Table, as_column, differences, find, fold
from etl_framework import (
    EVERY_ROW,
    MOST_ROWS,
    Column,
    Condition,
    Deletion,
    Fact,
    Job,
    LedgerEntry,
    PeriodCount,
    QueryResult,
    Receipt,
    RowFilter,
    Rows,
    Run,
    StagedPart,
    Statement,
    TableColumn,
    TableName,
    TableSummary,
    TextLayout,
    Totals,
    Unit,
    UsageError,
    holds_no_days,
    no_such_column,
    no_such_table,
    quote,
)

P = ParamSpec("P")
T = TypeVar("T")


_Method: TypeAlias = Callable[Concatenate["DuckDBWarehouse", P], T]


def _interruptible(method: _Method[P, T]) -> _Method[P, T]:
    """Let Ctrl-C end what the method asks of the database."""

    @wraps(method)
    def interruptible(self: DuckDBWarehouse, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.interruptible(lambda: method(self, *args, **kwargs))

    return interruptible


class DuckDBWarehouse:
    """A DuckDB file. The file is made by the first load, never by looking into it.

    :param url: ``duckdb:PATH``, with options as in :class:`~etl_duckdb.address.Address`.
    :raises UsageError: the URL is wrong.
    :raises ConnectError: the file cannot be opened or made.
    :raises Locked: another process has the file open.
    """

    content: Literal["source", "arrow"] = "arrow"
    default_codec = "none"
    dialect = "duckdb"

    def __init__(self, url: str) -> None:
        self.url = url
        self._database = Database(Address.parse(url))

    def reads(self, layout: TextLayout, columns: Sequence[Column]) -> bool:  # noqa: ARG002 - it reads no text at all
        """Never asked: staged parts are Arrow."""
        return True

    @_interruptible
    def describe(self, table: TableName) -> tuple[Column, ...] | None:
        """The table's columns in order, or None when there is no such table; foreign types count as text."""
        found = self._find(table)
        return None if found is None else tuple(map(as_column, found.columns.values()))

    @_interruptible
    def tables(self) -> tuple[TableSummary, ...]:
        """Every table and view of the file but the load ledger; rows are counted, of views they are unknown."""
        connection, name = self._database.existing(), self._database.name
        if connection is None or name is None:
            return ()
        with self._database.errors("list the tables"):
            return asking.tables(connection, name, self._database.address.schema)

    @_interruptible
    def reference(self, table: TableName) -> str:
        """The whole name of a table or view, quoted.

        :raises UsageError: there is no such table.
        """
        return self._existing(table).place.sql

    @_interruptible
    def query(self, statement: Statement, *, limit: int = MOST_ROWS) -> QueryResult:
        """Run one SELECT in a transaction that can only read; it may read files where DuckDB can.

        :raises UsageError: it is no query, or more than one statement; or there is no database yet.
        :raises RunFailed: DuckDB cannot run it.
        """
        if self._database.existing() is None:
            raise UsageError(f"there is no database {self.url} yet", advice="Load something first.")
        return asking.query(self._database, statement, limit)

    @_interruptible
    def rows(self, table: TableName, where: RowFilter | None = None) -> Rows:
        """A table's rows as something to query.

        :raises UsageError: there is no such table or column, or the filter does not suit it.
        """
        found = self._existing(table)
        condition = _condition(found, where)
        return Rows(
            definition=Statement(f"SELECT * FROM {found.place.sql} WHERE {condition.sql}", condition.values),  # noqa: S608 - quoted and bound
            columns=tuple(map(as_column, found.columns.values())),
            dialect=self.dialect,
            ask=lambda statement, limit: self.query(statement, limit=limit),
        )

    @_interruptible
    def measure(self, table: TableName, columns: Sequence[Column], where: RowFilter | None = None) -> Totals:
        """Control totals of a table's rows, of each column as the type that is asked for.

        :raises UsageError: there is no such table or column.
        :raises RunFailed: a value cannot be read as that type.
        """
        found = self._existing(table)
        measured = [
            Measured(expression=quote(column.name), type=_column_of(found, column.name).type, column=column)
            for column in columns
        ]
        database, condition = self._database, _condition(found, where)
        with database.errors(f"measure table {table}"):
            return measure(database.open(), found.place.sql, measured, condition)

    @_interruptible
    def count_by(
        self, table: TableName, column: str, unit: Unit, where: RowFilter | None = None
    ) -> tuple[PeriodCount, ...]:
        """How many rows lie in each day, week, month or year that has any.

        :raises UsageError: there is no such table or column, it tells no day, or the filter does not suit it.
        """
        found = self._existing(table)
        counted = _column_of(found, column)
        days = sql.days(quote(counted.name), counted.type)
        if days is None:
            raise holds_no_days(column, counted.type)
        database, condition = self._database, _condition(found, where)
        with database.errors(f"count the rows of table {table}"):
            return asking.count_by(database.open(), found.place.sql, days, unit, condition)

    @_interruptible
    def delete(self, table: TableName, where: RowFilter | None, *, expect: int | None = None) -> Deletion:
        """Delete rows, in one transaction that also writes the load ledger; DuckDB keeps no rows to undo it with.

        :raises UsageError: there is no such table, it is the ledger or a view, or the filter does not suit it.
        :raises Refused: there are more or fewer rows than expected; nothing was deleted.
        :raises RunFailed: DuckDB refused it; nothing was deleted.
        """
        with one_at_a_time(self._database):
            found, place = self._existing(table), self._ledger_place()
            if fold(found.place.name) == ledger.NAME:
                raise UsageError(f"table {found.place} is the load ledger", advice="Choose another table.")
            condition = _condition(found, where)
            with self._database.errors(f"delete rows of table {table}"):
                return delete(self._database, found, place, where, condition, expect)

    @_interruptible
    def differences(self, run: Run) -> tuple[str, ...]:
        """Why the run's columns do not fit the table as it is; also when they could fit no table at all."""
        return tuple(differences(run.columns, self._plan(run).table, run.totals))

    @_interruptible
    def statements(self, run: Run) -> tuple[str, ...]:
        """The SQL that a load of the run would send; values that only the load knows stand as ``?``."""
        return tuple(map(str, self._plan(run).statements()))

    @_interruptible
    def load(self, parts: Sequence[StagedPart], run: Run) -> Receipt:
        """Load the staged parts in one transaction; a run that was loaded before is not loaded again.

        :raises Refused: the table holds the sources already, the columns do not fit it, or the rows break what the
            mode needs.
        :raises RunFailed: the load failed; the table is as it was.
        :raises ReconciliationError: the control totals differ; the table is as it was.
        """
        with one_at_a_time(self._database, run):
            self._database.open()
            return self.find_load(run) or load(self._database, self._plan(run), parts)

    def has_staged(self, part: StagedPart, run: Run) -> bool:
        """Whether the staged part is there, byte for byte.

        :raises RunFailed: what is there cannot be read.
        """
        return staging.is_staged(part, run)

    def discard_staged(self, run: Run) -> None:
        """Remove the run's staging folder.

        :raises RunFailed: it cannot be removed.
        """
        staging.discard(run)

    @_interruptible
    def find_load(self, run: Run) -> Receipt | None:
        """What the load returned, when it was committed."""
        connection = self._database.existing()
        if connection is None:
            return None
        with self._database.errors("read the load ledger"):
            place = self._ledger_place()
            return ledger.receipt_of(connection, place, run) if find(connection, place) else None

    @_interruptible
    def ledger(self, table: TableName) -> tuple[LedgerEntry, ...]:
        """Every load that is still in the table, oldest first; none when the table is missing or empty."""
        found = self._find(table)
        if found is None:
            return ()
        connection = self._database.open()
        with self._database.errors("read the load ledger"):
            return ledger.standing(connection, self._ledger_place(), found.place)

    @_interruptible
    def check(self, load_bytes: int | None = None, jobs: Sequence[Job] = ()) -> tuple[Fact, ...]:  # noqa: ARG002
        """Version, address, size, free disk space and what may be done."""
        return facts(self._database)

    def close(self) -> None:
        """End the connection; twice is no error."""
        self._database.close()

    def _place(self, table: TableName) -> Place:
        return Place.of(table, self._database.address.schema, self._database.name)

    def _ledger_place(self) -> Place:
        return self._place(TableName((ledger.NAME,)))

    def _find(self, table: TableName) -> Table | None:
        connection = self._database.existing()
        with self._database.errors(f"look for table {table}"):
            return None if connection is None else find(connection, self._place(table))

    def _existing(self, table: TableName) -> Table:
        found = self._find(table)
        if found is None:
            raise no_such_table(table, self.url)
        return found

    def _plan(self, run: Run) -> Plan:
        connection = self._database.existing()
        with self._database.errors(f"look for table {run.job.table}"):
            return plan(connection, self._place(run.job.table), self._ledger_place(), run)


def _column_of(table: Table, name: str) -> TableColumn:
    column = table.column(name)
    if column is None:
        raise no_such_column(table.place, name)
    return column


def _condition(table: Table, where: RowFilter | None) -> Condition:
    if where is None:
        return EVERY_ROW
    column = _column_of(table, where.column)
    return sql.within(where, as_column(column), column.type)
