"""A limit on how long the code of a plugin may take, kept by a thread that raises in the one that is to end."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from etl_framework.errors import Interrupted

T = TypeVar("T")

_LOOK_EVERY = 1.0
"""Seconds: who is late, or to stop, is found out that much later."""


class _Enough(BaseException):
    """Raised in the midst of work that is to end; no error, so that the work does not take it for one of its own."""


@dataclass(slots=True, eq=False)
class _Work:
    thread: int
    deadline: float
    late: str
    stopped: Callable[[], bool]
    ended: Exception | None = None

    def over(self, now: float) -> Exception | None:
        """Why it is to end, if it is."""
        if self.stopped():
            return Interrupted("stopped in the midst of a check")
        return TimeoutError(self.late) if self.deadline < now else None


_stopped: ContextVar[Callable[[], bool]] = ContextVar("_stopped", default=lambda: False)
_lock = threading.Lock()
_under_way: set[_Work] = set()
_watcher: threading.Thread | None = None


@contextmanager
def stoppable(stopped: Callable[[], bool]) -> Iterator[None]:
    """Within the block, what this thread does under a time limit also ends once it is to stop.

    :param stopped: whether it is; called from another thread.
    """
    token = _stopped.set(stopped)
    try:
        yield
    finally:
        _stopped.reset(token)


def within(seconds: float, work: Callable[[], T], late: str) -> T:
    """Do work in this thread, unless it takes too long, or is to stop.

    Work in Python is ended where it stands. What waits in a library ends once that returns, and not before.

    :param seconds: that it may take.
    :param late: what the error says.
    :raises TimeoutError: it took longer.
    :raises Interrupted: it was to stop, as `stoppable` was told.
    """
    this = _Work(threading.get_ident(), time.monotonic() + seconds, late, _stopped.get())
    result: T
    try:
        _begin(this)
        try:
            result = work()
        finally:
            _end(this)
    except BaseException:
        # Of being ended, or of what the work made of that; it may come through as late as while this ends.
        _end(this)
        if this.ended is None:
            raise
    if this.ended is not None:
        raise this.ended
    return result


def _begin(work: _Work) -> None:
    global _watcher  # noqa: PLW0603 - one for the process; a fork leaves it behind
    with _lock:
        _under_way.add(work)
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_watch, name="etl-time-limit", daemon=True)
            _watcher.start()


def _end(work: _Work) -> None:
    with _lock:
        _under_way.discard(work)
        if work.ended is not None:
            _raise_in(work.thread, None)


def _watch() -> None:
    global _watcher  # noqa: PLW0603
    while True:
        time.sleep(_LOOK_EVERY)
        with _lock:
            if not _under_way:
                _watcher = None
                return
            now = time.monotonic()
            for work in _under_way:
                if work.ended is None and (ended := work.over(now)):
                    work.ended = ended
                    _raise_in(work.thread, _Enough)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """See ``PyThreadState_SetAsyncExc`` in Python's C API; None takes back what has not come through yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
