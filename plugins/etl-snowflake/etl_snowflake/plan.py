"""What a load of a run does to its table, before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import (
    EVERY_ROW,
    Column,
    Condition,
    Kind,
    Mode,
    Statement,
    definitions,
    delete_rows,
    insert_from,
    merge_keys,
    period_column,
    quote,
)
from etl_snowflake import ledger, sql
from etl_snowflake.copying import copies
from etl_snowflake.measure import float_sums, queries
from etl_snowflake.table import Place, Table, fold, stored_names

if TYPE_CHECKING:
    from etl_framework import Run, StagedPart
    from etl_snowflake.settings import LoadSettings
    from etl_snowflake.stage import Stage


def landing_of(place: Place, run: str) -> Place:
    """Where the landing table of a run into a table lies: beside it."""
    return place.sibling(f"_ETL_LANDING_{run}".upper().replace("-", "_"))


def drop(place: Place) -> Statement:
    """Remove a table, if it is there."""
    return Statement(f"DROP TABLE IF EXISTS {place.sql}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a load of a run does to its table.

    :param place: where the table lies.
    :param table: the table as it is, None when the load makes it.
    """

    run: Run
    place: Place
    table: Table | None
    settings: LoadSettings

    @property
    def created(self) -> bool:
        """Whether the load makes the table."""
        return self.table is None

    @property
    def ledger(self) -> Place:
        """Where the load ledger lies."""
        return ledger.place_for(self.place)

    @property
    def landing(self) -> Place:
        """The landing table: the run's own, beside the table."""
        return landing_of(self.place, self.run.id)

    @property
    def names(self) -> tuple[str, ...]:
        """What the run's columns are called in the table and in the landing table."""
        return stored_names(self.run.columns, self.table)

    def type_of(self, index: int) -> str:
        """The type that a column has in the table."""
        column = self.run.columns[index]
        there = self.table.column(column.name) if self.table else None
        return there.type if there else sql.type_name(column.type)

    def keys(self) -> list[str]:
        """The key columns of a merge, by their names in the table.

        :raises UsageError: there are none, or one is no column.
        """
        return [name for name, _ in self._keys()]

    def _keys(self) -> list[tuple[str, bool]]:
        """Each with whether it holds text."""
        columns = self.run.columns
        return [(self.names[at], columns[at].type.kind is Kind.VARCHAR) for at in merge_keys(self.run, fold)]

    def period(self, *, landing: bool = False) -> Condition:
        """The rows that the run's period covers.

        :param landing: whether of the landing table, whose types are the sources'.
        :raises UsageError: the job has no period, or no date column that can tell.
        """
        covered, index = period_column(self.run, fold)
        type_ = sql.type_name(self.run.columns[index].type) if landing else self.type_of(index)
        return sql.covers(covered, quote(self.names[index]), type_)

    def measured(self) -> list[tuple[Column, str]]:
        """What the audit measures: each column with its name in the landing table."""
        return list(zip(self.run.columns, self.names, strict=True))

    def prepare(self) -> Iterator[tuple[Statement, str]]:
        """What must be there before the transaction, since making it would end one: schema, ledger, table, columns.

        :returns: each statement with one that fails when what it would make is not there; empty when it makes nothing.
        """
        if self.table is None:
            schema = f"CREATE SCHEMA IF NOT EXISTS {self.place.schema_sql}"
            yield Statement(schema), f"SHOW TABLES LIKE 'none' IN SCHEMA {self.place.schema_sql}"
        create, guard = ledger.create(self.ledger)
        yield create, f"DESCRIBE TABLE {self.ledger.sql}"
        yield guard, ""
        if self.table is None:
            create = Statement(f"CREATE TABLE IF NOT EXISTS {self.place.sql} ({self._defined()})")
            yield create, ""
            return
        for column, name in self.measured():
            if self.table.column(column.name) is None:
                added = f"ADD COLUMN IF NOT EXISTS {quote(name)} {sql.type_name(column.type)}"
                yield Statement(f"ALTER TABLE {self.place.sql} {added}"), ""

    def create_landing(self) -> Statement:
        """Make the landing table, empty, whatever was there."""
        # Texts as long as in the table: of one that is too long, COPY tells the row, and INSERT would not.
        lengths = self.table.lengths if self.table else {}
        columns = definitions(
            (name, sql.landing_type(column.type, lengths.get(name)), False) for column, name in self.measured()
        )
        return Statement(f"CREATE OR REPLACE TRANSIENT TABLE {self.landing.sql} ({columns})")

    def remove(self) -> Statement | None:
        """What takes old rows away, None when nothing does."""
        match self.run.job.mode:
            case Mode.REPLACE:
                return delete_rows(self.place.sql, EVERY_ROW)
            case Mode.REPLACE_PERIOD:
                return delete_rows(self.place.sql, self.period())
            case Mode.MERGE:
                return sql.delete_matches(self.place.sql, self.landing.sql, self._keys())
        return None

    def put(self) -> Statement:
        """What inserts the landed rows."""
        return insert_from(self.place.sql, self.landing.sql, zip(self.names, self.names, strict=True))

    def statements(self, stage: Stage, parts: tuple[StagedPart, ...]) -> Iterator[Statement]:
        """Every statement, in order, for people."""
        direct = self.settings.publish == "direct"
        yield from (statement for statement, _ in self.prepare())
        if not direct:
            yield self.create_landing()
            yield from self._copies(self.landing, stage, parts)
            yield from self._audit(self.landing)
        yield Statement(f"BEGIN NAME {ledger.transaction_of(self.run.id)}")
        yield ledger.take_turn(self.ledger, self.run.id)
        if (removal := self.remove()) is not None:
            yield removal
        if direct:
            yield from self._copies(self.place, stage, parts)
            if self.created or removal is not None:
                yield from self._audit(self.place)
        else:
            yield self.put()
        yield ledger.insert(self.ledger)
        yield Statement("COMMIT")
        if not direct:
            yield drop(self.landing)

    def _copies(self, table: Place, stage: Stage, parts: tuple[StagedPart, ...]) -> Iterator[Statement]:
        for copy in copies(table.sql, self.names, parts, stage, self.run):
            yield Statement(copy.sql)

    def _audit(self, table: Place) -> Iterator[Statement]:
        where = self.period() if table == self.place and self.run.job.mode is Mode.REPLACE_PERIOD else EVERY_ROW
        yield from queries(table.sql, self.measured(), where)
        floats = [name for column, name in self.measured() if column.type.kind in {Kind.REAL, Kind.DOUBLE}]
        yield from float_sums(table.sql, [(name, None) for name in floats], where)

    def _defined(self) -> str:
        return definitions((name, sql.type_name(column.type), column.required) for column, name in self.measured())
