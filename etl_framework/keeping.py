"""What a run keeps in its folder, since after a crash nobody can be asked for it again, or would say the same."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import rmtree
from typing import Any

from etl_framework.errors import RunFailed
from etl_framework.pickling import pickled, unpickled

FOLDER = "kept"
"""Below the run's own folder; as trusted as the journal, and as private."""


def keep(folder: Path, name: str, value: object) -> None:
    """Write something down that outlives the process, and a power cut, once this returns.

    :param folder: the run's own.
    :param name: what is kept; what was kept under it before is replaced, all or nothing.
    :param value: picklable.
    :raises RunFailed: the folder cannot be written to.
    """
    place = folder / FOLDER
    try:
        place.mkdir(exist_ok=True, mode=0o700)
        written = place / f"{name}.new"
        with written.open("wb") as file:
            file.write(pickled(value))
            file.flush()
            os.fsync(file.fileno())
        written.replace(place / name)
        for changed in (place, folder):
            _flush(changed)
    except OSError as error:
        raise RunFailed(
            f"cannot write to {place}: {error.strerror or error}", advice="Make room there, or allow writing."
        ) from error


def kept(folder: Path, name: str) -> Any:
    """What :func:`keep` wrote down; None when it did not.

    :raises UnreadableRun: another version wrote it down.
    :raises RunFailed: it cannot be read.
    """
    path = folder / FOLDER / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFailed(f"cannot read {path}: {error.strerror or error}", advice="Allow reading there.") from error
    return unpickled(data, folder.name)


def discard_kept(folder: Path) -> None:
    """Remove all that :func:`keep` wrote down."""
    rmtree(folder / FOLDER, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Make the names in a folder outlive a power cut, too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
