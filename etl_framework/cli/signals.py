"""Signals that end a command: Ctrl-C, and SIGTERM likewise."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_LOOK_EVERY = 0.02
_PATIENCE = 3
"""Signals that come while none may be raised for, of which the last ends the process as if it handled none."""

_INDIVISIBLE = {
    "threading": ("__enter__", "__exit__", "_acquire_restore"),
    "concurrent.futures._base": ("__enter__", "__exit__"),
    "logging": ("acquire",),
}
"""By module, functions of which each takes or gives back a lock, and is not done before it has returned."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: cleaned up, and resumable where there is a run."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let Ctrl-C raise ``KeyboardInterrupt`` and SIGTERM :class:`Terminated`, but neither where it would do harm.

    That is within an import, and where a lock has just been taken that nobody would give back: a thread that needs it,
    such as one that ends a future which is waited for, would hang. Both are raised in the main thread; in another one,
    where no signal arrives, nothing is changed. A signal that the caller ignores or handles itself stays the caller's.
    Once one was raised for, Ctrl-C is ignored afterwards where it would end the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopping = _Stopping()
    unraisable = sys.unraisablehook

    def raise_again(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            stopping.put_off(signal.SIGTERM if issubclass(dropped.exc_type, Terminated) else signal.SIGINT)
        else:
            unraisable(dropped)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if before[signal.SIGINT] in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(signal.SIGINT, stopping.arrived)
        signal.signal(signal.SIGTERM, stopping.arrived)
        # Python drops what is raised within a finalizer or a callback of the garbage collector.
        sys.unraisablehook = raise_again
        yield
        stopping.make_up_for()
    finally:
        sys.unraisablehook = unraisable
        stopping.forget()
        for number, handler in before.items():
            # Ctrl-C has been obeyed: one more neither cuts short what is said of it nor changes the exit code.
            is_over = stopping.obeyed and number == signal.SIGINT and handler is signal.SIG_DFL
            signal.signal(number, signal.SIG_IGN if is_over else handler)


class _Stopping:
    """Raises what a signal asks for, as soon as no import is under way in the main thread, and no lock half taken.

    An exception that comes out of the middle of the import system may leave a module locked for ever, on which other
    threads then wait, and libraries whose modules are half executed report it as an error of their own.
    """

    def __init__(self) -> None:
        self.obeyed = False
        self._waiting: list[int] = []
        self._before: tuple[object, tuple[float, float]] | None = None

    def arrived(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGINT and SIGTERM."""
        if not _must_go_on(frame):
            self._stop(number)
        self.put_off(number)

    def put_off(self, number: int) -> None:
        """Raise for the signal a moment later."""
        self._waiting.append(number)
        if len(self._waiting) == _PATIENCE:
            # It hangs.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if self._before is None:
            handler = signal.signal(signal.SIGALRM, self._look_again)
            self._before = handler, signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY, _LOOK_EVERY)

    def make_up_for(self) -> None:
        """Raise for the signal that has not been raised for."""
        if self._waiting:
            self._stop(self._waiting[0])

    def forget(self) -> None:
        """Let go of the clock."""
        self._waiting.clear()
        if self._before is not None:
            handler, (delay, interval) = self._before
            self._before = None
            signal.setitimer(signal.ITIMER_REAL, delay, interval)
            signal.signal(signal.SIGALRM, handler)  # type: ignore[arg-type]  # what signal.signal gave

    def _look_again(self, _: int, frame: FrameType | None) -> None:
        if self._waiting and not _must_go_on(frame):
            self._stop(self._waiting[0])

    def _stop(self, number: int) -> NoReturn:
        self.forget()
        self.obeyed = True
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _must_go_on(frame: FrameType | None) -> bool:
    """Whether a frame, or what called it, belongs to the import system or takes a lock."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return True
        if frame.f_code.co_name in _INDIVISIBLE.get(frame.f_globals.get("__name__", ""), ()):
            return True
        frame = frame.f_back
    return False


def exit_code(stop: KeyboardInterrupt) -> int:
    """What shells give for the signal: 143 for SIGTERM, 130 for Ctrl-C."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
