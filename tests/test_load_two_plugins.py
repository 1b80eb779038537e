"""Where two plugins could take part in a load, the load waits until somebody says which one does."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_framework import PluginError, RunFailed, Workspace

RIVALS = """\
from pathlib import Path
from etl_framework import RunFailed, hookimpl

@hookimpl
def etl_compress(job):
    from etl_compression.codecs import make_codec
    return make_codec("none") if job.compress == "none" else None

@hookimpl
def etl_upload(part, run):
    with Path("uploads.txt").open("a") as file:
        file.write(part.name)
    raise RunFailed("the stage is full")
"""
JOB = '[jobs.t]\nsource = "t.csv"\ntable = "t"\ntarget = "duckdb:w.duckdb"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose own plugin rivals the built-in ones."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("id\n1\n2\n")
    Path("a_rival.py").write_text(RIVALS)
    return tmp_path


def load(settings: str, **chosen: str) -> int:
    Path("etl.toml").write_text(f'plugins = "a_rival.py"\n{JOB}{settings}')
    workspace = Workspace.open(use=chosen)
    return workspace.load(workspace.job("t", (), {})).rows_loaded


def test_a_load_that_two_plugins_could_serve_names_both_and_loads_nothing(folder: Path) -> None:
    with pytest.raises(PluginError, match=r"with 'none': plugin 'a_rival' \(.*\) and plugin 'compression' \(etl-comp"):
        load('compress = "none"')
    assert not Path("w.duckdb").exists()


@pytest.mark.parametrize("settings", ['use.compress = "compression"', 'use.compress = "a_rival"'])
def test_the_job_names_the_one_that_is_to_serve_it(folder: Path, settings: str) -> None:
    assert load(f'compress = "none"\n{settings}') == 2


def test_the_command_names_it_over_the_job(folder: Path) -> None:
    assert load('compress = "none"\nuse.compress = "nobody"', compress="compression") == 2


def test_a_stranger_uploads_nothing_unless_the_job_names_it(folder: Path) -> None:
    assert load('compress = "zstd"') == 2
    assert not Path("uploads.txt").exists()


def test_a_plugin_that_only_uploads_can_be_named_and_the_resumed_run_keeps_to_it(folder: Path) -> None:
    with pytest.raises(RunFailed, match="the stage is full"):
        load('compress = "zstd"', upload="a_rival")
    uploads = Path("uploads.txt").read_text()
    with pytest.raises(RunFailed, match="the stage is full"):
        Workspace.open().resume()
    assert Path("uploads.txt").read_text() == uploads * 2
    assert not Path("w.duckdb").exists()


def test_a_job_s_own_choice_counts_whatever_the_defaults_name(folder: Path) -> None:
    settings = (
        'compress = "zstd"\nuse = { analyze = "delimited", upload = "a_rival" }\n[defaults.use]\nanalyze = "nobody"\n'
    )
    with pytest.raises(RunFailed, match="the stage is full"):
        load(settings)
    workspace = Workspace.open()
    (analysis,) = workspace.analyze(workspace.job("t", (), {}))
    assert [column.name for column in analysis.columns] == ["id"]
    # It is asked, and fails as before: what the defaults name keeps nobody from it.
    with pytest.raises(RunFailed, match="the stage is full"):
        workspace.resume()
