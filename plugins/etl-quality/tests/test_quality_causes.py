"""One cause that several checks come upon is told once, on every side, and each of them counts as not passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl_framework import Check, Finding, Refused, Severity, TableName

COLUMNS = {"d": "date", "n": "integer"}
CHECKS = {
    "dates": "complete",
    "daily_rows": True,
    "freshness": "90000 days",
    "duplicates": "error",
    "columns": {"n": {"not_null": True, "min": 0}},
}
RULES = [{"name": "positive", "sql": "n > 0"}, {"name": "some", "sql": "sum(n) > 0 AND count(*) >= 0"}]
JANUARY = {"period": "2024-01", "date_column": "d", "keys": ["d", "n"]}
AT_NOTHING = {"no_rows", "dates", "daily_rows", "freshness", "some"}


def broken(finding: Finding) -> set[str]:
    return {finding.rule, *finding.also}


def test_no_rows_of_a_table_are_told_once_and_no_check_that_wants_rows_passes(emptied_sides):
    found = emptied_sides("d,n\n2024-01-01,1", COLUMNS, checks=CHECKS, rules=RULES, settings=JANUARY)
    for [one] in found:
        assert (one.rule, one.severity, one.count, broken(one)) == ("no_rows", Severity.ERROR, 1, AT_NOTHING)


@pytest.mark.parametrize("text", ["", "d,n"])
def test_a_file_without_rows_is_told_once_with_its_name(findings_of_file, text):
    [one] = findings_of_file(text, COLUMNS, checks=CHECKS, rules=RULES, settings=JANUARY)
    assert (one.severity, broken(one)) == (Severity.ERROR, {*AT_NOTHING, "empty_source"})
    assert one.samples[0].file.endswith("t.csv")


def test_where_all_rows_are_bad_their_fault_is_told_and_that_none_is_left(findings_of_file):
    wrong, none = findings_of_file("d,n\n2024-01-32,1", COLUMNS, checks=CHECKS, rules=RULES, settings=JANUARY)
    assert (wrong.rule, none.rule, broken(none)) == ("wrong_type", "no_rows", AT_NOTHING)


@pytest.mark.parametrize("every", ["day", "month"])
def test_a_day_outside_of_the_period_is_told_once_with_its_line(findings_of_file, every):
    text = "d,n\n" + "".join(f"2024-01-{day:02},1\n" for day in range(1, 32)) + "2024-02-01,1"
    found = findings_of_file(text, COLUMNS, checks={"dates": {"every": every}}, settings=JANUARY)
    [(rule, also, line)] = [(one.rule, one.also, one.samples[0].line) for one in found]
    assert (rule, also, line) == ("dates", ("outside_period",), 33)


def test_what_is_graver_tells_it_with_the_lines_of_the_other(findings_of_file):
    text = "d,n\n" + "".join(f"2024-01-{day:02},1\n" for day in range(1, 32)) + "2024-02-01,1"
    [one] = findings_of_file(text, COLUMNS, checks={"dates": {"severity": "warning"}}, settings=JANUARY)
    assert (one.rule, one.severity, one.also) == ("outside_period", Severity.ERROR, ("dates",))
    assert one.samples[0].line == 33


def test_a_day_of_another_column_is_another_matter(findings_of_file):
    text = "d,n,e\n2024-02-01,1,2024-03-01"
    found = findings_of_file(text, {**COLUMNS, "e": "date"}, checks={"dates": {"column": "e"}}, settings=JANUARY)
    assert {one.rule for one in found} == {"outside_period", "dates"}


def test_rows_of_another_period_alone_are_told_once(findings_of_file):
    [one] = findings_of_file("d,n\n2024-02-01,1", COLUMNS, checks=CHECKS, rules=RULES, settings=JANUARY)
    assert one.message.startswith("1 row is outside of the period 2024-01 by column 'd', and none is of it")
    assert broken(one) == {"dates", "daily_rows", "outside_period"}


def test_rows_without_a_date_are_told_once(both_sides):
    settings = {"date_column": "d", "keys": ["d", "n"]}
    found = both_sides("d,n\n,1", COLUMNS, checks=CHECKS, rules=RULES, settings=settings)
    [one] = found.agree()
    assert (one.rule, one.samples[0].line) == ("dates", 2)
    for [same] in found.sides.values():
        assert broken(same) == {"dates", "daily_rows", "freshness"}


def test_rules_that_cannot_be_told_of_rows_without_values_are_told_one_by_one(both_sides):
    rules = [{"name": "m", "sql": "sum(m) > 0"}, {"name": "n", "sql": "sum(n) > 0"}]
    found = both_sides("id,m,n\n1,,", {"id": "integer", "m": "integer", "n": "integer"}, rules=rules).agree()
    assert [one.rule for one in found] == ["m", "n"]


def test_a_load_that_publishes_nothing_is_refused_for_one_cause(duckdb_side, data):
    job = duckdb_side.job(data("d,n", COLUMNS, checks=CHECKS, rules=RULES))
    job = replace(job, check=Check.WAREHOUSE, date_column="d", keys=("d", "n"))
    with pytest.raises(Refused) as caught:
        duckdb_side.workspace.load(job)
    [one] = [finding for finding in caught.value.findings if finding.severity is Severity.ERROR]
    assert broken(one) == {"no_rows", "empty_source"}


def test_what_both_sides_find_is_told_once_with_its_lines(duckdb_side, data):
    rules = [{"name": "positive", "sql": "n > 0", "severity": "warning"}]
    job = duckdb_side.job(data("d,n\n2024-01-01,1\n2024-01-02,-1", COLUMNS, rules=rules))
    [one] = duckdb_side.workspace.load(replace(job, check=Check.BOTH)).findings
    assert one.message == "1 row breaks n > 0 (in the sources and in the warehouse)"
    assert [sample.line for sample in one.samples] == [3]
    [same] = duckdb_side.workspace.load(replace(job, check=Check.WAREHOUSE, table=TableName(("other",)))).findings
    assert same.message == "1 row breaks n > 0"
