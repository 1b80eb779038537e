"""The driver's own connection files: who else may read them, and what a connection names."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowflake.connector.constants import CONFIG_FILE, CONNECTIONS_FILE

from etl_framework import UsageError
from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.privileges import stored
from etl_snowflake.table import fold

if TYPE_CHECKING:
    from etl_snowflake.address import Address

_NAMES = ("database", "schema", "warehouse", "role")
_BY_BROWSER = ("EXTERNALBROWSER", "OAUTH_AUTHORIZATION_CODE")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SKIP = "SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION"
"""The driver's own switch, for files that are mounted with permissions that nobody can change."""


def refuse_shared_files() -> None:
    """Make sure that nobody else can read or change the files that secrets stand in.

    Line 4 of the driver only warns of files that others can read, and line 5 says nothing.

    :raises UsageError: others can.
    """
    if os.name != "posix" or _SKIP in os.environ:
        return
    for path in _files():
        if path.stat().st_mode & _OTHERS:
            mode = stat.S_IMODE(path.stat().st_mode)
            raise UsageError(
                f"{path} can be read or changed by others (its permissions are {mode:03o}), and may hold secrets",
                advice=f"Make it yours alone: `chmod 600 {path}`.",
            )


def refuse_broken_files() -> None:
    """Make sure that the files can be read as TOML: the driver says neither what is wrong nor where.

    :raises UsageError: one cannot.
    """
    for path in _files():
        try:
            tomllib.loads(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise UsageError(f"{path} is not UTF-8", advice="Save the file as UTF-8.") from None
        except tomllib.TOMLDecodeError as error:
            # A broken line may hold a secret, and the error's own traceback the whole file.
            raise UsageError(f"{path} is not TOML: {error}", advice="Correct the file there.") from None


def configured(address: Address) -> Mapping[str, str]:
    """What the target's URL, or else its connection, names of database, schema, warehouse and role.

    It may differ from what the session has: Snowflake leaves out what the role may not use.
    """
    settings = _settings(name_of(address))
    named = {name: getattr(address, name) or settings.get(name) for name in _NAMES}
    return {name: value for name, value in named.items() if isinstance(value, str)}


def configured_name(named: Mapping[str, str], what: str) -> str | None:
    """What is configured for a database, schema or warehouse, as Snowflake stores the name; None for nothing."""
    if what not in named:
        return None
    return stored(named[what])[0] if named[what].startswith('"') else fold(named[what])


def place_of(address: Address) -> str:
    """Where the connection leads: its host, with the port if there is one, or else its account; or nothing is known."""
    settings = _settings(name_of(address))
    host, port = settings.get("host"), settings.get("port")
    place = f"{host}:{port}" if host and port else host or settings.get("account")
    return place if isinstance(place, str) else ""


def asks_its_user(address: Address) -> bool:
    """Whether its user logs in by a browser, whom the driver tells so."""
    return str(_settings(name_of(address)).get("authenticator", "")).upper() in _BY_BROWSER


def counts_once(address: Address) -> bool:
    """Whether a login takes what cannot be given twice: a passcode, or a person at a browser or with another factor."""
    settings = _settings(name_of(address))
    is_mfa = str(settings.get("authenticator", "")).upper() == "USERNAME_PASSWORD_MFA"
    return asks_its_user(address) or is_mfa or "passcode" in settings or bool(settings.get("passcode_in_password"))


def _files() -> tuple[Path, ...]:
    return tuple(path for path in (Path(CONNECTIONS_FILE), Path(CONFIG_FILE)) if path.is_file())


def name_of(address: Address) -> str:
    """The connection that a target's URL names, or else the driver's default one.

    The driver looks for its default itself only when it is given nothing else at all.
    """
    if address.connection is not None:
        return address.connection
    said = os.environ.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME")
    return said or str(_read(Path(CONFIG_FILE)).get("default_connection_name", "default"))


def _settings(connection: str) -> Mapping[str, Any]:
    # Line 4 alone looks there.
    told = "" if IS_NEW_LINE else os.environ.get("SNOWFLAKE_CONNECTIONS", "")
    sections = _parsed(told) or _read(Path(CONNECTIONS_FILE)) or _read(Path(CONFIG_FILE)).get("connections", {})
    found = sections.get(connection, {})
    return found if isinstance(found, Mapping) else {}


def _read(path: Path) -> dict[str, Any]:
    """What a file says; nothing where it cannot be read."""
    try:
        return _parsed(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _parsed(text: str) -> dict[str, Any]:
    """What TOML says; nothing where it is none, of which the driver tells."""
    try:
        return tomllib.loads(text)
    except ValueError:
        return {}
