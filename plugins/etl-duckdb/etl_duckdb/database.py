"""The database file: opened late, configured, interruptible, and with errors that say what to do."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import duckdb

from etl_duckdb.address import Address
from etl_framework import ConnectError, EtlError, Locked, RunFailed, UsageError, interruptible, usable_cores

T = TypeVar("T")

WIDE = 200
"""From so many columns on work uses one thread and more memory: DuckDB holds a block for each column and thread."""

_MEMORY_MB = 200
_LEAST_MB = 100
_ROW_GROUP = 122_880
_BESIDE_BYTES = 7 << 10
"""Memory that DuckDB needs, beside its limit, for a row group's column; measured."""

_MOST_THREADS = 8


class Database:
    """One connection to the database file, made when it is first needed.

    :param address: where it lies.
    :raises UsageError: DuckDB does not take the address's options.
    :raises ConnectError: the file is there but cannot be opened, or could never be made where it is to lie.
    :raises Locked: another process has it open.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._stopping = False
        if self._is_there():
            self.interruptible(self.open)
        elif not address.path.parent.is_dir():
            raise ConnectError(
                f"database {address.path} cannot be made: there is no folder {address.path.parent}",
                advice="Make the folder, or correct the path in the target.",
            )
        elif not os.access(address.path.parent, os.W_OK | os.X_OK):
            raise _denied(address)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def name(self) -> str | None:
        """DuckDB's name of the open file, None while there is no file."""
        connection = self.existing()
        return None if connection is None else str(connection.execute("SELECT current_database()").fetchall()[0][0])

    def existing(self) -> duckdb.DuckDBPyConnection | None:
        """The connection, or None while there is no database file; never makes one."""
        return self.open() if self._connection or self._is_there() else None

    def _is_there(self) -> bool:
        try:
            return self.address.path.exists()
        except PermissionError:
            # Python 3.14 would say that it is not there.
            raise _denied(self.address) from None
        except OSError as error:
            raise _connect_error(self.address, error) from error

    def open(self) -> duckdb.DuckDBPyConnection:
        """The connection; makes the database file when it is missing.

        :raises UsageError: DuckDB does not take the address's options.
        :raises ConnectError: the file cannot be opened or made.
        :raises Locked: another process has it open.
        """
        if self._connection is None:
            self._connection = _connect(self.address)
            try:
                self.configure(next(self.memory_limits(0)), 0)
            except duckdb.Error as error:
                self.close()
                raise UsageError(
                    f"database {self.address.path} cannot be used with these options: {_first_line(error)}",
                    advice="Correct memory_limit or threads in the target.",
                ) from error
        return self._connection

    def memory_limits(self, width: int, rows: int = 0) -> Iterator[str]:
        """The memory limits to try in turn for work on ``width`` columns.

        What DuckDB keeps beside its limit about every row group that it writes is taken off, so that a load of many
        rows needs no more than one of few. The first limit is enough for nearly everything. Extreme data needs more:
        thousands of columns, values of many megabytes. A limit that the address gives is the only one.
        """
        if self.address.memory_limit:
            yield self.address.memory_limit
            return
        beside = rows // _ROW_GROUP * width * _BESIDE_BYTES >> 20
        wide = width // 2 if width >= WIDE else 0
        yield f"{max(_MEMORY_MB - beside, _LEAST_MB, wide)}MB"
        megabytes = max(_MEMORY_MB, wide)
        yield from (f"{megabytes * more}MB" for more in (4, 16) if megabytes * more < _machine_megabytes() // 2)

    def configure(self, memory_limit: str, width: int) -> None:
        """Set DuckDB's limits.

        :param memory_limit: one of :meth:`memory_limits`.
        :param width: columns of the table to work on.
        """
        threads = self.address.threads or (1 if width >= WIDE else min(usable_cores(), _MOST_THREADS))
        connection = self.open()
        # Values of settings cannot be bound; these are a size and a number by Address.parse.
        connection.execute(f"SET memory_limit = '{memory_limit}'")
        connection.execute(f"SET threads = {threads}")

    def interruptible(self, work: Callable[[], T]) -> T:
        """Do work on the connection so that Ctrl-C ends it at once.

        In the main thread DuckDB does not see a signal while its own threads work, and one that arrives while it asks
        Python for staged rows is lost: the work goes to a thread of its own. Other threads get no signals.
        """

        def begun() -> T:
            # It may have been stopped before.
            self.go_on()
            return work()

        try:
            return interruptible(begun, self._stop)
        finally:
            self._stopping = False

    def _stop(self) -> None:
        self._stopping = True
        if self._connection is not None:
            self._connection.interrupt()

    def go_on(self) -> None:
        """Raise within interrupted work, between two statements."""
        if self._stopping:
            raise duckdb.InterruptException("interrupted")

    def rollback(self) -> None:
        """End the transaction, if there is one, without a trace."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except duckdb.TransactionException:
            pass  # none is open: the error that led here ended it
        except duckdb.Error:
            self.close()  # a broken connection rolls back by closing

    def close(self) -> None:
        """End the connection; twice is no error."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(duckdb.Error):
                connection.close()

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn DuckDB's errors into this project's.

        :param doing: what fails then, such as ``load into table sales``.
        :raises RunFailed: DuckDB refused a statement.
        """
        try:
            yield
        except duckdb.Error as error:
            if isinstance(error, duckdb.FatalException):
                self.close()  # of no more use; what comes next opens the file anew
            raise RunFailed(f"cannot {doing}: {_first_line(error)}", advice=self._advice(error)) from error

    def _advice(self, error: duckdb.Error) -> str:
        text = str(error).lower()
        if any(words in text for words in ("no space left", "disk full", "could not write file")):
            return f"The table is as it was. Free disk space in {self.address.path.parent}, or allow writing there."
        if isinstance(error, duckdb.OutOfMemoryException):
            return "The table is as it was. Give DuckDB more memory: add ?memory_limit=1GB to the target."
        if isinstance(error, duckdb.ConstraintException):
            return "The table is as it was. Correct the data, or drop the constraint from the table."
        if isinstance(error, duckdb.TransactionException):
            return "The table is as it was. Something else changed it at the same time: wait until that has ended."
        return "The table is as it was."


def _make(path: Path) -> None:
    """Make the database, whole from its first instant on.

    DuckDB writes its headers one after the other: a process that is killed in between leaves what is no database.
    Whatever keeps this from being done is told by whoever opens the database then.
    """
    with (
        suppress(OSError, duckdb.Error),
        tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder,
    ):
        made = Path(folder) / path.name
        duckdb.connect(str(made)).close()
        # Unlike renaming, this replaces nothing that somebody else has made meanwhile.
        path.hardlink_to(made)


def _connect(address: Address) -> duckdb.DuckDBPyConnection:
    try:
        if not address.path.exists():
            _make(address.path)
        connection = duckdb.connect(str(address.path))
    except (duckdb.Error, OSError) as error:
        raise _connect_error(address, error) from error
    # A file of data, such as CSV or Parquet, is opened too: as views in memory, where a load would be lost.
    found = connection.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()")
    if found.fetchall() == [(None,)]:
        connection.close()
        raise _no_database(address)
    # Nothing is ever downloaded, and the rows of a load have no order to keep.
    for setting in (
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "preserve_insertion_order = false",
        "enable_progress_bar = false",
    ):
        connection.execute(f"SET {setting}")
    # Blocks of the database stay in memory that is used again instead of being fetched anew from the system: only a
    # matter of speed, which a small machine or another connection of this process may do without.
    with suppress(duckdb.Error):
        connection.execute(f"SET block_allocator_memory = '{_LEAST_MB}MB'")
    return connection


def _connect_error(address: Address, error: Exception) -> EtlError:
    # Without the path, which may hold any word.
    text = str(error).replace(str(address.path), "")
    if "lock on file" in text and isinstance(error, duckdb.IOException):
        holder = re.search(r"held in (.+?) \(PID (\d+)\)", text)
        who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
        return Locked(f"database {address.path} is in use by {who}", advice="Wait until it has ended, or close it.")
    if "different configuration" in text:
        return Locked(f"this program has database {address.path} open already", advice="Close that connection first.")
    if "ermission denied" in text or "ead-only file system" in text:
        return _denied(address)
    if isinstance(error, duckdb.Error) and address.path.is_dir():
        return ConnectError(f"{address.path} is a folder", advice="Give the path of a file in the target.")
    if "not a valid duckdb" in text.lower():
        return _no_database(address)
    return ConnectError(
        f"database {address.path} cannot be opened: {_first_line(error)}",
        advice="If another version of DuckDB wrote it, use that version, or give another path.",
    )


def _no_database(address: Address) -> ConnectError:
    return ConnectError(f"{address.path} is not a DuckDB database", advice="Give another path; it is left as it is.")


def _machine_megabytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def _denied(address: Address) -> ConnectError:
    return ConnectError(
        f"database {address.path} cannot be written: permission denied",
        advice="Allow this user to write the file and its folder, or give another path in the target.",
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
