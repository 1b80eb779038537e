"""Stands between the network and the routes: logs each request, and makes it go wrong when a rule says so."""

import asyncio
import gzip
import json
import math
import re
import time
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from etl_snowflake.emulator import external
from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.faults import Faults, Rule

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account

_ENDPOINTS = (
    (r"/session/v1/login-request", "login"),
    (r"/session/token-request", "renew"),
    (r"/session/heartbeat", "heartbeat"),
    (r"/session", "close"),
    (r"/queries/v1/query-request", "query"),
    (r"/queries/v1/abort-request", "abort"),
    (r"/queries/[^/]+/result", "result"),
    (r"/monitoring/queries//?[^/]+", "monitoring"),
)


class _BrokenConnectionError(BaseException):
    """The connection was reset on purpose. No Exception, for which Starlette would still send an answer."""


class FaultyTransport:
    """The ASGI application with faults.

    :param app: the routes.
    """

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_emulator/"):
            await self.app(scope, receive, send)
            return
        account: Account = self.app.state.account
        exchange = _Exchange(account, scope, receive, send)
        try:
            await exchange.run(self.app)
        except _BrokenConnectionError:
            exchange.entry["broken"] = True
            _abort(send)
            await asyncio.sleep(0.01)
        finally:
            exchange.entry["seconds"] = time.time() - exchange.entry["time"]


def _abort(send: Send) -> None:
    """Reset the TCP connection under a request."""
    # ASGI has no word for this; uvicorn's send is a method of the object that holds the transport
    transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort()


def endpoint_of(method: str, path: str) -> str:
    """The name that rules call a request's endpoint by."""
    if path.startswith("/_storage/"):
        return "put" if method == "PUT" else "get"
    return next((name for pattern, name in _ENDPOINTS if re.fullmatch(pattern, path)), "other")


class _Exchange:
    """One request and its answer."""

    def __init__(self, account: "Account", scope: Scope, receive: Receive, send: Send) -> None:
        self.account = account
        self.faults: Faults = account.faults
        self.scope = scope
        self._receive = receive
        self._send = send
        self.endpoint = endpoint_of(scope["method"], scope["path"])
        self.session = self._find_session()
        self.entry: dict[str, Any] = {
            "time": time.time(),
            "endpoint": self.endpoint,
            "method": scope["method"],
            "path": scope["path"],
            "session": self.session.number if self.session else None,
            "bytes_in": 0,
            "bytes_out": 0,
        }
        self.faults.log.append(self.entry)

    def _find_session(self) -> Any:
        headers = dict(self.scope["headers"])
        token = headers.get(b"authorization", b"").decode("latin-1").removeprefix('Snowflake Token="').removesuffix('"')
        return self.account.sessions.by_token.get(token)

    async def run(self, app: Starlette) -> None:
        """Answer the request, or break it as its rules say."""
        receive: Receive = self._count
        sql, path = "", ""
        if self.endpoint in ("put", "get"):
            path = self.scope["path"].split("/", 3)[-1]
        else:
            body = await self._body()
            sql = self._sql(body) if self.endpoint == "query" else ""
            receive = _replay(body)
        if sql:
            self.entry["sql"] = external.masked(sql)
        rules = self.faults.matching(self.endpoint, sql, path)
        if rules:
            self.entry["faults"] = [r.action for r in rules]
        for rule in rules:
            if await self._before(rule):
                return
        lose = any(r.action == "lose_answer" for r in rules)
        half = any(r.action == "reset_body" for r in rules)
        send = self._swallow if lose else self._break_in_body if half and self.endpoint != "put" else self._pass
        if half and self.endpoint == "put":
            receive = self._break_upload
        for rule in rules:
            if rule.action == "stall_body" and self.endpoint == "put":
                receive = self._stall_upload(rule.seconds)
        await app(self.scope, receive, send)
        if "emulator.query_id" in self.scope:
            self.entry["query_id"] = self.scope["emulator.query_id"]
        for rule in rules:
            self._after(rule)
        if lose:
            raise _BrokenConnectionError

    async def _before(self, rule: Rule) -> bool:
        """Apply a rule before the request is served. True when it is answered with that."""
        if rule.action == "reset":
            raise _BrokenConnectionError
        if rule.action == "status":
            await self._answer(rule.status)
            return True
        if rule.action == "stage_token_expired":
            await self._answer(rule.status if rule.status != 503 else 400, b"<Error><Code>ExpiredToken</Code></Error>")
            return True
        if rule.action == "stall":
            await self.faults.stall(rule.seconds)
        elif rule.action in ("store_nothing", "store_half"):
            self.scope["emulator.kept"] = 0.0 if rule.action == "store_nothing" else 0.5
        elif rule.action == "slow":
            self.scope["emulator.delay"] = math.inf if rule.seconds is None else rule.seconds
        elif rule.action == "fail":
            self.scope["emulator.error"] = SnowflakeError(rule.message, rule.errno, rule.sqlstate)
        elif not rule.after:
            self._change_session(rule)
        return False

    def _after(self, rule: Rule) -> None:
        if rule.after:
            self._change_session(rule)

    def _change_session(self, rule: Rule) -> None:
        if self.session is None:
            return
        if rule.action == "kill_session":
            self.account.sessions.end(self.session)
        elif rule.action == "session_expired":
            self.session.token_expired = True
        elif rule.action == "master_expired":
            self.session.token_expired = self.session.master_expired = True

    async def _body(self) -> bytes:
        chunks = []
        while True:
            message = await self._count()
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(chunks)

    async def _drain(self) -> None:
        if self.endpoint == "put":
            await self._body()

    def _sql(self, body: bytes) -> str:
        try:
            plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            return str(json.loads(plain).get("sqlText") or "")
        except (ValueError, OSError):
            return ""

    async def _count(self) -> Message:
        message = await self._receive()
        self.entry["bytes_in"] += len(message.get("body", b""))
        return message

    def _stall_upload(self, seconds: float | None) -> Receive:
        length = int(dict(self.scope["headers"]).get(b"content-length", b"0"))
        stalled = False

        async def receive() -> Message:
            nonlocal stalled
            message = await self._count()
            if not stalled and self.entry["bytes_in"] >= length / 2:
                stalled = True
                await self.faults.stall(seconds)
            return message

        return receive

    async def _break_upload(self) -> Message:
        length = int(dict(self.scope["headers"]).get(b"content-length", b"0"))
        message = await self._count()
        if self.entry["bytes_in"] >= length / 2:
            raise _BrokenConnectionError
        return message

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.entry["status"] = message["status"]
        self.entry["bytes_out"] += len(message.get("body", b""))
        await self._send(message)

    async def _swallow(self, message: Message) -> None:
        """Send nothing: the answer gets lost."""

    async def _break_in_body(self, message: Message) -> None:
        body = message.get("body", b"")
        if body:
            await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
            raise _BrokenConnectionError
        await self._send(message)

    async def _answer(self, status: int, body: bytes = b"") -> None:
        await self._drain()
        self.entry["status"] = status
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
