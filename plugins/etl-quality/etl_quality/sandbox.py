"""A DuckDB of its own for expressions that a user wrote: it sees one batch, and no file, no network, no extension."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import duckdb

from etl_framework import quote

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import Column

BATCH = quote("_etl_batch")
"""What stands after FROM."""

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    # The parts of a file are what is done at once, each by a query in its own thread, with no other to help: only one
    # thread keeps rows in their order.
    "threads": 1,
    "memory_limit": "2GB",
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


class _Shown:
    """What a query sees: the rows of the moment, which DuckDB asks for anew at every query.

    It is told of an object once and not of every batch, which would take as long as a simple query over one.
    """

    def __init__(self, rows: pa.RecordBatch | pa.Table) -> None:
        self.schema = rows.schema
        self.rows: pa.RecordBatch | pa.Table | None = rows

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert self.rows is not None, "asked outside of `seeing`"
        return self.rows.__arrow_c_stream__(requested_schema)


class _OfThread(threading.local):
    connection: duckdb.DuckDBPyConnection | None = None
    shown: _Shown | None = None


_of_thread = _OfThread()
_making = threading.Lock()


def connection() -> duckdb.DuckDBPyConnection:
    """This thread's own connection, which nothing that runs in it can unlock; what it is shown, no other sees."""
    if _of_thread.connection is None:
        with _making:
            _of_thread.connection = _database().cursor()
    return _of_thread.connection


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all threads, with its memory limit: making it takes longer than a block's rules."""
    made = duckdb.connect(":memory:", config=_LOCKED)
    made.execute("SET GLOBAL TimeZone = 'UTC'")
    made.execute("SET lock_configuration = true")
    return made


@contextmanager
def seeing(rows: pa.RecordBatch | pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """The connection while it sees some rows as :data:`BATCH`."""
    made, shown = connection(), _of_thread.shown
    if shown is None or not shown.schema.equals(rows.schema):
        shown = _Shown(rows)
        made.register("_etl_batch", shown)
        _of_thread.shown = shown
    shown.rows = rows
    try:
        yield made
    finally:
        shown.rows = None


@lru_cache(maxsize=1024)
def types_of(expressions: tuple[str, ...], columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The types, as DuckDB spells them, that expressions over columns have; kept, as every part of a file asks.

    :raises duckdb.Error: one cannot be understood.
    """
    import pyarrow as pa

    empty = pa.schema([(column.name, column.type.arrow()) for column in columns]).empty_table()
    with seeing(empty) as made:
        listed = ", ".join(f"({expression})" for expression in expressions)
        rows: list[tuple[Any, ...]] = made.execute(f"DESCRIBE SELECT {listed} FROM {BATCH}").fetchall()  # noqa: S608
    return tuple(str(row[1]) for row in rows)


def reason_of(error: duckdb.Error) -> str:
    """Why DuckDB could not do it, in a line."""
    return str(error).partition("\n")[0].strip()
