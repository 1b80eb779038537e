"""A limit on how long the code of a plugin may take, kept by a thread that raises in the one that is late."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY = 1.0
"""Seconds: who is late is found out that much later."""


class _Late(BaseException):
    """Raised in the midst of work that is late; no error, so that the work does not take it for one of its own."""


@dataclass(slots=True, eq=False)
class _Work:
    thread: int
    deadline: float
    is_late: bool = False


_lock = threading.Lock()
_under_way: set[_Work] = set()
_watcher: threading.Thread | None = None


def within(seconds: float, work: Callable[[], T], late: str) -> T:
    """Do work in this thread, unless it takes too long.

    Work in Python is ended where it stands. What waits in a library ends once that returns, and not before.

    :param seconds: that it may take.
    :param late: what the error says.
    :raises TimeoutError: it took longer.
    """
    this = _Work(threading.get_ident(), time.monotonic() + seconds)
    result: T
    try:
        _begin(this)
        try:
            result = work()
        finally:
            _end(this)
    except BaseException:
        # Of being late, or of what the work made of that; it may come through as late as while this ends.
        _end(this)
        if not this.is_late:
            raise
    if this.is_late:
        raise TimeoutError(late)
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
        if work.is_late:
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
                if not work.is_late and work.deadline < now:
                    work.is_late = True
                    _raise_in(work.thread, _Late)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """See ``PyThreadState_SetAsyncExc`` in Python's C API; None takes back what has not come through yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
