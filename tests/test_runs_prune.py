"""What `etl runs prune` removes, what it asks, and what it never touches."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl_framework import Event, Interrupted, Refused, Status, Workspace, load, resume
from etl_framework.cli import run
from etl_framework.journal import Journal
from etl_framework.state import State

ROWS = 3_000
SETTINGS: dict[str, Any] = {"table": "sales", "target": "duckdb:w.duckdb", "part_size": "16KiB", "jobs": 1}
KILLED_AFTER_THE_COMMIT = """
import os, signal
from etl_framework import load
from etl_framework.journal import Journal

Journal.set_receipt = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
load("sales.csv", table="sales", target="duckdb:w.duckdb", part_size="16KiB", jobs=1)
"""

NOTING = """
from pathlib import Path
import etl_duckdb
from etl_duckdb.warehouse import DuckDBWarehouse
from etl_framework import ConnectError, hookimpl

class Noting(DuckDBWarehouse):
    def discard_staged(self, run):
        if Path("unreachable").exists():
            raise ConnectError("cannot reach the warehouse")
        Path("discarded").write_text(run.id)
        super().discard_staged(run)

@hookimpl
def etl_connect(url):
    return Noting("duckdb:w.duckdb") if url == "noting:" else None

@hookimpl
def etl_upload(part, warehouse, run):
    return etl_duckdb.etl_upload(part, warehouse, run)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("sales.csv").write_text("id,price\n" + "".join(f"{number},{number}.5\n" for number in range(ROWS)))
    return tmp_path


