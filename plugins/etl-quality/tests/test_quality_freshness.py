"""The newest value is not too old: in files, in DuckDB and in Snowflake, at a time that the tests set."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import sqlglot
from etl_quality import freshness

from etl_framework import Column, ColumnType, Job, QueryResult, Rows, Severity, Statement, TableName, UsageError
from etl_framework.testing import TableCheckContract, ValidatorContract

BY_DATE = {"date_column": "d"}
JOB = Job(name="j", patterns=(), table=TableName(("t",)), target="duckdb:", date_column="d")


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time."""

    def set_time(text: str) -> None:
        monkeypatch.setattr(freshness, "now", lambda: datetime.fromisoformat(text).replace(tzinfo=UTC))

    set_time("2024-02-01 00:00:00")
    return set_time


@pytest.fixture
def told(both_sides: Any) -> Any:
    """The messages about some values, which every side must agree on."""

    def ask(type_: str, *values: str, check: object = "2 days") -> list[str]:
        text = "d,n\n" + "".join(f"{value},1\n" for value in values)
        found = both_sides(text, {"d": type_, "n": "integer"}, checks={"freshness": check}, settings=BY_DATE)
        return [finding.message for finding in found.agree()]

    return ask


def test_a_date_is_as_new_as_its_last_moment(at, told):
    at("2024-02-01 23:59:59")
    assert told("date", "2024-01-30", "2023-01-01") == []
    at("2024-02-02 12:00:00")
    assert told("date", "2024-01-30", "2023-01-01") == [
        "the newest value of column 'd' is 2024-01-30, 2.5 days old, which is more than 2 days"
    ]


def test_a_moment_is_told_to_the_second(at, told):
    at("2024-01-03 12:00:00")
    assert told("timestamp", "2024-01-01 12:00:00", "") == []
    at("2024-01-03 12:30:00")
    assert told("timestamp", "2024-01-01 12:00:00.999999", check="36 hours") == [
        "the newest value of column 'd' is 2024-01-01 12:00:00, 2 days old, which is more than 36 hours"
    ]


def test_moments_with_time_zones_are_compared_in_utc(at, told):
    at("2024-01-01 12:00:00")
    assert told("timestamptz", "2024-01-01 11:00:00+05:00", check="7 hours") == []
    assert told("timestamptz", "2024-01-01 11:00:00+05:00", check="300 minutes") == [
        "the newest value of column 'd' is 2024-01-01 06:00:00, 6 hours old, which is more than 5 hours"
    ]


def test_a_value_in_the_future_hides_how_old_the_others_are(at, told):
    at("2024-01-01 12:00:00")
    assert told("date", "2024-01-02") == []
    [said] = told("date", "2020-01-01", "9999-12-31")
    assert said == (
        "the newest value of column 'd' is 9999-12-31, 2,913,172.5 days in the future: "
        "how old the data are cannot be told"
    )


def test_a_column_without_values_is_never_fresh(at, told):
    at("2024-01-01 12:00:00")
    assert told("date", "") == ["no row has a value in column 'd': how old the data are cannot be told"]


def test_the_severity_and_the_column_can_be_told(at, findings_of_file):
    at("2024-01-10 00:00:00")
    check = {"max_age": "1 week", "column": "seen", "severity": "warning"}
    text = "d,seen\n2024-01-09,2024-01-01 00:00:00\n"
    [finding] = findings_of_file(text, {"d": "date", "seen": "timestamp"}, checks={"freshness": check})
    assert (finding.rule, finding.severity, finding.count) == ("freshness", Severity.WARNING, 1)
    assert finding.samples[0].value == "2024-01-01 00:00:00"


@pytest.mark.parametrize("place", [0, 5, 9])
def test_the_newest_value_is_found_in_whichever_part_it_is(at, findings_of_file, place):
    at("2024-01-10 12:00:00")
    values = ["2024-01-01"] * 9
    old = "d\n" + "".join(f"{value}\n" for value in values)
    new = "d\n" + "".join(f"{value}\n" for value in [*values[:place], "2024-01-10", *values[place:]])
    check = {"checks": {"freshness": "1 day"}, "settings": BY_DATE, "part_bytes": 20}
    assert findings_of_file(new, {"d": "date"}, **check) == ()
    assert [finding.count for finding in findings_of_file(old, {"d": "date"}, **check)] == [1]


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("two days", r"checks\.freshness\.max_age: 'two days' is no age: write \"2 days\""),
        ({"max_age": 3}, "3 is no age"),
        ({}, r"checks\.freshness\.max_age"),
        (True, r"checks\.freshness"),
        ({"max_age": "1 day", "colum": "d"}, r"checks\.freshness\.colum is not a known key"),
    ],
)
def test_wrong_settings_are_refused_and_named(said, match):
    with pytest.raises(UsageError, match=match):
        freshness.read(said, JOB)


CONTRACT_JOB = JOB
CONTRACT_COLUMNS = (Column(name="d", type=ColumnType.parse("timestamp")),)
CONTRACT_ROWS = {"d": [datetime(2024, 1, day, hour) for day in (3, 1, 9, 7) for hour in (4, 2)] + [None]}  # noqa: DTZ001
CONTRACT_FOUND = {"freshness": 1}


class TestTheContractOfFiles(ValidatorContract):
    """Any split in any order finds the same."""

    rows: ClassVar[Any] = CONTRACT_ROWS
    expected: ClassVar[Any] = CONTRACT_FOUND

    def validator(self) -> Any:
        analysis = SimpleNamespace(columns=CONTRACT_COLUMNS)
        return freshness.read("2 days", CONTRACT_JOB).validators(CONTRACT_JOB, analysis)


class TestTheContractOfTables(TableCheckContract):
    """A table of the same rows gives the same findings."""

    rows: ClassVar[Any] = CONTRACT_ROWS
    expected: ClassVar[Any] = CONTRACT_FOUND

    def check(self) -> Any:
        return freshness.read("2 days", CONTRACT_JOB).table_checks(CONTRACT_JOB, CONTRACT_COLUMNS)

    def twin(self) -> Any:
        analysis = SimpleNamespace(columns=CONTRACT_COLUMNS)
        return freshness.read("2 days", CONTRACT_JOB).validators(CONTRACT_JOB, analysis)


@pytest.mark.parametrize("type_", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("dialect", ["duckdb", "snowflake"])
def test_the_query_is_understood_by_every_warehouse(type_, dialect):
    columns = (Column(name="d", type=ColumnType.parse(type_)),)
    sent = []

    def answer(statement: Statement, limit: int) -> QueryResult:
        sent.append(statement.sql)
        return QueryResult(columns=("seconds", "rows"), rows=((0, 1),))

    rows = Rows(definition=Statement("SELECT 1"), columns=columns, dialect=dialect, ask=answer)
    [check] = freshness.read("2 days", JOB).table_checks(JOB, columns)
    [finding] = check.run(rows)
    assert "1970-01-01" in finding.message
    assert sqlglot.parse(sent[-1], read=dialect)
