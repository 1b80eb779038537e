"""What runs the parts of a run, and tells how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from etl_framework.values import Event

T = TypeVar("T")
R = TypeVar("R")
Emit = Callable[[Event], None]


class Executor(Protocol):
    """Runs the parts of a run.

    :ivar workers: how many at a time.
    """

    workers: int

    def run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Iterator[R]:
        """Call ``task(item, emit)`` for each item, give the results as they come.

        At most ``workers`` items are in flight, so that items are taken only when there is a worker for them. An
        exception of a task is raised here, after the tasks in flight have ended; closing the iterator also waits
        for them.

        :param task: picklable; calls ``emit`` with progress.
        :param emit: where the tasks' events go, called from any thread.
        """

    def stop(self) -> None:
        """Ask the tasks in flight to end at their next block; they raise :class:`Interrupted`."""

    def close(self) -> None:
        """End what is in flight and release the workers; twice is no error."""
