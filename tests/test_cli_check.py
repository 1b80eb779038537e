"""What `etl check` says of a table that no job loads into."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_framework import load
from etl_framework.cli import run
from etl_framework.errors import ExitCode

CONFIG = """
[targets.local]
url = "duckdb:w.duckdb"
[targets.other]
url = "duckdb:other.duckdb"
[jobs.txn]
source = "txn.csv"
table = "txn"
target = "local"
[jobs.txn.checks]
duplicates = { keys = ["id"] }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current one, with a table that a job loads into another target."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "txn.csv").write_text("id\n1\n1\n")
    load("txn.csv", table="TXN", target="duckdb:other.duckdb")
    (tmp_path / "etl.toml").write_text(CONFIG)


def test_a_job_that_loads_its_namesake_elsewhere_is_hinted_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "TXN", "--target", "other"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert "no checks but whether there are rows" in out
    assert err == "hint: job txn loads a table of this name into local: give --job txn to have its checks made\n"
    assert run(["check", "TXN", "--target", "other", "--job", "txn"]) == ExitCode.REFUSED
    out, err = capsys.readouterr()
    assert "duplicates" in out
    assert "hint" not in err


@pytest.mark.parametrize("words", [["-q"], ["--log-format", "json"]])
def test_who_wants_nothing_but_answers_gets_no_hint(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run([*words, "check", "TXN", "--target", "other"]) == ExitCode.DONE
    assert "hint" not in capsys.readouterr().err


def test_a_file_that_is_taken_for_a_table_is_told_what_checks_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "txn.csv"]) == ExitCode.USAGE
    assert "It is a file: `etl validate txn.csv` checks it." in capsys.readouterr().err
    assert run(["check", "nowhere"]) == ExitCode.USAGE
    assert "Check the name, or load it first." in capsys.readouterr().err
