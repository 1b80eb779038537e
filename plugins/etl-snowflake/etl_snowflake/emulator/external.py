"""External stages: files of an object store, read through fsspec where Snowflake would read them itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec

from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.stages import Stage, StagedFile

_CLOUDS = {"s3": "AWS", "s3gov": "AWS", "s3china": "AWS"}
_CREDENTIALS = re.compile(r"(CREDENTIALS\s*=\s*)\((?:'(?:[^'\\]|''|\\.)*'|[^')])*\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExternalFile(StagedFile):
    """A file of an external stage; `key` is its path in the object store."""

    key: str = ""

    def read(self) -> bytes:
        """The file's bytes.

        :raises SnowflakeError: 91003, the object store does not give them.
        """
        try:
            return bytes(_storage().cat_file(self.key))
        except OSError as error:
            raise _failure(error) from error


def checked(options: Mapping[str, object]) -> tuple[str, str | None]:
    """The URL of a stage that is to be created, and the name of its storage integration.

    :raises SnowflakeError: 391999, a URL of another kind than those of S3; 1008, only internal stages have none.
    """
    url, integration = str(options.get("URL", "")), options.get("STORAGE_INTEGRATION")
    if not url and options.keys() & {"STORAGE_INTEGRATION", "CREDENTIALS"}:
        raise SnowflakeError("SQL compilation error:\ninvalid parameter 'STORAGE_INTEGRATION'", 1008, "22023")
    if url and cloud(url) is None:
        raise not_emulated("external stages but those in S3")
    return url, None if integration is None else str(integration)


def cloud(url: str) -> str | None:
    """Whose an external stage is; None for an internal one."""
    return _CLOUDS.get(url.partition("://")[0].lower())


def internal(stage: Stage) -> Stage:
    """The stage, for PUT and GET.

    :raises SnowflakeError: 91003, it is an external one.
    """
    if stage.url:
        raise SnowflakeError(
            f"Failure using stage area. Cause: [{stage.name[2]} GET and PUT commands are not supported with external "
            "stage]",
            91003,
            "22000",
        )
    return stage


def files_of(url: str) -> dict[str, StagedFile]:
    """What lies below a URL now, by path.

    :raises SnowflakeError: 91003, the object store cannot be read.
    """
    root = url.partition("://")[2].rstrip("/") + "/"
    storage = _storage()
    try:
        storage.invalidate_cache()
        found: dict[str, dict[str, Any]] = storage.find(root, detail=True)
    except FileNotFoundError:
        found = {}
    except OSError as error:
        raise _failure(error) from error
    return {key.removeprefix(root): _file(key, root, info) for key, info in found.items()}


def remove(staged: StagedFile) -> None:
    """Remove a file of an external stage.

    :raises SnowflakeError: 91003, the object store does not allow it.
    """
    assert isinstance(staged, ExternalFile)
    try:
        _storage().rm_file(staged.key)
    except OSError as error:
        raise _failure(error) from error


def masked(sql: str) -> str:
    """A statement as others may see it: without credentials."""
    return _CREDENTIALS.sub(r"\1(***)", sql)


def _file(key: str, root: str, info: Mapping[str, Any]) -> ExternalFile:
    modified = info.get("LastModified")
    return ExternalFile(
        path=key.removeprefix(root),
        blob=Path(),
        size=int(info["size"]),
        md5=str(info.get("ETag", "")).strip('"'),
        modified=modified if isinstance(modified, datetime) else datetime.now(UTC),
        key=key,
    )


def _storage() -> Any:
    try:
        return fsspec.filesystem("s3")
    except ImportError as error:
        raise not_emulated("stages in S3 without the package s3fs") from error


def _failure(error: Exception) -> SnowflakeError:
    return SnowflakeError(f"Failure using stage area. Cause: [{error}]", 91003, "22000")
