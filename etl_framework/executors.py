"""The executors that come with the core: ``threads:`` and ``processes:``."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

from etl_framework.errors import Interrupted, RunFailed, UsageError
from etl_framework.hookspecs import hookimpl

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext

    from etl_framework.protocols import Emit, Executor
    from etl_framework.values import Event

T = TypeVar("T")
R = TypeVar("R")

_NOT_FOR_WORKERS = (signal.SIGINT, signal.SIGTERM)


@hookimpl
def etl_executor(url: str) -> Executor | None:
    """Answer ``threads:``, ``threads:N``, ``processes:`` and ``processes:N``; N defaults to the usable cores."""
    scheme, colon, number = url.partition(":")
    if not colon or scheme not in ("threads", "processes"):
        return None
    if number and not (number.isdecimal() and 1 <= int(number) <= 1024):
        raise UsageError(f"executor {url!r}: {number!r} is not a number of workers", advice=f"Write {scheme}:4.")
    workers = int(number) if number else usable_cores()
    return ThreadExecutor(workers) if scheme == "threads" else ProcessExecutor(workers)


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _LocalExecutor(ABC):
    """What both executors have in common: when it is closed, nothing is in flight any more."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._running: Generator[Any, None, None] | None = None

    def run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Iterator[R]:
        """See :meth:`etl_framework.protocols.Executor.run`."""
        self._running = running = self._run(task, items, emit)
        return running

    def close(self) -> None:
        """See :meth:`etl_framework.protocols.Executor.close`."""
        # Whom a signal stopped between two results did not close the iterator.
        if self._running is not None:
            self._running.close()

    @abstractmethod
    def _run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Generator[R, None, None]: ...


class ThreadExecutor(_LocalExecutor):
    """Runs parts on threads of this process: parsing and compressing release the interpreter lock."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._stopped = False

    def _run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Generator[R, None, None]:
        from concurrent.futures import ThreadPoolExecutor

        from etl_framework.time_limit import stoppable

        def observed(event: Event) -> None:
            if self._stopped:
                raise Interrupted("stopped between two blocks")
            emit(event)

        def work(item: T) -> R:
            with stoppable(lambda: self._stopped):
                return task(item, observed)

        self._stopped = False
        with ThreadPoolExecutor(self.workers, thread_name_prefix="etl-part") as pool:
            yield from _in_flight(pool, self.workers, lambda item: pool.submit(work, item), items, self.stop)

    def stop(self) -> None:
        """See :meth:`etl_framework.protocols.Executor.stop`."""
        self._stopped = True


class ProcessExecutor(_LocalExecutor):
    """Runs parts in worker processes, each with its own plugins and its own pipe to this process.

    Workers share no lock and no queue: one that is killed keeps nothing from the others.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._stopped: Any = None

    def _run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Generator[R, None, None]:
        import multiprocessing
        import pickle
        from concurrent.futures import ThreadPoolExecutor

        # spawn: a forked child would inherit threads' locks and the connection to the warehouse.
        context = multiprocessing.get_context("spawn")
        self._stopped = context.RawValue("b", 0)
        pickled = pickle.dumps(task)
        idle: list[_Worker] = []

        def delegate(item: T) -> R:
            worker = idle.pop() if idle else workers.enter_context(_Worker(context, pickled, self._stopped))
            try:
                answer: R = worker.work(item, emit, self.stop)
                return answer
            finally:
                idle.append(worker)

        with ExitStack() as workers, ThreadPoolExecutor(self.workers, thread_name_prefix="etl-part") as pool:
            # A pool thread begins its worker itself: there, no signal breaks off what is half begun.
            yield from _in_flight(pool, self.workers, lambda item: pool.submit(delegate, item), items, self.stop)

    def stop(self) -> None:
        """See :meth:`etl_framework.protocols.Executor.stop`."""
        if self._stopped is not None:
            self._stopped.value = 1


