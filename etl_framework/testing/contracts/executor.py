"""The contract of executors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from etl_framework.errors import InputError, Interrupted
from etl_framework.testing.tasks import refuse_five, square, square_but_for_five, until_stopped

if TYPE_CHECKING:
    from etl_framework.protocols import Executor
    from etl_framework.values import Event


class ExecutorContract(ABC):
    """An executor runs every item once, gives every result, and lets nothing run on.

    >>> class TestThreads(ExecutorContract):
    ...     def executor(self):
    ...         return etl_executor("threads:2")
    """

    @abstractmethod
    def executor(self) -> Executor:
        """A new executor, for numbers of workers from 1 to a few."""

    @pytest.fixture
    def running(self) -> Iterator[Executor]:
        """A new executor, closed at the end."""
        with closing(self.executor()) as executor:
            yield executor

    def test_it_tells_how_many_work_at_a_time(self, running: Executor) -> None:
        """At least one does."""
        assert isinstance(running.workers, int)
        assert running.workers >= 1

    def test_every_item_gives_its_result_once(self, running: Executor) -> None:
        """In whatever order."""
        assert sorted(running.run(square, range(20), _ignore)) == [number * number for number in range(20)]

    def test_no_items_give_no_results(self, running: Executor) -> None:
        """And it can be used again."""
        assert list(running.run(square, (), _ignore)) == []
        assert sorted(running.run(square, (1, 2), _ignore)) == [1, 4]

    def test_items_are_taken_only_when_there_is_somebody_for_them(self, running: Executor) -> None:
        """A source of ten thousand parts is not queued as a whole."""
        taken: list[int] = []

        def items() -> Iterator[int]:
            for number in range(running.workers * 3 + 20):
                taken.append(number)
                yield number

        most = 0
        for given, _ in enumerate(running.run(square, items(), _ignore), 1):
            most = max(most, len(taken) - given)
        assert most <= running.workers, f"{most} items were taken ahead for {running.workers} workers"

    def test_events_of_the_tasks_arrive(self, running: Executor) -> None:
        """All of them, before the results have all been given."""
        seen: list[Event] = []
        list(running.run(square, range(10), seen.append))
        assert sorted(event.part for event in seen if event.part is not None) == list(range(10))

    def test_an_exception_of_a_task_is_raised_and_the_executor_can_go_on(self, running: Executor) -> None:
        """Its kind and words survive, wherever the task ran."""
        with pytest.raises(ValueError, match="five cannot be squared"):
            list(running.run(square_but_for_five, range(20), _ignore))
        assert sorted(running.run(square, range(3), _ignore)) == [0, 1, 4]

    def test_an_error_of_the_project_comes_through_whole(self, running: Executor) -> None:
        """With what to do about it."""
        with pytest.raises(InputError, match="five cannot be read") as caught:
            list(running.run(refuse_five, range(20), _ignore))
        assert caught.value.advice == "Take another number."

    def test_stopping_ends_the_tasks_in_flight(self, running: Executor) -> None:
        """At their next event; what was asked for is then not a result."""

        def stop_at_once(_: Event) -> None:
            running.stop()

        with pytest.raises(Interrupted):
            list(running.run(until_stopped, range(running.workers), stop_at_once))

    def test_whoever_has_enough_results_may_leave(self, running: Executor) -> None:
        """Closing the iterator waits for what is in flight; the executor can go on."""
        results = running.run(square, range(50), _ignore)
        assert next(results) is not None
        results.close()  # type: ignore[attr-defined]
        assert sorted(running.run(square, range(3), _ignore)) == [0, 1, 4]

    def test_closing_twice_is_no_error(self) -> None:
        """Nor is closing what was never used."""
        self.executor().close()
        executor = self.executor()
        list(executor.run(square, range(3), _ignore))
        executor.close()
        executor.close()


def _ignore(_: Event) -> None:
    return None
