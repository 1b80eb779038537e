"""A limit on how long the code of a plugin may take."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from etl_framework import Interrupted
from etl_framework.time_limit import stoppable, within

LONG = 3600


def never_ends() -> None:
    while True:
        pass


def test_what_is_in_time_gives_its_answer() -> None:
    assert within(LONG, lambda: 7, "late") == 7


def test_an_error_of_the_work_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        within(LONG, lambda: 1 // 0, "late")


def test_work_that_is_late_is_ended_in_any_thread() -> None:
    with ThreadPoolExecutor(3) as threads:
        late = [threads.submit(within, 0.01, never_ends, f"{number} is late") for number in range(2)]
        in_time = threads.submit(within, LONG, threading.Event().is_set, "late")
        for number, each in enumerate(late):
            with pytest.raises(TimeoutError, match=f"{number} is late"):
                each.result()
        assert in_time.result() is False


def test_work_that_is_to_stop_is_ended_in_its_thread_alone() -> None:
    begun, stopped, go_on = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        never_ends()

    def stoppable_work() -> None:
        with stoppable(stopped.is_set):
            within(LONG, work, "it is late")

    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(within, LONG, go_on.wait, "it is late")
        to_stop = threads.submit(stoppable_work)
        begun.wait()
        stopped.set()
        with pytest.raises(Interrupted, match="in the midst"):
            to_stop.result()
        go_on.set()
        assert other.result() is True


def test_an_error_that_comes_of_being_late_is_told_as_being_late() -> None:
    def fails() -> None:
        try:
            never_ends()
        finally:
            raise ValueError("left in the middle")

    with pytest.raises(TimeoutError, match="is late"):
        within(0.01, fails, "it is late")


def test_work_that_swallows_everything_is_late_all_the_same() -> None:
    def stubborn() -> int:
        try:
            never_ends()
        except BaseException:
            return 7
        return 8

    with pytest.raises(TimeoutError, match="is late"):
        within(0.01, stubborn, "it is late")


def test_the_thread_goes_on_after_work_that_was_late() -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError):
            within(0.01, never_ends, "late")
        assert within(LONG, lambda: sum(range(100_000)), "late") == sum(range(100_000))
