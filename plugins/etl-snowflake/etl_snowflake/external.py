"""External stages: where they keep their files, and bringing files there, which PUT cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl_framework import EtlError, RunFailed, UsageError
from etl_snowflake.failing import MISSING, StatementFailed
from etl_snowflake.secrets import redacted

if TYPE_CHECKING:
    from pathlib import Path

    from etl_snowflake.session import Session

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_STAGE = re.compile(rf"@({_NAME}(?:\.\.?{_NAME}){{0,2}})(?:/(.*))?", re.DOTALL)
_IMPLICIT = re.compile(rf"@(?:{_NAME}\.\.?){{0,2}}[~%]")

_PROTOCOLS = {"s3": "s3", "s3gov": "s3", "s3china": "s3", "s3compat": "s3", "gcs": "gcs", "azure": "abfs"}
"""Protocol of fsspec by the scheme of Snowflake."""

_PACKAGES = {"s3": ("s3fs", "s3"), "gcs": ("gcsfs", "gcs"), "abfs": ("adlfs", "azure")}
"""What fsspec needs for a protocol, and the plugin's extra that brings it."""

_AZURE = ".blob.core.windows.net"


class StorageFailed(RunFailed):
    """The storage of a stage did not do what it was asked for; it may at the next attempt."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A place in an object store, as fsspec takes it.

    :param protocol: of fsspec.
    :param path: bucket or container, and key.
    :param options: of the file system, as far as the URL tells them; credentials are its own affair.
    """

    protocol: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str) -> Storage:
        """Where a URL of Snowflake leads.

        :raises UsageError: its scheme is unknown.
        """
        scheme, _, path = url.partition("://")
        if (protocol := _PROTOCOLS.get(scheme.lower())) is None:
            known = ", ".join(f"{scheme}://" for scheme in _PROTOCOLS)
            raise UsageError(
                f"files cannot be brought to {url}", advice=f"Known are {known}; a plugin can answer etl_upload."
            )
        if protocol != "abfs":
            return cls(protocol, path)
        host, _, path = path.partition("/")
        options = {"account_name": host.partition(".")[0]}
        return cls(protocol, path, options if host.endswith(_AZURE) else {**options, "account_host": host})


def is_implicit(stage: str) -> bool:
    """Whether it is the user's or a table's stage: there by itself, and internal always.

    :param stage: as in SQL, with a path below it or not.
    """
    return _IMPLICIT.match(stage) is not None


def taken_apart(stage: str) -> tuple[tuple[str, ...], str] | None:
    """The pieces of a named stage's name, each as it is written, and the path below it; None when it names none.

    :param stage: as in SQL.
    """
    named = _STAGE.fullmatch(stage)
    return None if named is None else (tuple(re.findall(_NAME, named[1])), (named[2] or "").strip("/"))


def url_of(session: Session, stage: str) -> str:
    """Where a stage keeps its files: the URL of an external one, ending with a slash; nothing of an internal one.

    :param stage: as in SQL, with a path below it or not.
    :raises UsageError: it is no name of a stage, or there is no such stage.
    """
    if is_implicit(stage):
        return ""
    named = _STAGE.fullmatch(stage)
    if named is None:
        raise UsageError(f"{stage!r} names no stage", advice="Write ?stage=@DB.SCHEMA.STAGE, or @~ for the user's own.")
    try:
        properties = session.table(f"DESCRIBE STAGE {named[1]}")
    except StatementFailed as error:
        if error.number not in MISSING:
            raise
        raise UsageError(
            f"there is no stage {named[1]}, or the role may not see it",
            advice="Create it, grant the role its privileges, or name another one with ?stage= of the target.",
        ) from error
    urls = [row["property_value"] for row in properties if _is_url(row)]
    url = _first(urls[0]) if urls else ""
    return "/".join(piece for piece in (url.rstrip("/"), (named[2] or "").strip("/")) if piece) + "/" if url else ""


def _is_url(row: Mapping[str, Any]) -> bool:
    return (row["parent_property"], row["property"]) == ("STAGE_LOCATION", "URL")


def _first(value: str | None) -> str:
    """The URL in a property, which is written as a list: ``["s3://bucket/prefix/"]``."""
    try:
        urls = json.loads(value or "[]")
    except ValueError:
        return str(value)
    return str(urls[0]) if isinstance(urls, list) and urls else ""


def bring(url: str, path: Path, size: int) -> None:
    """Bring a file to a URL, unless it is there whole already, and look whether it is there whole.

    :param size: of the file, in bytes.
    :raises StorageFailed: it is not; trying again may help.
    :raises RunFailed: the storage does not allow it, or is not there.
    :raises UsageError: the file system's package is not installed.
    """
    with _file_system(url) as (files, key):
        if _size(files, key) == size:
            return
        files.put_file(str(path), key)
        found = _size(files, key)
    if found != size:
        has = "nothing" if found is None else f"{found:,} bytes"
        raise StorageFailed(f"{url} holds {has}, not {size:,} bytes", advice="Somebody else may write there.")


def remove(folder: str) -> None:
    """Remove every file below a URL; nothing there is no error.

    :param folder: ends with a slash.
    :raises RunFailed: they cannot be removed.
    :raises UsageError: the file system's package is not installed.
    """
    with _file_system(folder) as (files, key):
        files.invalidate_cache()
        # One by one: removing many at once takes signs in their names for patterns.
        for name in files.find(key):
            files.rm_file(name)


def _size(files: Any, key: str) -> int | None:
    files.invalidate_cache()
    try:
        return int(files.info(key)["size"])
    except FileNotFoundError:
        return None


@contextmanager
def _file_system(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the path in it; whatever fails is an error of ours."""
    storage = Storage.of(url)
    package, extra = _PACKAGES[storage.protocol]
    import fsspec

    try:
        fsspec.get_filesystem_class(storage.protocol)
    except ImportError as error:
        raise UsageError(
            f"the stage lies in {url}, for which the package {package} is not installed",
            advice=f"Install it: pip install 'etl-snowflake[{extra}]'.",
        ) from error
    try:
        yield fsspec.filesystem(storage.protocol, **storage.options), storage.path
    except EtlError:
        raise
    except (PermissionError, FileNotFoundError) as error:
        raise RunFailed(
            f"{url} cannot be used: {_told(error)}",
            advice=f"Check the bucket, and the credentials that {package} takes from the environment.",
        ) from error
    except Exception as error:
        # The file systems have no error in common: those of their HTTP libraries come through.
        raise StorageFailed(
            f"{url} cannot be used: {_told(error)}",
            advice=f"Check the network, and the credentials that {package} takes from the environment.",
        ) from error


def _told(error: Exception) -> str:
    return redacted(" ".join(str(error).split())) or type(error).__name__
