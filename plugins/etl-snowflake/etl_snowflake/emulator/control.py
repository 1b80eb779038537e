"""Starts an emulator in a process of its own and steers it, for tests and rehearsals."""

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class EmulatorControl:
    """The steering of a running emulator. It imports neither fakesnow nor a driver.

    :param url: where the emulator listens.
    :param authority: file with the certificate of the authority that vouches for the emulator's, where it speaks TLS.
    """

    def __init__(self, url: str, authority: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._authority = authority

    def connection(self, **more: Any) -> dict[str, Any]:
        """Arguments for `snowflake.connector.connect`, as far as `more` does not override them."""
        parts = urlsplit(self.url)
        return {
            "account": "emulator",
            "user": "TESTER",
            "password": "emulated",
            "host": parts.hostname,
            "port": parts.port,
            "protocol": parts.scheme,
            "database": "DB",
            "schema": "PUBLIC",
            "warehouse": "COMPUTE_WH",
            **more,
        }

    def reset(self, **settings: Any) -> None:
        """Begin with an empty account.

        :param settings: fields of `account.Settings`, for instance `in_progress_after=0.2`.
        """
        self._post("reset", settings)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the faults in force, and let go what the old ones held.

        :param rules: fields of `faults.Rule`, for instance `{"endpoint": "put", "action": "status", "status": 503}`.
        """
        self._post("faults", rules)

    def release(self) -> None:
        """Let go every request and query that a fault holds."""
        self._post("release", {})

    def log(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """The requests since the last reset, in order.

        Each has time, endpoint, method, path, session, bytes_in, bytes_out; some have sql, query_id, status, faults.

        :param endpoint: only those of this kind, one of `faults.ENDPOINTS`.
        """
        entries: list[dict[str, Any]] = self._get("log")
        return [e for e in entries if endpoint in (None, e["endpoint"])]

    def statements(self) -> list[str]:
        """The SQL that arrived since the last reset, a retry again."""
        return [e["sql"] for e in self.log("query")]

    def warehouse(self, name: str = "COMPUTE_WH", **changes: Any) -> None:
        """Create or change a warehouse: `state`, `size`, `auto_resume`, `auto_suspend`."""
        self._post("warehouse", {"name": name, **changes})

    def _post(self, path: str, body: object) -> Any:
        return self._call("POST", path, json.dumps(body).encode())

    def _get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        with closing(self._connection()) as connection:
            connection.request(method, f"/_emulator/{path}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status != 200:
            raise ValueError(f"the emulator refuses {path}: {answer['message']}")
        return answer["data"]

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = str(parts.hostname), parts.port
        if self._authority is None:
            return http.client.HTTPConnection(host, port, timeout=60)
        trusting = ssl.create_default_context(cafile=self._authority)
        return http.client.HTTPSConnection(host, port, timeout=60, context=trusting)


@dataclass(frozen=True)
class Tls:
    """What an emulator speaks TLS with.

    :param certificate: PEM file with its certificate and private key.
    :param authority: PEM file with the certificate of the authority that vouches for it.
    """

    certificate: Path
    authority: Path


@contextmanager
def running_emulator(
    data: Path | None = None, *, start_seconds: float = 60.0, tls: Tls | None = None
) -> Iterator[EmulatorControl]:
    """An emulator in a process of its own, ended when the block ends.

    The interpreter is `$ETL_EMULATOR_PYTHON`, by default this one; it needs the extra `etl-snowflake[emulator]`. All
    temporary files of the process lie in one folder, which is removed however the process ends: by this one, or, when
    this one was killed, by the emulator itself.

    :param data: folder to keep its data in.
    :param start_seconds: how long it may take until it listens.
    :param tls: what it speaks TLS with; None speaks none.
    :raises RuntimeError: it ended or did not listen in time; the message holds what it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="snowflake_emulator_") as folder:
        ready, output = Path(folder) / "url", Path(folder) / "output"
        interpreter = os.environ.get("ETL_EMULATOR_PYTHON", sys.executable)
        command = [interpreter, "-m", "etl_snowflake.emulator", "--end-with-parent", "--ready-file", str(ready)]
        command += ["--remove", folder]
        environment = {**os.environ, "TMPDIR": folder}
        if data is not None:
            command += ["--data", str(data)]
        if tls is not None:
            command += ["--certificate", str(tls.certificate)]
        with output.open("w+b") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)  # noqa: S603
            try:
                deadline = time.monotonic() + start_seconds
                while not ready.exists():
                    if process.poll() is not None or time.monotonic() > deadline:
                        # By its number, since the process has removed the name.
                        written = os.pread(stream.fileno(), 1 << 16, 0).decode("utf-8", "replace")
                        raise RuntimeError(f"the emulator did not start: {written}")
                    time.sleep(0.02)
                yield EmulatorControl(ready.read_text("utf-8"), tls.authority if tls else None)
            finally:
                process.terminate()
                process.wait(30)
