"""The executors ``threads:`` and ``processes:``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from etl_framework import Emit, Event, Executor, Interrupted, MisplacedCut, Refused, RunFailed, UsageError
from etl_framework.executors import ProcessExecutor, ThreadExecutor, etl_executor, usable_cores

TASKS = '''
"""Tasks that worker processes can import."""
import os
import signal
import threading

from etl_framework import Event, MisplacedCut, Refused


def progress(number):
    return Event(name="part_progress", run="r", part=number)


def square(item, emit):
    emit(progress(item))
    return item * item, os.getpid()


def endless(item, emit):
    for number in range(1_000_000):
        emit(progress(number))
    return "never stopped"


def refuse(item, emit):
    raise Refused(f"item {item}", advice="Do not.")


def misplaced(item, emit):
    raise MisplacedCut(7)


def fail_on_one(item, emit):
    return refuse(item, emit) if item == 1 else endless(item, emit)


def one_and_then_endless(item, emit):
    return endless(item, emit) if item else item


def give_what_cannot_travel(item, emit):
    return lambda: None


class Stubborn(Exception):
    def __init__(self, one, two):
        super().__init__("stubborn")


def raise_what_cannot_travel(item, emit):
    raise Stubborn(1, 2)


def die(item, emit):
    os.kill(os.getpid(), signal.SIGKILL)


def told_to_end(item, emit):
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    return item


def die_while_talking(item, emit):
    if item == 0:
        threading.Thread(target=endless, args=(item, emit), daemon=True).start()
        for number in range(2000):
            emit(progress(number))
        os.kill(os.getpid(), signal.SIGKILL)
    for number in range(20_000):
        emit(progress(number))


class Vanishing:
    """A task that a worker cannot build again."""

    def __call__(self, item, emit):
        return item

    def __reduce__(self):
        return refuse, ("to load", None)


def tell_and_wait(item, emit):
    emit(progress(os.getpid()))
    threading.Event().wait()
'''


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The tasks above, in a module that worker processes find too."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "executor_tasks.py").write_text(TASKS)
    sys.path.insert(0, str(folder))
    import executor_tasks  # type: ignore[import-not-found]

    yield executor_tasks
    sys.path.remove(str(folder))
    del sys.modules["executor_tasks"]


@pytest.fixture(params=[ThreadExecutor, ProcessExecutor], ids=["threads", "processes"])
def make(request: pytest.FixtureRequest) -> Callable[[int], Executor]:
    """Makes an executor of either kind."""
    kind: Callable[[int], Executor] = request.param
    return kind


def ignore(_: Event) -> None:
    """Observe nothing."""


def collect(into: list[Event]) -> Emit:
    return into.append


@pytest.mark.parametrize(
    ("url", "kind", "workers"),
    [
        ("threads:", ThreadExecutor, usable_cores()),
        ("threads:3", ThreadExecutor, 3),
        ("processes:", ProcessExecutor, usable_cores()),
        ("processes:1024", ProcessExecutor, 1024),
    ],
)
def test_a_url_names_kind_and_number_of_workers(url: str, kind: type, workers: int) -> None:
    executor = etl_executor(url)
    assert executor is not None
    assert isinstance(executor, kind)
    assert executor.workers == workers


@pytest.mark.parametrize("url", ["dask://host", "threads", "", ":"])
def test_a_foreign_url_is_left_to_other_plugins(url: str) -> None:
    assert etl_executor(url) is None


@pytest.mark.parametrize("url", ["threads:0", "threads:-1", "processes:1025", "threads:many", "threads:1.5"])
def test_an_impossible_number_of_workers_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="not a number of workers"):
        etl_executor(url)


def test_every_item_is_worked_on_and_every_event_arrives(make: Callable[[int], Executor], tasks: ModuleType) -> None:
    events: list[Event] = []
    results = list(make(2).run(tasks.square, range(20), collect(events)))
    assert sorted(square for square, _ in results) == [number * number for number in range(20)]
    assert sorted(event.part for event in events if event.part is not None) == list(range(20))


def test_nothing_to_do_gives_nothing(make: Callable[[int], Executor], tasks: ModuleType) -> None:
    assert list(make(2).run(tasks.square, [], ignore)) == []


def test_threads_work_here_and_processes_elsewhere(tasks: ModuleType) -> None:
    assert {pid for _, pid in ThreadExecutor(2).run(tasks.square, range(4), ignore)} == {os.getpid()}
    elsewhere = {pid for _, pid in ProcessExecutor(2).run(tasks.square, range(9), ignore)}
    assert os.getpid() not in elsewhere
    assert 1 <= len(elsewhere) <= 2


def test_items_are_taken_only_when_a_worker_is_free() -> None:
    workers = 2
    ended: list[int] = []
    together = threading.Barrier(workers, timeout=30)
    in_flight: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            in_flight.append(number - len(ended))
            yield number

    def task(item: int, _: Emit) -> int:
        together.wait()
        ended.append(item)
        return item

    assert sorted(ThreadExecutor(workers).run(task, items(), ignore)) == list(range(20))
    assert max(in_flight) < workers


def test_an_exception_of_a_task_stops_the_others_and_is_raised(
    make: Callable[[int], Executor], tasks: ModuleType
) -> None:
    with pytest.raises(Refused, match="item 1") as caught:
        list(make(2).run(tasks.fail_on_one, [0, 1, 2], ignore))
    assert caught.value.advice == "Do not."


def test_signals_of_the_protocols_arrive_with_what_they_say(make: Callable[[int], Executor], tasks: ModuleType) -> None:
    with pytest.raises(MisplacedCut) as caught:
        list(make(1).run(tasks.misplaced, [0], ignore))
    assert caught.value.args == (7,)


def test_stopping_interrupts_the_tasks_at_their_next_event(make: Callable[[int], Executor], tasks: ModuleType) -> None:
    executor = make(2)
    with pytest.raises(Interrupted):
        list(executor.run(tasks.endless, range(4), lambda _: executor.stop()))


def test_an_executor_that_was_stopped_can_run_again(make: Callable[[int], Executor], tasks: ModuleType) -> None:
    executor = make(1)
    executor.stop()
    assert [square for square, _ in executor.run(tasks.square, [3], ignore)] == [9]
    executor.close()
    executor.close()


def test_closing_early_ends_the_tasks_in_flight_first() -> None:
    begun, ended = [], []

    def task(item: int, emit: Emit) -> int:
        begun.append(item)
        try:
            for _ in range(1_000_000 if item else 1):
                emit(Event(name="part_progress", run="r"))
        finally:
            ended.append(item)
        return item

    results = ThreadExecutor(2).run(task, range(9), ignore)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert sorted(begun) == sorted(ended)
    assert len(begun) <= 3


def test_closing_early_leaves_no_worker_process(tasks: ModuleType) -> None:
    results = ProcessExecutor(2).run(tasks.square, range(50), ignore)
    _, worker = next(results)
    results.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_an_observer_that_raises_ends_the_run_with_its_error(
    make: Callable[[int], Executor], tasks: ModuleType
) -> None:
    def observe(_: Event) -> None:
        raise ZeroDivisionError("observer")

    with pytest.raises(ZeroDivisionError, match="observer"):
        list(make(2).run(tasks.endless, range(4), observe))


def test_an_error_is_raised_rather_than_the_interruptions_that_it_caused() -> None:
    executor = ThreadExecutor(2)
    stopped = threading.Event()

    def task(item: int, emit: Emit) -> None:
        if item == 0:
            executor.stop()
            stopped.wait()
            raise ZeroDivisionError("the cause")
        try:
            while True:
                emit(Event(name="part_progress", run="r"))
        finally:
            stopped.set()

    with pytest.raises(ZeroDivisionError, match="the cause"):
        list(executor.run(task, range(2), ignore))


@pytest.mark.parametrize("task", ["die", "die_while_talking"])
def test_a_worker_that_is_killed_fails_the_run(tasks: ModuleType, task: str) -> None:
    with pytest.raises(RunFailed, match="worker process died") as caught:
        list(ProcessExecutor(2).run(getattr(tasks, task), range(3), ignore))
    assert "--jobs" in caught.value.advice


def test_a_worker_leaves_it_to_its_parent_to_end_it(tasks: ModuleType) -> None:
    assert sorted(ProcessExecutor(2).run(tasks.told_to_end, range(3), ignore)) == [0, 1, 2]


def test_a_task_that_cannot_be_built_in_the_worker_says_why(tasks: ModuleType) -> None:
    with pytest.raises(Refused, match="to load"):
        list(ProcessExecutor(1).run(tasks.Vanishing(), [0], ignore))


def test_a_worker_that_is_being_begun_does_not_see_what_the_terminal_sends_to_all(
    tasks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Imported by every Python that begins, before the worker's own code could ignore anything.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\nif '--multiprocessing-fork' in sys.argv:\n    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert [number for number, _ in ProcessExecutor(1).run(tasks.square, [3], lambda _: None)] == [9]
    assert capfd.readouterr().err == ""


def test_closing_an_executor_ends_what_nobody_waits_for_any_more(
    make: Callable[[int], Executor], tasks: ModuleType
) -> None:
    executor = make(2)
    results = executor.run(tasks.one_and_then_endless, range(2), lambda _: None)
    assert next(results) == 0
    executor.close()
    assert list(results) == []


def test_what_cannot_travel_between_processes_is_an_error_that_says_so(tasks: ModuleType) -> None:
    with pytest.raises((TypeError, AttributeError, RunFailed), match=r"(?i)pickle"):
        list(ProcessExecutor(1).run(tasks.give_what_cannot_travel, [0], ignore))
    with pytest.raises(RunFailed, match="Stubborn: stubborn"):
        list(ProcessExecutor(1).run(tasks.raise_what_cannot_travel, [0], ignore))


def test_an_error_keeps_the_traceback_of_the_worker(tasks: ModuleType) -> None:
    with pytest.raises(Refused) as caught:
        list(ProcessExecutor(1).run(tasks.refuse, [5], ignore))
    assert "in refuse" in "".join(caught.value.__notes__)


def test_workers_end_with_the_process_that_began_them(tasks: ModuleType) -> None:
    program = """
import sys
from etl_framework.executors import ProcessExecutor
from executor_tasks import tell_and_wait
if __name__ == "__main__":
    list(ProcessExecutor(2).run(tell_and_wait, range(2), lambda event: print(event.part, flush=True)))
"""
    script = Path(tasks.__file__ or "").with_name("parent_of_workers.py")
    script.write_text(program)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.send_signal(signal.SIGKILL)
        # The workers hold the other end of this pipe: it ends when the last of them does.
        assert parent.communicate(timeout=60)[0] == ""
    assert len(set(workers)) == 2
