"""The executors that come with the core: ``threads:`` and ``processes:``."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures import Executor as Pool
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, TypeVar

from etl_framework.errors import Interrupted, RunFailed, UsageError
from etl_framework.hookspecs import hookimpl

if TYPE_CHECKING:
    from etl_framework.protocols import Emit, Executor
    from etl_framework.values import Event

T = TypeVar("T")
R = TypeVar("R")


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


class ThreadExecutor:
    """Runs parts on threads of this process: parsing and compressing release the interpreter lock."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._stopped = False

    def run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Iterator[R]:
        """See :meth:`etl_framework.protocols.Executor.run`."""

        def observed(event: Event) -> None:
            if self._stopped:
                raise Interrupted("stopped between two blocks")
            emit(event)

        self._stopped = False
        with ThreadPoolExecutor(self.workers, thread_name_prefix="etl-part") as pool:
            yield from _in_flight(pool, self.workers, lambda item: pool.submit(task, item, observed), items, self.stop)

    def stop(self) -> None:
        """See :meth:`etl_framework.protocols.Executor.stop`."""
        self._stopped = True

    def close(self) -> None:
        """Nothing outlives a run."""


class ProcessExecutor:
    """Runs parts in worker processes, each with its own plugins."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._stopped: Any = None

    def run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Iterator[R]:
        """See :meth:`etl_framework.protocols.Executor.run`."""
        import multiprocessing
        import threading

        # spawn: a forked child would inherit threads' locks and the connection to the warehouse.
        context = multiprocessing.get_context("spawn")
        self._stopped = context.Event()
        events: Any = context.Queue()

        def listen() -> None:
            while (event := events.get()) is not None:
                emit(event)

        listener = threading.Thread(target=listen, name="etl-events")
        listener.start()
        try:
            with ProcessPoolExecutor(
                self.workers, mp_context=context, initializer=_enter_worker, initargs=(task, events, self._stopped)
            ) as pool:
                yield from _in_flight(pool, self.workers, lambda item: pool.submit(_work, item), items, self.stop)
        except BrokenProcessPool as error:
            raise RunFailed(
                "a worker process died, perhaps for lack of memory",
                advice="Go on with `etl resume`, with fewer workers (--jobs) or with --executor threads:.",
            ) from error
        finally:
            events.put(None)
            listener.join()
            events.close()

    def stop(self) -> None:
        """See :meth:`etl_framework.protocols.Executor.stop`."""
        if self._stopped is not None:
            self._stopped.set()

    def close(self) -> None:
        """Nothing outlives a run."""


def _in_flight(
    pool: Pool, workers: int, submit: Callable[[T], Future[R]], items: Iterable[T], stop: Callable[[], None]
) -> Iterator[R]:
    """Keep ``workers`` items in flight, give results as they come, leave only when nothing is in flight."""
    waiting = iter(items)
    pending: set[Future[R]] = set()
    try:
        for item in waiting:
            pending.add(submit(item))
            if len(pending) == workers:
                break
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                for item in waiting:
                    pending.add(submit(item))
                    break
                yield result
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: dict[str, Any] = {}


def _enter_worker(task: Callable[..., Any], events: Any, stopped: Any) -> None:
    # Ctrl-C reaches the whole process group; the parent decides when a worker ends.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _worker.update(task=task, events=events, stopped=stopped)


def _work(item: Any) -> Any:
    def emit(event: Event) -> None:
        if _worker["stopped"].is_set():
            raise Interrupted("stopped between two blocks")
        _worker["events"].put(event)

    return _worker["task"](item, emit)
