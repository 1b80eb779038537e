"""Logging in by a browser and as a workload, past a proxy, by TLS that an authority of one's own vouches for."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from etl_snowflake.address import Address
from etl_snowflake.connecting import _BROWSER_SECONDS
from etl_snowflake.connections import asks_its_user
from etl_snowflake.emulator.control import EmulatorControl, Tls, running_emulator
from etl_snowflake.line import IS_NEW_LINE

from .conftest import HOME, write_connections_file

jwt = pytest.importorskip("jwt")
trustme = pytest.importorskip("trustme")

HOST = "account.snowflake.invalid"
"""A name that nobody but the proxy knows."""
BROWSER = """#!{python}
import os, ssl, sys, urllib.request
from urllib.parse import parse_qs, urlsplit

with open({visits!r}, "a") as visits:
    visits.write(sys.argv[-1] + "\\n")
if os.fork():
    os._exit(0)  # line 4 waits for the program to end
[port] = parse_qs(urlsplit(sys.argv[-1]).query)["port"]
address = {address!r}.format(port=port) or sys.argv[-1]
urllib.request.urlopen(address, context=ssl.create_default_context(cafile={authority!r})).read()
"""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate, and the authority that nobody else trusts."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", HOST)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "certificate.pem")
    return Tls(certificate=folder / "certificate.pem", authority=folder / "authority.pem")


@pytest.fixture(scope="module")
def secure_process(tls: Tls) -> Iterator[EmulatorControl]:
    """The running emulator; tests take `secure` instead."""
    with running_emulator(tls=tls) as control:
        yield control


@pytest.fixture
def secure(secure_process: EmulatorControl) -> EmulatorControl:
    """An emulator with an empty account that speaks TLS: line 5 opens no browser at a plain address."""
    secure_process.reset()
    return secure_process


@pytest.fixture
def trusting(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver trusts the authority, told as docs/snowflake.md does for each of its lines."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority))


class Browser:
    """A program that stands for the user's browser, and for the user."""

    def __init__(self, folder: Path, tls: Tls) -> None:
        self.path = folder / "browser"
        self._visits = folder / "visits"
        self._authority = tls.authority
        self.goes_to("")

    def goes_to(self, address: str) -> None:
        """Have it go there instead of where it is sent; ``{port}`` is where the driver listens."""
        settings = {"python": sys.executable, "visits": str(self._visits), "authority": str(self._authority)}
        self.path.write_text(BROWSER.format(**settings, address=address))
        self.path.chmod(0o700)

    @property
    def visits(self) -> list[str]:
        """Where it was sent."""
        return self._visits.read_text().splitlines() if self._visits.exists() else []


