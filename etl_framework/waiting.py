"""Waiting that Ctrl-C ends at once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY = 0.1


def first_completed(futures: Iterable[Future[T]]) -> tuple[set[Future[T]], set[Future[T]]]:
    """Wait until one of the futures is done, as :func:`concurrent.futures.wait` does, but never deaf to a signal.

    The kernel gives a signal such as Ctrl-C to any thread of the process. Python's handler runs in the main thread,
    which a signal that another thread got does not wake: so it looks up ten times a second.

    :returns: those that are done, and the others; both empty when there are none to wait for.
    """
    done: set[Future[T]] = set()
    pending = set(futures)
    while pending and not done:
        done, pending = wait(pending, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
    return done, pending
