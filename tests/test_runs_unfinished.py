"""Runs that stopped before their end: what is said of them, and what is advised."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl_framework import Event, ExitCode, Interrupted, RunFailed, Status, UsageError, Workspace, load
from etl_framework.cli import run
from etl_framework.state import State

ROWS = 20_000
SETTINGS: dict[str, Any] = {
    "table": "sales",
    "target": "duckdb:w.duckdb",
    "part_size": "16KiB",
    "executor": "threads:1",
}
# Stands for what is wrong with a setting, or with what a setting asks of.
WRONG = """
from pathlib import Path

from etl_framework import UsageError, hookimpl

@hookimpl
def etl_validate(job, analysis):
    if Path("wrong").exists():
        raise UsageError("it is wrong", key=Path("wrong").read_text())
"""
KILLED = """
import os, signal, sys
from etl_framework import load

def die(event):
    if event.name == "part_staged":
        os.kill(os.getpid(), signal.SIGKILL)

settings = dict(target="duckdb:w.duckdb", part_size="16KiB", executor="threads:1")
load(sys.argv[1], table=sys.argv[2], **settings, observers=(die,))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("sales.csv").write_text("id,price\n" + "".join(f"{number},{number}.5\n" for number in range(ROWS)))
    return tmp_path


def interrupt_at(name: str) -> Callable[[Event], None]:
    def observe(event: Event) -> None:
        if event.name == name:
            raise KeyboardInterrupt

    return observe


def interrupted_run(table: str = "sales", source: str = "sales.csv", at: str = "part_staged") -> str:
    """The id of a run that Ctrl-C stopped, by default when its first part was staged."""
    with pytest.raises(Interrupted) as stopped:
        load(source, **{**SETTINGS, "table": table}, observers=(interrupt_at(at),))
    assert stopped.value.report is not None
    return stopped.value.report.run


def killed_run(table: str = "sales") -> str:
    command = [sys.executable, "-c", KILLED, "sales.csv", table]
    assert subprocess.run(command, check=False, capture_output=True).returncode < 0
    return Workspace.open().runs()[0].run


def document(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*words, "--json"]) == code
    return dict(json.loads(capsys.readouterr().out))


# --- what is advised ---


