"""Trying again what may go better the next time, and saying so to whoever watches the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import stamina

from etl_framework import EtlError, printable, seconds_in_words
from etl_snowflake.failing import ConnectionLost

if TYPE_CHECKING:
    from stamina.instrumentation import RetryDetails, RetryHook

Tell = Callable[[str], None]
"""Takes a sentence for people."""

_SHOWN = 200
_listening: ContextVar[Callable[[RetryDetails], None] | None] = ContextVar("etl_snowflake_listening", default=None)
_installing = threading.Lock()


def attempts(
    on: type[EtlError] | Callable[[Exception], bool],
    most: int,
    *,
    longest_wait: float,
    within: float | None = None,
    tell: Tell,
    what: str = "",
) -> Iterator[stamina.Attempt]:
    """The attempts at something, each to be made ``with`` it, until one succeeds and the loop is left.

    :param on: after which errors it is tried again.
    :param most: how often it is tried.
    :param longest_wait: seconds between two attempts at most.
    :param within: seconds since the first attempt began after which none follows.
    :param tell: told of each attempt but the first, before it is waited for.
    :param what: is tried, for people.
    """

    def listen(details: RetryDetails) -> None:
        again = f"attempt {details.retry_num + 1} of {most} in {seconds_in_words(details.wait_for)}"
        tell(f"{what}{what and ': '}{_reason(details.caused_by)}; {again}")

    # By default nothing is tried again after 45 s, which a statement alone may take.
    trying = iter(stamina.retry_context(on=on, attempts=most, timeout=within, wait_initial=0.2, wait_max=longest_wait))
    yield next(trying)
    _keep_from_others()
    while True:
        told = _listening.set(listen)
        try:
            attempt = next(trying, None)
        finally:
            _listening.reset(told)
        if attempt is None:
            return
        yield attempt


def _reason(error: Exception) -> str:
    said = error.message if isinstance(error, EtlError) else str(error)
    # What the driver says of a lost connection is long, and the last attempt's error tells it.
    return said.partition(":")[0] if isinstance(error, ConnectionLost) else printable(said, limit=_SHOWN)


def _keep_from_others() -> None:
    """Have stamina tell of our retries us alone, and of all others whom it told of them before.

    Its hooks are those of the whole program, which may try other things again; by default, one logs. They stay so for
    as long as it runs.
    """
    with _installing:
        hooks = stamina.instrumentation.get_on_retry_hooks()
        if _hear not in hooks:
            stamina.instrumentation.set_on_retry_hooks((_hear, *map(_of_others, hooks)))


def _hear(details: RetryDetails) -> None:
    if (listen := _listening.get()) is not None:
        listen(details)


def _of_others(hook: RetryHook) -> RetryHook:
    def hear(details: RetryDetails) -> AbstractContextManager[None] | None:
        return hook(details) if _listening.get() is None else None

    return hear
