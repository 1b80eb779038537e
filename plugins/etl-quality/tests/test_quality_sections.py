"""What is said of settings that cannot be understood is said in the words of the file."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import pytest
from etl_quality.sections import asked
from etl_quality.typed import lowest, typed

from etl_framework import Column, ColumnType, Job, TableName, UsageError


def job(**sections: Any) -> Job:
    return Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:", sections=sections)


def refusal(**sections: Any) -> str:
    with pytest.raises(UsageError) as caught:
        list(asked(job(**sections)))
    return caught.value.message


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ({"dates": "complet"}, "checks.dates must be 'complete' or a table, not 'complet'"),
        ({"schema": 5}, "checks.schema must be 'strict' or a table, not 5"),
        ({"dates": 5}, "checks.dates: must be a table"),
        ({"freshness": {"severity": "error"}}, "checks.freshness.max_age: is missing"),
        ({"daily_rows": {"iqr": True}}, "checks.daily_rows.iqr: must be a number"),
        ({"schema": {"missing": "yes"}}, "checks.schema.missing: must be true or false"),
        ({"drift": {"columns": 5}}, "checks.drift.columns: must be a list"),
        ({"columns": {"a": {"allowed": "EUR"}}}, "checks.columns.a.allowed: must be a list"),
        ({"columns": {"a": {"regex": 5}}}, "checks.columns.a.regex: must be a text"),
        ({"dates": {"calendar": "no.txt"}}, "cannot be read: No such file or directory"),
    ],
)
def test_a_setting_of_another_type_is_refused_in_the_words_of_toml(checks: dict[str, Any], said: str) -> None:
    message = refusal(checks=checks)
    assert said in message
    assert message.count("no.txt") <= 1


def test_a_misspelt_key_is_named_before_the_one_that_is_missing_for_it() -> None:
    assert refusal(rules=[{"name": "a", "sqll": "b > 0"}]) == "rules.a.sqll is not a known key"


def test_the_name_of_a_rule_is_one_line() -> None:
    assert refusal(rules=[{"name": "a\nb", "sql": "b > 0"}]) == (
        "rules.1.name: must be in one line, of characters that can be seen"
    )


def test_a_single_column_needs_no_list() -> None:
    [_, duplicates] = asked(job(checks={"duplicates": {"keys": "a"}}))
    assert duplicates.settings.keys == ("a",)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("type_", "written", "meant"),
    [
        ("date", date(2024, 1, 31), date(2024, 1, 31)),
        ("timestamp", date(2024, 1, 31), datetime.fromisoformat("2024-01-31")),
        ("timestamp", datetime.fromisoformat("2024-01-31T09:30"), datetime.fromisoformat("2024-01-31T09:30")),
        ("time", time(9, 30), time(9, 30)),
    ],
)
def test_days_and_times_of_toml_are_bounds(type_: str, written: object, meant: object) -> None:
    column = Column(name="a", type=ColumnType.parse(type_))
    assert lowest(written, column, "checks.columns.a.min").value == meant
    assert typed(written, column, "checks.columns.a.allowed") == meant


@pytest.mark.parametrize(
    ("type_", "written"),
    [
        ("varchar", date(2024, 1, 31)),
        ("date", datetime.fromisoformat("2024-01-31T09:00")),
    ],
)
def test_what_is_no_value_of_the_column_is_shown_as_it_is_written(type_: str, written: object) -> None:
    with pytest.raises(UsageError, match=f"cannot be compared with {written}"):
        lowest(written, Column(name="a", type=ColumnType.parse(type_)), "checks.columns.a.min")
