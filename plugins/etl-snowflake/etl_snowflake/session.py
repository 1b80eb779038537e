"""Sessions of the driver, whichever of its two lines is installed: statements, files, errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import snowflake.connector
from snowflake.connector import errors as driver

from etl_framework import RunFailed, Statement, in_background
from etl_snowflake.secrets import redacted
from etl_snowflake.sql import literal

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

MISSING = (2003, 2043)
# Line 4 raises what the last of its attempts met; line 5 has these names for old programs only, and warns of them.
_GATEWAYS = (
    "InternalServerError",
    "ServiceUnavailableError",
    "GatewayTimeoutError",
    "BadGatewayError",
    "RequestTimeoutError",
    "TooManyRequests",
    "OtherHTTPRetryableError",
)
_IS_NEW_LINE = not snowflake.connector.__version__.startswith("4.")
_LOST = (
    driver.OperationalError,
    driver.InterfaceError,
    *(() if _IS_NEW_LINE else (getattr(driver, name) for name in _GATEWAYS)),
)
# The session has ended, or its tokens have.
_SESSION_GONE = (390104, 390111, 390112, 390113, 390114, 390115, 390195)
_SLOWEST_UPLOAD = 10_000
"""Bytes per second. The driver's storage requests have no time limit in line 5, and one of 600 s in line 4."""
_SHORTEST_POLL, _LONGEST_POLL = 0.05, 2
_POLL_SHARE = 0.1
"""Pause between two questions after a query, of the time that it has taken: so much is lost at most by its end."""


class StatementFailed(RunFailed):
    """Snowflake refused a statement.

    :ivar number: Snowflake's number of the error.
    :ivar is_lasting: whether the same statement would be refused again: its SQLSTATE is of class 42, "syntax error or
        access rule violation".
    :ivar query: id of the query, when there is one.
    :ivar said: all that Snowflake said, of which the message is the beginning.
    """

    def __init__(
        self, message: str, *, advice: str, number: int | None, sqlstate: str | None, query: str | None, said: str = ""
    ) -> None:
        super().__init__(message, advice=advice)
        self.said = said or message
        self.number = number
        self.is_lasting = (sqlstate or "").startswith("42")
        self.query = query


class ConnectionLost(RunFailed):
    """A statement was sent and its answer did not come: nobody knows what became of it until Snowflake is asked.

    :ivar query: id of the query, when it was known before.
    """

    query: str | None = None


def is_new_line() -> bool:
    """Whether the driver is of the line 5, which is written in Rust."""
    return _IS_NEW_LINE


def first_line(error: Exception) -> str:
    """What the driver says, short and without a secret."""
    lines = [line.strip() for line in _said(error).splitlines() if line.strip()]
    # Snowflake's first line is often nothing but "SQL compilation error:".
    return " ".join(lines[:3]) if lines else type(error).__name__


