"""Deleting rows: one transaction that also writes the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_duckdb import ledger
from etl_framework import (
    Deletion,
    Statement,
    UsageError,
    count_rows,
    delete_rows,
    deletion_record,
    new_run_id,
    refuse_unexpected,
)

if TYPE_CHECKING:
    from etl_duckdb.database import Database
    from etl_duckdb.table import Place, Table
    from etl_framework import Condition, RowFilter


def delete(
    database: Database,
    table: Table,
    ledger_place: Place,
    where: RowFilter | None,
    condition: Condition,
    expect: int | None,
) -> Deletion:
    """Delete the rows: all of them and the ledger's row, or nothing.

    :param condition: the rows that the filter means.
    :raises UsageError: it is a view.
    :raises Refused: there are more or fewer rows than expected.
    """
    place = table.place
    if table.view:
        raise UsageError(f"{place} is a view, of which nothing can be deleted", advice="Name the table behind it.")
    connection = database.open()

    def send(statement: Statement) -> int:
        database.go_on()
        rows = connection.execute(statement.sql, statement.values).fetchall()
        return int(rows[0][0]) if rows else 0

    connection.begin()
    try:
        refuse_unexpected(place, send(count_rows(place.sql, condition)), expect)
        rows = send(delete_rows(place.sql, condition))
        transaction = send(Statement("SELECT txid_current()"))
        deletion = Deletion(id=f"delete-{new_run_id()}", rows=rows, query_id=f"transaction {transaction}")
        send(Statement(f"CREATE SCHEMA IF NOT EXISTS {ledger_place.schema_sql}"))
        send(ledger.create(ledger_place))
        send(ledger.insert(ledger_place, deletion_record(str(place), deletion, where)))
        database.go_on()
        connection.commit()
    except BaseException:
        database.rollback()
        raise
    return deletion
