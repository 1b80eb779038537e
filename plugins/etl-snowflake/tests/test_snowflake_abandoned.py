"""A process that was killed within its publishing transaction: nobody waits for what it left open without knowing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Event, Status, Workspace, load

from .conftest import Ask

ROWS = 100
VICTIM = """
import os, signal, sys
from etl_snowflake import publishing
from etl_framework import load
publishing.holds_rows = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
load("sales.csv", target=sys.argv[1], table="t", state_dir="state")
"""


@pytest.fixture(autouse=True)
def abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, emulator: EmulatorControl) -> None:
    """A load of the file in the current folder was killed while its transaction held the ledger's lock."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id\n" + "".join(f"{number}\n" for number in range(ROWS)))
    # A load that waits goes on soon, and so can be told from one that has nobody to wait for.
    emulator.reset(idle_transaction_seconds=1.0)
    victim = subprocess.run([sys.executable, "-c", VICTIM, target], capture_output=True, text=True, check=False)
    assert victim.returncode == -signal.SIGKILL, victim.stderr


def assert_exact(ask: Ask) -> None:
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(ROWS, sum(range(ROWS)))]
    assert ask("SHOW TRANSACTIONS IN ACCOUNT") == []


def test_a_load_that_takes_its_place_does_not_wait(target: str, ask: Ask) -> None:
    assert len(ask("SHOW TRANSACTIONS IN ACCOUNT")) == 1
    events: list[Event] = []
    assert (
        load("sales.csv", target=target, table="t", state_dir="state", observers=(events.append,)).status is Status.DONE
    )
    assert "load_waits" not in [event.name for event in events]
    assert_exact(ask)


def test_a_resumed_load_ends_it(ask: Ask, emulator: EmulatorControl) -> None:
    [transaction] = ask("SHOW TRANSACTIONS IN ACCOUNT")
    report = Workspace.open(state_dir="state").resume()
    assert report
    assert report.status is Status.DONE
    assert f"SELECT SYSTEM$ABORT_TRANSACTION({transaction[0]})" in emulator.statements()
    assert_exact(ask)


def test_a_load_that_knows_nothing_of_it_says_what_it_waits_for_and_how_to_end_that(target: str, ask: Ask) -> None:
    [transaction] = ask("SHOW TRANSACTIONS IN ACCOUNT")
    events: list[Event] = []
    assert (
        load("sales.csv", target=target, table="t", state_dir="other", observers=(events.append,)).status is Status.DONE
    )
    waited = [event for event in events if event.name in ("load_waits", "load_proceeds")]
    assert [event.name for event in waited] == ["load_waits", "load_proceeds"]
    assert waited[0].message.startswith("transaction ETL_")
    assert f"SELECT SYSTEM$ABORT_TRANSACTION({transaction[0]})" in waited[0].message
    assert_exact(ask)
