"""Ctrl-C while Snowflake works: the command ends, so does the statement, and a resumed run ends right."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import ExitCode, Status, resume

ETL = Path(sys.executable).with_name("etl")
ROWS = 4000

WAITING: dict[str, tuple[dict[str, Any], str]] = {
    "copy": ({"endpoint": "query", "sql": "^COPY INTO", "action": "slow"}, ""),
    "copy that is asked for": ({"endpoint": "query", "sql": "^COPY INTO", "action": "slow"}, "async_above_mb = 0"),
    "direct copy": ({"endpoint": "query", "sql": "^COPY INTO", "action": "slow"}, 'publish = "direct"'),
    "publication": ({"endpoint": "query", "sql": '^INSERT INTO .*SELECT "', "action": "slow"}, ""),
}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of several parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))


def interrupted(target: str, emulator: EmulatorControl, endpoint: str) -> tuple[int, str]:
    """Load, and strike Ctrl-C once the fault has a request in its hands."""
    words = ["load", "sales.csv", "--target", target, "--table", "t"]
    process = subprocess.Popen([ETL, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while process.poll() is None and not any(entry.get("faults") for entry in emulator.log(endpoint)):
        Event().wait(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def exact(connect: Callable[..., Any]) -> bool:
    cursor = connect().cursor()
    found = cursor.execute("SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID) FROM T").fetchall()
    return [tuple(row) for row in found] == [(ROWS, ROWS, sum(range(ROWS)))]


@pytest.mark.parametrize("waiting", WAITING)
def test_ctrl_c_ends_the_command_and_the_statement(
    target: str, emulator: EmulatorControl, connect: Callable[..., Any], waiting: str
) -> None:
    fault, setting = WAITING[waiting]
    Path("etl.toml").write_text(f"[defaults]\nsnowflake = {{ {setting} }}\n")
    emulator.faults(fault)
    code, said = interrupted(target, emulator, "query")
    assert code == ExitCode.INTERRUPTED, said
    assert "etl resume" in said
    assert any("SYSTEM$CANCEL_" in sql for sql in emulator.statements())
    emulator.faults()
    assert resume().status is Status.DONE
    assert exact(connect)


def test_ctrl_c_does_not_wait_for_uploads_that_hang(
    target: str, emulator: EmulatorControl, connect: Callable[..., Any]
) -> None:
    emulator.faults({"endpoint": "put", "action": "stall", "count": None})
    code, said = interrupted(target, emulator, "put")
    assert code == ExitCode.INTERRUPTED, said
    emulator.faults()
    assert resume().status is Status.DONE
    assert exact(connect)
