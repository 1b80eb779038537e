"""Checks of files that have to know something of the warehouse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etl_framework import Check, ConnectError, Finding, HookFailed, Job, RunFailed, Workspace

PLUGIN = """
from etl_framework import Finding, RunFailed, Severity, hookimpl

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
    def update(self, block): self.blocks += 1
    def merge(self, other):
        self.told += other.told
        self.blocks += other.blocks
    def finish(self):
        yield Finding(rule="known", severity=Severity.INFO, count=self.blocks, message=repr(self.told))

@hookimpl
def etl_validate(job, analysis):
    return [Plain(), Known()]
"""
TABLES = "return sorted(str(summary.name) for summary in warehouse.tables())"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a workspace with a plugin whose check asks the warehouse, and a job of a file of several parts."""
    pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)

    def make(ask: str = TABLES, *, insists: bool = True) -> tuple[Workspace, Job]:
        (tmp_path / "team.py").write_text(PLUGIN.format(ask=ask, insists=insists))
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
