"""The load ledger: a table in the database that names every load, written in the load's own transaction."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from etl_duckdb.table import Place, find, fold
from etl_framework import (
    LedgerEntry,
    LedgerRow,
    Period,
    Receipt,
    Statement,
    any_row,
    quote,
    still_there,
    totals_from_json,
)

if TYPE_CHECKING:
    import duckdb

    from etl_framework import Run

NAME = "_etl_loads"

_FIELDS = {
    "run": "VARCHAR PRIMARY KEY",
    "job": "VARCHAR NOT NULL",
    "table_name": "VARCHAR NOT NULL",
    "mode": "VARCHAR NOT NULL",
    "first_day": "DATE",
    "last_day": "DATE",
    "sources": "VARCHAR[] NOT NULL",
    "files": "VARCHAR[] NOT NULL",
    "parts": "BIGINT NOT NULL",
    "rows_loaded": "BIGINT NOT NULL",
    "rows_deleted": "BIGINT NOT NULL",
    "created": "BOOLEAN NOT NULL",
    "query_id": "VARCHAR NOT NULL",
    "totals": "VARCHAR NOT NULL",
    "loaded_at": "TIMESTAMP NOT NULL",
    "etl_version": "VARCHAR NOT NULL",
}


def create(place: Place) -> Statement:
    """Make the ledger unless it is there."""
    return Statement(
        f"CREATE TABLE IF NOT EXISTS {place.sql} ({', '.join(f'{quote(n)} {t}' for n, t in _FIELDS.items())})"
    )


def insert(place: Place, record: Mapping[str, Any] | None = None) -> Statement:
    """Add a load or a deletion; one run is never added twice.

    :param record: what :func:`~etl_framework.load_record` or ``deletion_record`` gave; None for people.
    """
    names = ", ".join(map(quote, _FIELDS))
    values = () if record is None else tuple(record[name] for name in _FIELDS)
    return Statement(f"INSERT INTO {place.sql} ({names}) VALUES ({', '.join('?' * len(_FIELDS))})", values)


def receipt_of(connection: duckdb.DuckDBPyConnection, place: Place, run: Run) -> Receipt | None:
    """What a committed load returned; None when the ledger does not know the run."""
    found = connection.execute(
        f"SELECT rows_loaded, rows_deleted, query_id, totals, created FROM {place.sql} WHERE run = ?", [run.id]
    ).fetchall()
    if not found:
        return None
    rows, deleted, query_id, totals, created = found[0]
    return Receipt(rows=rows, deleted=deleted, query_id=query_id, totals=totals_from_json(totals), created=created)


def standing(connection: duckdb.DuckDBPyConnection, place: Place, table: Place) -> tuple[LedgerEntry, ...]:
    """The loads that are still in a table, oldest first; none when it is empty.

    :param place: where the ledger lies, if it is there.
    :param table: where the table lies.
    """
    empty = not connection.execute(any_row(table.sql).sql).fetchall()
    return () if empty or not find(connection, place) else entries(connection, place, table)


def entries(connection: duckdb.DuckDBPyConnection, place: Place, table: Place) -> tuple[LedgerEntry, ...]:
    """The loads of a table that no later load replaced, oldest first."""
    found = connection.execute(
        "SELECT table_name, mode, created, job, first_day, last_day, run, sources, rows_loaded, loaded_at, totals "
        f"FROM {place.sql} ORDER BY rowid"
    ).fetchall()
    return still_there(
        LedgerRow(
            mode=mode,
            created=created,
            entry=LedgerEntry(
                run=run,
                sources=tuple(sources),
                rows=rows,
                loaded_at=loaded_at.replace(tzinfo=UTC),
                job=job,
                period=Period.between(first, last),
            ),
            totals=totals,
        )
        for name, mode, created, job, first, last, run, sources, rows, loaded_at, totals in found
        if fold(name) == fold(str(table))
    )
