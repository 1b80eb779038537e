"""What Acme adds, tried with the kit: on rows that stand here, and in whole loads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import acme_checks
import pytest
from acme_checks.command import currencies
from acme_checks.settlements import checks
from click.testing import CliRunner

from etl_framework import UsageError
from etl_framework.testing import (
    CommandsContract,
    ReporterContract,
    SettingsContract,
    ValidatorContract,
    check_rows,
    literal_job,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import ModuleType

    from etl_framework import Validator
    from etl_framework.testing import EtlRun

GOOD = {"isin": ["A", "B", "A"], "currency": ["EUR", "USD", "EUR"], "debit": [5, 0, 0], "credit": [0, 2, 3]}


class TestSettlements(ValidatorContract):
    rows = {"isin": ["A", "B", "A"], "currency": ["EUR", "XXX", "USD"], "debit": [5, 0, 0], "credit": [0, 2, 1]}
    expected = {"settled_currency": 1, "balanced": 1, "one_currency": 1}

    def validator(self) -> Iterable[Validator]:
        return checks({})


class TestNotices(ReporterContract):
    @pytest.fixture(autouse=True)
    def notices(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_NOTICES", str(tmp_path / "notices.jsonl"))

    def plugin(self) -> ModuleType:
        return acme_checks


class TestSettings(SettingsContract):
    def plugin(self) -> ModuleType:
        return acme_checks


class TestCommand(CommandsContract):
    def plugin(self) -> ModuleType:
        return acme_checks


def test_good_settlements_pass() -> None:
    assert check_rows(acme_checks, GOOD) == ()


def test_a_currency_is_found_where_it_stands() -> None:
    [finding] = check_rows(acme_checks, {**GOOD, "currency": ["EUR", "XXX", "EUR"]})
    [sample] = finding.samples
    assert (finding.rule, sample.line, sample.value) == ("settled_currency", 3, "XXX")


def test_a_job_says_which_currencies_are_settled() -> None:
    job = literal_job(sections={"settlements": {"currencies": ["USD"]}})
    [finding] = check_rows(acme_checks, GOOD, job=job)
    assert (finding.rule, finding.count) == ("settled_currency", 2)


@pytest.mark.parametrize("wrong", ["EUR", [1]])
def test_currencies_that_are_no_list_are_refused_with_the_key(wrong: object) -> None:
    with pytest.raises(UsageError, match="is no list of currencies") as caught:
        list(checks({"currencies": wrong}))
    assert caught.value.key == "settlements.currencies"


def test_other_files_are_left_alone() -> None:
    assert check_rows(acme_checks, {"price": [1, 2]}) == ()


def test_a_refused_load_leaves_a_notice(etl_run: EtlRun, monkeypatch: pytest.MonkeyPatch) -> None:
    notices = etl_run.folder / "notices.jsonl"
    monkeypatch.setenv("ACME_NOTICES", str(notices))
    outcome = etl_run({**GOOD, "credit": [0, 2, 2]})
    assert outcome.rows() == []
    [notice] = map(json.loads, notices.read_text().splitlines())
    assert (notice["status"], notice["rows"], notice["failed"]) == ("refused", 0, ["balanced"])


def test_currencies_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    file.write_text("isin,currency\nA,EUR\nB,USD\nC,EUR\n")
    shown = CliRunner().invoke(currencies, [str(file)])
    assert [line.split() for line in shown.output.splitlines()] == [["EUR", "2"], ["USD", "1"]]
    wrong = CliRunner().invoke(currencies, [str(file), "--column", "ccy"])
    assert isinstance(wrong.exception, UsageError)
