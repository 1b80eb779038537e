"""Profiling reads every source once, begins anew where types turn out to be wrong, and names who breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from etl_framework import HookFailed, InputError, PluginError, Workspace, profile, validate
from etl_framework.cli.group import etl

COUNTING = """
from etl_framework import Profile, Score, hookimpl


class Rows:
    def __init__(self):
        self.rows = self.bad = 0

    def update(self, block):
        self.rows += block.batch.num_rows
        self.bad += len(block.bad_rows)

    def merge(self, other):
        self.rows += other.rows
        self.bad += other.bad

    def finish(self):
        return Profile(rows=self.rows, bad_rows=self.bad, sampled=0, columns=(), score=Score())


@hookimpl
def etl_profile(job, analysis):
    return Rows()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, and a plugin in a file that profiles by counting rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counting.py").write_text(COUNTING)
    (tmp_path / "t.csv").write_text("a,b\n" + "1,x\n" * 40)
    configure("counting")
    return tmp_path


def configure(answers: str | None) -> None:
    use = f'use = {{ profile = "{answers}" }}\n' if answers else ""
    Path("etl.toml").write_text(
        f'plugins = ["counting.py"]\n[jobs.t]\nsource = "t.csv"\ntable = "t"\ncolumns = {{ a = "integer" }}\n{use}'
    )


def counted(**options: Any) -> tuple[int, int]:
    found = profile(job="t", **options).profile
    assert found is not None
    return found.rows, found.bad_rows


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
def test_every_row_is_seen_once_on_threads_and_processes(folder: Path, executor: str) -> None:
    assert counted(executor=executor, part_size=20) == (40, 0)


def test_bad_rows_are_counted_and_forbid_nothing(folder: Path) -> None:
    (folder / "t.csv").write_text("a,b\n1,x\nmany,y\n")
    assert counted() == (1, 1)


def test_types_that_turn_out_to_be_wrong_begin_it_anew(folder: Path) -> None:
    # Beyond what is looked at beforehand.
    usual = f"1,1,{'z' * 500}\n"
    (folder / "t.csv").write_text("a,b,c\n" + usual * 9_000 + "1,x,\n" + usual * 25_000)
    told: list[str] = []
    workspace = Workspace.open(use={"profile": "counting"})
    job = workspace.job(None, ["t.csv"], {})
    found = workspace.profile(job, observers=(lambda event: told.append(event.name),))
    assert "survey_changed" in told
    assert found.profile is not None
    assert found.profile.rows == 34_001
    assert [str(column.type) for column in found.columns] == ["bigint", "varchar", "varchar"]


def test_two_plugins_that_profile_are_an_error_until_one_is_named(folder: Path) -> None:
    pytest.importorskip("etl_quality")
    configure(None)
    with pytest.raises(PluginError, match=r"more than one plugin profiles .*t.csv") as caught:
        profile(job="t")
    assert "use = { profile" in caught.value.advice
    configure("quality")
    found = profile(job="t").profile
    assert found is not None
    assert [column.name for column in found.columns] == ["a", "b"]


@pytest.mark.parametrize("method", ["update", "merge", "finish"])
def test_a_profiler_that_breaks_is_named(folder: Path, method: str) -> None:
    broken = COUNTING.replace(f"def {method}(self", f"def {method}(self, *_):\n        1 / 0\n\n    def unused(self", 1)
    (folder / "counting.py").write_text(broken)
    with pytest.raises(HookFailed, match=r"counting.*etl_profile.*ZeroDivisionError"):
        profile(job="t")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("None", r"finish\(\) gave NoneType instead of Profile"),
        ("{'rows': self.rows}", r"finish\(\) gave dict instead of Profile"),
        (
            "Profile(rows=1, bad_rows=0, sampled=0, columns=('a',), score=Score())",
            r"finish\(\) gave a column that is str instead of ColumnProfile",
        ),
    ],
)
def test_a_profiler_that_gives_no_profile_is_named(folder: Path, answer: str, words: str) -> None:
    before, found, _ = COUNTING.partition("        return Profile(")
    (folder / "counting.py").write_text(
        f"{before}        return {answer}\n\n\n@hookimpl\ndef etl_profile(job, analysis):\n    return Rows()\n"
    )
    assert found
    with pytest.raises(HookFailed, match=rf"plugin 'counting' .*failed in etl_profile: TypeError: {words}"):
        profile(job="t")


def test_sources_that_do_not_belong_together_are_not_read(folder: Path) -> None:
    (folder / "u.csv").write_text("other\n1\n")
    workspace = Workspace.open(use={"profile": "counting"})
    profiling = workspace.profile(workspace.job(None, ["t.csv", "u.csv"], {}))
    assert profiling.profile is None
    assert [finding.rule for finding in profiling.findings] == ["columns_differ"]
    done = CliRunner().invoke(etl, ["--use", "profile=counting", "analyze", "--profile", "t.csv", "u.csv"])
    assert "other columns" in done.output


def test_a_source_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "t.csv").write_bytes(b"a,b\n" + b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(InputError):
        profile(job="t", columns={"a": "integer", "b": "varchar"})


CLUSTER = """
from pathlib import Path
from etl_framework import hookimpl

class Cluster:
    workers = 1
    def run(self, task, items, emit): return (task(item, emit) for item in items)
    def stop(self): pass
    def close(self): Path("closed").touch()

@hookimpl
def etl_executor(url):
    return Cluster() if url == "cluster:" else None
"""


def test_an_executor_is_let_go_where_a_source_cannot_even_be_looked_at(folder: Path) -> None:
    (folder / "cluster.py").write_text(CLUSTER)
    configure("counting")
    text = (folder / "etl.toml").read_text()
    (folder / "etl.toml").write_text(text.replace('["counting.py"]', '["counting.py", "cluster.py"]'))
    (folder / "t.csv.gz").write_bytes(b"\x1f\x8bcut short")
    for read in (profile, validate):
        with pytest.raises(InputError):
            read(job="t", source="t.csv.gz", executor="cluster:")
        (folder / "closed").unlink()
