"""A plan: what a load would do, close to what it then does, and with nothing changed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from etl_duckdb.warehouse import DuckDBWarehouse

from etl_framework import HookFailed, RunReport, UsageError, Workspace
from etl_framework.planning import LoadPlan

ROWS = 40_000
OPTIONS = {"table": "sales", "target": "duckdb:w.duckdb", "jobs": 2, "part_size": "200KiB"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of sales, and a place of their own for temporary files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    lines = (f"{number},{number % 97}.25,some text {number % 13}\n" for number in range(ROWS))
    (tmp_path / "sales.csv").write_text("id,price,note\n" + "".join(lines))
    return tmp_path


def plan(*files: str, **options: object) -> LoadPlan:
    workspace = Workspace.open()
    return workspace.plan(workspace.job(None, files or ["sales.csv"], {**OPTIONS, **options}))


def load(**options: object) -> RunReport:
    workspace = Workspace.open()
    return workspace.load(workspace.job(None, ["sales.csv"], {**OPTIONS, **options}))


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file, and every folder, with what it holds and when that was written."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.name != "temporary"
    }


@pytest.mark.parametrize("compress", ["none", "zstd"])
def test_the_load_then_is_what_the_plan_said(folder: Path, compress: str) -> None:
    planned = plan(compress=compress)
    report = load(compress=compress)
    assert (planned.table, planned.target, planned.mode) == (report.table, report.target, report.mode)
    assert (planned.codec, planned.workers, planned.table_exists) == (compress, 2, False)
    assert planned.sources == report.sources
    assert planned.columns == report.columns
    assert (planned.bytes, len(planned.parts)) == (report.bytes_read, report.parts)
    assert len(planned.parts) > 2
    assert planned.rows == pytest.approx(report.rows_read, rel=0.1)
    assert planned.staged_bytes == pytest.approx(report.bytes_staged, rel=0.25)
    assert planned.seconds is not None
    assert planned.seconds > 0
    assert planned.objections == ()


def test_a_file_without_rows_would_stage_nothing(folder: Path) -> None:
    (folder / "none.csv").write_text("id,price\n")
    planned = plan("none.csv")
    assert (planned.rows, planned.staged_bytes, len(planned.parts)) == (0, 0, 1)
    assert planned.bytes == len("id,price\n")
    assert planned.objections == ("the sources hold no rows",)


@pytest.mark.parametrize("loaded", [False, True])
def test_a_plan_changes_nothing_on_disk(folder: Path, loaded: bool) -> None:
    if loaded:
        load()
    before = content(folder)
    assert plan().table_exists is loaded
    assert plan(mode="replace").objections == ()
    assert content(folder) == before
    assert list((folder / "temporary").iterdir()) == []


def test_a_plan_of_what_cannot_be_read_changes_nothing_on_disk(folder: Path) -> None:
    (folder / "bad.csv").write_text("id,price\n1,2\n3\n4,5\n")
    before = content(folder)
    plan("bad.csv")
    with pytest.raises(UsageError, match="missing"):
        plan("missing.csv")
    assert content(folder) == before
    assert list((folder / "temporary").iterdir()) == []


WRONG = {
    "dates": ('columns = { id = "bigint", day = "date" }\n', '[jobs.s.checks]\ndates = { every = "hour" }', "every"),
    "rule": ("", '[[jobs.s.rules]]\nname = "positive"\nsql = "prise > 0"', "prise"),
    "column": ("", "[jobs.s.checks.columns]\nprise = { range = { min = 0 } }", "prise"),
}


@pytest.mark.parametrize("check", ["file", "warehouse", "both"])
@pytest.mark.parametrize(("columns", "wrong", "named"), WRONG.values(), ids=WRONG)
def test_a_check_that_the_load_cannot_understand_is_told_by_the_plan_and_before_data_is_read(
    folder: Path, columns: str, wrong: str, named: str, check: str
) -> None:
    (folder / "s.csv").write_text("id,day\n1,2024-01-31\n")
    (folder / "etl.toml").write_text(
        f'[jobs.s]\nsource = "s.csv"\ntable = "s"\ntarget = "duckdb:w.duckdb"\ndate_column = "day"\n{columns}{wrong}\n'
    )
    workspace = Workspace.open()
    job = workspace.job("s", (), {"check": check})
    with pytest.raises(UsageError, match=named) as planned:
        workspace.plan(job)
    assert str(planned.value).startswith("etl.toml:")
    assert not (folder / "w.duckdb").exists()
    assert workspace.plan(workspace.job("s", (), {"check": "none"})).objections == ()


def test_what_forbids_the_load_already_is_an_objection_before_checks_are_asked_about_columns(folder: Path) -> None:
    (folder / "a.csv").write_text("id,price\n1,2\n")
    (folder / "b.csv").write_text("id,cost\n1,2\n")
    (folder / "etl.toml").write_text(
        '[[jobs.s.rules]]\nname = "positive"\nsql = "prise > 0"\n[jobs.s]\nsource = "?.csv"\n'
    )
    workspace = Workspace.open()
    planned = workspace.plan(workspace.job("s", (), OPTIONS))
    assert any("other columns" in objection for objection in planned.objections)


@pytest.mark.parametrize("check", ["warehouse", "both"])
def test_a_check_in_a_warehouse_that_understands_no_sql_is_refused_by_plan_and_load(
    folder: Path, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    monkeypatch.setattr(DuckDBWarehouse, "dialect", "")
    for act in (plan, load):
        with pytest.raises(UsageError, match="understands no SQL"):
            act(check=check)


BROKEN = """
from etl_framework import Analysis, Column, ColumnType, Kind, hookimpl

class Broken:
    name = "broken"
    def split_exactly(self, source, part_bytes): return [(0, source.size)]
    def text_layout(self): return None
    def count_rows(self, source): return 1
    def split(self, source, part_bytes): return [(0, source.size)]
    def read(self, source, part, columns, block_bytes):
        raise ValueError("boom")
        yield

@hookimpl
def etl_analyze(source):
    return Analysis(source=source, format=Broken(), columns=(Column(name="id", type=ColumnType(kind=Kind.BIGINT)),),
                    rows=1, rows_exact=False, facts=(), findings=())
"""


def test_a_format_that_cannot_read_is_named_with_its_plugin(folder: Path) -> None:
    (folder / "aaa_team.py").write_text(BROKEN)
    (folder / "etl.toml").write_text('plugins = ["aaa_team.py"]\n[defaults]\nuse = { analyze = "aaa_team" }\n')
    with pytest.raises(HookFailed, match=r"aaa_team.*boom"):
        plan()
    assert not list((folder / "temporary").iterdir())
