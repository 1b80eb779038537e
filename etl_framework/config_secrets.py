"""Finding secrets where none may stand: in configuration files and in the URLs of targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_framework.config_lines import KeyPath

_KEY = re.compile(
    r"passw(or)?d|(^|[_-])pwd($|[_-])|passphrase|passcode|secret|token|credential|(api|private|access|account|signing|encryption)[_-]?key",
    re.IGNORECASE,
)
# What only tells where the secret is to be found is no secret.
_REFERENCE = re.compile(r"[_-](env|environment|variable|file|path)$", re.IGNORECASE)
_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # scheme://user:password@host
    r"|^[a-z][a-z0-9+.-]*:[^/\s:@]+:[^/\s@]+@"  # scheme:user:password@host
    r"|[?&;]\w*(pas{1,2}w|passphrase|passcode|pwd|secret|token|credential|private_?key|api_?key)\w*=[^&;\s]"
    r"|[?&;](pass|pat|pin|otp|jwt|sig|signature|auth|key)=[^&;\s]"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY",
    re.IGNORECASE,
)


def holds_secret(text: str) -> bool:
    """Whether a text is a URL with a password or token in it, or a private key."""
    return _VALUE.search(text) is not None


def secret_keys(data: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The keys of a parsed TOML document under which a secret stands, by name or by value.

    :param data: a table, array or value.
    :param path: where it stands.
    """
    if isinstance(data, Mapping):
        for key, value in data.items():
            here = (*path, key)
            if _names_secret(path, key) and isinstance(value, str | int | float) and not isinstance(value, bool):
                yield here
            else:
                yield from secret_keys(value, here)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from secret_keys(value, (*path, index))
    elif isinstance(data, str) and holds_secret(data):
        yield path


def _names_secret(table: KeyPath, key: str) -> bool:
    # A column may well be called "token": what stands beside it is its type.
    declares_columns = bool(table) and table[-1] == "columns"
    return not declares_columns and _KEY.search(key) is not None and _REFERENCE.search(key) is None
