"""Targets and their staging areas on the command line, and the same from Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etl_framework import Workspace
from etl_framework.cli import run

pytestmark = pytest.mark.usefixtures("roomy")

CONFIG = """
[targets.here]
url = "duckdb:w.duckdb"

[jobs.sales]
source = "*.csv"
table = "sales"
target = "duckdb:other.duckdb"
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def etl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Answer:
        code = run(arguments)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


@pytest.fixture
def no_directory(tmp_path: Path) -> str:
    (tmp_path / "broken.duckdb").write_text("this is no database" * 1000)
    return "duckdb:broken.duckdb"


def test_targets_are_listed_with_who_answers_for_them(etl: Callable[..., Answer], tmp_path: Path) -> None:
    Path("etl.toml").write_text(CONFIG)
    listed = etl("targets", "list", "--json").document["targets"]
    assert [(target["name"], target["url"], target["plugin"]) for target in listed] == [
        ("here", f"duckdb:{tmp_path}/w.duckdb", "duckdb"),
        ("", f"duckdb:{tmp_path}/other.duckdb", "duckdb"),
    ]
    assert not list(tmp_path.glob("*.duckdb"))


def test_a_target_that_nobody_answers_for_is_listed_and_said(etl: Callable[..., Answer]) -> None:
    Path("etl.toml").write_text('[targets.far]\nurl = "nosuch:thing"\n')
    answer = etl("targets", "list")
    assert answer.code == 4
    assert "nosuch:thing" in answer.out
    assert "far: no plugin connects to a target 'nosuch:'" in answer.err


def test_every_target_is_tested_where_none_is_named(etl: Callable[..., Answer]) -> None:
    Path("etl.toml").write_text(CONFIG)
    answer = etl("targets", "test")
    assert answer.code == 0, answer.out
    assert answer.out.count("ok    may write") == 2
    assert len(etl("targets", "test", "--json").document["targets"]) == 2
    assert len(etl("targets", "test", "here", "--json").document["targets"]) == 1


def test_a_target_that_cannot_be_connected_to_exits_with_5(etl: Callable[..., Answer], no_directory: str) -> None:
    answer = etl("targets", "test", no_directory)
    assert answer.code == 5
    assert answer.out.count("FAIL") == 1


def test_a_target_that_lacks_something_exits_with_1_and_says_what_to_do(
    etl: Callable[..., Answer], tmp_path: Path
) -> None:
    Path("plugin.py").write_text(
        "from etl_duckdb.warehouse import DuckDBWarehouse\n"
        "from etl_framework import Fact, hookimpl\n"
        "class Lacking(DuckDBWarehouse):\n"
        "    def check(self, load_bytes=None, jobs=()):\n"
        "        said = f'{load_bytes} bytes by {[job.name for job in jobs]}'\n"
        "        wrong = Fact(label='key', value='lost', ok=False, advice='Find it:\\nGRANT KEY;')\n"
        "        return (Fact(label='load', value=said), wrong)\n"
        "@hookimpl\n"
        "def etl_connect(url):\n"
        "    return Lacking(url.replace('lacking:', 'duckdb:')) if url.startswith('lacking:') else None\n"
    )
    Path("a.csv").write_text("a\n1\n")
    Path("b.csv").write_text("a\n22\n")
    Path("etl.toml").write_text(
        'plugins = ["plugin.py"]\n[targets.t]\nurl = "lacking:w.duckdb"\n'
        '[jobs.one]\nsource = "a.csv"\ntable = "a"\ntarget = "t"\n'
        '[jobs.two]\nsource = "*.csv"\ntable = "b"\ntarget = "t"\n'
    )
    answer = etl("targets", "test")
    assert answer.code == 1
    assert "ok    load  9 bytes by ['one', 'two']" in answer.out
    assert "FAIL  key   lost\n      Find it:\n      GRANT KEY;\n" in answer.out
    [check] = Workspace.open().test_targets("t")
    assert (check.exit_code, check.load_bytes, check.facts[1].ok) == (1, 9, False)
    doctor = etl("doctor", "--json")
    assert doctor.code == 1
    assert [c["detail"] for c in doctor.document["checks"] if not c["ok"]] == ["key: lost"]


def test_a_misspelt_target_is_guessed(etl: Callable[..., Answer]) -> None:
    Path("etl.toml").write_text(CONFIG)
    answer = etl("targets", "test", "hear")
    assert answer.code == 2
    assert "Did you mean 'here'?" in answer.err


def test_a_url_with_a_password_is_refused_unrepeated(etl: Callable[..., Answer]) -> None:
    answer = etl("targets", "test", "snowflake://me:hunter2@account/db")
    assert answer.code == 2
    assert "hunter2" not in answer.out + answer.err


def test_where_there_is_no_staging_area_the_command_that_helps_is_said(etl: Callable[..., Answer]) -> None:
    Path("etl.toml").write_text(CONFIG)
    answer = etl("stage", "list", "--target", "here")
    assert answer.code == 0
    assert "here: staged parts lie in the folders of their runs: `etl runs prune` removes them" in answer.out


def test_a_staging_area_that_cannot_be_looked_at_exits_with_5(etl: Callable[..., Answer], no_directory: str) -> None:
    answer = etl("stage", "list", "--target", no_directory)
    assert answer.code == 5
    assert "broken.duckdb" in answer.err


def test_a_plan_notes_what_a_warehouse_says_of_its_capacity(etl: Callable[..., Answer]) -> None:
    Path("plugin.py").write_text(
        "from etl_duckdb.warehouse import DuckDBWarehouse\n"
        "from etl_framework import Fact, hookimpl\n"
        "class Small(DuckDBWarehouse):\n"
        "    def capacity(self, load_bytes):\n"
        "        return (Fact(label='size', value=f'small for {load_bytes} bytes', advice='Grow.'),)\n"
        "@hookimpl\n"
        "def etl_connect(url):\n"
        "    return Small(url.replace('small:', 'duckdb:')) if url.startswith('small:') else None\n"
    )
    Path("etl.toml").write_text('plugins = ["plugin.py"]\n')
    Path("a.csv").write_text("a\n1\n")
    answer = etl("plan", "a.csv", "--target", "small:w.duckdb")
    assert answer.code == 0, answer.err
    assert "warning size: small for 4 bytes\n          Grow.\n" in answer.out
    [noted] = etl("plan", "a.csv", "--target", "small:w.duckdb", "--json").document["capacity"]
    assert noted["advice"] == "Grow."


def test_without_targets_no_staging_area_was_looked_at(etl: Callable[..., Answer]) -> None:
    Path("etl.toml").unlink(missing_ok=True)
    answer = etl("stage", "list")
    assert (answer.code, answer.out) == (0, "No targets are declared: name one with --target.\n")