def _said(error: Exception) -> str:
    return redacted(str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error))


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
        with self._connection.cursor() as cursor, _errors(cursor):
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
        with self._connection.cursor() as cursor, _errors(cursor):
            cursor.execute(sql)
            self.last_query = str(cursor.sfqid)
            return _named(cursor)

    def describe(self, statement: Statement) -> None:
        """Have a statement compiled, but not run.

        :raises StatementFailed: Snowflake refused it.
        """
        with self._connection.cursor() as cursor, _errors(cursor):
            cursor.describe(statement.sql, statement.values or None)

    def first(self, statement: Statement, limit: int) -> tuple[list[Any], list[tuple[Any, ...]]]:
        """Run a query and fetch no more than some rows.

        :returns: the columns as PEP 249 describes them, and the rows.
        :raises StatementFailed: Snowflake refused it.
        :raises ConnectionLost: no answer came.
        """
        with self._connection.cursor() as cursor, _errors(cursor):
            cursor.execute(statement.sql, statement.values or None)
            rows = list(cursor.fetchmany(limit))
            return list(cursor.description or ()), rows

    def each(self, sql: str) -> Iterator[dict[str, Any]]:
        """The same, row by row as they arrive: for answers that may be long. Nothing else may run in between."""
        with self._connection.cursor() as cursor, _errors(cursor):
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
        with self._connection.cursor() as cursor, _errors(cursor):
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
        with self._connection.cursor() as cursor, _errors(cursor, query):
            cursor.get_results_from_sfqid(query)
            return _named(cursor)

    def is_running(self, query: str) -> bool:
        """Whether a query has not ended yet.

        :raises ConnectionLost: Snowflake cannot be asked.
        """
        with _errors(None, query):
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
        """Upload a file that is compressed already; one of the same name that is there stays.

        :param path: of the file, whose name holds nothing that PUT takes for a pattern.
        :param location: folder in a stage, as a quoted literal.
        :returns: Snowflake's answer: ``source``, ``target``, ``source_size``, ``target_size``, ``status``, …
        :raises StatementFailed: Snowflake or its storage refused it.
        :raises ConnectionLost: no answer came in time.
        """
        source = literal(f"file://{path}")

        def upload() -> dict[str, Any]:
            with self._connection.cursor() as cursor, _errors(cursor):
                cursor.execute(f"PUT {source} {location} AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE OVERWRITE=FALSE")
                [answer] = _named(cursor)
                return answer

        try:
            # Should it take longer, it is left to itself in its thread.
            return in_background(upload, "etl-put").result(self._timeout + path.stat().st_size / _SLOWEST_UPLOAD)
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


@contextmanager
def _errors(cursor: Any, query: str | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Line 4 lets errors of its HTTP library through when an answer breaks off in its middle.
        raise _lost(error, query or getattr(cursor, "sfqid", None)) from None
    except driver.Error as error:
        query = query or getattr(error, "sfqid", None) or getattr(cursor, "sfqid", None)
        if not _is_lost(error):
            raise _failed(error, query) from None
        raise _lost(error, query) from None


def _lost(error: Exception, query: str | None) -> ConnectionLost:
    lost = ConnectionLost(
        f"Snowflake did not answer: {first_line(error)}", advice="Check the network, and Snowflake's status."
    )
    lost.query = query
    return lost


def _is_lost(error: driver.Error) -> bool:
    if _IS_NEW_LINE and isinstance(error, driver.InternalError) and getattr(error, "sqlstate", None) is None:
        # Of line 5 itself, such as of a submission whose answer told no query: Snowflake's own have an SQLSTATE.
        return True
    return isinstance(error, _LOST) or getattr(error, "errno", None) in _SESSION_GONE


def _failed(error: driver.Error, query: str | None) -> StatementFailed:
    number = getattr(error, "errno", None)
    about = f" (query {query})" if query else ""
    advice = "" if number is None else _ADVICE.get(number, "")
    return StatementFailed(
        f"{first_line(error)}{about}",
        advice=advice,
        number=number,
        sqlstate=getattr(error, "sqlstate", None),
        query=query,
        said=_said(error),
    )


_ADVICE = {
    606: "Name a warehouse, in connections.toml or as ?warehouse= of the target; the role needs USAGE on it, which "
    "`etl targets test` looks for. Have a suspended one resume by itself: ALTER WAREHOUSE … SET AUTO_RESUME = TRUE.",
    3001: "`etl targets test` tells which privileges are missing, with the GRANT statements that give them.",
    3003: "`etl targets test` tells which privileges are missing, with the GRANT statements that give them.",
    3041: "`etl targets test` tells which privileges are missing, with the GRANT statements that give them.",
    90105: "Name a database: in connections.toml, or as ?database= of the target.",
    90106: "Name a schema: in connections.toml, or as ?schema= of the target.",
    630: "Raise the time limit (?statement_timeout= of the target, or the warehouse's own), or use a larger warehouse.",
}
