"""The stages of the account and the files that lie in them."""

import hashlib
import itertools
import pickle
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from etl_snowflake.emulator.encryption import Encryption, decrypt
from etl_snowflake.emulator.errors import SnowflakeError, does_not_exist

Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file in a stage.

    :param path: path below the stage, as LIST shows it after the stage's name.
    :param blob: where its bytes lie, as uploaded (encrypted when the driver encrypted them).
    :param size: bytes as uploaded.
    :param md5: of the bytes as uploaded; the load metadata's ETag.
    :param digest: what the driver says of the bytes before encryption.
    """

    path: str
    blob: Path
    size: int
    md5: str
    modified: datetime
    digest: str = ""
    encryption: Encryption | None = None

    def read(self) -> bytes:
        """The file's bytes, decrypted."""
        data = self.blob.read_bytes()
        return data if self.encryption is None else decrypt(data, self.encryption)


@dataclass(eq=False)
class Stage:
    """A named, user's or table's stage.

    :param url: where an external one keeps its files; `files` holds them as they were when the stage was last found.
    :param integration: name of the storage integration of an external one.
    :param has_credentials: whether an external one was given credentials, which are not kept.
    """

    key: str
    name: Name
    is_encrypted: bool
    session: int | None = None
    url: str = ""
    integration: str | None = None
    has_credentials: bool = False
    comment: str = ""
    options: dict[str, object] = field(default_factory=dict)
    owner: str = "ACCOUNTADMIN"
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    files: dict[str, StagedFile] = field(default_factory=dict)
    master_key: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def prefix(self) -> str:
        """What LIST puts before a file's path: nothing for the user's and a table's stage."""
        if self.url:
            return f"{self.url.rstrip('/')}/"
        return "" if self.name[2].startswith(("~", "%")) else f"{self.name[2].lower()}/"


class Stages:
    """All stages, by name. Files live in a folder, one blob each."""

    def __init__(self, folder: Path, *, persistent: bool) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "index.pickle" if persistent else None
        self._lock = threading.RLock()
        self._blobs = itertools.count()
        self._keys = itertools.count(1)
        self.by_name: dict[tuple[Name, int | None], Stage] = {}
        self.by_key: dict[str, Stage] = {}
        if self._index is not None and self._index.exists():
            for stage in pickle.loads(self._index.read_bytes()):  # noqa: S301 - written by this class in its own folder
                self.by_name[stage.name, None] = self.by_key[stage.key] = stage

    def create(self, stage: Stage, *, replace: bool = False, if_not_exists: bool = False) -> bool:
        """Add a stage. False when it existed and `if_not_exists` was said.

        :raises SnowflakeError: 2002, it exists.
        """
        with self._lock:
            key = (stage.name, stage.session)
            if key in self.by_name:
                if if_not_exists:
                    return False
                if not replace:
                    raise SnowflakeError(
                        f"SQL compilation error:\nObject '{stage.name[2]}' already exists.", 2002, "42710"
                    )
                self._remove_stage(self.by_name[key])
            self.by_name[key] = self.by_key[stage.key] = stage
            self._save()
        return True

    def new_key(self) -> str:
        """A key for a stage, unique in the account."""
        return f"{next(self._keys)}-{secrets.token_hex(4)}"

    def get(self, name: Name, session: int) -> Stage:
        """A session's stage of that name, temporary ones first.

        :raises SnowflakeError: 2003, there is none.
        """
        stage = self.by_name.get((name, session)) or self.by_name.get((name, None))
        if stage is None:
            raise does_not_exist("Stage", ".".join(name))
        return stage

    def implicit(self, name: Name, *, encrypted: bool) -> Stage:
        """The user's or a table's stage, which exist without being created."""
        with self._lock:
            if (name, None) not in self.by_name:
                self.create(Stage(self.new_key(), name, encrypted))
            return self.by_name[name, None]

    def drop(self, stage: Stage) -> None:
        """Remove a stage and its files."""
        with self._lock:
            self._remove_stage(stage)
            self._save()

    def drop_temporary(self, session: int) -> None:
        """Remove the temporary stages of a session that ended."""
        with self._lock:
            for stage in [s for s in self.by_name.values() if s.session == session]:
                self._remove_stage(stage)

    def _remove_stage(self, stage: Stage) -> None:
        for staged in () if stage.url else stage.files.values():
            staged.blob.unlink(missing_ok=True)
        self.by_name.pop((stage.name, stage.session), None)
        self.by_key.pop(stage.key, None)

    def new_blob(self) -> Path:
        """A path that an upload may write to."""
        return self._folder / f"{next(self._blobs):08d}-{secrets.token_hex(6)}"

    def store(self, stage: Stage, path: str, blob: Path, digest: str, encryption: Encryption | None) -> StagedFile:
        """Make an uploaded blob a file of the stage, in place of one of the same path."""
        md5 = hashlib.md5(usedforsecurity=False)
        size = 0
        with blob.open("rb") as stream:
            while block := stream.read(1 << 20):
                md5.update(block)
                size += len(block)
        now = datetime.now(UTC).replace(microsecond=0)
        staged = StagedFile(path, blob, size, md5.hexdigest(), now, digest, encryption)
        with self._lock:
            old = stage.files.get(path)
            stage.files[path] = staged
            if old is not None:
                old.blob.unlink(missing_ok=True)
            self._save()
        return staged

    def remove(self, stage: Stage, path: str) -> None:
        """Remove one file."""
        with self._lock:
            staged = stage.files.pop(path, None)
            if staged is not None:
                staged.blob.unlink(missing_ok=True)
            self._save()

    def _save(self) -> None:
        if self._index is not None:
            lasting = [s for s in self.by_name.values() if s.session is None]
            partial = self._index.with_suffix(".partial")
            partial.write_bytes(pickle.dumps(lasting))
            partial.replace(self._index)
