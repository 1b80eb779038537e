"""Uploading packed parts beside the reading of later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Self

from etl_framework.waiting import first_completed

if TYPE_CHECKING:
    from etl_framework.values import PackedPart, StagedPart

UPLOADS_AT_A_TIME = 4
"""Parts that are uploaded at once, beside those that are being read."""

_Work = tuple[Future["StagedPart"], "PackedPart"]


class Uploads:
    """Uploads packed parts on threads, a few at a time; whoever adds one waits while too many are under way.

    When it is left by an error, uploads under way end first. When it is left by Ctrl-C, they do not: on a slow link
    that would take minutes, and what did not arrive whole is uploaded again by a resumed run.

    :param upload: called from several threads at once.
    :param arrived: called with each part that was uploaded, one call at a time, and never after this was left.
    """

    def __init__(
        self, upload: Callable[[PackedPart], StagedPart], arrived: Callable[[PackedPart, StagedPart], None]
    ) -> None:
        self._upload, self._arrived = upload, arrived
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        # Daemons, for which the end of the process does not wait.
        self._threads = [
            Thread(target=self._work, name=f"etl-upload-{number}", daemon=True) for number in range(UPLOADS_AT_A_TIME)
        ]
        self._pending: set[Future[StagedPart]] = set()
        self._staged: dict[str, StagedPart] = {}
        self._lock = Lock()
        self._left = False

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *failure: object) -> None:
        for future in self._pending:
            future.cancel()
        for _ in self._threads:
            self._queue.put(None)
        try:
            if kind is None or issubclass(kind, Exception):
                for thread in self._threads:
                    thread.join()
        finally:
            with self._lock:
                self._left = True

    def add(self, pieces: Iterable[PackedPart]) -> None:
        """Begin to upload; raises what an earlier upload raised."""
        for piece in pieces:
            self._collect(most=2 * UPLOADS_AT_A_TIME)
            future: Future[StagedPart] = Future()
            self._pending.add(future)
            self._queue.put((future, piece))

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

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            future, piece = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                staged = self._upload(piece)
                with self._lock:
                    if not self._left:
                        self._arrived(piece, staged)
                future.set_result(staged)
            except BaseException as error:
                future.set_exception(error)
