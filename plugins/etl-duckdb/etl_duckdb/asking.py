"""What can be asked of the database's tables without changing anything."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers, bound values and a user's own query

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from etl_duckdb import ledger, sql
from etl_duckdb.table import Place, fold
from etl_framework import (
    EVERY_ROW,
    Condition,
    PeriodCount,
    QueryFailed,
    QueryResult,
    Statement,
    TableName,
    TableSummary,
    Unit,
    UsageError,
    count_rows,
    printable,
)

if TYPE_CHECKING:
    from etl_duckdb.database import Database

_SHOWN = 500
_TABLES = """
SELECT schema_name, table_name, false FROM duckdb_tables() WHERE database_name = ? AND NOT internal AND NOT temporary
UNION ALL
SELECT schema_name, view_name, true FROM duckdb_views() WHERE database_name = ? AND NOT internal AND NOT temporary
ORDER BY 1, 2
"""


def tables(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> tuple[TableSummary, ...]:
    """Every table and view but the ledger.

    :param database: DuckDB's name of the open file.
    :param schema: which names need not tell.
    """
    found = connection.execute(_TABLES, [database, database]).fetchall()
    summaries = []
    for within, name, view in found:
        if fold(name) == ledger.NAME:
            continue
        place = Place(schema=within, name=name, database=database)
        rows = None if view else connection.execute(count_rows(place.sql, EVERY_ROW).sql).fetchall()[0][0]
        parts = (name,) if fold(within) == fold(schema) else (within, name)
        summaries.append(TableSummary(name=TableName(parts), view=view, rows=rows))
    return tuple(summaries)


def query(database: Database, statement: Statement, limit: int) -> QueryResult:
    """Run one SELECT in a transaction that can only read.

    :raises UsageError: it is no query, or more than one statement.
    :raises RunFailed: DuckDB cannot run it.
    """
    with _told(statement):
        connection = database.open()
        _insist_on_one_query(statement)
        connection.execute("BEGIN TRANSACTION READ ONLY").fetchall()
        try:
            return _answer(connection, statement, limit)
        finally:
            database.rollback()


def query_within(connection: duckdb.DuckDBPyConnection, statement: Statement, limit: int) -> QueryResult:
    """Run one SELECT within the transaction that is under way.

    :raises UsageError: it is no query, or more than one statement.
    :raises RunFailed: DuckDB cannot run it; the transaction may take no more queries after it.
    """
    with _told(statement):
        _insist_on_one_query(statement)
        return _answer(connection, statement, limit)


@contextmanager
def _told(statement: Statement) -> Iterator[None]:
    """Say which query it was that DuckDB cannot run, and why."""
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        more_memory = "Give DuckDB more memory: add ?memory_limit=1GB to the target."
        raise QueryFailed(
            f"the query cannot be run: {reason}: {printable(str(statement), limit=_SHOWN)}",
            advice=more_memory if isinstance(error, duckdb.OutOfMemoryException) else "Correct the query.",
            reason=reason,
        ) from error


def _insist_on_one_query(statement: Statement) -> None:
    kinds = [found.type for found in duckdb.extract_statements(statement.sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise UsageError(
            f"this is not one query: {printable(statement.sql, limit=_SHOWN)}",
            advice="Write one SELECT; nothing else is run here.",
        )


def _answer(connection: duckdb.DuckDBPyConnection, statement: Statement, limit: int) -> QueryResult:
    # As a subquery, on a line of its own because it may end in a comment.
    written = statement.sql.rstrip().rstrip(";")
    connection.execute(f"SELECT * FROM (\n{written}\n) LIMIT 0", statement.values)
    described = [(str(name), str(type_)) for name, type_, *_ in connection.description or ()]
    connection.fetchall()
    zoned = [type_ == "TIMESTAMP WITH TIME ZONE" for _, type_ in described]
    columns = ", ".join(sql.in_utc(f"#{at}") if zone else f"#{at}" for at, zone in enumerate(zoned, start=1))
    rows = connection.execute(f"SELECT {columns} FROM (\n{written}\n) LIMIT {limit + 1:d}", statement.values).fetchall()
    return QueryResult(
        columns=tuple(name for name, _ in described),
        rows=tuple(tuple(map(_as_given, row, zoned)) for row in rows[:limit]),
        complete=len(rows) <= limit,
    )


def _as_given(value: Any, zoned: bool) -> Any:
    return sql.with_zone(value) if zoned else value


def count_by(
    connection: duckdb.DuckDBPyConnection, table: str, days: str, unit: Unit, where: Condition
) -> tuple[PeriodCount, ...]:
    """How many rows lie in each span that has any.

    :param days: SQL for the day of a row.
    """
    found = connection.execute(
        f"SELECT CAST(date_trunc('{unit}', {days}) AS DATE) AS first, count(*) FROM {table} "
        f"WHERE {where.sql} GROUP BY first ORDER BY first NULLS FIRST",
        where.values,
    ).fetchall()
    return tuple(PeriodCount(first=first, rows=rows) for first, rows in found)
