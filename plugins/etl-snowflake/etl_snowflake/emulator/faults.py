"""Faults on demand: rules that say which request goes wrong, and how."""

import asyncio
import re
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

if TYPE_CHECKING:
    from etl_snowflake.emulator.queries import Query

ENDPOINTS = ("login", "renew", "heartbeat", "close", "query", "abort", "result", "monitoring", "put", "get", "any")
ACTIONS = (
    "status",
    "reset",
    "reset_body",
    "stall",
    "stall_body",
    "lose_answer",
    "store_nothing",
    "store_half",
    "stage_token_expired",
    "session_expired",
    "master_expired",
    "kill_session",
    "slow",
    "fail",
    "throttle",
)


@dataclass(kw_only=True)
class Rule:
    """One fault.

    :param endpoint: which requests, one of `ENDPOINTS`.
    :param sql: regular expression that a query's text contains, case ignored.
    :param path: regular expression that a staged file's path contains.
    :param nth: the first matching request that goes wrong, from 1.
    :param count: how many matching requests in a row go wrong; None means all from then on.
    :param action: one of `ACTIONS`.
    :param status: HTTP status of `status` and `stage_token_expired`.
    :param seconds: of `stall`, `stall_body` (amid an upload) and `slow`; None stalls until released.
    :param after: of `kill_session` and `session_expired`: whether the statement runs and is answered first.
    :param bytes_per_second: of `throttle`, over all uploads together.
    :param errno: Snowflake's number of `fail`, with `message` and `sqlstate`.
    """

    endpoint: str
    action: str
    sql: str | None = None
    path: str | None = None
    nth: int = 1
    count: int | None = 1
    status: int = 503
    seconds: float | None = None
    after: bool = False
    bytes_per_second: float = 0.0
    errno: int = 603
    message: str = "SQL execution internal error:\nProcessing aborted by error 300002:1234567; incident 0000000."
    sqlstate: str = "XX000"
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS or self.action not in ACTIONS:
            raise ValueError(
                f"no such fault: {self.action} at {self.endpoint}; know {', '.join(ACTIONS)} at {', '.join(ENDPOINTS)}"
            )

    def fires(self, endpoint: str, sql: str, path: str) -> bool:
        """Whether this request goes wrong. Counts it when the rule is about it."""
        if self.endpoint not in (endpoint, "any"):
            return False
        if self.sql is not None and not re.search(self.sql, sql, re.IGNORECASE | re.DOTALL):
            return False
        if self.path is not None and not re.search(self.path, path):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.count is not None and self.seen >= self.nth + self.count):
            return False
        self.fired += 1
        return True


@dataclass
class Faults:
    """The rules in force, what is stalled by them, and the log of requests."""

    rules: list[Rule] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _generation: int = 0
    _free_at: float = 0.0

    def set_rules(self, rules: list[Rule]) -> None:
        """Replace the rules and let go what was stalled."""
        with self._lock:
            self.rules = rules
        self.release()

    def matching(self, endpoint: str, sql: str, path: str) -> list[Rule]:
        """The rules that this request falls under."""
        with self._lock:
            return [r for r in self.rules if r.action != "throttle" and r.fires(endpoint, sql, path)]

    def release(self) -> None:
        """Let everything go that is stalled."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def wake(self) -> None:
        """Look again whether a delayed query was cancelled."""
        with self._changed:
            self._changed.notify_all()

    def delay_query(self, query: "Query") -> None:
        """Hold a query back as long as its fault says, or until it is cancelled or all is released.

        :raises SnowflakeError: it was cancelled, or the fault is that it fails.
        """
        if query.delay is not None:
            deadline = time.monotonic() + query.delay
            with self._changed:
                generation = self._generation
                while query.cancelled is None and generation == self._generation and time.monotonic() < deadline:
                    self._changed.wait(min(deadline - time.monotonic(), threading.TIMEOUT_MAX))
        query.check()
        if query.planned_error is not None:
            raise query.planned_error

    async def stall(self, seconds: float | None) -> None:
        """Wait for some seconds, or until all is released."""
        generation = self._generation
        deadline = None if seconds is None else time.monotonic() + seconds
        while generation == self._generation and (deadline is None or time.monotonic() < deadline):
            await asyncio.sleep(0.02)

    def kept_fraction(self, request: Request) -> float | None:
        """How much of an upload is stored; None stores all of it."""
        fraction: float | None = request.scope.get("emulator.kept")
        return fraction

    async def throttle(self, size: int) -> None:
        """Wait until this many bytes have passed the throttled link."""
        rate = next((r.bytes_per_second for r in self.rules if r.action == "throttle"), 0.0)
        if rate <= 0:
            return
        now = time.monotonic()
        # a little idle time is made good, or the pauses between chunks would slow the link below its rate
        self._free_at = max(self._free_at, now - 0.05) + size / rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)

    def note_defect(self, error: Exception) -> None:
        """Keep an error of the emulator itself for the log."""
        trace = "".join(traceback.format_exception(error))
        self.log.append({"time": time.time(), "endpoint": "defect", "error": trace})
        print(trace, file=sys.stderr, flush=True)
