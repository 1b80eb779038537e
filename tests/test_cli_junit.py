"""What CI systems get to read of a command that checks, however it ends."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from etl_framework import load
from etl_framework.cli import run
from etl_framework.errors import ExitCode

CONFIG = """
[jobs.txn]
source = "txn.csv"
table = "txn"
target = "duckdb:w.duckdb"
keys = ["id"]
columns = { id = "integer", code = "varchar" }
[jobs.txn.checks.columns]
code = { references = { query = "SELECT 'a'" } }
"""
COMMANDS = [["validate", "txn"], ["check", "txn"], ["duplicates", "txn"]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, with a job that was loaded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etl.toml").write_text(CONFIG)
    (tmp_path / "txn.csv").write_text("id,code\n1,a\n2,a\n")
    load(job="txn", check="none")
    return tmp_path


def cases(path: Path) -> dict[str, list[str]]:
    """Of each test case of a report what is said of it, by name."""
    return {case.get("name", ""): [said.tag for said in case] for case in ET.parse(path).getroot()[0]}


POSITIVE = '[[jobs.txn.rules]]\nname = "positive"\nsql = "id > 0"\n'
NOT_ALL = '[[jobs.txn.rules]]\nname = "not_all"\nsql = "count(*) < 9"\n'
RULES = {"structure", "no_rows", "not_null", "length", "regex", "positive", "not_all"}


def test_each_rule_is_one_case_whether_it_is_broken_or_not(folder: Path) -> None:
    columns = '[jobs.txn.checks.columns]\nid = { not_null = true }\ncode = { length = 1, regex = "[a-c]" }\n'
    (folder / "etl.toml").write_text(CONFIG.partition("[jobs.txn.checks")[0] + columns + POSITIVE + NOT_ALL)
    for command, names in ["validate", RULES], ["check", RULES - {"structure"}]:
        assert run(["-q", str(command), "txn", "--junit", "st.xml"]) == ExitCode.DONE
        good = cases(folder / "st.xml")
        assert (set(good), any(good.values())) == (names, False)
    (folder / "txn.csv").write_text("id,code\n-1,a\n2,dd\n")
    load(job="txn", check="none", mode="replace")
    for command in "validate", "check":
        assert run(["-q", command, "txn", "--junit", "st.xml"]) == ExitCode.REFUSED
        bad = cases(folder / "st.xml")
        assert {name for name, said in bad.items() if said == ["failure"]} == {"length", "regex", "positive"}
        assert {name for name, said in bad.items() if not said} >= {"no_rows", "not_null", "not_all"}
        assert set(bad) <= RULES


@pytest.mark.parametrize(
    ("line", "rule"), [("3", "too_few_fields"), ("x,a", "wrong_type")], ids=["few fields", "no number"]
)
def test_where_rows_are_bad_the_structure_fails_beside_what_is_wrong_with_it(
    folder: Path, line: str, rule: str
) -> None:
    (folder / "txn.csv").write_text(f"id,code\n1,a\n2,a\n{line}\n")
    assert run(["-q", "validate", "txn", "--junit", "st.xml"]) == ExitCode.REFUSED
    found = cases(folder / "st.xml")
    assert {name for name, said in found.items() if said[:1] == ["failure"]} == {"structure", rule}
    assert ET.parse(folder / "st.xml").getroot()[0].get("failures") == "2"


def test_sources_that_are_not_read_since_they_differ_do_not_pass_for_sound_ones(folder: Path) -> None:
    (folder / "a.csv").write_text("id,code\n1,a\n")
    (folder / "b.csv").write_text("id,price\n1,a\n")
    assert run(["-q", "validate", "a.csv", "b.csv", "--junit", "st.xml"]) == ExitCode.REFUSED
    assert cases(folder / "st.xml") == {"structure": ["failure"], "columns_differ": ["failure"]}


def test_a_plan_tells_the_rules_that_would_be_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "etl.toml").write_text(CONFIG + POSITIVE)
    assert run(["plan", "txn", "--again"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "checks          structure, no_rows, references, positive\n" in shown
    assert "uncompressed" in shown
    assert "none" not in shown
    assert run(["plan", "txn", "--again", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["checks"] == ["no_rows", "references", "positive"]


def test_an_error_replaces_the_report_of_an_earlier_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-q", "validate", "txn", "--junit", "st.xml"]) == ExitCode.DONE
    assert not any(cases(folder / "st.xml").values())
    (folder / "etl.toml").write_text(CONFIG.replace("SELECT 'a'", "SELECT a FROM nowhere"))
    assert run(["-q", "validate", "txn", "--junit", "st.xml"]) == ExitCode.USAGE
    assert list(cases(folder / "st.xml").values()) == [["error"]]
    suite = ET.parse(folder / "st.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    told = suite[0][0].get("message") or ""
    assert "nowhere" in told
    assert told.splitlines()[0] in capsys.readouterr().err


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_broken_configuration_is_told_in_the_report(folder: Path, words: list[str]) -> None:
    (folder / "st.xml").write_text("<testsuites/>")
    (folder / "etl.toml").write_text("[jobs.txn\n")
    assert run(["-q", *words, "--junit=st.xml"]) == ExitCode.USAGE
    assert list(cases(folder / "st.xml").values()) == [["error"]]


@pytest.mark.parametrize(
    "words",
    [["validate", "no.csv"], ["check", "no", "--target", "duckdb:w.duckdb"], ["duplicates", "no", "--keys", "id"]],
    ids=lambda words: words[0],
)
def test_what_is_not_there_to_be_checked_is_told_in_the_report(folder: Path, words: list[str]) -> None:
    (folder / "st.xml").write_text("<testsuites/>")
    assert run(["-q", *words, "--junit", "st.xml"]) == ExitCode.USAGE
    assert list(cases(folder / "st.xml").values()) == [["error"]]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_report_cannot_go_to_a_folder_that_is_missing_which_is_told_first(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (folder / "etl.toml").unlink()
    assert run(["-q", *words, "--junit", "missing/st.xml"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"there is no folder {folder / 'missing'}" in said
    assert not (folder / "missing").exists()


def test_a_mistaken_option_is_told_in_the_report_too(folder: Path) -> None:
    assert run(["validate", "txn", "--junit", "st.xml", "--perid", "2024-01"]) == ExitCode.USAGE
    assert list(cases(folder / "st.xml").values()) == [["error"]]


@pytest.mark.parametrize("command", [["validate", "--junit", "txn.csv"], ["validate", "txn", "--junit=txn.csv"]])
@pytest.mark.parametrize("unknown", [[], ["--nothing"]])
def test_no_file_but_a_report_is_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str], unknown: list[str]
) -> None:
    before = (folder / "txn.csv").read_text()
    assert run([*command, *unknown]) == ExitCode.USAGE
    assert (folder / "txn.csv").read_text() == before
    shown = capsys.readouterr().err
    assert unknown or "error: txn.csv is there, and is no JUnit report\n  --junit takes the path" in shown


@pytest.mark.parametrize("there", ["", "\n", "<testsuites/>", '<?xml version="1.0"?>\n<testsuite name="other"/>'])
def test_an_empty_file_and_a_report_of_another_tool_are_replaced(folder: Path, there: str) -> None:
    (folder / "st.xml").write_text(there)
    (folder / "etl.toml").write_text(CONFIG + POSITIVE)
    assert run(["-q", "validate", "txn", "--junit", "st.xml"]) == ExitCode.DONE
    assert "positive" in cases(folder / "st.xml")
