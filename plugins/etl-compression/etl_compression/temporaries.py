"""Temporary files that never outlive the work, however it ends."""

from __future__ import annotations

import secrets
from threading import Lock
from typing import TYPE_CHECKING

from etl_framework import Interrupted

if TYPE_CHECKING:
    from pathlib import Path


class Temporaries:
    """The files being written, so that all of them can be removed at any instant and none appears afterwards."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._paths: set[Path] = set()
        self._stopped = False

    def create(self, folder: Path) -> Path:
        """A new empty file in the folder of the result, where a rename is one step; its name is never too long."""
        path = folder / f".etl-{secrets.token_hex(8)}.tmp"
        with self._lock:
            self.go_on()
            path.touch(0o600, exist_ok=False)
            self._paths.add(path)
        return path

    def go_on(self) -> None:
        """Insist that nobody has given up.

        :raises Interrupted: somebody has.
        """
        if self._stopped:
            raise Interrupted("compressing was given up", advice="Compress the remaining files again.")

    def remove(self, path: Path) -> None:
        """Remove one, when it is still there."""
        with self._lock:
            self._paths.discard(path)
            path.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Give up."""
        self._stopped = True
        with self._lock:
            for path in self._paths:
                path.unlink(missing_ok=True)
