"""Uploading packed parts beside the reading of later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from etl_framework.waiting import first_completed

if TYPE_CHECKING:
    from etl_framework.values import PackedPart, StagedPart

UPLOADS_AT_A_TIME = 4
"""Parts that are uploaded at once, beside those that are being read."""


class Uploads:
    """Uploads packed parts on threads, a few at a time; whoever adds one waits while too many are under way."""

    def __init__(self, upload: Callable[[PackedPart], StagedPart]) -> None:
        self._upload = upload
        self._pool = ThreadPoolExecutor(UPLOADS_AT_A_TIME, thread_name_prefix="etl-upload")
        self._pending: set[Future[StagedPart]] = set()
        self._staged: dict[str, StagedPart] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, pieces: Iterable[PackedPart]) -> None:
        """Begin to upload; raises what an earlier upload raised."""
        for piece in pieces:
            self._collect(most=2 * UPLOADS_AT_A_TIME)
            self._pending.add(self._pool.submit(self._upload, piece))

    def results(self) -> dict[str, StagedPart]:
        """Wait for all; by name of the packed part, which is the name of the staged one."""
        self._collect(most=0)
        return self._staged

    def _collect(self, most: int) -> None:
        """Take in what is done, and wait until at most so many are not."""
        done = {future for future in self._pending if future.done()}
        while len(self._pending) - len(done) > most:
            done |= first_completed(self._pending - done)[0]
        self._pending -= done
        for staged in (future.result() for future in done):
            self._staged[staged.name] = staged
