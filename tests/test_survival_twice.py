"""Nothing is loaded twice, and what a plugin commits wrongly never passes for done."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from etl_framework import CommittedWrongly, ExitCode, Mode, Status, UsageError, Workspace, load, resume
from etl_framework.cli import run

ROWS = 3_000
RIVAL = """
import subprocess, sys
from pathlib import Path
from etl_framework import hookimpl, load

def rival(folder):
    load(f"{{folder}}/sales.csv", table="sales", target=f"duckdb:{{folder}}/w.duckdb", config=f"{{folder}}/rival.toml")

@hookimpl
def etl_load(parts, warehouse, run):
    {does}
    return warehouse.load(parts, run)
"""
ANOTHER_PROCESS = (
    "subprocess.run([sys.executable, '-c', 'import aaa_rival, sys; aaa_rival.rival(sys.argv[1])', str(Path.cwd())], "
    "check=True)"
)
THIS_PROCESS = "rival(Path.cwd())"
# Loses the last part, and whoever could notice.
WRONG = """
import dataclasses, os, signal
from etl_framework import hookimpl

@hookimpl
def etl_load(parts, warehouse, run):
    receipt = warehouse.load(parts[:-1], dataclasses.replace(run, totals=None))
    {then}
    return receipt
"""
HONEST = """
from etl_framework import hookimpl

@hookimpl
def etl_load(parts, warehouse, run):
    return warehouse.load(parts, run)
"""
KILLED = [sys.executable, "-c", "from etl_framework import load; load(job='sales')"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job that has its own plugin, ``aaa_rival``, load."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,price\n" + "".join(f"{number},{number}.5\n" for number in range(ROWS)))
    Path("etl.toml").write_text(
        'plugins = ["aaa_rival.py"]\n[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\n'
        'target = "duckdb:w.duckdb"\nexecutor = "threads:1"\npart_size = "16KiB"\n'
        'use = { load = "aaa_rival" }\n'
    )
    Path("aaa_rival.py").write_text(HONEST)
    Path("rival.toml").write_text('state_dir = "rival"\n')
    return tmp_path


def ids() -> list[int]:
    with duckdb.connect("w.duckdb") as connection:
        return [number for (number,) in connection.execute("SELECT id FROM sales ORDER BY id").fetchall()]


def statuses() -> list[Status]:
    """Of all runs, the latest first."""
    return [record.status for record in Workspace.open().runs()]


@pytest.mark.parametrize(
    ("does", "there"),
    # DuckDB lets no other process into a file that is open, which it is from the beginning when it is there.
    [(ANOTHER_PROCESS, False), (THIS_PROCESS, False), (THIS_PROCESS, True)],
    ids=["another process", "this process", "this process, table there"],
)
def test_a_source_that_somebody_else_loads_just_before_the_load_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], does: str, there: bool
) -> None:
    if there:
        Path("other.csv").write_text("id,price\n-1,1.5\n")
        load("other.csv", table="sales", target="duckdb:w.duckdb", state_dir="other")
    Path("aaa_rival.py").write_text(RIVAL.format(does=does))
    assert run(["-q", "load", "sales"]) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert "sales already holds sales.csv: loaded by run" in said
    assert "say --again" in said
    assert ids() == [-1] * there + list(range(ROWS))
    assert statuses() == [Status.REFUSED]
    assert list(Path(".etl/runs").rglob("*.arrow")) == []


def test_a_load_that_a_plugin_commits_wrongly_fails_and_says_that_resuming_does_not_help(folder: Path) -> None:
    Path("aaa_rival.py").write_text(WRONG.format(then=""))
    with pytest.raises(CommittedWrongly, match=f"rows: {ROWS} in the sources") as caught:
        load(job="sales")
    assert "Look into the table" in caught.value.advice
    assert "etl resume" not in caught.value.advice
    report = caught.value.report
    assert report is not None
    assert report.status is Status.FAILED
    assert report.rows_loaded == len(ids()) < ROWS
    assert [difference.figure for difference in report.differences if not difference.column] == ["rows"]
    assert statuses() == [Status.FAILED]


def test_what_was_committed_wrongly_has_ended_and_leaves_nothing_staged(folder: Path) -> None:
    Path("aaa_rival.py").write_text(WRONG.format(then=""))
    with pytest.raises(CommittedWrongly) as caught:
        load(job="sales")
    report = caught.value.report
    assert report is not None
    assert (report.resumable, report.rows_read, report.rows_staged) == (False, ROWS, ROWS)
    assert list(Path(".etl/runs").rglob("*.arrow")) == []
    there = ids()
    Path("aaa_rival.py").write_text(HONEST)
    assert resume() is None
    with pytest.raises(UsageError, match=r"has ended: failed \(the load was committed, but"):
        resume(report.run)
    assert ids() == there


def test_what_was_committed_wrongly_before_the_run_was_killed_fails_when_it_is_resumed(folder: Path) -> None:
    Path("aaa_rival.py").write_text(WRONG.format(then="os.kill(os.getpid(), signal.SIGKILL)"))
    assert subprocess.run(KILLED, capture_output=True, check=False).returncode == -signal.SIGKILL
    Path("aaa_rival.py").write_text(HONEST)
    there = ids()
    with pytest.raises(CommittedWrongly):
        resume()
    assert (statuses(), ids()) == ([Status.FAILED], there)
    assert resume() is None


@pytest.mark.parametrize("then", ["", "os.kill(os.getpid(), signal.SIGKILL)"], ids=["reported", "killed"])
def test_what_was_committed_wrongly_stays_failed_when_a_later_run_takes_its_place(folder: Path, then: str) -> None:
    Path("aaa_rival.py").write_text(WRONG.format(then=then))
    ended = subprocess.run(KILLED, capture_output=True, text=True, check=False)
    assert ended.returncode == (-signal.SIGKILL if then else 1), ended.stderr
    Path("aaa_rival.py").write_text(HONEST)
    assert load(job="sales", mode=Mode.REPLACE).rows_loaded == ROWS
    assert ids() == list(range(ROWS))
    wrong = Workspace.open().runs()[-1]
    assert (wrong.status, wrong.resumable) == (Status.FAILED, False)
    assert f"the load was committed, but the table does not hold what the sources hold: rows: {ROWS}" in wrong.error
    assert statuses() == [Status.DONE, Status.FAILED]
    assert resume() is None
    with pytest.raises(UsageError, match=r"has ended: failed \(the load was committed, but"):
        resume(wrong.run)


def test_a_run_that_was_killed_after_its_commit_is_done_when_a_later_run_takes_its_place(folder: Path) -> None:
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    Path("aaa_rival.py").write_text(WRONG.replace("parts[:-1]", "parts").format(then=kill))
    assert subprocess.run(KILLED, capture_output=True, check=False).returncode == -signal.SIGKILL
    Path("aaa_rival.py").write_text(HONEST)
    assert load(job="sales", mode=Mode.REPLACE).rows_deleted == ROWS
    assert statuses() == [Status.DONE, Status.DONE]
    assert resume() is None
