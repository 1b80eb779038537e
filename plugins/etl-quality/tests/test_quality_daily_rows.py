"""No day has far fewer or far more rows than the others: in files, in DuckDB and in Snowflake."""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from etl_quality import daily_rows
from etl_quality.day_figures import DayColumn, DayFigures
from etl_quality.distribution import Distribution
from etl_quality.steps import Every, Steps
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import Check, Column, ColumnType, Job, Period, Severity, TableName, UsageError
from etl_framework.testing import TableCheckContract, ValidatorContract

DATED = {"d": "date", "n": "integer"}
BY_DATE = {"date_column": "d"}
JOB = Job(name="j", patterns=(), table=TableName(("t",)), target="duckdb:", date_column="d")
EPOCH = date(1970, 1, 1)
MONDAY = date(2024, 1, 1)


def file_of(counts: dict[str, int]) -> str:
    return "d,n\n" + "".join(f"{day},{row}\n" for day, rows in counts.items() for row in range(rows))


def daily(*rows: int, first: date = MONDAY) -> dict[str, int]:
    return {str(first + timedelta(days=at)): number for at, number in enumerate(rows)}


def question(said: Any, job: Job) -> daily_rows.Question:
    """What the check asks of the column `d`."""
    column = Column(name="d", type=ColumnType.parse("date"))
    return daily_rows.read(said, job).question(DayColumn(name="d", at=0, column=column), job)


def judged(counts: dict[str, int], period: str | None = None, **said: Any) -> list[Any]:
    """The findings about so many rows per day."""
    asked = question(said or True, replace(JOB, period=period and Period.parse(period)))
    days = [(date.fromisoformat(day) - EPOCH).days for day, rows in counts.items() if rows]
    rows = [rows for rows in counts.values() if rows]
    figures = DayFigures(days=np.array(days, np.int64), rows=np.array(rows, np.int64), undated=0)
    return list(daily_rows.findings(asked, figures))


def test_days_of_much_the_same_size_are_normal():
    assert judged(daily(100, 104, 98, 101, 99, 103, 97, 100)) == []


@pytest.mark.parametrize("place", [0, 4, 8])
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (8, "severely low, below 10 % of the mean"),
        (40, "low, below 50 % of the mean"),
        (90, "outlier low, below Q1 − 1.5 IQR = 97.0, and below 95 % of the mean"),
        (900, "spiking, above 3 times the mean"),
        (120, "outlier high, above Q3 + 1.5 IQR = 105.0, and above 105 % of the mean"),
    ],
)
def test_an_unusual_day_is_of_the_gravest_kind_that_it_is_of(place, rows, said):
    usual = [100, 102, 100, 102, 100, 102, 100, 102]
    usual.insert(place, rows)
    [finding] = judged(daily(*usual))
    day = str(MONDAY + timedelta(days=place))
    assert (finding.rule, finding.severity, finding.count) == ("daily_rows", Severity.WARNING, 1)
    assert finding.message.startswith(f"1 of 9 days in column 'd' is {said}: {day} ({rows} rows); mean ")
    assert [sample.value for sample in finding.samples] == [day]


@pytest.mark.parametrize(
    ("counts", "kinds"),
    [
        # Of a mean of 20: half of it, three times it, a tenth of it.
        ([10, 10, 10, 10, 60], []),
        ([10, 10, 10, 10, 61], ["low", "spiking"]),
        ([2, *[22] * 9], ["low"]),
        ([2, *[22] * 8, 23], ["severely low"]),
        # Quartiles of 100 and 102.
        ([97, 100, 100, 100, 100, 102, 102, 102, 102], []),
        ([96, 100, 100, 100, 100, 102, 102, 102, 102], ["outlier low"]),
        ([105, 100, 100, 100, 100, 102, 102, 102, 102], []),
        ([106, 100, 100, 100, 100, 102, 102, 102, 102], ["outlier high"]),
    ],
)
def test_a_day_on_a_bound_is_not_beyond_it(counts, kinds):
    loose = {"iqr": 0} if max(counts) < 100 else {"tolerance": 0}
    told = [finding.message.partition(", ")[0] for finding in judged(daily(*counts), **loose)]
    assert [words.partition(" are ")[2] or words.partition(" is ")[2] for words in told] == kinds


