"""Literal rows that can be asked by SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etl_framework.errors import RunFailed
from etl_framework.findings import sound_findings
from etl_framework.rows import Rows
from etl_framework.sql import Statement
from etl_framework.tables import QueryResult

if TYPE_CHECKING:
    from etl_framework.testing.literal import LiteralRows
    from etl_framework.values import Finding


@contextmanager
def queryable(literal: LiteralRows, asked: list[Statement] | None = None) -> Iterator[Rows]:
    """Rows in a DuckDB database in memory, as checks ask about them.

    :param asked: takes down every statement.
    :raises ImportError: DuckDB is not installed.
    """
    import duckdb

    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("literal_rows", literal.table)

        def ask(statement: Statement, limit: int) -> QueryResult:
            if asked is not None:
                asked.append(statement)
            try:
                # As a subquery, only a query can stand there.
                cursor = connection.execute(f"SELECT * FROM ({statement.sql}\n) AS answer", list(statement.values))  # noqa: S608
                found: list[Any] = cursor.fetchmany(limit + 1)
            except duckdb.Error as error:
                raise RunFailed(
                    f"the query failed: {error}: {statement}",
                    advice="Correct the check's SQL.",
                ) from error
            names = tuple(column[0] for column in cursor.description or ())
            return QueryResult(columns=names, rows=tuple(found[:limit]), complete=len(found) <= limit)

        yield Rows(
            definition=Statement("SELECT * FROM literal_rows"), columns=literal.columns, dialect="duckdb", ask=ask
        )


def check_table(check: Any, literal: LiteralRows, asked: list[Statement] | None = None) -> tuple[Finding, ...]:
    """What a check by SQL finds in literal rows.

    :param asked: takes down every statement.
    """
    with queryable(literal, asked) as rows:
        return sound_findings(check.run(rows))
