"""Queries: submitted once per request id, run in a thread each, answered when done or as "in progress"."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.execution import execute
from etl_snowflake.emulator.results import Result

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.sessions import Session


@dataclass(eq=False)
class Query:
    """One statement and what became of it."""

    query_id: str
    sql: str
    session: "Session"
    bindings: dict[str, Any] | None
    describe_only: bool
    server: str
    is_async: bool = False
    started: float = field(default_factory=time.time)
    ended: float | None = None
    result: Result | None = None
    error: SnowflakeError | None = None
    query_tag: str = ""
    delay: float | None = None
    planned_error: SnowflakeError | None = None
    cancelled: SnowflakeError | None = None
    running: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    on_done: list[Callable[[], None]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """As the monitoring endpoint names it."""
        if not self.done.is_set():
            return "RUNNING"
        return "SUCCESS" if self.error is None else "FAILED_WITH_ERROR"

    def finish(self) -> None:
        """Tell everyone who waits that the query ended."""
        self.ended = time.time()
        self.done.set()
        for callback in list(self.on_done):
            callback()

    def check(self) -> None:
        """Stop here when the query was cancelled.

        :raises SnowflakeError: 604 or 630.
        """
        if self.cancelled is not None:
            raise self.cancelled


def new_query_id() -> str:
    """An id in Snowflake's shape; the time leads, so ids sort by submission."""
    return str(uuid.UUID(f"01{int(time.time() * 1000):012x}{uuid.uuid4().hex[:18]}"))


class Queries:
    """The account's queries, by id and by request id."""

    def __init__(self, account: "Account") -> None:
        self._account = account
        self._lock = threading.Lock()
        self.by_id: dict[str, Query] = {}
        self._by_request: dict[str, Query] = {}

    def submit(
        self,
        session: "Session",
        request_id: str,
        body: dict[str, Any],
        server: str,
        *,
        delay: float | None = None,
        error: SnowflakeError | None = None,
    ) -> Query:
        """Start a statement, or find the one that this request id started before.

        :param delay: seconds to hold the statement back; infinity until it is released or cancelled.
        :param error: what it fails with instead of running.
        """
        with self._lock:
            known = self._by_request.get(request_id)
            if known is not None:
                return known
            parameters = body.get("parameters") or {}
            query = Query(
                new_query_id(),
                body.get("sqlText") or "",
                session,
                body.get("bindings"),
                bool(body.get("describeOnly")),
                server,
                is_async=bool(body.get("asyncExec")),
                delay=delay,
                planned_error=error,
                query_tag=str(parameters.get("QUERY_TAG") or session.parameters.get("QUERY_TAG", "")),
            )
            self.by_id[query.query_id] = query
            if request_id:
                self._by_request[request_id] = query
        threading.Thread(target=self._run, args=(query, parameters), daemon=True, name=query.query_id).start()
        return query

    def _run(self, query: Query, parameters: dict[str, Any]) -> None:
        timer = self._start_timer(query, parameters)
        try:
            self._account.faults.delay_query(query)
            query.check()
            # a cancellation must not queue behind the statement that it cancels
            with nullcontext() if "SYSTEM$CANCEL_" in query.sql.upper() else query.session.lock:
                query.check()
                query.running = True
                try:
                    query.result = execute(self._account, query)
                    query.session.last_query_id = query.query_id
                finally:
                    query.running = False
        except SnowflakeError as error:
            query.error = query.cancelled or error
        except Exception as error:
            if query.session.is_closed and isinstance(error, duckdb.Error):
                query.error = query.cancelled or SnowflakeError("SQL execution canceled", 604, "57014")
                return
            # a defect of the emulator must reach the test as a failed statement: on a 500 the drivers retry forever
            query.error = SnowflakeError(f"The emulator failed: {type(error).__name__}: {error}", 391999, "XX000")
            self._account.faults.note_defect(error)
        finally:
            if timer is not None:
                timer.cancel()
            query.finish()

    def _start_timer(self, query: Query, parameters: dict[str, Any]) -> threading.Timer | None:
        value = parameters.get("STATEMENT_TIMEOUT_IN_SECONDS") or query.session.parameters.get(
            "STATEMENT_TIMEOUT_IN_SECONDS"
        )
        seconds = int(value or 0)
        if seconds <= 0:
            return None
        message = f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled."
        timer = threading.Timer(seconds, self.cancel, (query, SnowflakeError(message, 630, "57014")))
        timer.daemon = True
        timer.start()
        return timer

    def cancel(self, query: Query, reason: SnowflakeError | None = None) -> bool:
        """Cancel a statement that has not ended. True when there was one."""
        if query.done.is_set():
            return False
        query.cancelled = reason or SnowflakeError("SQL execution canceled", 604, "57014")
        self._account.faults.wake()
        if query.running:
            with suppress(duckdb.Error):
                query.session.duck.interrupt()
        return True

    def cancel_request(self, request_id: str) -> bool:
        """Cancel the statement that a request id started."""
        query = self._by_request.get(request_id)
        return query is not None and self.cancel(query)

    def answer(self, query: Query) -> dict[str, Any]:
        """The wire's answer for a query, done or not."""
        if not query.done.is_set():
            code = "333334" if query.is_async else "333333"
            data: dict[str, Any] = {
                "queryId": query.query_id,
                "getResultUrl": f"/queries/{query.query_id}/result",
                "queryAbortsAfterSecs": 300,
                "progressDesc": None,
            }
            return {"data": data, "code": code, "message": "Query execution in progress.", "success": True}
        if query.error is not None:
            return failure(query.query_id, query.error)
        assert query.result is not None
        session = query.session
        data = {
            "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
            "queryId": query.query_id,
            "databaseProvider": None,
            "finalDatabaseName": session.database,
            "finalSchemaName": session.schema,
            "finalWarehouseName": session.warehouse,
            "finalRoleName": session.role,
            "numberOfBinds": len(query.bindings or {}),
            "arrayBindSupported": False,
            "version": 1,
            "sqlState": "00000",
            **query.result.data,
        }
        return {"data": data, "code": None, "message": None, "success": True}


def failure(query_id: str | None, error: SnowflakeError) -> dict[str, Any]:
    """The wire's answer for a statement that failed."""
    code = f"{error.errno:06d}"
    data = {
        "internalError": False,
        "errorCode": code,
        "age": 0,
        "sqlState": error.sqlstate,
        "queryId": query_id,
        "line": -1,
        "pos": -1,
        "type": "COMPILATION" if error.message.startswith("SQL compilation") else "EXECUTION",
    }
    return {"data": data, "code": code, "message": error.message, "success": False, "headers": None}