def test_the_figures_are_in_the_message_and_beside_each_day():
    [finding] = judged(daily(100, 100, 20, 110, 90))
    assert finding.message == (
        "1 of 5 days in column 'd' is low, below 50 % of the mean: 2024-01-03 (20 rows); mean 84.0, median 100.0, "
        "quartiles 90.0 and 100.0, standard deviation 36.5"
    )
    assert finding.samples[0].reason == "20 rows, 23.8 % of the mean, z = -1.8"
    assert finding.advice.startswith("Was the source delivered whole?")


def test_missing_days_of_the_period_have_no_rows():
    counts = daily(*[100] * 8)
    del counts["2024-01-03"], counts["2024-01-04"]
    [finding] = judged(counts, "2024-01-01..2024-01-09")
    assert finding.count == 3
    assert "3 of 9 days in column 'd' are severely low" in finding.message
    assert ": 2024-01-03 to 2024-01-04 (no rows), 2024-01-09 (no rows); mean 66.7, median 100.0" in finding.message


def test_days_outside_of_the_period_are_not_compared():
    assert judged(daily(100, 100, 100, 5), "2024-01-01..2024-01-03") == []


def test_each_kind_is_a_finding_of_its_own():
    found = judged(daily(100, 100, 100, 100, 100, 5, 30, 100, 100, 500, 140))
    kinds = ["severely low", "low", "spiking", "outlier high"]
    assert [next(kind for kind in kinds if f" {kind}, " in finding.message) for finding in found] == kinds


def test_weekends_are_compared_with_weekends_when_asked():
    week = [100, 101, 99, 100, 102, 10, 9]
    assert [finding.count for finding in judged(daily(*week * 4))] == [8]
    assert judged(daily(*week * 4), weekends=True) == []
    [finding] = judged(daily(*week * 3, *week[:6], 60), weekends=True)
    assert finding.message.startswith("1 of 8 days off in column 'd' is spiking, above 3 times the mean: 2024-01-28")


def test_days_off_without_rows_say_nothing_but_working_days_do():
    counts = daily(*[100, 101, 99, 100, 102, 0, 0] * 2)
    assert judged(counts, "2024-01-01..2024-01-14", weekends=True) == []
    [finding] = judged({**counts, "2024-01-09": 0}, weekends=True)
    assert finding.message.startswith("1 of 10 working days in column 'd' is severely low")


def test_rows_on_days_off_alone_are_not_enough():
    counts = {"2024-01-06": 10, "2024-01-07": 10}
    assert judged(counts, weekends=True) == []
    [finding] = judged(counts, "2024-01-01..2024-01-07", weekends=True)
    assert (finding.count, finding.message) == (
        5,
        "there are rows on days off only: 5 working days in column 'd' without any",
    )


def test_holidays_are_days_off():
    counts = daily(*[100, 101, 99, 100, 102, 0, 0] * 3, first=date(2024, 1, 8))
    counts["2024-01-15"] = 3
    assert [finding.count for finding in judged(counts, weekends=True)] == [1]
    [finding] = judged(counts, weekends=True, calendar="US")
    assert (finding.severity, finding.message) == (
        Severity.INFO,
        "2024-01-15 is the only day off in column 'd': there is nothing to compare its 3 rows with",
    )


def test_thresholds_can_be_moved_and_switched_off():
    counts = daily(100, 100, 100, 100, 100, 45, 160)
    assert len(judged(counts)) == 2
    assert judged(counts, drop=0.3, iqr=0) == []
    assert judged(daily(100, 100, 100, 1, 900), drop=0, severe=0, spike=0, iqr=0) == []
    assert [finding.severity for finding in judged(counts, severity="error")] == [Severity.ERROR] * 2


