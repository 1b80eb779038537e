"""Every day of the period is there, and no row is of another one: in files, in DuckDB and in Snowflake."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import sqlglot
from etl_quality import dates
from etl_quality.day_checks import RowsPerDay
from etl_quality.day_figures import DayColumn, DayTally, ask_days
from etl_quality.steps import Every, Steps
from hypothesis import given
from hypothesis import strategies as st

from etl_framework import (
    Check,
    Column,
    ColumnType,
    Job,
    Kind,
    Period,
    QueryResult,
    Refused,
    Rows,
    Severity,
    Statement,
    TableName,
    UsageError,
)
from etl_framework.testing import TableCheckContract, ValidatorContract

JANUARY = {"period": "2024-01", "date_column": "d"}
BY_DATE = {"date_column": "d"}
DATED = {"d": "date", "n": "integer"}
COMPLETE = {"dates": "complete"}
EPOCH = date(1970, 1, 1)
JOB = Job(name="j", patterns=(), table=TableName(("t",)), target="duckdb:")


def days(first: str, last: str, without: tuple[str, ...] = ()) -> list[str]:
    return [str(day) for day in Period.parse(f"{first}..{last}").days() if str(day) not in without]


def file_of(*texts: str) -> str:
    return "d,n\n" + "".join(f"{text},{number}\n" for number, text in enumerate(texts))


@pytest.fixture
def asked(both_sides: Any) -> Any:
    """The findings about some days, which every side must agree on."""

    def ask(text: str, check: object = "complete", columns: Any = None, **settings: Any) -> tuple[Any, ...]:
        return both_sides(text, columns or DATED, checks={"dates": check}, settings={**BY_DATE, **settings}).agree()

    return ask


def test_a_whole_month_is_complete(asked):
    assert asked(file_of(*days("2024-01-01", "2024-01-31")), period="2024-01") == ()


def test_missing_days_are_named_as_gaps_with_their_length(asked):
    without = ("2024-01-01", "2024-01-10", "2024-01-11", "2024-01-31")
    [finding] = asked(file_of(*days("2024-01-01", "2024-01-31", without)), period="2024-01")
    assert (finding.rule, finding.severity, finding.count) == ("dates", Severity.ERROR, 4)
    assert finding.message == (
        "4 of 31 days from 2024-01-01 to 2024-01-31 are missing in column 'd': "
        "2024-01-01, 2024-01-10 to 2024-01-11 (2 days), 2024-01-31"
    )
    assert [(sample.value, sample.reason) for sample in finding.samples] == [
        ("2024-01-01", "1 day missing"),
        ("2024-01-10 to 2024-01-11", "2 days missing"),
        ("2024-01-31", "1 day missing"),
    ]
    assert finding.advice


def test_without_a_period_days_are_missing_between_the_first_and_the_last(asked):
    [finding] = asked(file_of("2024-02-28", "2024-03-02"))
    assert finding.message == (
        "2 of 4 days from 2024-02-28 to 2024-03-02 are missing in column 'd': 2024-02-29 to 2024-03-01 (2 days)"
    )


def test_many_gaps_are_counted_and_the_first_are_shown(asked):
    [finding] = asked(file_of(*days("2024-01-01", "2024-01-31")[::2]), period="2024-01")
    assert finding.count == 15
    assert finding.message.endswith(": 2024-01-02, 2024-01-04, 2024-01-06 and 12 more gaps")
    assert len(finding.samples) == 10


@pytest.mark.parametrize(
    ("check", "found", "said"),
    [
        ({"every": "week"}, ["2024-01-01", "2024-01-21"], "1 of 3 weeks from 2024-W01 to 2024-W03 is missing"),
        ({"every": "month"}, ["2023-12-31", "2024-03-01"], "2 of 4 months from 2023-12 to 2024-03 are missing"),
        (
            {"every": "business-day"},
            ["2024-01-05", "2024-01-09"],
            "1 of 3 business days from 2024-01-05 to 2024-01-09 is missing in column 'd': 2024-01-08",
        ),
        (
            {"every": "business-day", "calendar": "US"},
            ["2024-01-12", "2024-01-17"],
            "1 of 3 business days from 2024-01-12 to 2024-01-17 is missing in column 'd': 2024-01-16",
        ),
        ({"calendar": "US"}, ["2024-01-14", "2024-01-17"], "1 of 3 days from 2024-01-14 to 2024-01-17 is missing"),
    ],
)
def test_weeks_months_and_business_days_can_be_asked_for(findings_of_file, check, found, said):
    text = file_of(*found)
    [finding] = findings_of_file(text, DATED, checks={"dates": {**check, "column": "d"}})
    assert finding.message.startswith(said)


def test_rows_on_days_that_are_not_expected_are_no_fault(asked):
    sunday, holiday = "2024-01-07", "2024-01-15"
    found = days("2024-01-05", "2024-01-17")
    assert sunday in found
    assert holiday in found
    assert asked(file_of(*found), {"every": "business-day", "calendar": "US"}) == ()


def test_rows_outside_of_the_period_are_counted_and_found_by_line_in_files(findings_of_file):
    inside = days("2024-01-01", "2024-01-31")
    text = file_of("2023-12-31", *inside, "", "2024-02-01", "2024-02-01")
    [outside, undated] = of_dates(findings_of_file, text)
    assert (outside.count, outside.message) == (
        3,
        "3 rows are outside of the period 2024-01 by column 'd': 2023-12-31 (1 row), 2024-02-01 (2 rows)",
    )
    assert [(sample.line, sample.value) for sample in outside.samples] == [
        (2, "2023-12-31"),
        (35, "2024-02-01"),
        (36, "2024-02-01"),
    ]
    assert (undated.count, undated.message) == (1, "1 row has no date in column 'd'")
    assert [sample.line for sample in undated.samples] == [34]


def of_dates(findings_of_file: Any, text: str, **more: Any) -> list[Any]:
    found = findings_of_file(text, DATED, checks=COMPLETE, settings=JANUARY, **more)
    return [finding for finding in found if finding.rule == "dates"]


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
def test_a_load_that_is_checked_in_the_warehouse_refuses_rows_outside_of_the_period_before(side, data, request):
    there = request.getfixturevalue(side)
    text = file_of(*days("2024-01-01", "2024-01-31"), "2024-02-01")
    asked = replace(data(text, DATED, checks=COMPLETE), settings=JANUARY)
    with pytest.raises(
        Refused, match=r"column 'd' spans 2024-01-01 to 2024-02-01, but the period is 2024-01"
    ) as caught:
        there.workspace.load(replace(there.job(asked), check=Check.WAREHOUSE))
    assert [(finding.rule, finding.also) for finding in caught.value.findings] == [("outside_period", ())]


def test_a_table_shows_the_days_of_rows_outside_of_the_period():
    asked = dates.Question(
        column="d", period=Period.parse("2024-01"), steps=Steps(every=Every.MONTH), severity=Severity.ERROR
    )
    column = Column(name="d", type=ColumnType.parse("date"))

    def answer(statement: Statement, limit: int) -> QueryResult:
        return QueryResult(columns=("day", "rows"), rows=((number("2024-01-31"), 5), (number("2024-02-01"), 2)))

    rows = Rows(definition=Statement("SELECT"), columns=(column,), dialect="duckdb", ask=answer)
    [finding] = RowsPerDay("dates", dates.findings, DayColumn(name="d", at=0, column=column), asked).run(rows)
    [sample] = finding.samples
    assert (sample.file, sample.value, sample.reason) == (
        None,
        "2024-02-01",
        "2 rows outside of the period 2024-01",
    )


def test_an_empty_period_is_an_error_even_where_the_severity_is_a_warning(findings_of_file):
    check = {"dates": {"severity": "warning"}}
    found = findings_of_file(file_of("2024-02-01"), DATED, checks=check, settings=JANUARY)
    said = {finding.message: finding.severity for finding in found if finding.rule == "dates"}
    assert said == {
        "1 row is outside of the period 2024-01 by column 'd', and none is of it: 2024-02-01 (1 row)": Severity.ERROR,
    }


def test_a_table_without_a_single_date_is_never_complete(both_sides):
    found = both_sides("d,n\n,1", DATED, checks=COMPLETE, settings=BY_DATE).agree()
    assert [finding.message for finding in found] == ["1 row has no date in column 'd', and none has one"]


def test_a_day_whose_rows_cannot_be_read_is_missing_and_the_rows_are_bad(findings_of_file):
    text = "d,n\n2024-01-01,1\n2024-01-32,2\n2024-01-03,3\n"
    wrong, missing = findings_of_file(text, DATED, checks=COMPLETE, settings=BY_DATE)
    assert (wrong.rule, wrong.samples[0].line) == ("wrong_type", 3)
    assert (missing.rule, missing.samples[0].value) == ("dates", "2024-01-02")


@pytest.mark.parametrize("type_", ["timestamp", "timestamptz"])
def test_days_are_days_in_utc(asked, type_):
    late = ["2023-12-31 23:30:00-02:00", "2024-01-03 00:30:00+01:00"]
    plain = ["2024-01-01 01:30:00", "2024-01-02 23:59:59.999999"]
    texts = late if type_ == "timestamptz" else plain
    assert asked(file_of(*texts), columns={"d": type_, "n": "integer"}) == ()


def test_moments_before_1970_are_of_their_own_day(asked):
    [finding] = asked(file_of("1969-12-30 23:59:59", "1970-01-01 00:00:00"), columns={"d": "timestamp", "n": "integer"})
    assert finding.samples[0].value == "1969-12-31"


def test_a_gap_of_ten_thousand_years_is_one_gap(asked):
    [finding] = asked(file_of("0001-01-01", "9999-12-31"), {"every": "business-day", "calendar": "DE-BY"})
    assert len(finding.samples) == 1
    assert finding.count > 2_600_000


def test_the_exact_lines_are_told_at_the_borders_of_parts(findings_of_file):
    inside = days("2024-01-01", "2024-01-31")
    for place in range(0, 32, 3):
        text = file_of(*inside[:place], "2025-01-01", *inside[place:])
        [finding] = of_dates(findings_of_file, text, part_bytes=30)
        assert [(sample.line, sample.part, sample.value) for sample in finding.samples] == [
            (place + 2, None, "2025-01-01")
        ]


@pytest.mark.parametrize("place", range(0, 32, 4))
def test_a_row_without_a_date_is_found_by_its_line_in_whichever_part_it_is(findings_of_file, place):
    inside = days("2024-01-01", "2024-01-31")
    text = file_of(*inside[:place], "", *inside[place:])
    [finding] = findings_of_file(text, DATED, checks=COMPLETE, settings=JANUARY, part_bytes=30)
    assert [(sample.line, sample.value, sample.reason) for sample in finding.samples] == [(place + 2, None, "no date")]


@pytest.mark.parametrize("place", [0, 1, 7, 15, 16, 29, 30])
def test_a_day_is_missing_wherever_its_row_stood(findings_of_file, place):
    inside = days("2024-01-01", "2024-01-31")
    missing = inside.pop(place)
    [finding] = findings_of_file(file_of(*inside), DATED, checks=COMPLETE, settings=JANUARY, part_bytes=30)
    assert (finding.count, finding.samples[0].value) == (1, missing)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("complete", "Where nothing is due on such days, say so"),
        ({"every": "business-day"}, "Where they are holidays, name a calendar"),
        ({"calendar": "US"}, "Holidays that the calendar US does not know can stand in a file."),
    ],
)
def test_what_to_do_about_missing_days_depends_on_what_is_said_already(findings_of_file, check, said):
    text = file_of("2024-01-02", "2024-01-04")
    [finding] = findings_of_file(text, DATED, checks={"dates": check}, settings=BY_DATE)
    assert said in finding.advice


def test_a_load_is_refused_by_its_file_and_by_its_rows(in_folder):
    from etl_framework import load

    (in_folder / "t.csv").write_text(file_of("2024-01-01", "2024-01-03"))
    (in_folder / "etl.toml").write_text(
        '[jobs.t]\nsource = "t.csv"\ntable = "t"\ncolumns = { d = "date", n = "integer" }\ndate_column = "d"\n'
        '[jobs.t.checks]\ndates = "complete"\n'
    )
    said = set()
    for check in ("file", "warehouse", "both"):
        with pytest.raises(Refused, match=r"1 of 3 days .* is missing in column 'd': 2024-01-02") as caught:
            load(job="t", check=check)
        said |= {finding.message for finding in caught.value.findings}
    assert len(said) == 1


@pytest.mark.parametrize(
    ("check", "settings", "match", "advice"),
    [
        ({"column": "day"}, {}, "checks.dates.column: there is no column 'day'", "columns are d, n"),
        ({"column": "dd"}, {}, "checks.dates.column: there is no column 'dd'", "Did you mean 'd'?"),
        ({"column": "n"}, {}, "column 'n' is integer, which tells no day", "declare it"),
        ("complete", {}, "checks.dates needs to know which column", "Set date_column"),
        ({"every": "year"}, BY_DATE, "checks.dates.every", "The keys are"),
        ({"evry": "day"}, BY_DATE, "checks.dates.evry is not a known key", "Did you mean 'every'?"),
        ("whole", BY_DATE, "checks.dates", "Write dates = "),
        ({"every": "week", "calendar": "US"}, BY_DATE, "checks.dates.calendar: holidays are days", "Leave"),
    ],
)
def test_wrong_settings_are_refused_and_named(findings_of_file, check, settings, match, advice):
    with pytest.raises(UsageError, match=match) as caught:
        findings_of_file(file_of("2024-01-01"), DATED, checks={"dates": check}, settings=settings)
    assert advice in caught.value.advice
    columns = tuple(Column(name=name, type=ColumnType.parse(type_)) for name, type_ in DATED.items())
    with pytest.raises(UsageError, match=match):
        list(dates.read(check, replace(JOB, **settings)).table_checks(replace(JOB, **settings), columns))


def number(day: str) -> int:
    return (date.fromisoformat(day) - EPOCH).days


def test_the_query_is_understood_by_every_warehouse():
    for kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        column = Column(name='the "day"', type=ColumnType(kind=kind))
        sent = []

        def answer(statement: Statement, limit: int, sent: list[str] = sent) -> QueryResult:
            sent.append(statement.sql)
            return QueryResult(columns=("day", "rows"), rows=((None, 2), (3, 4)))

        for dialect in ("duckdb", "snowflake"):
            figures = ask_days(
                Rows(definition=Statement("SELECT 1"), columns=(column,), dialect=dialect, ask=answer),
                DayColumn(name=column.name, at=0, column=column),
            )
            assert sqlglot.parse(sent[-1], read=dialect)
            assert (figures.days.tolist(), figures.rows.tolist(), figures.undated) == ([3], [4], 2)


numbers = st.one_of(st.integers(-700_000, 2_900_000), st.integers(19_700, 19_760))


@given(st.lists(st.lists(numbers, max_size=20), max_size=6), st.randoms(use_true_random=False))
def test_any_split_in_any_order_counts_the_same(parts, random):
    whole = DayTally()
    whole.update(np.array([day for part in parts for day in part], np.int64), len(parts))
    tallies = []
    for part in parts:
        tally = DayTally()
        tally.update(np.array(part, np.int64), 1)
        tallies.append(pickle.loads(pickle.dumps(tally)))
    random.shuffle(tallies)
    merged = DayTally()
    for tally in tallies:
        merged.merge(tally)
    for one, other in zip(_plain(merged), _plain(whole), strict=True):
        assert one == other


def _plain(tally: DayTally) -> tuple[object, ...]:
    figures = tally.figures()
    return figures.days.tolist(), figures.rows.tolist(), figures.undated


CONTRACT_JOB = replace(JOB, period=Period.parse("2024-01"), date_column="d")
CONTRACT_COLUMNS = (Column(name="d", type=ColumnType.parse("date")),)
CONTRACT_ROWS = {"d": [date(2024, 1, 30) + timedelta(days=day) for day in (0, 0, 3, -29, 1, 60)] + [None, None]}
CONTRACT_FOUND = {"dates": 28 + 2 + 2}


class TestTheContractOfFiles(ValidatorContract):
    """Any split in any order finds the same."""

    rows: ClassVar[Any] = CONTRACT_ROWS
    expected: ClassVar[Any] = CONTRACT_FOUND

    def validator(self) -> Any:
        analysis = SimpleNamespace(columns=CONTRACT_COLUMNS)
        return dates.read("complete", CONTRACT_JOB).validators(CONTRACT_JOB, analysis)


class TestTheContractOfTables(TableCheckContract):
    """A table of the same rows gives the same findings."""

    rows: ClassVar[Any] = CONTRACT_ROWS
    expected: ClassVar[Any] = CONTRACT_FOUND

    def check(self) -> Any:
        return dates.read("complete", CONTRACT_JOB).table_checks(CONTRACT_JOB, CONTRACT_COLUMNS)

    def twin(self) -> Any:
        analysis = SimpleNamespace(columns=CONTRACT_COLUMNS)
        return dates.read("complete", CONTRACT_JOB).validators(CONTRACT_JOB, analysis)


spans = st.tuples(st.integers(-400, 400), st.integers(0, 120))
holidays = st.lists(st.integers(-400, 520).map(lambda day: EPOCH + timedelta(days=day)), max_size=40)


@given(spans, st.sets(st.integers(-400, 520)), st.sampled_from([Every.DAY, Every.BUSINESS_DAY]), holidays)
def test_gaps_are_what_going_through_every_day_finds(span, found, every, off):
    from etl_quality.calendars import Calendar

    first, last = span[0], span[0] + span[1]
    calendar = Calendar(name="off", holidays=np.array(sorted(off), "datetime64[D]"))
    steps = Steps(every=every, calendar=calendar)
    inside = np.array(sorted(day for day in found if first <= day <= last), np.int64)

    def due(day: int) -> bool:
        when = EPOCH + timedelta(days=day)
        return when not in off and (every is Every.DAY or when.weekday() < 5)

    missing = [day for day in range(first, last + 1) if due(day) and day not in found]
    gaps = steps.gaps(inside, first, last)
    assert sum(gap.missing for gap in gaps) == len(missing)
    assert steps.count(first, last) == sum(map(due, range(first, last + 1)))
    assert {end for gap in gaps for end in (gap.first, gap.last)} <= set(missing)
    assert [day for gap in gaps for day in missing if gap.first <= day <= gap.last] == missing


@given(st.dates())
def test_weeks_and_months_are_labelled_as_the_calendar_does(day):
    year, week, _ = day.isocalendar()
    weeks, months = Steps(every=Every.WEEK), Steps(every=Every.MONTH)
    number = (day - EPOCH).days
    assert weeks.label(weeks.of_day(number)) == f"{year:04}-W{week:02}"
    assert months.label(months.of_day(number)) == f"{day:%Y-%m}".zfill(7)


def test_the_job_of_a_check_that_is_switched_off_asks_nothing(findings_of_file):
    assert findings_of_file(file_of("2024-01-01", "2024-01-03"), DATED, checks={"dates": False}) == ()


def test_checks_travel_between_processes():
    job = replace(JOB, **BY_DATE)
    checks = dates.read({"every": "business-day", "calendar": "US-NY"}, job)
    columns = (Column(name="d", type=ColumnType.parse("date")),)
    [check] = checks.table_checks(job, columns)
    again = pickle.loads(pickle.dumps(check))
    assert again.name == "dates"
    assert list(again._question.steps.calendar.holidays) == list(
        checks.question(check._days, job).steps.calendar.holidays
    )
