"""Waiting that Ctrl-C ends at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from threading import Event, Thread, current_thread, main_thread
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


def in_background(work: Callable[[], T], name: str) -> Future[T]:
    """Do work in a thread of its own, for which the end of the process does not wait.

    :param name: of the thread.
    """
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=body, name=name, daemon=True).start()
    return future


def interruptible(work: Callable[[], T], stop: Callable[[], None], *, patience: float | None = None) -> T:
    """Do work so that Ctrl-C ends it at once, although it waits in a library that looks for no signals.

    The work goes to a thread of its own. When this is called in another thread than the main one, which gets no
    signals, it is simply done.

    :param stop: asks the work to end; called from the main thread, again and again until the work has ended. It must
        also work when the work has not begun.
    :param patience: seconds after which a work that does not end is left alone; None waits for ever.
    """
    if current_thread() is not main_thread():
        return work()
    begin = Event()

    def begun() -> T:
        begin.wait()
        return work()

    future: Future[T] | None = None
    try:
        future = in_background(begun, "etl-interruptible")
        # Not before its future is known, without which it could not be stopped.
        begin.set()
        first_completed([future])
        return future.result()
    except BaseException:
        began = time.monotonic()
        while not (future is None or future.done() or (patience and time.monotonic() - began > patience)):
            # A second Ctrl-C must not keep the first one from being obeyed.
            with suppress(KeyboardInterrupt):
                stop()
                begin.set()
                wait([future], timeout=_LOOK_EVERY)
        raise
