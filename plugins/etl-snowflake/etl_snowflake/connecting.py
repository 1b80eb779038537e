"""Connecting: a session of the driver, set up alike whatever the account, the user and the driver's line are."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import snowflake.connector
from snowflake.connector import errors as driver

from etl_framework import ConnectError, UsageError, interruptible
from etl_snowflake.connections import (
    asks_its_user,
    counts_once,
    name_of,
    place_of,
    refuse_broken_files,
    refuse_shared_files,
)
from etl_snowflake.failing import NotReached, first_line
from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.secrets import redact_log_of_driver
from etl_snowflake.session import Session

if TYPE_CHECKING:
    from etl_snowflake.address import Address

_LOGIN_SECONDS = 20
_BROWSER_SECONDS = 120
"""Within which a person has to log in by a browser; line 4 waits for ever."""
_PATIENCE = 0.1
"""Seconds until a login that Ctrl-C stopped is left alone. Line 5 looks for no signals, nor line 4 for a browser."""
_LONGEST_SILENCE = 60
"""Seconds: Snowflake says after 45 that a statement is still running."""
_NO_CONNECTION = ("connection_name", "connections.toml", "default connection", "not found in config files")
"""What either line of the driver says when there is no such connection."""
_PASSING = ("could not connect to snowflake backend", "failed after retries", "connection broken", "end of file before")
"""The same when nobody answers, or answers that nobody is there now, or in the midst of an answer is gone."""
_NOBODY = (*_PASSING, "login timed out", "ssl error")
"""The same when nobody answers, or not as Snowflake does."""
_NO_FILE = "no such file or directory"

_SETTINGS = {
    "client_session_keep_alive": True,
    "paramstyle": "qmark",
}
# What an account or a user may have set otherwise, and what a load's statements rely on.
_PARAMETERS: dict[str, str | int] = {
    "TIMEZONE": "UTC",
    "AUTOCOMMIT": True,
    "DATE_INPUT_FORMAT": "AUTO",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    # As strptime reads %y.
    "TWO_DIGIT_CENTURY_START": 1969,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "ROWS_PER_RESULTSET": 0,
}
_OLD_LINE = {
    # Before it logs in, 4.x would ask metadata services of three clouds where it runs, to tell Snowflake: where there
    # are none, that takes as long as a login does.
    "platform_detection_timeout_seconds": 0.0,
}
_NEW_LINE = {
    # By default a PUT is given up after 2.6 s.
    "put_get_max_attempts": 12,
    "retry_backoff_cap_ms": 8_000,
    # As in 4.x: a session whose COPY still runs is not logged out, which may end it.
    "enable_server_session_keep_alive_auto_detection": True,
}


def connect(address: Address, *, tag: str) -> Session:
    """Open a session in UTC, tagged for whoever looks at Snowflake's query history.

    :param tag: the ``QUERY_TAG``, such as the id of the run.
    :raises UsageError: there is no such connection, or its file cannot be used.
    :raises NotReached: Snowflake cannot be reached now.
    :raises ConnectError: it cannot at all, or does not let us in.
    """
    redact_log_of_driver()
    refuse_shared_files()
    refuse_broken_files()
    _have_line_4_speak_apart()
    by_browser = asks_its_user(address)
    alone = threading.Event()

    def log_in() -> Any:
        connection = snowflake.connector.connect(
            connection_name=name_of(address),
            **_SETTINGS,
            **_limits(address.timeout, by_browser=by_browser),
            **_overrides(address),
            session_parameters=_parameters(address, tag),
        )
        if alone.is_set():
            connection.close()
        return connection

    try:
        connection = interruptible(log_in, stop=alone.set, patience=_PATIENCE)
    except EOFError:
        raise ConnectError(
            "no browser could be opened here, and nobody asked where it would have come back to",
            advice="Use a key pair or a token where there is no screen.",
        ) from None
    except (driver.Error, ValueError, KeyError, TypeError, OSError) as error:
        # A passphrase that is missing is a TypeError of the library that reads keys.
        raise _not_connected(address, error) from None
    return Session(connection, tag, timeout=address.timeout)


def _have_line_4_speak_apart() -> None:
    """Have what line 4 tells and asks who logs in by a browser on standard error: standard output is for results."""
    if IS_NEW_LINE:
        return
    for name in ("oauth_code", "webbrowser"):
        vars(import_module(f"snowflake.connector.auth.{name}")).update(print=_tell, input=_ask)


def _tell(*words: object, **options: Any) -> None:
    print(*words, **{**options, "file": sys.stderr})


def _ask(question: object = "") -> str:
    _tell(question, end="", flush=True)
    return input()


def _overrides(address: Address) -> dict[str, str]:
    """What is used instead of the connection's own settings."""
    named = {name: getattr(address, name) for name in ("database", "schema", "warehouse", "role")}
    return {name: value for name, value in named.items() if value is not None}


def _parameters(address: Address, tag: str) -> dict[str, str | int]:
    limit = address.statement_timeout
    limits = {} if limit is None else {"STATEMENT_TIMEOUT_IN_SECONDS": limit}
    return {**_PARAMETERS, **limits, "QUERY_TAG": tag}


def _limits(seconds: int, *, by_browser: bool) -> dict[str, float | bool]:
    """How long is waited: for the login, for one request, then for all tries together.

    Line 5 has no limit for the tries of a statement but their number.
    """
    login = {"login_timeout": _BROWSER_SECONDS if by_browser else min(seconds, _LOGIN_SECONDS)}
    if IS_NEW_LINE:
        return {**_NEW_LINE, **login, "retry_timeout": seconds, "request_timeout": seconds}
    return {**_OLD_LINE, **login, "socket_timeout": min(seconds, _LONGEST_SILENCE), "network_timeout": seconds}


def _not_connected(address: Address, error: Exception) -> UsageError | ConnectError:
    name = "the default connection" if address.connection is None else f"connection {address.connection!r}"
    if place := place_of(address):
        name = f"{name} ({place})"
    text = first_line(error)
    lowered = text.lower()
    if any(sign in lowered for sign in _NO_CONNECTION):
        return UsageError(
            f"{name} cannot be used: {text}",
            advice="Define it in Snowflake's connections.toml (docs/snowflake.md tells where), or name another one.",
        )
    is_passing = any(sign in lowered for sign in _PASSING) and not counts_once(address)
    return (NotReached if is_passing else ConnectError)(
        f"cannot connect to Snowflake with {name}: {text}",
        advice=f"{_advice(address, lowered)}; `etl targets test` tries again.",
    )


def _advice(address: Address, said: str) -> str:
    if _NO_FILE in said:
        return "Put the file there, or correct the setting in connections.toml that names it"
    # By a browser, it is the user who has not logged in.
    if any(sign in said for sign in _NOBODY) and not asks_its_user(address):
        return "Check host, port and proxy in connections.toml, and the network; without a host, the account tells it"
    return "Check account, user and authentication in connections.toml"
