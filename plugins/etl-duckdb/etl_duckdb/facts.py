"""What ``etl targets test`` shows of a database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from etl_framework import Fact, bytes_in_words

if TYPE_CHECKING:
    from etl_duckdb.database import Database


def facts(database: Database) -> tuple[Fact, ...]:
    """Version, address, size, free disk space, what may be done, and DuckDB's limits."""
    path = database.address.path
    connection = database.existing()
    folder = path.parent
    found = [
        Fact(label="DuckDB", value=duckdb.__version__),
        Fact(label="database", value=str(path)),
        Fact(
            label="size",
            value=bytes_in_words(path.stat().st_size) if connection else "not there; the first load makes it",
        ),
        Fact(label="free disk space", value=bytes_in_words(shutil.disk_usage(folder).free)),
        _writable(path if connection else folder),
    ]
    if connection is not None:
        limits = "SELECT current_setting('memory_limit'), current_setting('threads')"
        ((memory, threads),) = connection.execute(limits).fetchall()
        found += [Fact(label="memory limit", value=str(memory)), Fact(label="threads", value=str(threads))]
    return tuple(found)


def _writable(path: Path) -> Fact:
    if os.access(path, os.W_OK):
        return Fact(label="may write", value="yes")
    return Fact(label="may write", value="no", ok=False, advice=f"Allow writing to {path}, or name another file.")