@pytest.fixture
def browser(tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """The browser that the driver opens."""
    browser = Browser(tmp_path, tls)
    monkeypatch.setenv("BROWSER", str(browser.path))
    return browser


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process of its own: the driver looks at its surroundings once."""
    environment = {**os.environ, "SNOWFLAKE_HOME": str(HOME)}
    program = [sys.executable, "-m", "etl_framework", *words]
    apart = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(program, env=environment, text=True, **apart) as process:
        try:
            yield process
        finally:
            process.kill()


def etl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with started(*words) as process:
        said = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, *said)


def without_password(emulator: EmulatorControl, **more: Any) -> dict[str, Any]:
    settings = {**emulator.connection(), **more}
    del settings["password"]
    return settings


# A browser


@pytest.mark.usefixtures("trusting")
def test_a_browser_logs_in_and_what_the_driver_says_of_it_stays_out_of_the_results(
    secure: EmulatorControl, browser: Browser
) -> None:
    write_connections_file(test=without_password(secure, authenticator="externalbrowser"))
    done = etl("targets", "test", "snowflake:test", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    [found] = json.loads(done.stdout)["targets"]
    assert {"label": "user", "value": "TESTER", "ok": True, "advice": ""} in found["facts"]
    assert "Initiating login request" in done.stderr
    [visit] = browser.visits
    assert visit.startswith(f"{secure.url}/_sso?visit=")


@pytest.mark.usefixtures("trusting")
def test_a_browser_that_comes_back_with_another_token_is_no_connection(
    secure: EmulatorControl, browser: Browser
) -> None:
    browser.goes_to("http://localhost:{port}/?token=not-the-right-one")
    write_connections_file(test=without_password(secure, authenticator="externalbrowser"))
    done = etl("targets", "test", "snowflake:test")
    assert done.returncode == 5
    assert "SAML response is invalid" in done.stdout + done.stderr
    assert "not-the-right-one" not in done.stdout + done.stderr


@pytest.mark.usefixtures("trusting")
def test_each_session_of_a_load_logs_in_by_the_browser(
    secure: EmulatorControl, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id\n" + "".join(f"{number}\n" for number in range(20_000)))
    write_connections_file(test=without_password(secure, authenticator="externalbrowser"))
    done = etl("load", "sales.csv", "--target", "snowflake:test", "--part-size", "16KiB", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_loaded"] == 20_000
    assert len(browser.visits) == len(secure.log("login"))


@pytest.mark.usefixtures("trusting")
@pytest.mark.skipif(IS_NEW_LINE, reason="line 5 of the driver looks for no connections in the environment")
def test_a_browser_login_that_only_the_environment_tells_of_is_known_for_one(
    secure: EmulatorControl, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = without_password(secure, authenticator="externalbrowser")
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    monkeypatch.setenv("SNOWFLAKE_CONNECTIONS", "\n".join(["[told]", *lines]))
    assert asks_its_user(Address.parse("snowflake:told"))
    done = etl("targets", "test", "snowflake:told", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["targets"]


@pytest.mark.usefixtures("trusting")
@pytest.mark.skipif(IS_NEW_LINE, reason="line 5 waits for somebody who opens the address by hand")
def test_where_no_browser_can_be_opened_and_nobody_can_be_asked_there_is_no_connection(
    secure: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "/bin/false")
    write_connections_file(test=without_password(secure, authenticator="externalbrowser"))
    done = etl("targets", "test", "snowflake:test", "--json")
    assert done.returncode == 5, done.stdout + done.stderr
    [found] = json.loads(done.stdout)["targets"]
    assert "no browser could be opened" in found["error"]
    assert "Enter the URL" in done.stderr


@pytest.mark.usefixtures("trusting")
def test_ctrl_c_does_not_wait_for_a_browser_that_nobody_uses(secure: EmulatorControl, browser: Browser) -> None:
    """It ends long before line 5 gives up by itself, and line 4 never does."""
    os.mkfifo(browser.path.parent / "opened")
    browser.path.write_text(f"#!/bin/sh\nexec > '{browser.path.parent / 'opened'}'\n")
    write_connections_file(test=without_password(secure, authenticator="externalbrowser"))
    with started("targets", "test", "snowflake:test") as process:
        (browser.path.parent / "opened").read_bytes()
        process.send_signal(signal.SIGINT)
        assert process.wait(_BROWSER_SECONDS / 2) == 130


# The cloud that it runs in


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> str:
    """What a cloud says of the workload, which line 4 would send to no other host than Snowflake's."""
    monkeypatch.setenv("SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES", "127.0.0.1")
    claims = {"iss": "https://idp.example", "sub": "loader", "aud": "snowflakecomputing.com"}
    return str(jwt.encode({**claims, "exp": int(time.time()) + 600}, "k" * 32))


@pytest.mark.parametrize(("state", "code"), [("valid", 0), ("expired", 5)])
def test_a_workload_logs_in_by_what_its_cloud_says_of_it(
    emulator: EmulatorControl, identity: str, state: str, code: int
) -> None:
    emulator.reset(tokens={identity: state})
    given = {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "OIDC", "token": identity}
    write_connections_file(test=without_password(emulator, **given))
    done = etl("targets", "test", "snowflake:test")
    assert done.returncode == code, done.stdout + done.stderr
    assert identity not in done.stdout + done.stderr


def test_a_workload_of_an_unknown_cloud_is_refused(emulator: EmulatorControl) -> None:
    data = {"LOGIN_NAME": "loader", "AUTHENTICATOR": "WORKLOAD_IDENTITY", "PROVIDER": "MOON", "TOKEN": "x"}
    answer = posted(f"{emulator.url}/session/v1/login-request", {"data": data})
    assert (answer["success"], answer["code"]) == (False, "390144")


@pytest.mark.parametrize("query", ["visit=nobody&port=1", "visit=nobody", ""])
def test_the_emulator_signs_nobody_in_whom_no_driver_sent(emulator: EmulatorControl, query: str) -> None:
    with pytest.raises(HTTPError, match="400"):
        urlopen(f"{emulator.url}/_sso?{query}")


def posted(url: str, body: dict[str, Any]) -> Any:
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return json.load(answer)


# A proxy, an authority


class _Tunnel(socketserver.StreamRequestHandler):
    """CONNECT, to the emulator whatever is asked for."""

    server: _Proxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode())
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(self.server.behind) as other, selectors.DefaultSelector() as ready:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            towards = {self.connection: other, other: self.connection}
            for end in towards:
                ready.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    if not (data := end.recv(1 << 16)):
                        return
                    towards[end].sendall(data)


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, behind: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.behind = behind
        self.asked: list[str] = []


@contextmanager
def proxy(emulator: EmulatorControl) -> Iterator[_Proxy]:
    """A proxy that alone knows the way to the emulator."""
    settings = emulator.connection()
    with _Proxy((settings["host"], settings["port"])) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.usefixtures("trusting")
def test_a_load_goes_through_a_proxy_by_tls_of_an_authority_of_one_s_own(
    secure: EmulatorControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id\n1\n2\n")
    with proxy(secure) as server:
        port = server.server_address[1]
        way = {"host": HOST, "proxy_host": "127.0.0.1", "proxy_port": str(port)}
        write_connections_file(test={**secure.connection(), **way})
        done = etl("load", "sales.csv", "--target", "snowflake:test", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["rows_loaded"] == 2
    assert {line.split()[1].partition(":")[0] for line in server.asked} == {HOST}
    assert len(secure.log("put")) == 1


def test_an_authority_that_nobody_named_is_not_trusted(secure: EmulatorControl) -> None:
    write_connections_file(test=secure.connection())
    done = etl("targets", "test", "snowflake:test?timeout=2")
    assert done.returncode == 5, done.stdout + done.stderr
    # Line 5 tries again until its time is up, and then tells of that alone.
    assert IS_NEW_LINE or "certificate" in done.stdout + done.stderr
    assert secure.log("login") == []
