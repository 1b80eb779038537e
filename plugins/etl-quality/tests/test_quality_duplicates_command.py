"""`etl duplicates`: what it prints, and what it looks at."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from etl_quality.duplication import DuplicatedKey, Place, duplication

from etl_framework import Workspace, load
from etl_framework.cli import etl
from etl_framework.cli.session import Session

TEXT = "a,b,note\n" + "".join(f"{number},{number % 3},x\n" for number in range(30)) + "4,1,\n4,1,\n7,1,\n,,\n,,\n"
ETL = """
[jobs.orders]
source = "t.csv"
table = "t"
keys = ["a", "b"]
columns = { a = "integer" }
[jobs.orders.checks]
duplicates = { severity = "warning", keys = ["a"] }
[[jobs.orders.rules]]
sql = "a < 0"
name = "nonsense"
"""
ETL_IN_PARTS = """
[jobs.orders]
source = "t?.csv"
table = "t"
executor = "{executor}"
part_size = 1000
columns = {{ a = "integer", b = "integer", note = "varchar", at = "timestamptz", price = "decimal(9,2)" }}
"""
BY_MONTH = """
[jobs.txn]
source = "txn_{month}.csv"
table = "trades"
target = "duckdb:w.duckdb"
mode = "replace-period"
date_column = "day"
keys = ["id"]
columns = { id = "integer", day = "date" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, with a file whose keys repeat."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TEXT)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(etl, ["-q", "duplicates", *arguments], obj=Session(), standalone_mode=False)


def test_the_keys_of_a_file_that_repeat_are_shown_with_their_lines(folder: Path) -> None:
    ended = run("t.csv", "--keys", "a,b")
    assert ended.return_value == 3
    *keys, verdict = ended.stdout.splitlines()
    assert [" ".join(line.split()) for line in keys] == [
        "3 rows a = 4, b = 1: t.csv:6,32,33",
        "2 rows a = null, b = null: t.csv:35,36",
        "2 rows a = 7, b = 1: t.csv:9,34",
    ]
    assert verdict.startswith("3 duplicated keys (a, b), 4 extra rows in 35 rows of t.csv, ")


def test_a_file_whose_keys_are_unique_passes(folder: Path) -> None:
    (folder / "t.csv").write_text("a,b\n1,2\n2,2\n")
    ended = run("t.csv", "--keys", "a")
    assert ended.return_value == 0
    assert ended.stdout.startswith("no duplicated keys (a) in 2 rows of t.csv, ")


def test_a_table_is_looked_at_where_there_is_no_file_of_that_name(folder: Path) -> None:
    load("t.csv", target="duckdb:w.duckdb")
    ended = run("t", "--keys", "a, b", "--target", "duckdb:w.duckdb", "--json")
    assert ended.return_value == 3
    told = json.loads(ended.stdout)
    assert (told["kind"], told["rows"], told["duplicated_keys"], told["extra_rows"]) == ("duplicates", 35, 3, 4)
    assert [(key["key"], key["rows"], key["places"]) for key in told["worst"]] == [
        ("a = 4, b = 1", 3, []),
        ("a = null, b = null", 2, []),
        ("a = 7, b = 1", 2, []),
    ]


def test_a_job_says_which_files_and_which_keys_and_its_other_checks_are_not_made(folder: Path) -> None:
    (folder / "etl.toml").write_text(ETL)
    found = duplication(Workspace.open(), "orders")
    assert (found.keys, found.duplicated_keys, found.passed) == (("a",), 3, False)
    assert found.worst[0] == DuplicatedKey(
        key="4", rows=3, places=tuple(Place(file=str(folder / "t.csv"), line=line) for line in (6, 32, 33))
    )
    assert set(found.checks) == {"no_rows", "duplicates"}


def test_a_table_that_a_job_loads_into_has_the_keys_of_the_job(folder: Path) -> None:
    (folder / "etl.toml").write_text(ETL.replace("[jobs.orders]", '[jobs.orders]\ntarget = "duckdb:w.duckdb"'))
    load("t.csv", target="duckdb:w.duckdb")
    assert duplication(Workspace.open(), "t").keys == ("a",)


def test_only_the_columns_of_the_key_are_read_as_what_they_are_but_the_structure_is_checked(folder: Path) -> None:
    (folder / "etl.toml").write_text(
        '[jobs.t]\nsource = "t.csv"\ntable = "t"\ncolumns = { a = "integer", b = "integer" }\n'
    )
    (folder / "t.csv").write_text("a,b\n1,no number\n1,2\n3,3,3\n")
    found = duplication(Workspace.open(), "t.csv", ["a"], job="t")
    assert {finding.rule for finding in found.findings} == {"too_many_fields", "ragged_rows", "duplicates"}
    assert found.extra_rows == 1


@pytest.fixture
def months(folder: Path) -> Path:
    """The folder, with a job that replaces periods, whose months were loaded; the second one has a key twice."""
    (folder / "etl.toml").write_text(BY_MONTH)
    for month, text in {"2025-01": "1,2025-01-01\n", "2025-02": "1,2025-02-01\n2,2025-02-02\n2,2025-02-02\n"}.items():
        (folder / f"txn_{month}.csv").write_text(f"id,day\n{text}")
        load(job="txn", period=month)
    return folder


@pytest.mark.usefixtures("months")
@pytest.mark.parametrize("where", ["txn", "trades"])
@pytest.mark.parametrize(
    ("period", "rows", "keys"),
    [
        ([], 4, ["1", "2"]),
        (["--period", "2025-01"], 1, []),
        (["--from", "2025-02-01", "--to", "2025-02-28"], 3, ["2"]),
    ],
)
def test_a_period_chooses_files_of_a_job_and_rows_of_a_table(
    where: str, period: list[str], rows: int, keys: list[str]
) -> None:
    told = json.loads(run(where, *period, "--json").stdout)
    assert (told["rows"], sorted(key["key"] for key in told["worst"])) == (rows, keys)


@pytest.mark.usefixtures("months")
def test_rows_of_a_period_can_be_told_by_another_column() -> None:
    wrong = run("trades", "--period", "2025-01", "--date-column", "id")
    assert "id" in str(wrong.exception)
    bare = run("trades", "--keys", "id", "--target", "duckdb:w.duckdb", "--period", "2025-01", "--date-column", "day")
    assert bare.return_value == 0


@pytest.mark.usefixtures("months")
def test_a_period_is_refused_where_it_would_choose_nothing() -> None:
    ended = run("txn_2025-02.csv", "--keys", "id", "--period", "2025-01")
    assert "txn_2025-02.csv is one file" in str(ended.exception)
    assert run("txn_2025-02.csv", "--job", "txn").return_value == 3


def test_findings_are_written_for_ci_systems(folder: Path) -> None:
    run("t.csv", "--keys", "a", "--junit", "found.xml")
    [suite] = ET.parse(folder / "found.xml").getroot()
    assert (suite.get("name"), suite.get("failures")) == ("duplicates in t.csv", "1")


def test_no_rows_are_not_good_enough(folder: Path) -> None:
    (folder / "t.csv").write_text("a,b\n")
    ended = run("t.csv", "--keys", "a")
    assert ended.return_value == 3
    assert ended.stdout.startswith("error: no_rows: ")
    assert ended.stdout.count("no_rows") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv"], "nobody says which columns identify a row"),
        (["t.csv", "--keys", "aa"], "no column 'aa'"),
        (["t.csv", "--keys", "a,a"], "--keys a,a: names a column twice"),
        (["t", "--keys", "a,nota", "--target", "duckdb:w.duckdb"], "--keys a,nota: there is no column 'nota'"),
        (["t", "--keys", "a,nota", "--target", "duckdb:w.duckdb"], "Did you mean 'note'?"),
        (["t", "--keys", "NOTES", "--target", "duckdb:w.duckdb"], "Did you mean 'note'?"),
        (["nowhere", "--keys", "a"], "'nowhere' is neither a file, nor a job, nor a table in duckdb:"),
        (["t.cvs", "--keys", "a"], "'t.cvs' is neither a file, nor a job, nor a table in duckdb:"),
        (["./t.cvs", "--keys", "a"], "Similar names there: t.csv"),
        (["t.csv", "--keys", ","], "',' names no column"),
    ],
)
def test_what_cannot_be_answered_says_why(folder: Path, arguments: list[str], message: str) -> None:
    load("t.csv", target="duckdb:w.duckdb")
    ended = run(*arguments)
    assert message in str(ended.exception)


