"""Sessions of the driver, whichever of its two lines is installed: statements and files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from snowflake.connector import errors as driver

from etl_framework import RunFailed, Statement, in_background
from etl_snowflake.failing import ConnectionLost, errors
from etl_snowflake.putting import put_statement
from etl_snowflake.sql import literal

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

_SLOWEST_UPLOAD = 10_000
"""Bytes per second. The driver's storage requests have no time limit in line 5, and one of 600 s in line 4."""
_SHORTEST_POLL, _LONGEST_POLL = 0.05, 2
_POLL_SHARE = 0.1
"""Pause between two questions after a query, of the time that it has taken: so much is lost at most by its end."""


class Session:
    """One session. Statements of one session come one after the other, so not for several threads at once.

    :param connection: of the driver, open.
    :param tag: its ``QUERY_TAG``.
    :param timeout: seconds after which an upload that does not get on is given up.
    :ivar last_query: id of the query that :meth:`rows` or :meth:`table` ran last.
    """

    def __init__(self, connection: Any, tag: str, *, timeout: float) -> None:
        self._connection = connection
        self._tag = tag
        self._timeout = timeout
        self._open = True
        self.last_query = ""

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed."""
        return self._open

    def rows(self, sql: str | Statement, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement and fetch all of its answer.

        :raises StatementFailed: Snowflake refused it.
        :raises ConnectionLost: no answer came.
        """
        statement = sql if isinstance(sql, Statement) else Statement(sql, values)
        with self._connection.cursor() as cursor, errors(cursor):
            cursor.execute(statement.sql, statement.values or None)
            self.last_query = str(cursor.sfqid)
            return list(cursor.fetchall())

    def tag_with(self, tag: str) -> None:
        """Have whoever looks at Snowflake's query history see what the statements from now on belong to."""
        if tag != self._tag:
            self.rows(f"ALTER SESSION SET QUERY_TAG = {literal(tag)}")
            self._tag = tag

    def table(self, sql: str) -> list[dict[str, Any]]:
        """The same, each row by the lower-case names of its columns: for SHOW and COPY, which tell more over time."""
        with self._connection.cursor() as cursor, errors(cursor):
            cursor.execute(sql)
            self.last_query = str(cursor.sfqid)
            return _named(cursor)

    def describe(self, statement: Statement) -> None:
        """Have a statement compiled, but not run.

        :raises StatementFailed: Snowflake refused it.
        """
        with self._connection.cursor() as cursor, errors(cursor):
            cursor.describe(statement.sql, statement.values or None)

    def first(self, statement: Statement, limit: int) -> tuple[list[Any], list[tuple[Any, ...]]]:
        """Run a query and fetch no more than some rows.

        :returns: the columns as PEP 249 describes them, and the rows.
        :raises StatementFailed: Snowflake refused it.
        :raises ConnectionLost: no answer came.
        """
        with self._connection.cursor() as cursor, errors(cursor):
            cursor.execute(statement.sql, statement.values or None)
            rows = list(cursor.fetchmany(limit))
            return list(cursor.description or ()), rows

    def each(self, sql: str) -> Iterator[dict[str, Any]]:
        """The same, row by row as they arrive: for answers that may be long. Nothing else may run in between."""
        with self._connection.cursor() as cursor, errors(cursor):
            cursor.execute(sql)
            names = [column[0].lower() for column in cursor.description or ()]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def submit(self, sql: str) -> str:
        """Have a statement begin.

        :returns: the id of its query.
        :raises StatementFailed: Snowflake refused it at once.
        :raises ConnectionLost: no answer came, so that it may have begun.
        """
        with self._connection.cursor() as cursor, errors(cursor):
            cursor.execute_async(sql)
            return str(cursor.sfqid)

    def wait_for(self, query: str, between: Callable[[float], None]) -> list[dict[str, Any]]:
        """Wait until a submitted query has ended, and give its answer.

        :param between: called again and again with the seconds since the beginning; may raise to give up waiting.
        :raises StatementFailed: it failed.
        :raises ConnectionLost: Snowflake cannot be asked any more.
        """
        began = time.monotonic()
        while self.is_running(query):
            passed = time.monotonic() - began
            between(passed)
            threading.Event().wait(min(max(_SHORTEST_POLL, _POLL_SHARE * passed), _LONGEST_POLL))
        with self._connection.cursor() as cursor, errors(cursor, query):
            cursor.get_results_from_sfqid(query)
            return _named(cursor)

    def is_running(self, query: str) -> bool:
        """Whether a query has not ended yet.

        :raises ConnectionLost: Snowflake cannot be asked.
        """
        with errors(None, query):
            return bool(self._connection.is_still_running(self._connection.get_query_status(query)))

    def cancel_all(self, other: Session) -> None:
        """Ask Snowflake to end whatever another session of the same user runs; nothing to end is no error."""
        with suppress(RunFailed):
            self.rows(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({int(other._connection.session_id)})")

    def cancel(self, query: str) -> None:
        """Ask Snowflake to end a query; one that has ended already is no error."""
        with suppress(RunFailed):
            self.rows(f"SELECT SYSTEM$CANCEL_QUERY({literal(query)})")

    def put(self, path: Path, location: str) -> dict[str, Any]:
        """Upload a file that is compressed already. One of the same name that is there stays in line 5 of the driver.

        :param path: of the file, whose name becomes that in the stage, and holds nothing that PUT takes for a pattern.
        :param location: folder in a stage, as a quoted literal.
        :returns: Snowflake's answer: ``source``, ``target``, ``source_size``, ``target_size``, ``status``, …
        :raises StatementFailed: Snowflake or its storage refused it.
        :raises ConnectionLost: no answer came in time.
        """
        size = path.stat().st_size
        with put_statement(path, location) as statement:

            def upload() -> dict[str, Any]:
                with self._connection.cursor() as cursor, errors(cursor):
                    cursor.execute(statement)
                    [answer] = _named(cursor)
                    return answer

            try:
                # Should it take longer, it is left to itself in its thread.
                return in_background(upload, "etl-put").result(self._timeout + size / _SLOWEST_UPLOAD)
            except TimeoutError:
                raise ConnectionLost("an upload does not get on", advice="Check the network.") from None

    def close(self) -> None:
        """End the session and what is open in it; twice, or without an answer, is no error."""
        self._open = False
        with suppress(driver.Error, OSError):
            self._connection.close()

    def abandon(self) -> Future[None]:
        """Let go of it, as its connection is lost: Snowflake is told if it can be reached, but nobody waits for that.

        :returns: done once it has been told, or could not be.
        """
        self._open = False
        if getattr(self._connection, "_async_sfqids", None):
            # A logout might end what was submitted. So line 4 would ask first whether it runs, for as long as for any
            # other answer.
            self._connection._server_session_keep_alive = True  # noqa: SLF001 - read again when it is closed

        def close() -> None:
            with suppress(driver.Error, OSError):
                self._connection.close(retry=False)

        return in_background(close, "etl-abandon")


def _named(cursor: Any) -> list[dict[str, Any]]:
    # In this order: of a query that was submitted, line 4 knows the columns only once it has fetched.
    rows = cursor.fetchall()
    names = [column[0].lower() for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows]
