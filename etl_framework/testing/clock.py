"""A limit to the time that something may take."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TimeIsUp(KeyboardInterrupt):
    """Raised like somebody's Ctrl-C, which neither plugins nor libraries take for an error of theirs."""


class Clock:
    """Stops the main thread when the time is up, as soon as it runs Python; other threads cannot be stopped.

    :param seconds: that there are.
    :ivar is_up: whether they were too few.
    """

    def __init__(self, seconds: float) -> None:
        self.is_up = False
        self._seconds = seconds
        self._runs = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the time run within the block.

        :raises TimeIsUp: it is up.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGALRM, self._stop)
        self._runs = True
        self.restart()
        try:
            yield
        finally:
            self._runs = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def restart(self) -> None:
        """Give it all of the time once more."""
        if self._runs:
            signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def _stop(self, *_: object) -> None:
        self.is_up = True
        raise TimeIsUp
