"""What a load of a run does to its table, before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_duckdb import ledger, sql
from etl_duckdb.measure import Measured, queries
from etl_duckdb.table import Place, Table, find, fold
from etl_framework import (
    EVERY_ROW,
    Mode,
    Statement,
    UsageError,
    definitions,
    delete_matches,
    delete_rows,
    duplicates,
    insert_from,
    merge_keys,
    period_column,
    quote,
    without_key,
)

if TYPE_CHECKING:
    import duckdb

    from etl_framework import Condition, Run

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

        A merge looks at the new rows before it changes the table.
        """
        return self.hides_rowid or self.run.job.mode is Mode.MERGE

    @property
    def hides_rowid(self) -> bool:
        """Whether a column takes the name of DuckDB's row number.

        New rows then cannot be told from old ones, and the audit measures the landing table.
        """
        return "rowid" in (self.table.columns if self.table else map(fold, self._names()))

    @property
    def audited(self) -> str:
        """The table that the audit measures."""
        return sql.LANDING if self.hides_rowid else self.place.sql

    def _names(self) -> Iterator[str]:
        return (column.name for column in self.run.columns)

    def type_of(self, index: int) -> str:
        """The DuckDB type that a column has in the table."""
        column = self.run.columns[index]
        there = self.table.column(column.name) if self.table else None
        return there.type if there else sql.type_name(column.type)

    def keys(self) -> list[tuple[str, str]]:
        """Of each key column of a merge, its name in the table and in the landing table.

        :raises UsageError: there are none, or one is no column.
        """
        indexes = merge_keys(self.run, fold)
        return [(self.run.columns[index].name, sql.stream_name(index)) for index in indexes]

    def period(self, *, landing: bool = False) -> Condition:
        """The rows that the run's period covers.

        :param landing: whether of the landing table.
        :raises UsageError: the job has no period, or no date column that can tell.
        """
        covered, index = period_column(self.run, fold)
        if landing:
            return sql.covers(covered, sql.stream_name(index), sql.type_name(self.run.columns[index].type))
        return sql.covers(covered, quote(covered.column), self.type_of(index))

    def measured(self) -> list[Measured]:
        """What the audit measures."""
        landing = self.hides_rowid
        return [
            Measured(
                expression=sql.stream_name(index) if landing else quote(column.name),
                type=sql.type_name(column.type) if landing else self.type_of(index),
                column=column,
            )
            for index, column in enumerate(self.run.columns)
        ]

    def key_checks(self) -> tuple[Statement, Statement]:
        """What counts landed rows without a key, and what gives keys that landed rows share."""
        landed = [name for _, name in self.keys()]
        return without_key(sql.LANDING, landed), duplicates(sql.LANDING, landed, _SAMPLES)

    def make(self) -> Iterator[Statement]:
        """What must be there first: schema, table, ledger."""
        if self.table is None:
            yield Statement(f"CREATE SCHEMA IF NOT EXISTS {self.place.schema_sql}")
            columns = ((column.name, sql.type_name(column.type), column.required) for column in self.run.columns)
            yield Statement(f"CREATE TABLE {self.place.sql} ({definitions(columns)})")
        if self.table is not None or self.ledger.schema_sql != self.place.schema_sql:
            yield Statement(f"CREATE SCHEMA IF NOT EXISTS {self.ledger.schema_sql}")
        yield ledger.create(self.ledger)

    def remove(self) -> Statement | None:
        """What takes old rows away, None when nothing does."""
        match self.run.job.mode:
            case Mode.REPLACE:
                return delete_rows(self.place.sql, EVERY_ROW)
            case Mode.REPLACE_PERIOD:
                return delete_rows(self.place.sql, self.period())
            case Mode.MERGE:
                return delete_matches(self.place.sql, sql.LANDING, self.keys())
        return None

    def put(self) -> Statement:
        """What inserts the new rows."""
        source = sql.LANDING if self.landed else sql.STAGED
        names = ((name, sql.stream_name(index)) for index, name in enumerate(self._names()))
        return insert_from(self.place.sql, source, names)

    def statements(self) -> Iterator[Statement]:
        """Every statement, in order, for people."""
        yield Statement("BEGIN TRANSACTION")
        yield from self.make()
        if self.landed:
            yield sql.land(len(self.run.columns))
        if self.run.job.mode is Mode.MERGE:
            yield from self.key_checks()
        if (removal := self.remove()) is not None:
            yield removal
        yield self.put()
        new = EVERY_ROW if self.hides_rowid else sql.rows_after("the last row before")
        yield from queries(self.audited, self.measured(), new)
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