@pytest.mark.parametrize("keys", ["a", "b,note", "at,price,note"])
def test_processes_give_exactly_what_threads_give(folder: Path, keys: str) -> None:
    generator = random.Random(7)
    rows: list[tuple[str, ...]] = []
    for number in range(2):
        some = [
            (
                generator.choice(["", *map(str, range(150))]),
                str(generator.randrange(3)),
                generator.choice(['"two\nlines"', "é", "", "x"]),
                f"2024-01-01T00:00:{generator.randrange(60):02}Z",
                f"{generator.randrange(9)}.50",
            )
            for _ in range(200)
        ]
        text = "\n".join(",".join(row) for row in [("a", "b", "note", "at", "price"), *some])
        (folder / f"t{number}.csv").write_text(f"{text}\na,row,that is bad\n")
        rows += some
    answers = []
    for executor in ("threads:2", "processes:2"):
        (folder / "etl.toml").write_text(ETL_IN_PARTS.format(executor=executor))
        ended = run("orders", "--keys", keys, "--json")
        answers.append({**json.loads(ended.stdout), "seconds": 0, "exit": ended.return_value})
    assert answers[1] == answers[0]
    columns = ["a", "b", "note", "at", "price"]
    counts = Counter(tuple(row[columns.index(key)] for key in keys.split(",")) for row in rows)
    assert answers[0]["extra_rows"] == sum(counts.values()) - len(counts)
    assert answers[0]["duplicated_keys"] == sum(count > 1 for count in counts.values())
