"""The file of the journal: SQLite in write-ahead mode, which one thread of each process reads and writes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from etl_framework.errors import EtlError, RunFailed

T = TypeVar("T")

_PATIENCE = 30
"""Seconds to wait for others who use the file."""

_VERSION = 3
_SCHEMA = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    target TEXT NOT NULL,
    target_table TEXT NOT NULL,
    status TEXT NOT NULL,
    started TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    plan BLOB NOT NULL,
    receipt BLOB,
    steps TEXT NOT NULL DEFAULT '[]',
    error TEXT NOT NULL DEFAULT '',
    report TEXT
);
CREATE TABLE parts (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    part INTEGER NOT NULL,
    range BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned',
    outcome BLOB,
    PRIMARY KEY (run, part)
);
CREATE TABLE pieces (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    part INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'packed',
    packed BLOB NOT NULL,
    PRIMARY KEY (run, part, piece)
);
CREATE TABLE log (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    at TEXT NOT NULL,
    event TEXT NOT NULL
);
CREATE INDEX log_of_run ON log (run, at);
"""


class JournalFile:
    """The tables of runs, parts, pieces and events. Safe to use from several threads and processes.

    :param path: created when missing, for its owner only.
    :raises RunFailed: the file cannot be opened, or was written by another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Ctrl-C strikes the main thread, at any instruction: what this thread does is done whole.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="etl-journal")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._db = self._thread.submit(_open, path).result()
        except (OSError, sqlite3.Error) as error:
            self._thread.shutdown()
            raise RunFailed(
                f"cannot open the journal {path}: {error}", advice="Point --state-dir to a folder that can be written."
            ) from error
        except BaseException:
            self._thread.shutdown()
            raise

    def close(self) -> None:
        """End the connection; twice is no error."""
        with contextlib.suppress(RuntimeError):  # the thread has ended already
            self._thread.submit(self._db.close)
        self._thread.shutdown()

    def write(
        self, run: str, event: str | None, *statements: tuple[str, tuple[object, ...]], durable: bool = False
    ) -> None:
        """Do all of it in one transaction, with a line in the log.

        :param event: None writes no line.
        :param durable: also against a power cut, together with all that was written before. What is known of a part
            need not be: after a power cut the part is read again.
        :raises RunFailed: the file cannot be written; nothing of it is done.
        """

        def transaction() -> None:
            now = datetime.now(UTC).isoformat()
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in statements:
                    self._db.execute(statement, values)
                # No row of `runs` changes for a part: it holds the plan, which is large where there are many files.
                if event is not None:
                    self._db.execute("INSERT INTO log (run, at, event) VALUES (?, ?, ?)", (run, now, event))
                self._db.execute("COMMIT")
            except BaseException:
                # Some failures, such as a full disk, have rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

        self._do(transaction)

    def all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Every row that a query gives.

        :raises RunFailed: the file cannot be read.
        """
        return self._do(lambda: self._db.execute(statement, values).fetchall())

    def one(self, statement: str, run: str) -> tuple[Any, ...]:
        """The row of a run.

        :raises EtlError: there is no such run.
        :raises RunFailed: the file cannot be read.
        """
        rows = self.all(statement, run)
        if not rows:
            raise EtlError(f"the journal knows no run {run!r}", advice="`etl runs list` shows every run.")
        return rows[0]

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return self._thread.submit(work).result()
        except sqlite3.Error as error:
            raise RunFailed(
                f"cannot use the journal {self._path}: {error}",
                advice="Make room there, or see who holds or changes the file.",
            ) from error


def _open(path: Path) -> sqlite3.Connection:
    """Connect, and create the tables of a new file.

    :raises RunFailed: the file is of another format.
    :raises sqlite3.Error: it cannot be opened.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)
    with contextlib.ExitStack() as opened:
        opened.callback(db.close)
        _write_ahead(db)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise RunFailed(
                f"the journal {path} was written by another version of etl (format {version})",
                advice="Use that version to finish its runs, or another --state-dir.",
            )
        if version == 0:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
        opened.pop_all()
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch to write-ahead mode, in which a file stays.

    SQLite waits for its turn at every lock but the one that this takes: it fails at once while somebody else opens the
    same new file.
    """
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            db.execute("BEGIN EXCLUSIVE")  # for which it waits
            db.execute("ROLLBACK")
        else:
            return
