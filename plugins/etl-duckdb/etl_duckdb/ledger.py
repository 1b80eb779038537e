"""The load ledger: a table in the database that names every load, written in the load's own transaction."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from etl_duckdb.sql import Statement, any_row
from etl_duckdb.table import Place, find, fold
from etl_framework import ColumnTotals, LedgerEntry, Mode, Receipt, Totals, quote, valid_text

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


def insert(place: Place, values: tuple[Any, ...] = ()) -> Statement:
    """Add a load; one run is never added twice."""
    names = ", ".join(map(quote, _FIELDS))
    return Statement(f"INSERT INTO {place.sql} ({names}) VALUES ({', '.join('?' * len(_FIELDS))})", values)


def values(run: Run, table: Place, receipt: Receipt, parts: int) -> tuple[Any, ...]:
    """The ledger's row for a load."""
    period = run.job.period
    return (
        run.id,
        run.job.name,
        str(table),
        str(run.job.mode),
        period.first if period else None,
        period.last if period else None,
        sorted(source.digest for source in run.sources),
        [valid_text(source.path) for source in run.sources],
        parts,
        receipt.rows,
        receipt.deleted,
        receipt.created,
        receipt.query_id,
        _encode(receipt.totals),
        datetime.now(UTC).replace(tzinfo=None),
        version("etl-framework"),
    )


def receipt_of(connection: duckdb.DuckDBPyConnection, place: Place, run: Run) -> Receipt | None:
    """What a committed load returned; None when the ledger does not know the run."""
    found = connection.execute(
        f"SELECT rows_loaded, rows_deleted, query_id, totals, created FROM {place.sql} WHERE run = ?", [run.id]
    ).fetchall()
    if not found:
        return None
    rows, deleted, query_id, totals, created = found[0]
    return Receipt(rows=rows, deleted=deleted, query_id=query_id, totals=_decode(totals), created=created)


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
        "SELECT table_name, mode, created, first_day, last_day, run, sources, rows_loaded, loaded_at "
        f"FROM {place.sql} ORDER BY rowid"
    ).fetchall()
    kept: list[tuple[date | None, date | None, LedgerEntry]] = []
    for name, mode, created, first, last, run, sources, rows, loaded_at in found:
        if fold(name) != fold(str(table)):
            continue
        if mode == Mode.REPLACE or created:
            kept = []
        elif mode == Mode.REPLACE_PERIOD:
            kept = [load for load in kept if not _within(load[0], load[1], first, last)]
        at = loaded_at.replace(tzinfo=UTC)
        kept.append((first, last, LedgerEntry(run=run, sources=tuple(sources), rows=rows, loaded_at=at)))
    return tuple(entry for _, _, entry in kept)


def _within(first: date | None, last: date | None, start: date | None, end: date | None) -> bool:
    if first is None or last is None or start is None or end is None:
        return False
    return start <= first and last <= end


def _encode(totals: Totals) -> str:
    columns = [
        [column.name, column.nulls, *map(_tagged, (column.minimum, column.maximum, column.total))]
        for column in totals.columns
    ]
    return json.dumps({"rows": totals.rows, "columns": columns}, ensure_ascii=False)


def _decode(text: str) -> Totals:
    stored = json.loads(text)
    columns = []
    for name, nulls, *figures in stored["columns"]:
        minimum, maximum, total = map(_plain, figures)
        columns.append(ColumnTotals(name=name, nulls=nulls, minimum=minimum, maximum=maximum, total=total))
    return Totals(rows=stored["rows"], columns=tuple(columns))


_READ: Mapping[str, Any] = {
    "bool": lambda text: text == "True",
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "str": str,
}


def _tagged(scalar: object) -> list[str] | None:
    return None if scalar is None else [type(scalar).__name__, str(scalar)]


def _plain(tagged: list[str] | None) -> Any:
    return None if tagged is None else _READ[tagged[0]](tagged[1])
