"""Snowflake as the core sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from etl_framework import (
    EVERY_ROW,
    Column,
    Fact,
    LedgerEntry,
    PackedPart,
    PeriodFilter,
    Receipt,
    Refused,
    Run,
    StagedPart,
    TableName,
    Totals,
    UsageError,
    any_row,
    no_such_column,
    no_such_table,
    quote,
)
from etl_snowflake import ledger, sql, stage
from etl_snowflake.address import Address
from etl_snowflake.direct import DirectLoad
from etl_snowflake.load import Load
from etl_snowflake.measure import measure
from etl_snowflake.plan import Plan
from etl_snowflake.session import Pool, Session, connect
from etl_snowflake.settings import load_settings
from etl_snowflake.stage import Stage, own_stage
from etl_snowflake.table import Place, Table, as_column, differences, find


class SnowflakeWarehouse:
    """An account of Snowflake, by a connection of its own configuration.

    :param url: ``snowflake:NAME``, with options as in :class:`~etl_snowflake.address.Address`.
    :raises UsageError: the URL is wrong, or there is no such connection.
    :raises ConnectError: Snowflake cannot be reached, or does not let us in.
    """

    content: Literal["source", "arrow"] = "source"
    default_codec = "zstd"

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = Address.parse(url)
        self._pool = Pool(lambda tag: connect(self._address, tag=tag), "etl")
        self._made: set[str] = set()
        [(self._database, self._schema)] = self._pool.do(
            lambda session: session.rows("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()")
        )

    def describe(self, table: TableName) -> tuple[Column, ...] | None:
        """The table's columns in order, or None when there is no such table; foreign types count as text."""
        found = self._find(table)
        return None if found is None else tuple(map(as_column, found.columns.values()))

    def measure(self, table: TableName, columns: Sequence[Column], where: PeriodFilter | None = None) -> Totals:
        """Control totals of a table's rows, of each column as the type that is asked for.

        :raises UsageError: there is no such table or column.
        """
        found = self._find(table)
        if found is None:
            raise no_such_table(table, self.url)
        named = [(column, _column_of(found, column.name)) for column in columns]
        condition = EVERY_ROW
        if where is not None:
            name = _column_of(found, where.column)
            condition = sql.covers(where, quote(name), found.columns[name].type)
        place = found.place.sql
        return self._pool.do(lambda session: measure(session, place, named, condition))

    def differences(self, run: Run) -> tuple[str, ...]:
        """Why the run's columns do not fit the table as it is."""
        plan = self._plan(run)
        evolving = plan.settings.evolve == "add-columns"
        return tuple(differences(run.columns, plan.table, run.totals, evolving=evolving))

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
        self._pool.tag = run.id
        return stage.upload(self._pool, self._made_stage(run), part, run)

    def load(self, parts: Sequence[StagedPart], run: Run) -> Receipt:
        """Load the staged parts: landing table, audit, one publishing transaction; once.

        :raises Refused: the table holds the sources already, the columns do not fit it, or the rows break what the
            mode needs.
        :raises RunFailed: the load failed; the table is as it was.
        :raises ReconciliationError: the control totals differ; the table is as it was.
        """
        self._pool.tag = run.id
        if (receipt := self.find_load(run)) is not None:
            return receipt
        plan = self._plan(run)
        if reasons := self.differences(run):
            raise Refused(
                f"the sources do not fit table {plan.place}: {' '.join(reasons)}",
                advice="Declare the columns as the table has them, change the table, or load into another one.",
            )
        kind = DirectLoad if plan.settings.publish == "direct" else Load
        return self._pool.interruptible(kind(self._pool, self._stage(run), plan, parts).carry_out)

    def has_staged(self, part: StagedPart, run: Run) -> bool:
        """Whether the staged part is there, as large as it should be; its name tells its content."""
        where = self._made_stage(run)
        size = self._pool.do(lambda session: stage.listed(session, where, run.id, part.name).get(part.name))
        return size is not None and stage.is_whole(size, part.size)

    def discard_staged(self, run: Run) -> None:
        """Remove the run's folder in the stage, and its landing table."""
        where, plan = self._made_stage(run), self._plan(run)
        self._pool.do(lambda session: stage.discard(session, where, run.id))
        self._pool.do(lambda session: session.rows(plan.drop_landing()))

    def find_load(self, run: Run) -> Receipt | None:
        """What the load returned, when it was committed."""
        place = ledger.place_for(self._place(run.job.table))
        return self._pool.do(lambda session: ledger.receipt_of(session, place, run.id))

    def ledger(self, table: TableName) -> tuple[LedgerEntry, ...]:
        """Every load that is still in the table, oldest first; none when the table is missing or empty."""
        place = self._place(table)

        def standing(session: Session) -> tuple[LedgerEntry, ...]:
            if find(session, place) is None or not session.rows(any_row(place.sql)):
                return ()
            return ledger.entries(session, ledger.place_for(place), place)

        return self._pool.do(standing)

    def check(self) -> tuple[Fact, ...]:
        """Who we are there, and with what."""
        asked = "SELECT CURRENT_ACCOUNT(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_VERSION()"
        [(account, user, role, warehouse, version)] = self._pool.do(lambda session: session.rows(asked))
        named = {
            "Snowflake": version,
            "account": account,
            "user": user,
            "role": role,
            "warehouse": warehouse,
            "database": self._database,
            "schema": self._schema,
        }
        return tuple(Fact(label=label, value=str(value or "none")) for label, value in named.items())

    def close(self) -> None:
        """End all sessions; twice is no error."""
        self._pool.close()

    def _find(self, table: TableName) -> Table | None:
        place = self._place(table)
        return self._pool.do(lambda session: find(session, place))

    def _place(self, table: TableName) -> Place:
        return Place.of(table, self._database, self._schema)

    def _plan(self, run: Run) -> Plan:
        place = self._place(run.job.table)
        if place.name == ledger.NAME:
            raise UsageError(f"table {place} is the load ledger", advice="Choose another table.")
        return Plan(run=run, place=place, table=self._find(run.job.table), settings=load_settings(run.job))

    def _stage(self, run: Run) -> Stage:
        if self._address.stage is not None:
            return Stage(self._address.stage, made=False)
        place = self._place(run.job.table)
        return own_stage(place.database, place.schema)

    def _made_stage(self, run: Run) -> Stage:
        found = self._stage(run)
        if found.name not in self._made:
            self._pool.do(found.make)
            self._made.add(found.name)
        return found


def _column_of(table: Table, name: str) -> str:
    column = table.column(name)
    if column is None:
        raise no_such_column(table.place, name)
    return column.name
