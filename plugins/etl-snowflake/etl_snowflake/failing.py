"""What goes wrong in the driver, whichever of its two lines is installed: refused, or nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snowflake.connector import errors as driver

from etl_framework import ConnectError, RunFailed
from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.secrets import redacted

MISSING = (2003, 2043)
CANCELED = 604
TOO_LONG = (100074, 100078)
"""What COPY says of a text that is longer than its column; the other number where it has a SELECT, and INSERT."""
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
_LOST = (
    driver.OperationalError,
    driver.InterfaceError,
    *(() if IS_NEW_LINE else (getattr(driver, name) for name in _GATEWAYS)),
)
# The session has ended, or its tokens have.
_SESSION_GONE = (390104, 390111, 390112, 390113, 390114, 390115, 390195)
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


class NotReached(ConnectError):
    """Nobody answered a login as Snowflake does, and another one may find it there; not of one that counts once."""


class ConnectionLost(RunFailed):
    """A statement was sent and its answer did not come: nobody knows what became of it until Snowflake is asked.

    :ivar query: id of the query, when it was known before.
    """

    query: str | None = None


def first_line(error: Exception) -> str:
    """What the driver says, short and without a secret."""
    lines = [line.strip() for line in _said(error).splitlines() if line.strip()]
    # Snowflake's first line is often nothing but "SQL compilation error:".
    return " ".join(lines[:3]) if lines else type(error).__name__


def _said(error: Exception) -> str:
    return redacted(str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error))


@contextmanager
def errors(cursor: Any, query: str | None = None) -> Iterator[None]:
    """Raise the driver's errors as ours.

    :param cursor: that runs a statement, which may know its query.
    :param query: the id of a query that was known before.
    :raises StatementFailed: Snowflake refused it.
    :raises ConnectionLost: nobody knows what became of it.
    """
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
    if IS_NEW_LINE and isinstance(error, driver.InternalError) and getattr(error, "sqlstate", None) is None:
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