def test_a_day_near_the_mean_is_no_outlier_however_alike_the_others_are(both_sides):
    counts = daily(*[66, 65, 66, 66, 65, 66, 66] * 3, 64, 69)
    assert judged(counts) == []
    found = both_sides(file_of(counts), DATED, checks={"daily_rows": True}, settings=BY_DATE).agree()
    assert found == ()
    plain = {"checks": {"daily_rows": {"tolerance": 0}}, "settings": BY_DATE}
    [high] = both_sides(file_of(counts), DATED, **plain).agree()
    assert " is outlier high, above Q3 + 1.5 IQR = 67.5: 2024-01-23 (69 rows); mean 65.8" in high.message


def test_an_outlier_is_farther_from_the_mean_than_the_tolerance():
    usual = [100] * 40
    assert judged(daily(*usual, 96, 104)) == []
    assert [each.count for each in judged(daily(*usual, 94, 107))] == [1, 1]
    assert [each.count for each in judged(daily(*usual, 94, 107), tolerance=0.1)] == []
    [low, high] = judged(daily(*usual, 99, 101), tolerance=0)
    assert " outlier low, below Q1 − 1.5 IQR = 100.0: " in low.message
    assert " outlier high, above Q3 + 1.5 IQR = 100.0: " in high.message
    # The quartiles stay the rule where days are less alike than that.
    [only] = judged(daily(*[90, 100, 110] * 10, 70, 130, 55))
    assert " outlier low, below Q1 − 1.5 IQR = " in only.message
    assert "of the mean: " not in only.message


def test_an_empty_period_is_an_error_whatever_the_severity():
    [finding] = judged(daily(5), "2023-01", severity="info")
    assert (finding.severity, finding.message) == (
        Severity.ERROR,
        "there are no rows of the period 2023-01 by column 'd'",
    )


def test_a_single_day_is_said_to_be_compared_with_nothing():
    [finding] = judged(daily(5))
    assert (finding.severity, finding.message) == (
        Severity.INFO,
        "2024-01-01 is the only day in column 'd': there is nothing to compare its 5 rows with",
    )


def test_a_stray_day_ten_thousand_years_off_makes_every_other_one_a_spike():
    low, spike = judged({"2024-01-01": 100, "9999-12-31": 1})
    assert low.count == (date.max - MONDAY).days - 1
    assert [sample.value for sample in spike.samples] == ["2024-01-01", "9999-12-31"]


def test_files_and_tables_say_the_same(both_sides):
    counts = daily(20, 21, 22, 1, 20, 19, 90, 21, 0, 20)
    found = both_sides(file_of(counts), DATED, checks={"daily_rows": "warning"}, settings=BY_DATE).agree()
    assert [(finding.count, " spiking, " in finding.message) for finding in found] == [(1, True), (2, False)][::-1]


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
def test_how_normal_days_are_spread_is_told_too(side, data, request):
    there = request.getfixturevalue(side)
    counts = daily(20, 21, 22, 20, 19, 5, 4)
    asked = replace(data(file_of(counts), DATED, checks={"daily_rows": {"weekends": True}}), settings=BY_DATE)
    job = there.job(asked)
    loaded = there.workspace.load(replace(job, check=Check.WAREHOUSE))
    validated, checked = there.workspace.validate(job), there.workspace.check(job)
    working = {"days": 5, "mean": 20.4, "median": 20.0, "first_quartile": 20.0, "third_quartile": 21.0}
    for told in (validated, loaded, checked):
        assert told.findings == ()
        assert told.measures["daily_rows"] == pytest.approx({**working, "deviation": 1.140175})
    empty = question({"weekends": True}, replace(JOB, period=Period.parse("2023-01")))
    figures = DayFigures(days=np.array([20_000], np.int64), rows=np.array([3], np.int64), undated=0)
    assert daily_rows.measures(empty, figures) == {}