@pytest.mark.parametrize(
    "words",
    [
        ("--target", "nope:there"),
        ("--executor", "nope:"),
        ("--compress", "nope"),
        ("--target", "duckdb:nowhere/at/all/w.duckdb"),
    ],
)
def test_a_run_that_cannot_be_resumed_is_told_to_be_begun_anew(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    assert run(["load", "sales.csv", *words]) != 0
    out, err = capsys.readouterr()
    assert "etl resume" not in out + err
    assert "run `etl load` again" in err
    [listed] = document(capsys, "runs", "list")["items"]
    assert listed["resumable"] is False
    assert run(["runs", "show"]) == 0
    assert "etl resume" not in capsys.readouterr().out


@pytest.mark.parametrize("side", ["file", "warehouse", "both"])
def test_a_run_that_a_wrong_setting_ends_is_not_offered_to_be_resumed(
    folder: Path, capsys: pytest.CaptureFixture[str], side: str
) -> None:
    Path("etl.toml").write_text(
        f"[jobs.sales]\nsource = 'sales.csv'\ntable = 'sales'\ntarget = 'duckdb:w.duckdb'\ncheck = '{side}'\n"
        "rules = [{ name = 'dear', sql = 'no_column > 1' }]\n"
    )
    assert run(["load", "sales"]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert "etl resume" not in out + err
    assert "run `etl load` again" in err
    assert document(capsys, "resume")["kind"] == "nothing"


@pytest.mark.parametrize(
    ("at", "key", "goes_on"),
    [
        # Nothing is lost by a new load, which takes the settings of then.
        ("step_finished", "checks.calendar", False),
        # No setting is at fault, and was not when the run began.
        ("step_finished", "", True),
        ("part_staged", "checks.calendar", True),
        ("part_staged", "", True),
    ],
)
def test_a_resumed_run_that_something_wrong_stops_goes_on_unless_it_is_a_setting_before_anything_was_read(
    folder: Path, at: str, key: str, goes_on: bool
) -> None:
    Path("etl.toml").write_text("plugins = ['mine.py']")
    Path("mine.py").write_text(WRONG)
    name = interrupted_run(at=at)
    Path("wrong").write_text(key)
    with pytest.raises(UsageError, match="it is wrong") as stopped:
        Workspace.open().resume(name)
    assert ("etl resume" in stopped.value.advice) is goes_on
    assert stopped.value.report is not None
    assert (stopped.value.report.status, stopped.value.report.resumable) == (Status.FAILED, goes_on)
    Path("wrong").unlink()
    resumed = Workspace.open().resume()
    assert (resumed is not None and resumed.rows_loaded == ROWS) is goes_on


def test_a_wrong_setting_of_a_resumed_run_leaves_nothing_behind(folder: Path) -> None:
    Path("etl.toml").write_text("plugins = ['mine.py']")
    Path("mine.py").write_text(WRONG)
    name = interrupted_run(at="step_finished")
    Path("wrong").write_text("checks.calendar")
    with pytest.raises(UsageError):
        Workspace.open().resume(name)
    # Its report is kept, as of every run that ended.
    assert [path.name for path in State(folder / ".etl").run_folder(name).iterdir()] == ["report.json"]


def test_a_run_that_can_be_resumed_is_told_so_by_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = interrupted_run()
    shown = document(capsys, "runs", "show", name)["report"]
    assert f"`etl resume {name}` goes on" in shown["advice"]
    assert shown["resumable"] is True
    assert run(["runs", "show", name]) == 0
    assert f"etl resume {name}" in capsys.readouterr().out


def test_a_report_whose_run_was_superseded_no_longer_advises_to_resume_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = interrupted_run()
    load("sales.csv", **SETTINGS)
    assert run(["runs", "show", name]) == 0
    assert "  etl resume" not in capsys.readouterr().out
    assert document(capsys, "runs", "show", name)["report"]["resumable"] is False


def test_a_load_says_once_in_plain_words_whose_place_it_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = interrupted_run()
    assert run(["load", "sales.csv", "--table", "sales", "--target", "duckdb:w.duckdb"]) == 0
    said = capsys.readouterr().err
    assert f"load: earlier run {name} of these sources did not load them; this run takes its place\n" in said
    assert said.count(name) == 1
    assert "warning" not in said


def test_a_second_ctrl_c_while_a_run_ends_still_names_the_run(folder: Path) -> None:
    def twice(event: Event) -> None:
        if event.name in ("part_staged", "run_finished"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        load("sales.csv", **SETTINGS, observers=(twice,))
    [record] = Workspace.open().to_resume()
    assert f"etl resume {record.run}" in stopped.value.advice


def test_a_second_ctrl_c_while_reporters_are_told_leaves_a_report_as_the_first_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("etl.toml").write_text("plugins = ['slow.py']")
    Path("slow.py").write_text(
        "from etl_framework import hookimpl\n\n\n"
        "@hookimpl\ndef etl_report(report):\n"
        "    if report.status == 'interrupted' and not report.replayed:\n"
        "        raise KeyboardInterrupt\n"
    )
    with pytest.raises(Interrupted) as stopped:
        load("sales.csv", **SETTINGS, observers=(interrupt_at("part_staged"),))
    report = stopped.value.report
    assert report is not None
    assert (report.status, report.resumable) == (Status.INTERRUPTED, True)
    shown = document(capsys, "runs", "show", report.run)["report"]
    assert (shown["status"], shown["rows_staged"]) == ("interrupted", report.rows_staged)
    assert f"`etl resume {report.run}` goes on" in shown["advice"]
    assert run(["resume"]) == 0


def test_a_ctrl_c_while_reporters_are_told_of_a_failure_does_not_hide_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("etl.toml").write_text("plugins = ['slow.py']")
    Path("slow.py").write_text(
        "from etl_framework import hookimpl\n\n\n@hookimpl\ndef etl_report():\n    raise KeyboardInterrupt\n"
    )

    def fail(*_: object) -> None:
        raise RunFailed("the link is down", advice="Mend the link.")

    monkeypatch.setattr("etl_framework.pipeline.course.load", fail)
    with pytest.raises(RunFailed) as failed:
        load("sales.csv", **SETTINGS)
    report = failed.value.report
    assert report is not None
    assert (report.status, report.error) == (Status.FAILED, "the link is down")
    [record] = Workspace.open().to_resume()
    shown = Workspace.open().report(record.run)
    assert shown is not None
    assert (shown.status, shown.error) == (Status.FAILED, "the link is down")
    assert shown.advice.startswith("Mend the link.")


def test_a_report_that_is_written_is_not_written_anew_for_a_second_ctrl_c(folder: Path) -> None:
    Path("etl.toml").write_text("plugins = ['broken.py']")
    Path("broken.py").write_text(
        "from etl_framework import hookimpl\n\n\n@hookimpl\ndef etl_report():\n    raise ValueError('no paper')\n"
    )

    def twice(event: Event) -> None:
        if event.name in ("part_staged", "run_finished"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        load("sales.csv", **SETTINGS, observers=(twice,))
    assert stopped.value.report is not None
    assert any("no paper" in problem for problem in stopped.value.report.problems)


def test_what_an_upload_that_was_stopped_has_of_its_own_is_cleared_away(folder: Path) -> None:
    def interrupt(event: Event) -> None:
        if event.name == "part_staged":
            [packed] = Path(".etl").rglob("packed")
            (packed / "put").mkdir()
            (packed / "put" / "link").symlink_to(packed)
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        load("sales.csv", **SETTINGS, observers=(interrupt,))
    assert not list(Path(".etl").rglob("put"))
    assert run(["resume"]) == 0


def test_several_runs_that_can_be_resumed_are_listed_with_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [interrupted_run(table="one"), interrupted_run(table="two")]
    assert run(["resume"]) == 2
    err = capsys.readouterr().err
    for name, table in zip(names, ("one", "two"), strict=True):
        [line] = [line for line in err.splitlines() if name in line]
        assert f"into {table}, interrupted" in line
    assert "`etl resume RUN`" in err
    assert "`etl runs prune RUN`" in err


# --- what is listed ---


def test_a_killed_run_is_shown_as_interrupted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = killed_run()
    [listed] = document(capsys, "runs", "list")["items"]
    assert (listed["run"], listed["status"], listed["resumable"]) == (name, "interrupted", True)
    assert document(capsys, "runs", "show")["run"]["status"] == "interrupted"
    assert run(["runs", "list"]) == 0
    assert "interrupted (resumable)" in capsys.readouterr().out


def test_a_run_under_way_is_shown_as_running_and_an_earlier_killed_one_as_interrupted(folder: Path) -> None:
    killed = killed_run()
    seen: list[tuple[bool, Status, bool]] = []

    def look(event: Event) -> None:
        if event.name == "part_packed" and not seen:
            resumable = {record.run for record in Workspace.open().to_resume()}
            seen.extend(
                (record.run == killed, record.status, record.run in resumable) for record in Workspace.open().runs()
            )

    load("sales.csv", **SETTINGS, observers=(look,))
    assert seen == [(False, Status.RUNNING, False), (True, Status.INTERRUPTED, False)]


def test_whether_a_run_is_under_way_is_asked_once_for_each_job_and_target(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        Path(f"{number}.csv").write_text(Path("sales.csv").read_text())
        interrupted_run(source=f"{number}.csv")
    asked: list[tuple[str, str]] = []
    is_locked = State.is_locked

    def noting(state: State, job: str, target: str) -> bool:
        asked.append((job, target))
        return is_locked(state, job, target)

    monkeypatch.setattr(State, "is_locked", noting)
    assert len(Workspace.open().to_resume()) == 3
    assert len(asked) == 1


# --- what is reported ---


def test_the_report_of_an_interrupted_run_counts_what_was_read_and_staged_so_far(folder: Path) -> None:
    with pytest.raises(Interrupted) as stopped:
        load("sales.csv", **SETTINGS, observers=(interrupt_at("part_staged"),))
    report = stopped.value.report
    assert report is not None
    workspace = Workspace.open()
    with workspace.state.journal() as journal:
        pieces = journal.pieces(report.run)
        read = sum(outcome.rows for outcome in journal.outcomes(report.run).values())
    staged = [piece for piece, state in pieces if state == "staged"]
    assert 0 < len(staged) < report.parts
    assert report.rows_staged == sum(piece.rows for piece in staged)
    assert report.bytes_staged == sum(piece.size for piece in staged)
    assert report.rows_staged <= report.rows_read == read < ROWS


def test_the_report_of_a_resumed_run_counts_all_that_is_staged(folder: Path) -> None:
    interrupted_run()
    report = Workspace.open().resume()
    assert report is not None
    assert report.rows_read == report.rows_staged == report.rows_loaded == ROWS