@pytest.fixture
def etl(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command: exit code, standard output, standard error."""

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(words)
        return (code, *capsys.readouterr())

    return call


Etl = Callable[..., tuple[int, str, str]]


def loaded_run(**settings: Any) -> str:
    return load("sales.csv", **{**SETTINGS, **settings}).run


def interrupted_run(observed: Callable[[Event], None] | None = None, **settings: Any) -> str:
    """The id of a run that Ctrl-C stopped when its first part was staged."""

    def observe(event: Event) -> None:
        if event.name == "part_staged":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        load("sales.csv", **{**SETTINGS, **settings}, observers=(observed or observe,))
    assert stopped.value.report is not None
    return stopped.value.report.run


def aged(run: str, days: int) -> str:
    """Make a run older, by what the journal says of it."""
    with Workspace.open().state.journal() as journal:
        journal._file.write(
            run, None, ("UPDATE log SET at = datetime(at, ?) || '+00:00' WHERE run = ?", (f"-{days} days", run))
        )
    return run


def names() -> list[str]:
    return [record.run for record in Workspace.open().runs()]


def folders() -> set[str]:
    return {path.name for path in Path(".etl/runs").iterdir()}


def count() -> int:
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        [(number,)] = connection.execute("SELECT count(*) FROM sales").fetchall()
    return int(number)


def test_finished_runs_go_when_they_are_old_and_the_table_stays(etl: Etl) -> None:
    old, new = aged(loaded_run(), 31), loaded_run(again=True)
    code, out, err = etl("runs", "prune", "--yes")
    assert (code, err) == (0, "")
    assert old in out
    assert "Removed 1 of 1 run, " in out
    assert names() == [new]
    assert folders() == {new}
    assert count() == 2 * ROWS
    with Workspace.open().state.journal() as journal:
        assert journal.log(old) == ()


@pytest.mark.parametrize(("older_than", "left"), [("20d", 0), ("3w", 0), ("240h", 0), ("26d", 1), ("4w", 1)])
def test_the_age_is_said_in_hours_days_or_weeks(etl: Etl, older_than: str, left: int) -> None:
    aged(loaded_run(), 25)
    assert etl("runs", "prune", "--older-than", older_than, "--yes")[0] == 0
    assert len(names()) == left


@pytest.mark.parametrize("wrong", ["30", "d", "-1d", "1.5d", "1y", "99999d"])
def test_an_age_that_is_none_is_a_usage_error(etl: Etl, wrong: str) -> None:
    code, _, err = etl("runs", "prune", f"--older-than={wrong}", "--yes")
    assert code == 2
    assert "12h, 30d or 8w" in err


def test_what_was_pruned_is_still_refused_when_it_is_loaded_again(etl: Etl) -> None:
    name = loaded_run()
    assert etl("runs", "prune", name, "--yes")[0] == 0
    assert names() == []
    assert etl("load", "sales.csv", "--table", "sales", "--target", "duckdb:w.duckdb")[0] == 3
    assert count() == ROWS


def test_an_unfinished_run_is_discarded_only_when_it_is_named_or_asked_for(etl: Etl) -> None:
    first, second = aged(interrupted_run(), 99), aged(interrupted_run(table="other"), 99)
    assert "Nothing to prune" in etl("runs", "prune", "--yes")[1]
    assert len(names()) == 2
    staged = list(Path(".etl/runs").rglob("staged/*"))
    assert staged
    assert etl("runs", "prune", first, "--yes")[0] == 0
    assert names() == [second]
    assert etl("runs", "prune", "--unfinished", "--yes")[0] == 0
    assert names() == []
    assert folders() == set()
    assert "Nothing to resume" in etl("resume")[1]


def test_what_a_discarded_run_staged_is_removed_through_its_warehouse(etl: Etl) -> None:
    Path("aside.py").write_text(NOTING)
    Path("etl.toml").write_text('plugins = ["aside.py"]\n')
    name = interrupted_run(target="noting:")
    assert etl("runs", "prune", name, "--yes")[0] == 0
    assert Path("discarded").read_text() == name


def test_what_a_refused_run_could_not_remove_is_removed_when_it_is_pruned(etl: Etl) -> None:
    Path("aside.py").write_text(NOTING)
    Path("etl.toml").write_text('plugins = ["aside.py"]\n')
    with Path("sales.csv").open("a") as file:
        file.write("only one cell\n")
    Path("unreachable").touch()
    with pytest.raises(Refused):
        load("sales.csv", **{**SETTINGS, "target": "noting:"})
    [name] = names()
    code, _, err = etl("runs", "prune", name, "--yes")
    assert (code, names()) == (5, [name])
    assert f"`etl runs prune {name} --forget`" in err
    Path("unreachable").unlink()
    assert etl("runs", "prune", name, "--yes")[0] == 0
    assert Path("discarded").read_text() == name
    assert names() == []


def test_a_run_that_had_committed_after_all_stays_as_done(etl: Etl) -> None:
    command = [sys.executable, "-c", KILLED_AFTER_THE_COMMIT]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    [name] = names()
    code, out, _ = etl("runs", "prune", name, "--yes", "--json")
    assert code == 0
    [pruned] = json.loads(out)["pruned"]
    assert (pruned["run"], pruned["removed"], pruned["status"]) == (name, False, "done")
    [record] = Workspace.open().runs()
    assert (record.status, record.resumable) == (Status.DONE, False)
    assert list(Path(".etl/runs").rglob("staged/*")) == []
    assert count() == ROWS
    assert "stays listed" not in etl("runs", "prune", name, "--yes")[1]
    assert names() == []


def test_a_run_whose_warehouse_cannot_be_asked_stays_as_it_was(etl: Etl) -> None:
    name = interrupted_run()
    Path("w.duckdb").write_text("this is no database" * 1000)
    assert etl("runs", "prune", name, "--yes")[0] == 5
    [record] = Workspace.open().to_resume()
    assert record.run == name
    assert list(Path(".etl/runs").rglob("staged/*"))


def test_a_run_that_cannot_be_discarded_keeps_no_other_from_it(etl: Etl) -> None:
    other, spoilt = aged(interrupted_run(target="duckdb:other.duckdb"), 99), aged(interrupted_run(), 99)
    Path("w.duckdb").write_text("this is no database" * 1000)
    code, out, err = etl("runs", "prune", "--unfinished", "--yes")
    assert code == 5
    assert "Removed 1 of 2 runs" in out
    assert f"{spoilt} was not removed: " in err
    assert other not in err
    assert names() == [spoilt]
    code, out, _ = etl("runs", "prune", spoilt, "--yes", "--json")
    assert code == 5
    [told] = json.loads(out)["pruned"]
    assert (told["run"], told["removed"], told["exit_code"]) == (spoilt, False, 5)
    assert told["error"]
    assert told["advice"]


def test_a_run_whose_warehouse_is_gone_is_forgotten_when_that_is_asked_for(etl: Etl) -> None:
    name = interrupted_run()
    Path("w.duckdb").write_text("this is no database" * 1000)
    assert f"`etl runs prune {name} --forget`" in etl("runs", "prune", name, "--yes")[2]
    code, out, _ = etl("runs", "prune", name, "--forget", "--yes")
    assert code == 0
    assert f"{name}: its warehouse was not asked, and may hold what it staged" in out
    assert names() == []
    assert folders() == set()


def test_a_run_that_another_version_wrote_down_is_forgotten_when_that_is_asked_for(etl: Etl) -> None:
    name = interrupted_run()
    with Workspace.open().state.journal() as journal:
        journal._file.write(name, None, ("UPDATE runs SET plan = ? WHERE run = ?", (b"cwhat\nwas\n.", name)))
    code, _, err = etl("runs", "prune", name, "--yes")
    assert (code, names()) == (1, [name])
    assert f"`etl runs prune {name} --forget`" in err
    assert etl("runs", "prune", name, "--forget", "--yes")[0] == 0
    assert names() == []


def test_before_a_run_is_forgotten_it_says_what_nobody_will_know(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    name = interrupted_run()
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    err = etl("runs", "prune", name, "--forget")[2]
    assert "staged parts may be left there, and a load may have been committed" in err
    assert names() == [name]


def test_only_runs_that_are_named_are_forgotten(etl: Etl) -> None:
    aged(interrupted_run(), 99)
    code, _, err = etl("runs", "prune", "--unfinished", "--forget", "--yes")
    assert (code, len(names())) == (2, 1)
    assert "--forget needs a RUN" in err


@pytest.mark.parametrize("choice", [["--older-than", "30d"], ["--unfinished"]])
def test_runs_are_chosen_by_name_or_by_age_but_not_by_both(etl: Etl, choice: list[str]) -> None:
    name = loaded_run()
    code, _, err = etl("runs", "prune", name, *choice, "--yes")
    assert (code, names()) == (2, [name])
    assert "by their names or by their age, not by both" in err


def test_a_run_under_way_is_never_touched(etl: Etl) -> None:
    answers: list[int] = []

    def prune(event: Event) -> None:
        if event.name == "step_finished" and event.step == "validate":
            [name] = names()
            answers.append(etl("runs", "prune", name, "--yes")[0])
            answers.append(etl("runs", "prune", "--older-than", "0h", "--unfinished", "--yes")[0])

    report = load("sales.csv", **SETTINGS, observers=(prune,))
    assert answers == [7, 0]
    assert (report.status, report.rows_loaded) == (Status.DONE, ROWS)
    assert names() == [report.run]


@pytest.mark.parametrize(("extra", "code"), [("", 0), ("only one cell\n", 3)], ids=["done", "refused"])
def test_a_run_that_has_ended_is_not_touched_while_its_reporters_run(etl: Etl, extra: str, code: int) -> None:
    Path("pruner.py").write_text(
        "from pathlib import Path\n"
        "from etl_framework import hookimpl\n"
        "from etl_framework.cli import run\n"
        "@hookimpl\n"
        "def etl_report(report):\n"
        "    Path('answers').write_text(str([int(run(['runs', 'prune', report.run, '--yes'])),\n"
        "        int(run(['runs', 'prune', '--older-than', '0h', '--yes']))]))\n"
    )
    Path("etl.toml").write_text('plugins = ["pruner.py"]\n')
    with Path("sales.csv").open("a") as file:
        file.write(extra)
    assert etl("load", "sales.csv", "--table", "sales", "--target", "duckdb:w.duckdb")[0] == code
    assert Path("answers").read_text() == "[7, 0]"
    assert len(names()) == 1


def test_a_run_that_is_pruned_twice_at_once_is_gone_and_leaves_no_folder(etl: Etl) -> None:
    name = loaded_run()
    chosen = Workspace.open().prunable(name)
    assert [pruned.removed for pruned in Workspace.open().prune(chosen)] == [True]
    assert [(pruned.removed, pruned.bytes) for pruned in Workspace.open().prune(chosen)] == [(True, 0)]
    assert folders() == set()


def test_a_run_that_was_resumed_before_it_could_be_discarded_stays_as_it_ended(
    etl: Etl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("sales.csv").open("a") as file:
        file.write("only one cell\n")

    def interrupt_as_reading_begins(event: Event) -> None:
        if (event.name, event.step) == ("step_started", "validate"):
            raise KeyboardInterrupt

    name = interrupted_run(interrupt_as_reading_begins)
    prune = Workspace.prune

    def resumed_meanwhile(workspace: Workspace, *arguments: Any, **options: Any) -> Any:
        with pytest.raises(Refused):
            resume(name)
        return prune(workspace, *arguments, **options)

    monkeypatch.setattr(Workspace, "prune", resumed_meanwhile)
    _, out, _ = etl("runs", "prune", name, "--yes")
    [record] = Workspace.open().runs()
    assert f"{name} stays listed, as refused: {record.error}" in out
    assert "committed" not in out
    assert names() == [name]


def test_an_unfinished_run_is_left_while_another_of_its_job_and_target_is_under_way(etl: Etl) -> None:
    name = aged(interrupted_run(), 99)
    [record] = Workspace.open().runs()
    with State(Path(".etl")).lock(record.job, record.target):
        assert etl("runs", "prune", name, "--yes")[0] == 7
        assert etl("runs", "prune", "--unfinished", "--yes")[0] == 0
    assert names() == [name]


@pytest.mark.parametrize("removed", [False, True])
def test_reject_files_are_removed_only_when_asked_for(etl: Etl, removed: bool) -> None:
    with Path("sales.csv").open("a") as file:
        file.write("1\n")
    report = load("sales.csv", **SETTINGS, on_bad_rows="quarantine")
    assert len(report.rejects) == 2
    _, out, _ = etl("runs", "prune", report.run, "--yes", *(["--rejects"] if removed else []))
    assert [Path(path).exists() for path in report.rejects] == [not removed] * 2
    assert ("reject files stay in" in out) is not removed
    assert names() == []


def test_without_a_terminal_it_refuses_unless_it_is_told_yes(etl: Etl) -> None:
    name = loaded_run()
    code, out, err = etl("runs", "prune", name)
    assert code == 2
    assert "--yes" in err
    assert name in out
    assert names() == [name]


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1)])
def test_on_a_terminal_it_asks(etl: Etl, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, left: int) -> None:
    name = interrupted_run()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    answered, _, err = etl("runs", "prune", name)
    assert answered == code
    assert "Remove 1 run? Unfinished ones cannot be resumed then." in err
    assert len(names()) == left


def test_a_dry_run_shows_and_removes_nothing(etl: Etl) -> None:
    name = interrupted_run()
    code, out, _ = etl("runs", "prune", name, "--dry-run")
    assert code == 0
    assert "Would be removed" in out
    assert name in out
    document = json.loads(etl("runs", "prune", name, "--dry-run", "--json")[1])
    assert [record["run"] for record in document["chosen"]] == [name]
    assert (document["dry_run"], document["pruned"]) == (True, [])
    assert names() == [name]
    assert etl("resume")[0] == 0


def test_a_run_that_was_killed_while_it_was_pruned_can_be_pruned_again(
    etl: Etl, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = interrupted_run()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "forget", killed)
        assert etl("runs", "prune", name, "--yes")[0] != 0
    assert names() == [name]
    assert etl("runs", "prune", name, "--yes")[0] == 0
    assert names() == []
    assert folders() == set()