def _in_flight(
    pool: ThreadPoolExecutor,
    workers: int,
    submit: Callable[[T], Future[R]],
    items: Iterable[T],
    stop: Callable[[], None],
) -> Iterator[R]:
    """Keep ``workers`` items in flight, give results as they come, leave only when nothing is in flight."""
    from concurrent.futures import wait

    from etl_framework.waiting import first_completed

    waiting = iter(items)
    pending: set[Future[R]] = set()
    done: set[Future[R]] = set()
    try:
        for item in waiting:
            pending.add(submit(item))
            if len(pending) == workers:
                break
        while pending:
            done, pending = first_completed(pending)
            for future in done:
                result = future.result()
                for item in waiting:
                    pending.add(submit(item))
                    break
                yield result
    except Interrupted:
        stop()
        # What made somebody stop the tasks may come out a moment after the first of them has stopped.
        for error in (future.exception() for future in wait(pending | done).done):
            if error is not None and not isinstance(error, Interrupted):
                raise error from error.__cause__
        raise
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """A process that works on one item at a time; ends with the ``with`` block, or with this process."""

    def __init__(self, context: SpawnContext, task: bytes, stopped: Any) -> None:
        self._connection, theirs = context.Pipe()
        # Its end ends the worker, for which this process waits when it exits, whatever a signal kept from being done.
        atexit.register(self._connection.close)
        self._process = context.Process(target=_serve, args=(theirs, stopped), name="etl-worker", daemon=True)
        with _signals_held():
            self._process.start()
        theirs.close()
        # A worker that is dead already is noticed when it gets its first item.
        with contextlib.suppress(OSError):
            self._connection.send_bytes(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._connection.close()
        atexit.unregister(self._connection.close)
        self._process.join()
        self._process.close()

    def work(self, item: object, emit: Emit, stop: Callable[[], None]) -> Any:
        """Have an item worked on; what the task or ``emit`` raises is raised once the worker is idle again."""
        failure: BaseException | None = None
        try:
            self._connection.send(item)
            while (message := self._connection.recv())[0] == "event":
                if failure is None:
                    try:
                        emit(message[1])
                    except BaseException as error:
                        failure = error
                        stop()
        except (EOFError, OSError) as error:
            raise RunFailed(
                "a worker process died, perhaps for lack of memory",
                advice="Use fewer workers (--jobs), or --executor threads:.",
            ) from error
        kind, answer = message
        if failure is not None or kind == "failure":
            raise failure or answer
        return answer


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Keep from processes that are begun here what the terminal sends to all of them; it waits for :func:`_serve`."""
    from multiprocessing import resource_tracker

    # It would let the signals through when it is begun on the way.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_WORKERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, stopped: Any) -> None:
    """What a worker process does: take an item, answer events and then a result or a failure, until the pipe ends."""
    import pickle

    from etl_framework.time_limit import stoppable

    # Ctrl-C and what stops services reach the whole process group; the parent decides when a worker ends.
    for number in _NOT_FOR_WORKERS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_FOR_WORKERS)
    threading.Thread(target=_end_with_parent, name="etl-parent", daemon=True).start()

    def emit(event: Event) -> None:
        if stopped.value:
            raise Interrupted("stopped between two blocks")
        connection.send(("event", event))

    task: Any = None
    with contextlib.suppress(EOFError), stoppable(lambda: bool(stopped.value)):
        pickled = connection.recv_bytes()
        while True:
            item = connection.recv()
            try:
                task = task or pickle.loads(pickled)  # noqa: S301 - from the process that began this one
                connection.send(("result", task(item, emit)))
            except BaseException as error:
                connection.send(("failure", _able_to_travel(error)))


def _able_to_travel(error: BaseException) -> BaseException:
    """The error with its traceback as a note; in place of one that pickling does not survive, what it says."""
    import pickle
    import traceback

    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - just made
    except Exception:  # whatever a foreign class raises when it is pickled or built again
        return RunFailed(f"a worker process failed: {type(error).__name__}: {error}", advice="`etl --debug` says more.")
    return error


def _end_with_parent() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    # The run may be resumed at once, and must be alone with its files.
    os._exit(1)
