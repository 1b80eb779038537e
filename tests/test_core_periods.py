"""Periods: the days that a run covers."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import Period, UsageError

PERIODS = st.tuples(st.dates(), st.dates()).map(lambda ends: Period(min(ends), max(ends)))
SHORT = st.tuples(st.dates(max_value=date(9000, 1, 1)), st.integers(0, 800)).map(
    lambda drawn: Period(drawn[0], drawn[0] + timedelta(days=drawn[1]))
)


@settings(max_examples=100, deadline=None)
@given(PERIODS)
def test_a_period_is_read_back_from_what_it_is_written_as(period: Period) -> None:
    assert Period.parse(str(period)) == period


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9999), st.integers(1, 12))
def test_a_month_is_all_of_its_days(year: int, month: int) -> None:
    period = Period.parse(f"{year:04}-{month:02}")
    assert period == Period(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))
    assert str(period) == f"{year:04}-{month:02}"
    assert list(period.months()) == [period.first]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024-02-29", date(2024, 2, 29), date(2024, 2, 29)),
        ("2024-01..2024-03", date(2024, 1, 1), date(2024, 3, 31)),
        ("2024-01-10..2024-02-09", date(2024, 1, 10), date(2024, 2, 9)),
        ("2024-01-10..2024-02", date(2024, 1, 10), date(2024, 2, 29)),
        ("  2023-12 .. 2024-01 ", date(2023, 12, 1), date(2024, 1, 31)),
    ],
)
def test_months_days_and_ranges_are_understood(text: str, first: date, last: date) -> None:
    assert Period.parse(text) == Period(first, last)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "2024",
        "2024-1",
        "2024-13",
        "2023-02-29",
        "0000-01",
        "2024-01..",
        "..2024-01",
        "2024-03..2024-01",
        "2024-01..2024-02..2024-03",
        "2024-01...2024-02",
        "2024/01",
        "٢٠٢٤-٠١",
        "2024-01; drop table t",
    ],
)
def test_what_is_no_period_is_a_usage_error_with_advice(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Period.parse(text)
    assert caught.value.advice


@settings(max_examples=100, deadline=None)
@given(SHORT)
def test_days_and_months_cover_the_period_and_nothing_else(period: Period) -> None:
    days = list(period.days())
    assert (days[0], days[-1]) == (period.first, period.last)
    assert all(later - day == timedelta(days=1) for day, later in pairwise(days))
    assert list(period.months()) == sorted({day.replace(day=1) for day in days})


@settings(max_examples=100, deadline=None)
@given(SHORT, SHORT)
def test_periods_overlap_when_they_share_a_day(one: Period, other: Period) -> None:
    assert one.overlaps(other) == bool(set(one.days()) & set(other.days()))
    assert one.overlaps(other) == other.overlaps(one)


def test_neighbours_do_not_overlap() -> None:
    assert not Period.parse("2024-01").overlaps(Period.parse("2024-02"))
    assert Period.parse("2024-01").overlaps(Period.parse("2024-01-31..2024-02-01"))
