"""Expectation suites judge every row, wherever it lies, and say plainly what they cannot be asked."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import etl_great_expectations
import pytest
from etl_great_expectations.checks import checks_of
from great_expectations import expectations as gxe

from etl_framework import Column, ColumnType, Finding, Plugins, Severity, UsageError, Validator, Workspace
from etl_framework.testing import ValidatorContract, check_rows, literal_job

ROWS = {
    "id": [1, None, 0, 9007199254740993],
    "currency": ["EUR", "XXX", None, "USD"],
    "sold": [date(2024, 1, 1), date(2024, 1, 2), date(2023, 12, 31), None],
    "price": [Decimal("1.00"), Decimal("0.10"), Decimal("2.00"), Decimal("-1.00")],
}
TYPES = {"id": "bigint", "currency": "varchar", "sold": "date", "price": "decimal(18,2)"}


def expectation(kind: str, severity: str = "critical", **arguments: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": arguments, "severity": severity}


def found(
    folder: Path, *expectations: dict[str, Any], rows: Any = None, types: Any = None, **section: Any
) -> tuple[Finding, ...]:
    (folder / "suite.json").write_text(json.dumps({"name": "sales", "expectations": expectations}))
    job = literal_job(sections={"great_expectations": section or {"suite": "suite.json"}}, folder=folder)
    return check_rows(etl_great_expectations, rows or ROWS, types=types or (TYPES if rows is None else {}), job=job)


class TestSuite(ValidatorContract):
    # Asking the library takes its time: one expectation, and as many rows as the contract asks for, once.
    rows = {"id": [1, None, 0, 9007199254740993, -1] * 9}
    types = {"id": "bigint"}
    expected = {"expect_column_values_to_be_between": 18}

    def validator(self) -> Iterable[Validator]:
        expectations = [gxe.ExpectColumnValuesToBeBetween(column="id", min_value=1, mostly=0.9)]
        return checks_of(expectations, [Column(name="id", type=ColumnType.parse("bigint"))])


def test_each_bad_row_is_found_on_its_line(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        expectation("column_values_to_be_between", column="sold", min_value="2024-01-01"),
        expectation("column_values_to_be_in_set", "warning", column="currency", value_set=["EUR", "USD"]),
        expectation("column_values_to_not_be_null", "info", column="id"),
        expectation("column_values_to_match_regex", column="currency", regex="^[A-Z]+$"),
    )
    places = {
        finding.rule: [(sample.line, sample.column, sample.value) for sample in finding.samples] for finding in findings
    }
    assert places == {
        "expect_column_values_to_be_between": [(4, "sold", "2023-12-31")],
        "expect_column_values_to_be_in_set": [(3, "currency", "XXX")],
        "expect_column_values_to_not_be_null": [(3, "id", None)],
    }
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARNING, Severity.INFO]
    assert findings[0].message.startswith("1 of 3 rows are not as expected: expect_column_values_to_be_between(")


def test_columns_are_compared_with_each_other(tmp_path: Path) -> None:
    asked = {"column_A": "id", "column_B": "price", "or_equal": True, "ignore_row_if": "either_value_is_missing"}
    [finding] = found(tmp_path, expectation("column_pair_values_a_to_be_greater_than_b", **asked))
    assert [sample.line for sample in finding.samples] == [4]


def test_integers_with_nulls_keep_every_digit(tmp_path: Path) -> None:
    rows = {"id": [9007199254740992, None, 9007199254740993]}
    unwanted = expectation("column_values_to_not_be_in_set", column="id", value_set=[9007199254740993])
    [finding] = found(tmp_path, unwanted, rows=rows)
    assert [(sample.line, sample.value) for sample in finding.samples] == [(4, "9007199254740993")]


@pytest.mark.parametrize(("mostly", "findings"), [(0.6, 0), (0.7, 1)])
def test_mostly_is_reckoned_of_all_rows_that_have_a_value(tmp_path: Path, mostly: float, findings: int) -> None:
    # Four of six values are large enough, but only one of two in the first part and in the second.
    asked = expectation("column_values_to_be_between", column="n", min_value=5, mostly=mostly)
    assert len(found(tmp_path, asked, rows={"n": [1, None, 9, 1, None, 9, 9, 9]})) == findings


@pytest.mark.parametrize("good", range(1, 11))
def test_as_many_as_mostly_says_are_enough(tmp_path: Path, good: int) -> None:
    rows = {"n": [9] * good + [1] * (10 - good)}
    for mostly, findings in (good / 10, 0), (good / 10 + 0.01, 1):
        if mostly <= 1:
            asked = expectation("column_values_to_be_between", column="n", min_value=5, mostly=mostly)
            assert len(found(tmp_path, asked, rows=rows)) == findings, mostly


def test_a_column_that_is_not_there_is_told_even_without_rows(tmp_path: Path) -> None:
    asked = expectation("column_values_to_not_be_null", column="isin")
    with pytest.raises(UsageError, match='"isin" in BatchData does not exist') as refused:
        found(tmp_path, asked, rows={"n": []}, types={"n": "bigint"})
    assert refused.value.key == "great_expectations.suite"


@pytest.mark.parametrize(
    "kind",
    ["column_values_to_be_unique", "column_values_to_be_increasing", "column_sum_to_be_between", "column_to_exist"],
)
def test_what_needs_more_than_a_row_is_refused(tmp_path: Path, kind: str) -> None:
    more = {"min_value": 1} if "between" in kind else {}
    with pytest.raises(UsageError, match=kind) as refused:
        found(tmp_path, expectation(kind, column="id", **more))
    assert refused.value.key == "great_expectations.suite"


@pytest.mark.parametrize("section", [{"suites": "x"}, {"suite": 7}, {"suite": "no.json"}])
def test_wrong_settings_are_named(tmp_path: Path, section: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        found(tmp_path, **section)
    assert refused.value.key == f"great_expectations.{next(iter(section))}"


def test_a_suite_that_expects_nothing_or_the_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expects nothing"):
        found(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        found(tmp_path, expectation("column_values_to_be_betwee", column="id"))


def test_values_that_cannot_be_compared_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be judged"):
        found(tmp_path, expectation("column_values_to_be_between", column="currency", min_value=5))


def test_a_file_is_checked_in_all_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    suite = [expectation("column_values_to_be_between", column="price", min_value=0)]
    (tmp_path / "suite.json").write_text(json.dumps({"name": "sales", "expectations": suite}))
    rows = [f"{number},{-1 if number in (1, 777, 3000) else 1}.5\n" for number in range(1, 3001)]
    (tmp_path / "sales.csv").write_text("".join(["id,price\n", *rows]))
    (tmp_path / "etl.toml").write_text(
        '[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "duckdb:w.duckdb"\npart_size = "8 KiB"\n'
        'required_plugins = ["great_expectations"]\n[jobs.sales.great_expectations]\nsuite = "suite.json"\n'
    )
    workspace = Workspace.open(tmp_path / "etl.toml")
    [finding] = workspace.validate(workspace.job("sales", (), {})).findings
    assert [sample.line for sample in finding.samples] == [2, 778, 3001]


def test_the_library_is_asked_in_memory_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def connect(*_: object) -> None:
        raise AssertionError("somebody uses the network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    found(tmp_path, expectation("column_values_to_not_be_null", column="id"))
    assert [path.name for path in tmp_path.rglob("*")] == ["suite.json"]


def test_nothing_is_checked_unless_the_job_asks() -> None:
    plugins = Plugins()
    plugins.register(etl_great_expectations, name="great_expectations")
    assert check_rows(plugins, {"id": [1]}) == ()


def test_what_the_documentation_shows_finds_what_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[3].joinpath("docs", "adapters.md").read_text(encoding="utf-8")
    [section] = re.findall(r"^## Great Expectations\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    written = dict(re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etl.toml").write_text(written["toml"])
    (tmp_path / "suite.json").write_text(written["json"])
    (tmp_path / "sales.csv").write_text("id,currency,price\n1,EUR,1.5\n2,XXX,2.5\n3,USD,-1.5\n")
    workspace = Workspace.open(tmp_path / "etl.toml")
    findings = workspace.validate(workspace.job("sales", (), {})).findings
    assert [(found.severity, found.samples[0].line) for found in findings] == [
        (Severity.ERROR, 4),
        (Severity.WARNING, 3),
    ]
