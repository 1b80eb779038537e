"""The state folder: journal, locks, and a folder for each run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.errors import Locked, RunFailed

if TYPE_CHECKING:
    from etl_framework.journal import Journal

_PATIENCE = 1.0
"""Seconds to wait for a run that ends, or for somebody who looks whether one is under way."""


class State:
    """Everything that outlives a run on this machine, below one folder.

    :param folder: ``.etl`` beside ``etl.toml``, unless configured; created when something is written.
    :param program: how ``etl`` is called for this folder; see :func:`etl_framework.program.program_for`.
    """

    def __init__(self, folder: Path, program: str = "etl") -> None:
        self.folder = folder.absolute()
        self.program = program

    @property
    def exists(self) -> bool:
        """Whether any run was ever begun here."""
        return self._journal_path.exists()

    @property
    def _journal_path(self) -> Path:
        return self.folder / "journal.sqlite"

    def journal(self) -> Journal:
        """Open the journal.

        :raises RunFailed: it cannot be opened, or was written by another version.
        """
        from etl_framework.journal import Journal

        self._prepare(self.folder)
        return Journal(self._journal_path)

    def run_folder(self, run: str) -> Path:
        """The run's own folder, made when missing.

        :raises RunFailed: it cannot be made.
        """
        folder = self.folder / "runs" / run
        self._prepare(folder)
        return folder

    @contextmanager
    def lock(self, job: str, target: str) -> Iterator[None]:
        """Be the only run of a job and target; the operating system ends the lock with the process.

        :raises Locked: another run holds it, and does not end within a second.
        :raises RunFailed: the state folder cannot be written to.
        """
        from filelock import FileLock, Timeout

        path = self._lock_path(job, target)
        self._prepare(path.parent)
        lock = FileLock(path, timeout=_PATIENCE)
        try:
            lock.acquire()
        except Timeout as error:
            raise Locked(
                f"another run of job {job!r} into {target} is under way",
                advice="Wait for it to end; `etl runs list` shows it.",
            ) from error
        except OSError as error:
            raise _unusable("write to", self.folder, error) from error
        try:
            yield
        finally:
            lock.release()

    def is_locked(self, job: str, target: str) -> bool:
        """Whether a run of the job and target is under way. Any number of processes may look at once.

        :raises RunFailed: the state folder cannot be read.
        """
        try:
            file = os.open(self._lock_path(job, target), os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable("read", self.folder, error) from error
        try:
            # Shared, so that those who look do not take each other for a run.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            raise _unusable("read", self.folder, error) from error
        finally:
            os.close(file)
        return False

    def _lock_path(self, job: str, target: str) -> Path:
        name = hashlib.sha256(f"{job}\0{target}".encode()).hexdigest()[:32]
        return self.folder / "locks" / f"{name}.lock"

    def _prepare(self, folder: Path) -> None:
        try:
            # Findings and rejects hold data: nobody else's business.
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _unusable("write to", self.folder, error) from error


def _unusable(doing: str, folder: Path, error: OSError) -> RunFailed:
    return RunFailed(
        f"cannot {doing} the state folder {folder}: {error.strerror or error}",
        advice="Point --state-dir (or ETL_STATE_DIR) to a folder that can be written.",
    )


def new_run_id() -> str:
    """A sortable, unique name, of a run or of whatever else a ledger tells apart: ``20240131t235959-3f9a1c``."""
    return f"{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
