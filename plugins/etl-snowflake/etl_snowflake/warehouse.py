"""Snowflake as the core sees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Literal

from etl_framework import (
    MOST_ROWS,
    Column,
    Deletion,
    Event,
    Fact,
    Job,
    LedgerEntry,
    Leftover,
    PackedPart,
    PeriodCount,
    QueryResult,
    Receipt,
    RowFilter,
    Rows,
    Run,
    StagedPart,
    Statement,
    TableName,
    TableSummary,
    TextLayout,
    Totals,
    Unit,
    UsageError,
    holds_no_days,
    new_run_id,
    no_such_table,
    quote,
)
from etl_snowflake import asking, compute, ledger, leftovers, stage
from etl_snowflake.address import Address
from etl_snowflake.checking import check
from etl_snowflake.connecting import connect
from etl_snowflake.connections import configured, configured_name
from etl_snowflake.deleting import Removal
from etl_snowflake.direct import DirectLoad
from etl_snowflake.failing import MISSING, StatementFailed
from etl_snowflake.filters import column_of, days, within
from etl_snowflake.formats import reads
from etl_snowflake.load import Load
from etl_snowflake.measure import measure
from etl_snowflake.plan import Plan, drop, landing_of
from etl_snowflake.pool import Pool
from etl_snowflake.publishing import refuse_misfit
from etl_snowflake.session import Session
from etl_snowflake.settings import load_settings
from etl_snowflake.stage import Stage, own_stage
from etl_snowflake.table import Place, Table, as_column, differences, find, insist_on_database, is_filled


class SnowflakeWarehouse:
    """An account of Snowflake, by a connection of its own configuration.

    :param url: ``snowflake:NAME``, with options as in :class:`~etl_snowflake.address.Address`.
    :raises UsageError: the URL is wrong, or there is no such connection.
    :raises ConnectError: Snowflake cannot be reached, or does not let us in.
    """

    content: Literal["source", "arrow"] = "source"
    default_codec = "zstd"
    dialect = "snowflake"

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = Address.parse(url)
        self._pool = Pool(lambda tag: connect(self._address, tag=tag), "etl")
        self._ready: dict[str, Stage] = {}
        self._described: dict[Place, Table | None] = {}
        self._making = threading.Lock()
        [(self._database, schema)] = self._pool.do(
            lambda session: session.rows("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()")
        )
        # One that is named and not there, the session does not have; a load makes it.
        self._schema: str | None = schema or configured_name(configured(self._address), "schema")

    def reads(self, layout: TextLayout, columns: Sequence[Column]) -> bool:
        """Whether Snowflake reads from such records the very values that the run read."""
        return reads(layout, columns)

    def describe(self, table: TableName) -> tuple[Column, ...] | None:
        """The table's columns in order, or None when there is no such table; foreign types count as text."""
        found = self._described[self._place(table)] = self._find(table)
        return None if found is None else tuple(map(as_column, found.columns.values()))

    def tables(self) -> tuple[TableSummary, ...]:
        """Every table and view of the database that the role may see, but the ledger and landing tables.

        :raises UsageError: the connection has no database.
        """
        database, schema = self._database, self._schema
        if database is None:
            raise UsageError(f"{self.url} is in no database", advice="Name it: in connections.toml, or as ?database=.")
        return self._pool.do(lambda session: asking.tables(session, database, schema))

    def reference(self, table: TableName) -> str:
        """The whole name of a table or view, quoted.

        :raises UsageError: there is no such table.
        """
        return self._existing(table).place.sql

    def query(self, statement: Statement, *, limit: int = MOST_ROWS) -> QueryResult:
        """Run one SELECT: what Snowflake can take as a subquery.

        :raises UsageError: it is no query, or more than one statement.
        :raises RunFailed: Snowflake cannot run it.
        """
        return self._pool.do(lambda session: asking.query(session, statement, limit))

    def rows(self, table: TableName, where: RowFilter | None = None) -> Rows:
        """A table's rows as something to query.

        :raises UsageError: there is no such table or column, or the filter does not suit it.
        """
        found = self._existing(table)
        condition = within(found, where)
        return Rows(
            definition=Statement(f"SELECT * FROM {found.place.sql} WHERE {condition.sql}", condition.values),  # noqa: S608 - quoted and bound
            columns=tuple(map(as_column, found.columns.values())),
            dialect=self.dialect,
            ask=lambda statement, limit: self.query(statement, limit=limit),
        )

    def count_by(
        self, table: TableName, column: str, unit: Unit, where: RowFilter | None = None
    ) -> tuple[PeriodCount, ...]:
        """How many rows lie in each day, week, month or year that has any.

        :raises UsageError: there is no such table or column, it tells no day, or the filter does not suit it.
        """
        found = self._existing(table)
        counted, condition = column_of(found, column), within(found, where)
        day = days(counted)
        if day is None:
            raise holds_no_days(column, counted.type)
        return self._pool.do(lambda session: asking.count_by(session, found.place.sql, day, unit, condition))

    def delete(self, table: TableName, where: RowFilter | None, *, expect: int | None = None) -> Deletion:
        """Delete rows, in one transaction that also writes the load ledger, and tell what brings them back.

        :raises UsageError: there is no such table, it is this plugin's own, or the filter does not suit it.
        :raises Refused: there are more or fewer rows than expected; nothing was deleted.
        :raises RunFailed: anything else went wrong; nothing was deleted.
        """
        found = self._existing(table)
        if asking.is_own(found.place.name):
            raise UsageError(f"table {found.place} is the load ledger's or a load's", advice="Choose another table.")
        condition, id_ = within(found, where), f"delete-{new_run_id()}"
        return Removal(id=id_, place=found.place, where=where, condition=condition, expect=expect).carry_out(self._pool)

    def measure(self, table: TableName, columns: Sequence[Column], where: RowFilter | None = None) -> Totals:
        """Control totals of a table's rows, of each column as the type that is asked for.

        :raises UsageError: there is no such table or column.
        """
        found = self._existing(table)
        named = [(column, column_of(found, column.name).name) for column in columns]
        condition, place = within(found, where), found.place.sql
        return self._pool.do(lambda session: measure(session, place, named, condition))

    def differences(self, run: Run) -> tuple[str, ...]:
        """Why the run's columns do not fit the table: as it was described for the run, or else as it is."""
        place, settings = self._target(run), load_settings(run.job)
        # Once: a load looks again, and once more within the transaction in which it publishes.
        table = self._described.pop(place) if place in self._described else self._find(run.job.table)
        return tuple(differences(run.columns, table, run.totals, evolving=settings.evolve == "add-columns"))

    def statements(self, run: Run) -> tuple[str, ...]:
        """The SQL that a load of the run would send; values that only the load knows stand as ``?``."""
        parts = tuple(
            StagedPart(part=part.number, piece=0, name=f"{part.number:06}-0000-…", size=0, digest="", rows=0)
            for part in run.parts
        )
        return tuple(map(str, self._plan(run).statements(self._stage(run), parts)))

    def upload(self, part: PackedPart, run: Run) -> StagedPart:
        """Bring a packed part into the run's folder of the stage, verified.

        :raises RunFailed: it did not arrive whole.
        """
        self._serve(run, "validate")
        return stage.upload(self._pool, self._made_stage(run), part, run)

    def load(self, parts: Sequence[StagedPart], run: Run) -> Receipt:
        """Load the staged parts: landing table, audit, one publishing transaction; once.

        :raises Refused: the table holds the sources already, the columns do not fit it, or the rows break what the
            mode needs.
        :raises RunFailed: the load failed; the table is as it was.
        :raises ReconciliationError: the control totals differ; the table is as it was.
        """
        self._serve(run, "load")
        if (receipt := self._pool.do(lambda session: self._committed(session, run))) is not None:
            return receipt
        plan = self._plan(run)
        refuse_misfit(plan, plan.table, evolving=plan.settings.evolve == "add-columns")
        kind = DirectLoad if plan.settings.publish == "direct" else Load
        # A stage that no part was brought to may not be there.
        where = self._made_stage(run) if parts else self._stage(run)
        return self._pool.interruptible(kind(self._pool, where, plan, parts).carry_out)

    def has_staged(self, part: StagedPart, run: Run) -> bool:
        """Whether the staged part is there, as large as it should be; its name tells its content."""
        where = self._made_stage(run)
        size = self._pool.do(lambda session: stage.listed(session, where, run.id, part.name).get(part.name))
        return size is not None and where.is_whole(size, part.size)

    def discard_staged(self, run: Run) -> None:
        """Remove the run's folder in the stage, and its landing table; what is not there is not made for that."""
        found, landing = self._stage(run), landing_of(self._target(run), run.id)
        where = self._ready.get(found.name) or self._pool.do(found.located)
        self._pool.do(lambda session: stage.discard(session, where, run.id))
        try:
            self._pool.do(lambda session: session.rows(drop(landing)))
        except StatementFailed as error:
            # Its schema may be missing, too.
            if error.number not in MISSING:
                raise

    def staging_url(self, run: Run) -> str:
        """Where another plugin that answers ``etl_upload`` brings the run's parts when the stage is an external one.

        :returns: the folder in the storage of the stage, ending with a slash; empty for an internal stage.
        :raises UsageError: there is no such stage.
        """
        where = self._made_stage(run)
        return where.folder_url(run.id) if where.url else ""

    def find_load(self, run: Run) -> Receipt | None:
        """What the load returned, when it was committed; what a killed process of the run left open is ended before."""

        def settled(session: Session) -> Receipt | None:
            ledger.abort_abandoned(session, run.id)
            return self._committed(session, run)

        return self._pool.do(settled)

    def ledger(self, table: TableName) -> tuple[LedgerEntry, ...]:
        """Every load that is still in the table, oldest first; none when the table is missing or empty."""
        place = self._place(table)

        def standing(session: Session) -> tuple[LedgerEntry, ...]:
            return ledger.entries(session, ledger.place_for(place), place) if is_filled(session, place) else ()

        return self._pool.do(standing)

    def check(self, load_bytes: int | None = None, jobs: Sequence[Job] = ()) -> tuple[Fact, ...]:
        """Who we are there, with what, and what a load would lack; proves by a few bytes that files can be staged."""
        return self._pool.do(lambda session: tuple(check(session, self._address, load_bytes, jobs)))

    def capacity(self, load_bytes: int) -> tuple[Fact, ...]:
        """Whether the virtual warehouse is small for so many bytes."""

        def found(session: Session) -> tuple[Fact, ...]:
            [(current,)] = session.rows("SELECT CURRENT_WAREHOUSE()")
            return compute.capacity(session, current, load_bytes)

        return self._pool.do(found)

    def leftovers(self, tables: Sequence[TableName] = ()) -> tuple[Leftover, ...]:
        """What lies in folders of runs in the stages, and landing tables beside loaded ones."""
        schemas = dict.fromkeys(self._schemas(tables))

        def found(session: Session) -> tuple[Leftover, ...]:
            everywhere = [left for schema in schemas for left in leftovers.in_schema(session, *schema)]
            for stage_ in dict.fromkeys(self._stage_in(*schema) for schema in schemas):
                everywhere += leftovers.in_stage(session, stage_.located(session))
            return leftovers.together(everywhere)

        return self._pool.do(found)

    def remove_leftover(self, leftover: Leftover) -> None:
        """Remove the run's folder in the stage, or its landing tables."""

        def remove(session: Session) -> None:
            for table in leftover.tables:
                session.rows(f"DROP TABLE IF EXISTS {leftover.place}.{quote(table)}")
            if leftover.files:
                own = f"@{leftover.place}.{quote(stage.NAME)}"
                name = leftover.place if leftover.place.startswith("@") else own
                stage.discard(session, Stage(name, made=name == own).located(session), leftover.run)

        self._pool.do(remove)

    def close(self) -> None:
        """End all sessions; twice is no error."""
        self._pool.close()

    def _serve(self, run: Run, step: str) -> None:
        """Have Snowflake's history of queries, and whoever watches the run, know of its step."""
        limit = f", which waits up to {self._address.timeout} s for each answer (?timeout= of the target)"

        def tell(message: str) -> None:
            run.emit(Event(name="load_again", run=run.id, step=step, message=message + limit))

        self._pool.tag, self._pool.tell = run.id, tell

    def _find(self, table: TableName) -> Table | None:
        place = self._place(table)
        found = self._pool.do(lambda session: find(session, place))
        # The session's own is there. A schema that is missing, a load makes.
        if found is None and place.database != self._database:
            self._pool.do(lambda session: insist_on_database(session, place))
        return found

    def _existing(self, table: TableName) -> Table:
        found = self._find(table)
        if found is None:
            raise no_such_table(table, self.url)
        return found

    def _place(self, table: TableName) -> Place:
        return Place.of(table, self._database, self._schema)

    def _committed(self, session: Session, run: Run) -> Receipt | None:
        return ledger.receipt_of(session, ledger.place_for(self._place(run.job.table)), run.id)

    def _plan(self, run: Run) -> Plan:
        place = self._target(run)
        return Plan(run=run, place=place, table=self._find(run.job.table), settings=load_settings(run.job))

    def _target(self, run: Run) -> Place:
        """The table that a run loads into.

        :raises UsageError: it is the load ledger.
        """
        place = self._place(run.job.table)
        if place.name == ledger.NAME:
            raise UsageError(f"table {place} is the load ledger", advice="Choose another table.")
        return place

    def _stage(self, run: Run) -> Stage:
        place = self._place(run.job.table)
        return self._stage_in(place.database, place.schema)

    def _stage_in(self, database: str, schema: str) -> Stage:
        """Where the parts for the tables of a schema lie."""
        if self._address.stage is not None:
            return Stage(self._address.stage, made=False)
        return own_stage(database, schema)

    def _schemas(self, tables: Sequence[TableName]) -> Iterator[tuple[str, str]]:
        """The target's own schema, if it has one, and those that tables lie in."""
        if self._database and self._schema:
            yield self._database, self._schema
        for table in tables:
            place = self._place(table)
            yield place.database, place.schema

    def _made_stage(self, run: Run) -> Stage:
        """The stage of a run's parts, there for sure, and known where it lies."""
        found = self._stage(run)
        with self._making:
            if found.name not in self._ready:
                self._pool.do(found.make)
                self._ready[found.name] = self._pool.do(found.located)
            return self._ready[found.name]