def test_the_parts_of_a_file_do_not_matter(findings_of_file):
    counts = daily(20, 21, 22, 2, 20, 19, 90, 21)
    check = {"checks": {"daily_rows": True}, "settings": BY_DATE}
    whole = findings_of_file(file_of(counts), DATED, **check)
    assert {finding.samples[0].value for finding in whole} == {"2024-01-04", "2024-01-07"}
    for part_bytes in (15, 40, 200):
        assert findings_of_file(file_of(counts), DATED, part_bytes=part_bytes, **check) == whole


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.none() | st.dates(date(2023, 12, 29), date(2024, 1, 22)), max_size=60),
    said=st.sampled_from([{"weekends": True}, {"calendar": "US"}, {"weekends": True, "calendar": "US"}]),
    cuts=st.lists(st.integers(1, 59), max_size=6),
    blocks=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_days_off_are_compared_the_same_in_any_split_in_any_order(in_parts, rows, said, cuts, blocks, seed):
    job = replace(JOB, period=Period.parse("2024-01-01..2024-01-21"))
    asked = daily_rows.read({"iqr": 0.5, "tolerance": 0, **said}, job)

    def make():
        return asked.validators(job, SimpleNamespace(columns=CONTRACT_COLUMNS))

    found = in_parts(make, [{"d": day} for day in rows], CONTRACT_COLUMNS, cuts, blocks, seed)
    assert found == in_parts(make, [{"d": day} for day in rows], CONTRACT_COLUMNS)


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"drp": 0.5}, r"checks\.daily_rows\.drp is not a known key"),
        ({"tolerance": -0.1}, r"checks\.daily_rows\.tolerance: "),
        ({"drop": 1.5}, r"checks\.daily_rows\.drop: "),
        ({"drop": 0.05}, "severe must not be above drop"),
        ({"spike": 0.5}, "spike is in times the mean"),
        ("loud", r"checks\.daily_rows\.severity"),
    ],
)
def test_wrong_settings_are_refused_and_named(said, match):
    with pytest.raises(UsageError, match=match):
        daily_rows.read(said, JOB)


@given(st.lists(st.integers(1, 10**9), min_size=1), st.integers(0, 50))
def test_the_figures_are_those_of_the_statistics_module_and_of_numpy(counts, zeros):
    spread = Distribution.of(np.array(counts, np.int64), zeros)
    whole = [0] * zeros + counts
    assert spread.mean == pytest.approx(statistics.fmean(whole))
    assert spread.median == pytest.approx(statistics.median(whole))
    assert (spread.first_quartile, spread.third_quartile) == pytest.approx(tuple(np.quantile(whole, [0.25, 0.75])))
    if len(whole) > 1:
        assert spread.deviation == pytest.approx(statistics.stdev(whole), abs=1e-6)
        low, high = spread.bounds(1.5)
        assert low <= spread.first_quartile <= spread.third_quartile <= high


CONTRACT_JOB = JOB
CONTRACT_COLUMNS = (Column(name="d", type=ColumnType.parse("date")),)
CONTRACT_ROWS = {"d": [MONDAY] * 30 + [None] + [MONDAY + timedelta(days=9)] * 25 + [MONDAY + timedelta(days=4)]}
CONTRACT_FOUND = {"daily_rows": 5 + 1 + 2}


class TestTheContractOfFiles(ValidatorContract):
    """Any split in any order finds the same."""

    rows: ClassVar[Any] = CONTRACT_ROWS
    expected: ClassVar[Any] = CONTRACT_FOUND

    def validator(self) -> Any:
        analysis = SimpleNamespace(columns=CONTRACT_COLUMNS)
        return daily_rows.read({"weekends": True}, CONTRACT_JOB).validators(CONTRACT_JOB, analysis)


class TestTheContractOfTables(TableCheckContract):
    """A table of the same rows gives the same findings."""

    rows: ClassVar[Any] = CONTRACT_ROWS
    expected: ClassVar[Any] = CONTRACT_FOUND

    def check(self) -> Any:
        return daily_rows.read({"weekends": True}, CONTRACT_JOB).table_checks(CONTRACT_JOB, CONTRACT_COLUMNS)

    def twin(self) -> Any:
        analysis = SimpleNamespace(columns=CONTRACT_COLUMNS)
        return daily_rows.read({"weekends": True}, CONTRACT_JOB).validators(CONTRACT_JOB, analysis)


def test_the_days_that_are_compared_are_those_of_the_calendar():
    assert question({"weekends": True}, JOB).workdays == Steps(every=Every.BUSINESS_DAY)
    assert question(True, replace(JOB, date_column=None)).workdays == Steps(every=Every.DAY)
