"""Of several checks that come upon one cause, one tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_framework import NO_ROWS, Finding, Sample, Severity, junit_report, no_date, outside_period
from etl_framework.causes import told_once

FOUND = Finding(rule="a", severity=Severity.ERROR, count=1, message="a", cause="drought")
PLACE = Sample(file="a.csv", line=2)

FINDINGS = st.lists(
    st.builds(
        Finding,
        rule=st.sampled_from("abcd"),
        severity=st.sampled_from(Severity),
        count=st.integers(0, 3),
        message=st.sampled_from("mn"),
        samples=st.sampled_from([(), (PLACE,), (PLACE, PLACE)]),
        cause=st.sampled_from(["", "drought", "flood", NO_ROWS]),
    ),
    max_size=8,
)


@given(FINDINGS, st.integers(0, 1))
def test_no_rule_no_severity_and_no_place_is_lost(found: list[Finding], rows: int) -> None:
    told = list(told_once(found, rows=rows))
    assert {rule for one in told for rule in (one.rule, *one.also)} == {one.rule for one in found}
    for before in found:
        assert any(
            before.rule in (one.rule, *one.also)
            and list(Severity).index(one.severity) <= list(Severity).index(before.severity)
            and len(one.samples) >= bool(before.samples)
            for one in told
        )


@given(FINDINGS, st.integers(0, 1))
def test_each_cause_is_told_once_and_what_has_none_as_it_is(found: list[Finding], rows: int) -> None:
    told = list(told_once(found, rows=rows))
    heard = [one.cause for one in told if one.cause and (one.cause != NO_ROWS or not rows)]
    assert len(heard) == len(set(heard))
    assert [one for one in told if not one.cause] == [one for one in found if not one.cause]
    assert list(told_once(told, rows=rows)) == told


def test_the_gravest_tells_it_and_borrows_the_places_of_another() -> None:
    warning = replace(FOUND, rule="b", severity=Severity.WARNING, samples=(PLACE,))
    [told] = told_once([warning, FOUND], rows=1)
    assert (told.rule, told.severity, told.samples, told.also) == ("a", Severity.ERROR, (PLACE,), ("b",))


def test_no_more_places_are_borrowed_than_are_counted() -> None:
    warning = replace(FOUND, rule="b", severity=Severity.WARNING, count=2, samples=(PLACE, replace(PLACE, line=3)))
    [told] = told_once([warning, FOUND], rows=1)
    assert (told.count, told.samples) == (1, (PLACE,))


def test_among_equals_the_one_with_places_tells_it() -> None:
    [told] = told_once([FOUND, replace(FOUND, rule="b", samples=(PLACE,))], rows=1)
    assert (told.rule, told.also) == ("b", ("a",))


def test_a_rule_that_finds_a_cause_twice_is_named_once() -> None:
    [told] = told_once([FOUND, FOUND, replace(FOUND, rule="b"), replace(FOUND, rule="b")], rows=1)
    assert (told.rule, told.also) == ("a", ("b",))


@pytest.mark.parametrize(("rows", "number"), [(0, 1), (1, 2)])
def test_no_rows_are_a_cause_only_where_there_are_none(rows: int, number: int) -> None:
    found = [replace(FOUND, cause=NO_ROWS), replace(FOUND, rule="b", cause=NO_ROWS)]
    assert len(list(told_once(found, rows=rows))) == number


def test_a_cause_in_another_column_is_another_one() -> None:
    assert outside_period("Day") == outside_period("day") != outside_period("night")
    assert no_date("Day") == no_date("day") != no_date("night")
    assert no_date("day") != outside_period("day")


def test_a_check_that_another_one_speaks_for_fails_in_junit_xml() -> None:
    told = tuple(told_once([FOUND, replace(FOUND, rule="b")], rows=1))
    report = junit_report("t", ["a", "b", "c"], told, 0.0)
    assert 'tests="3" failures="2"' in report
    assert report.count("<failure") == 2
