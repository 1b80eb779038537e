"""Whoever is told what happens in a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from etl_framework import Event
from etl_framework.observing import Observers
from etl_framework.plugins import Plugins


def test_an_observer_whom_two_threads_find_gone_at_the_same_time_is_told_no_more_and_stops_nothing() -> None:
    both = Barrier(2, timeout=30)
    gone: list[str] = []
    there: list[str] = []

    def closed(event: Event) -> None:
        gone.append(event.name)
        both.wait()
        raise BrokenPipeError

    observers = Observers("r1", [closed, lambda event: there.append(event.name)], Plugins())
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(observers.happened, ["first", "second"]))
    observers.happened("third")
    assert (sorted(gone), sorted(there)) == (["first", "second"], ["first", "second", "third"])
