"""The emulator's HTTP face: the routes that the drivers call."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from etl_snowflake.emulator import external
from etl_snowflake.emulator.account import Account, Settings
from etl_snowflake.emulator.errors import NOT_EMULATED, LoginRefusedError
from etl_snowflake.emulator.faults import Rule
from etl_snowflake.emulator.queries import Query
from etl_snowflake.emulator.sessions import Session
from etl_snowflake.emulator.storage import blob
from etl_snowflake.emulator.transport import FaultyTransport
from etl_snowflake.emulator.warehouses import Warehouse

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(folder: Path | None = None) -> FaultyTransport:
    """The emulator as an ASGI application.

    :param folder: where it keeps its data; None keeps nothing beyond the process.
    """
    routes = [
        Route("/session/v1/login-request", _guarded(login), methods=["POST"]),
        Route("/session/authenticator-request", _guarded(begin_in_browser), methods=["POST"]),
        Route("/_sso", _guarded(sign_in), methods=["GET"]),
        Route("/session/token-request", _guarded(renew), methods=["POST"]),
        Route("/session/heartbeat", _guarded(heartbeat), methods=["POST"]),
        Route("/session", _guarded(close), methods=["POST", "DELETE"]),
        Route("/queries/v1/query-request", _guarded(query), methods=["POST"]),
        Route("/queries/v1/abort-request", _guarded(abort), methods=["POST"]),
        Route("/queries/{query_id}/result", _guarded(result), methods=["GET"]),
        Route("/monitoring/queries/{query_id}", _guarded(monitoring), methods=["GET"]),
        # driver 5.2 writes the path with two slashes
        Route("/monitoring/queries//{query_id}", _guarded(monitoring), methods=["GET"]),
        Route("/telemetry/send", _guarded(accepted), methods=["POST"]),
        Route("/telemetry/send/sessionless", _guarded(accepted), methods=["POST"]),
        Route("/_emulator/reset", _guarded(reset), methods=["POST"]),
        Route("/_emulator/faults", _guarded(faults), methods=["POST"]),
        Route("/_emulator/release", _guarded(release), methods=["POST"]),
        Route("/_emulator/log", _guarded(log), methods=["GET"]),
        Route("/_emulator/warehouse", _guarded(warehouse), methods=["POST"]),
        Route("/_storage/{key}/{path:path}", _guarded(blob), methods=["PUT", "GET", "HEAD"]),
    ]
    app = Starlette(routes=routes)
    app.state.account = Account(folder)
    return FaultyTransport(app)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, its own defects answered as failures: on a 500 the drivers would retry for minutes."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            _account(request).faults.note_defect(error)
            message = f"The emulator failed: {type(error).__name__}: {error}"
            return JSONResponse({"data": None, "code": str(NOT_EMULATED), "message": message, "success": False})

    return guarded


def _account(request: Request) -> Account:
    account: Account = request.app.state.account
    return account


async def _json(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    parsed: dict[str, Any] = json.loads(body or b"{}")
    return parsed


def _success(data: object = None) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def _refused(error: LoginRefusedError) -> JSONResponse:
    return JSONResponse({"data": None, "code": error.code, "message": error.message, "success": False, "headers": None})


def _session(request: Request) -> Session:
    return _account(request).sessions.find(request.headers.get("authorization"))


async def login(request: Request) -> Response:
    """Open a session."""
    data = (await _json(request)).get("data") or {}
    account = _account(request)
    if account.settings.accounts and str(data.get("ACCOUNT_NAME", "")).upper() not in account.settings.accounts:
        # the host name of an account that does not exist is not served
        return Response(
            "<html><body>no such host</body></html>", account.settings.unknown_account_status, media_type="text/html"
        )
    try:
        return _success(await run_in_threadpool(account.sessions.login, data, dict(request.query_params)))
    except LoginRefusedError as error:
        return _refused(error)


async def begin_in_browser(request: Request) -> Response:
    """Tell a driver where to send the browser."""
    data = (await _json(request)).get("data") or {}
    return _success(_account(request).users.browser.begin(data, str(request.base_url)))


async def sign_in(request: Request) -> Response:
    """Send a browser back to the driver that opened it, signed in."""
    asked = request.query_params
    try:
        return RedirectResponse(_account(request).users.browser.sign_in(asked.get("visit", ""), asked.get("port", "")))
    except ValueError as error:
        return PlainTextResponse(str(error), status_code=400)


async def renew(request: Request) -> Response:
    """Exchange the master token for a new session token."""
    body = await _json(request)
    try:
        authorization = request.headers.get("authorization")
        return _success(_account(request).sessions.renew(authorization, str(body.get("oldSessionToken"))))
    except LoginRefusedError as error:
        return _refused(error)


async def heartbeat(request: Request) -> Response:
    """Keep a session alive."""
    try:
        _session(request)
    except LoginRefusedError as error:
        return _refused(error)
    return _success()


async def close(request: Request) -> Response:
    """Close a session."""
    try:
        session = _session(request)
    except LoginRefusedError as error:
        return _refused(error)
    if request.query_params.get("delete") == "true":
        _account(request).sessions.end(session)
    return _success()


async def query(request: Request) -> Response:
    """Run a statement."""
    try:
        session = _session(request)
    except LoginRefusedError as error:
        return _refused(error)
    server = f"{request.url.scheme}://{request.url.netloc}"
    request_id = request.query_params.get("requestId", "")
    scope = request.scope
    submitted = _account(request).queries.submit(
        session,
        request_id,
        await _json(request),
        server,
        delay=scope.get("emulator.delay"),
        error=scope.get("emulator.error"),
    )
    scope["emulator.query_id"] = submitted.query_id
    if submitted.is_async:
        return JSONResponse(_account(request).queries.answer(submitted))
    return await _finished(request, submitted)


async def result(request: Request) -> Response:
    """The result of a statement that was in progress."""
    try:
        _session(request)
    except LoginRefusedError as error:
        return _refused(error)
    found = _account(request).queries.by_id.get(request.path_params["query_id"])
    if found is None:
        return JSONResponse({"data": None, "code": "000612", "message": "Result not found", "success": False})
    return await _finished(request, found)


async def _finished(request: Request, submitted: Query) -> Response:
    account = _account(request)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wake() -> None:
        # the client may have gone, and its event loop with it
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    submitted.on_done.append(wake)
    if not submitted.done.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), account.settings.in_progress_after)
    return JSONResponse(account.queries.answer(submitted))


async def abort(request: Request) -> Response:
    """Cancel the statement of a request id."""
    body = await _json(request)
    _account(request).queries.cancel_request(str(body.get("requestId")))
    return _success()


async def monitoring(request: Request) -> Response:
    """Say how a query stands."""
    try:
        _session(request)
    except LoginRefusedError as error:
        return _refused(error)
    found = _account(request).queries.by_id.get(request.path_params["query_id"])
    if found is None:
        return _success({"queries": []})
    state: dict[str, Any] = {
        "id": found.query_id,
        "status": found.status,
        "sqlText": external.masked(found.sql),
        "sessionId": found.session.number,
        "startTime": int(found.started * 1000),
        "endTime": int((found.ended or 0) * 1000),
        "totalDuration": int(((found.ended or found.started) - found.started) * 1000),
        "state": found.status,
        "warehouseName": found.session.warehouse,
    }
    if found.error is not None:
        state |= {"errorCode": f"{found.error.errno:06d}", "errorMessage": found.error.message}
    return _success({"queries": [state]})


async def reset(request: Request) -> Response:
    """Begin with an empty account; the body holds settings."""
    body = await _json(request)
    body["accounts"] = tuple(body.get("accounts", ()))
    await run_in_threadpool(_account(request).reset, Settings(**body))
    return _success()


async def faults(request: Request) -> Response:
    """Replace the faults; the body is a list of rules."""
    body = json.loads(await request.body() or b"[]")
    try:
        _account(request).faults.set_rules([Rule(**rule) for rule in body])
    except (TypeError, ValueError) as error:
        return JSONResponse({"data": None, "message": str(error), "success": False}, 400)
    return _success()


async def release(request: Request) -> Response:
    """Let go every request and query that a fault holds."""
    _account(request).faults.release()
    return _success()


async def log(request: Request) -> Response:
    """Every request since the last reset."""
    return _success(_account(request).faults.log)


async def warehouse(request: Request) -> Response:
    """Change a warehouse: name, and of state, size, auto_resume, auto_suspend what differs."""
    body = await _json(request)
    found = _account(request).warehouses.by_name.setdefault(body["name"], Warehouse(body["name"]))
    for key in ("state", "size", "auto_resume", "auto_suspend"):
        setattr(found, key, body.get(key, getattr(found, key)))
    return _success()


async def accepted(_request: Request) -> Response:
    """Accept what is not kept."""
    return _success()
