"""Checks of files that have to know something of the warehouse."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from etl_framework import Check, ConnectError, Finding, HookFailed, Job, RunFailed, Workspace

PLUGIN = """
from pathlib import Path

from etl_framework import Column, ColumnType, Finding, RunFailed, Severity, TypesWidened, hookimpl

class Plain:
    name = "plain"
    def update(self, block): pass
    def merge(self, other): pass
    def finish(self): return ()

class Known(Plain):
    name = "known"
    insists = {insists}
    def __init__(self): self.told, self.blocks = [], 0
    def ask(self, warehouse):
        {ask}
    def tell(self, answer):
        assert not self.blocks
        self.told.append(answer)
    def update(self, block):
        self.blocks += 1
        {update}
    def merge(self, other):
        self.told += other.told
        self.blocks += other.blocks
    def finish(self):
        yield Finding(rule="known", severity=Severity.INFO, count=self.blocks, message=repr(self.told))

@hookimpl
def etl_validate(job, analysis):
    checks = [Plain(), Known()][: 1 if Path("fewer").exists() else 2]
    return checks if Path(analysis.source.path).name == "t.csv" else {others}
"""
TABLES = "return sorted(str(summary.name) for summary in warehouse.tables())"

ASKED_AGAIN = """
        with open("asked", "a") as file: file.write("x")
        return Path("asked").stat().st_size
"""
WIDENED = """
        if not Path("widened").exists():
            Path("widened").touch()
            columns = [Column(name=name, type=ColumnType.parse("varchar")) for name in block.batch.schema.names]
            raise TypesWidened(columns, [])
"""
VICTIM = """
import os, re, signal, sys
from dataclasses import replace
from etl_framework import Workspace
from etl_framework.journal import Journal
from etl_framework.journal_file import JournalFile

write = JournalFile.write

def write_and_die(self, run, event, *statements, **how):
    write(self, run, event, *statements, **how)
    if re.fullmatch(r"part \\d+ packed", event):
        os.kill(os.getpid(), signal.SIGKILL)

def die(*arguments, **how):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "packed":
    JournalFile.write = write_and_die
else:
    Journal.end = die
workspace = Workspace.open()
workspace.load(replace(workspace.job(None, ["t.csv"], {"target": "duckdb:w.duckdb"}), part_bytes=40))
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a workspace with a plugin whose check asks the warehouse, and a job of a file of several parts."""
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)

    def make(
        ask: str = TABLES, *, insists: bool = True, update: str = "", others: str = "checks"
    ) -> tuple[Workspace, Job]:
        """:param others: the checks of other sources."""
        (tmp_path / "team.py").write_text(PLUGIN.format(ask=ask, insists=insists, update=update, others=others))
        (tmp_path / "etl.toml").write_text('plugins = ["team.py"]\n')
        (tmp_path / "t.csv").write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(20)))
        workspace = Workspace.open()
        job = workspace.job(None, ["t.csv"], {"target": "duckdb:w.duckdb"})
        return workspace, replace(job, part_bytes=40)

    return make


def said(findings: tuple[Finding, ...]) -> list[str]:
    return [found.message for found in findings if found.rule == "known"]


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
def test_every_part_is_told_what_the_warehouse_said(asked, executor: str) -> None:
    workspace, job = asked()
    report = workspace.load(replace(job, executor=executor))
    parts = report.parts
    assert parts > 2
    assert said(report.findings) == [repr([[]] * parts)]
    validation = workspace.validate(replace(job, executor=executor))
    assert said(validation.findings) == [repr([["t"]] * parts)]


def test_nobody_is_asked_where_files_are_not_checked(asked) -> None:
    workspace, job = asked('raise RuntimeError("asked")')
    assert workspace.load(replace(job, check=Check.NONE)).rows_loaded == 20


def test_a_warehouse_out_of_reach_ends_the_check_of_files_that_insist(asked, tmp_path: Path) -> None:
    workspace, job = asked()
    (tmp_path / "w.duckdb").write_bytes(b"no database")
    with pytest.raises(ConnectError):
        workspace.validate(job)


def test_a_warehouse_out_of_reach_hinders_no_check_that_can_do_without(asked, tmp_path: Path) -> None:
    workspace, job = asked(insists=False)
    (tmp_path / "w.duckdb").write_bytes(b"no database")
    [message] = said(workspace.validate(job).findings)
    assert set(message) <= set("[None, ]")


def test_a_question_that_cannot_be_answered_is_told_as_it_is(asked) -> None:
    workspace, job = asked('raise RunFailed("the warehouse is on fire")')
    with pytest.raises(RunFailed, match="on fire"):
        workspace.load(job)


def test_a_check_that_breaks_while_it_asks_is_named(asked) -> None:
    workspace, job = asked('raise ValueError("boom")')
    with pytest.raises(HookFailed, match=r"team[\s\S]*boom"):
        workspace.load(job)


def killed(instant: str) -> None:
    """Let a process load until it is killed: once a part is ``packed``, or before an earlier run is ``ended``."""
    ended = subprocess.run([sys.executable, "-c", VICTIM, instant], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_run_that_was_killed_judges_all_parts_by_the_answer_to_its_first_question(asked) -> None:
    workspace, _ = asked(ASKED_AGAIN)
    killed("packed")
    report = workspace.resume()
    assert report.parts > 2
    assert said(report.findings) == [repr([1] * report.parts)]
    assert not [path for path in Path(".etl").rglob("*") if path.name.startswith("answers")]


def test_a_run_whose_end_was_not_yet_written_down_keeps_the_answer_to_its_first_question(asked) -> None:
    workspace, _ = asked(ASKED_AGAIN)
    killed("packed")
    [first] = workspace.runs()
    killed("ended")
    report = workspace.resume(first.run)
    assert said(report.findings) == [repr([1] * report.parts)]


def test_a_run_whose_parts_are_read_anew_with_other_types_asks_anew(asked) -> None:
    workspace, job = asked(ASKED_AGAIN, update=WIDENED)
    report = workspace.load(replace(job, executor="threads:1"))
    assert said(report.findings) == [repr([2] * report.parts)]


def load_with_another(workspace: Workspace, job: Job) -> tuple[Finding, ...]:
    Path("u.csv").write_text("id,name\n1,a\n")
    return workspace.load(
        replace(workspace.job(None, ["t.csv", "u.csv"], {"target": job.target}), table=job.table)
    ).findings


def test_a_check_has_its_answer_also_where_another_source_has_other_checks(asked) -> None:
    workspace, job = asked('return "an answer"', others="checks[1:]")
    assert said(load_with_another(workspace, job)) == [repr(["an answer"] * 2)]


def test_a_check_of_a_later_source_alone_that_asks_is_blamed_on_its_plugin(asked) -> None:
    workspace, job = asked(others="[*checks, Known()]")
    with pytest.raises(HookFailed, match=r"plugin 'team' .*the check 'known' asks the warehouse, but is none of the"):
        load_with_another(workspace, job)


def test_a_run_that_other_checks_began_is_not_judged_by_their_answers(asked) -> None:
    workspace, _ = asked(ASKED_AGAIN)
    killed("packed")
    Path("fewer").touch()
    with pytest.raises(RunFailed, match="began with other checks that ask the warehouse"):
        workspace.resume()
    assert Path("asked").read_text() == "x"


def test_an_answer_that_cannot_be_kept_is_blamed_on_who_took_it(asked) -> None:
    workspace, job = asked("return lambda: None")
    with pytest.raises(HookFailed, match=r"plugin 'team' .*failed in etl_validate: .*(pickle|local object)"):
        workspace.load(job)
