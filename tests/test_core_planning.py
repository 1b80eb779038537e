"""A plan: what a load would do, close to what it then does, and with nothing changed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from etl_framework import RunReport, UsageError, Workspace
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
