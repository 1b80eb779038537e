"""The verdict: what all parts together say, and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa
import pytest

from etl_framework import (
    Allowance,
    Analysis,
    BadRow,
    Column,
    ColumnType,
    Finding,
    HookFailed,
    Job,
    Mode,
    OnBadRows,
    Part,
    Period,
    Position,
    Refused,
    Sample,
    Severity,
    Source,
    TableName,
    TotalsAccumulator,
    hookimpl,
)
from etl_framework.checks import BadRowTally
from etl_framework.plugins import Plugins
from etl_framework.reading import PartOutcome
from etl_framework.survey import Survey
from etl_framework.verdict import Verdict, judge, pass_gate

COLUMNS = (
    Column(name="id", type=ColumnType.parse("bigint")),
    Column(name="day", type=ColumnType.parse("date")),
    Column(name="at", type=ColumnType.parse("timestamp")),
)
JOB = Job(name="sales", patterns=(), table=TableName(("sales",)), target="duckdb:w.duckdb")
BY_MONTH = replace(JOB, mode=Mode.REPLACE_PERIOD, period=Period.parse("2024-02"), date_column="day")
QUARANTINE = replace(JOB, on_bad_rows=OnBadRows.QUARANTINE)
Row = tuple[int | None, date | None]
GOOD: Row = (1, date(2024, 2, 10))


class Count:
    """A check that counts what it is told and merges by adding."""

    def __init__(self, name: str, number: int, severity: Severity = Severity.WARNING) -> None:
        self.name = name
        self.number = number
        self._severity = severity

    def anew(self) -> Count:
        return type(self)(self.name, 0, self._severity)

    def update(self, block: Any) -> None:
        """Nothing to see."""

    def merge(self, other: Count) -> None:
        self.number += other.number

    def finish(self) -> Sequence[Finding]:
        return [Finding(rule=self.name, severity=self._severity, count=self.number, message=f"{self.number} times")]


def outcome(
    number: int = 0, rows: Sequence[Row] = (), *, lines: int = 0, bad: Sequence[int] = (), checks: Sequence[Count] = ()
) -> PartOutcome:
    """What a part taught.

    :param bad: lines of bad rows.
    """
    totals, tally = TotalsAccumulator(COLUMNS), BadRowTally()
    last_second = time(23, 59, 59)
    records = [{"id": key, "day": day, "at": day and datetime.combine(day, last_second)} for key, day in rows]
    schema = pa.schema([(column.name, column.type.arrow()) for column in COLUMNS])
    totals.update(pa.RecordBatch.from_pylist(records, schema))
    for line in bad:
        where = Position(part=number, line=line, offset=0)
        tally.add(BadRow(position=where, rule="wrong_type", column="id", value="x", reason="bad", data=b"x\n"), "a.csv")
    return PartOutcome(
        part=number,
        rows=len(rows),
        lines=lines,
        bad_rows=tally,
        totals=totals,
        validators=tuple(("team", check) for check in checks),
        pieces=(),
    )


def survey(sources: Sequence[int], findings: Sequence[Finding] = ()) -> Survey:
    """A survey of parts that belong to these sources."""

    def analysis(name: str) -> Analysis:
        source = Source(path=name, size=100, modified_ns=0, changed_ns=0, inode=0, digest="")
        return Analysis(source=source, format=None, columns=COLUMNS, rows=0)  # type: ignore[arg-type]

    return Survey(
        analyses=tuple(analysis(f"{number}.csv") for number in range(max(sources, default=0) + 1)),
        columns=COLUMNS,
        findings=tuple(findings),
        parts=tuple(Part(source=source, number=number, start=0, end=50) for number, source in enumerate(sources)),
    )


def verdict(
    *outcomes: PartOutcome, job: Job = JOB, sources: Sequence[int] = (), findings: Sequence[Finding] = ()
) -> Verdict:
    return judged(outcomes, job, survey(sources or [0] * len(outcomes), findings))


def judged(outcomes: Sequence[PartOutcome], job: Job, surveyed: Survey) -> Verdict:
    """The verdict, where a plugin gives new checks of a source like those of its parts."""
    given: dict[str, list[Count]] = {}
    for found in outcomes:
        source = surveyed.analyses[surveyed.parts[found.part].source].source
        given[source.path] = [check for _, check in found.validators]  # type: ignore[misc]

    class Team:
        @hookimpl
        def etl_validate(self, analysis: Analysis) -> Sequence[Count]:
            return [check.anew() for check in given[analysis.source.path]]

    plugins = Plugins()
    plugins.register(Team(), name="team")
    return judge(job, surveyed, {found.part: found for found in outcomes}, plugins)


def rules(found: Verdict) -> list[tuple[str, str]]:
    return [(finding.rule, str(finding.severity)) for finding in found.findings]


def test_rows_bad_rows_and_totals_of_the_parts_add_up() -> None:
    found = verdict(outcome(0, [GOOD, (None, None)], bad=[3]), outcome(1, [(5, None)], bad=[1, 2]))
    assert (found.rows, found.bad) == (3, 3)
    assert found.totals.rows == 3
    assert (found.totals.columns[0].nulls, found.totals.columns[0].total) == (1, 6)


def test_lines_are_counted_from_the_beginning_of_each_file() -> None:
    found = verdict(
        outcome(0, [GOOD], lines=10, bad=[2]),
        outcome(1, [GOOD], lines=20, bad=[3]),
        outcome(2, [GOOD], lines=30, bad=[4]),
        sources=[0, 0, 1],
    )
    assert found.lines_before == {0: 0, 1: 10, 2: 0}
    (finding,) = found.findings
    assert [(sample.line, sample.part) for sample in finding.samples] == [(2, None), (13, None), (4, None)]


def test_checks_of_all_parts_are_merged_and_namesakes_are_kept_apart() -> None:
    parts = [outcome(number, [GOOD], checks=[Count("a", 1), Count("b", 10), Count("a", 100)]) for number in range(3)]
    assert [(finding.rule, finding.count) for finding in verdict(*parts).findings] == [("a", 3), ("b", 30), ("a", 300)]


def test_a_check_that_only_some_sources_have_is_merged_over_those() -> None:
    found = verdict(
        outcome(0, [GOOD], checks=[Count("b", 1)]),
        outcome(1, [GOOD], checks=[Count("a", 2), Count("b", 4)]),
        sources=[0, 1],
    )
    assert [(finding.rule, finding.count) for finding in found.findings] == [("b", 5), ("a", 2)]


def test_a_check_that_fails_while_merging_is_a_defect_of_its_plugin() -> None:
    class Broken(Count):
        def merge(self, other: Count) -> None:
            raise ZeroDivisionError("cannot merge")

    parts = [outcome(number, [GOOD], checks=[Broken("a", 1)]) for number in range(2)]
    with pytest.raises(HookFailed, match=r"'team'.*etl_validate.*cannot merge"):
        verdict(*parts)


def test_a_new_check_finishes_so_that_the_others_may_have_left_something_behind() -> None:
    class Travelled(Count):
        def anew(self) -> Count:
            return Count(self.name, 0)

        def finish(self) -> Sequence[Finding]:
            raise AssertionError("it left behind what it finishes with")

    (finding,) = verdict(*(outcome(number, [GOOD], checks=[Travelled("a", 1)]) for number in range(2))).findings
    assert finding.count == 2


def test_a_check_that_is_given_for_a_part_and_not_to_merge_it_is_a_defect_of_its_plugin() -> None:
    class Moody:
        @hookimpl
        def etl_validate(self) -> Sequence[Count]:
            return ()

    plugins = Plugins()
    plugins.register(Moody(), name="team")
    with pytest.raises(HookFailed, match=r"'team'.*gave the check 'a' for a part, and none to merge it"):
        judge(JOB, survey([0]), {0: outcome(0, [GOOD], checks=[Count("a", 1)])}, plugins)


def test_findings_come_with_the_gravest_first() -> None:
    about_source = Finding(rule="mixed line ends", severity=Severity.INFO, count=1, message="m")
    checks = [Count("w", 1), Count("e", 1, Severity.ERROR), Count("i", 1, Severity.INFO)]
    found = verdict(outcome(0, [GOOD], checks=checks), findings=[about_source])
    assert rules(found) == [("e", "error"), ("w", "warning"), ("mixed line ends", "info"), ("i", "info")]


def test_bad_rows_are_errors_unless_they_are_quarantined() -> None:
    part = outcome(0, [GOOD], bad=[2])
    assert rules(verdict(part)) == [("wrong_type", "error")]
    assert rules(verdict(part, job=QUARANTINE)) == [("wrong_type", "warning")]


@pytest.mark.parametrize(
    ("allowance", "permitted"),
    [
        (Allowance(), True),
        (Allowance(rows=2), True),
        (Allowance(rows=1), False),
        (Allowance(rows=0), False),
        (Allowance(share=0.5), True),
        (Allowance(share=0.49), False),
    ],
)
def test_a_quarantine_takes_no_more_rows_than_it_is_allowed_of_all_rows(allowance: Allowance, permitted: bool) -> None:
    found = verdict(outcome(0, [GOOD] * 2, bad=[3, 4]), job=replace(QUARANTINE, max_bad_rows=allowance))
    expected = [("wrong_type", "warning")]
    assert rules(found) == (expected if permitted else [("too_many_bad_rows", "error"), *expected])
    if not permitted:
        assert found.findings[0].message == f"2 bad rows of 4; at most {allowance} may be quarantined"


def test_a_quarantine_of_every_row_is_an_error() -> None:
    assert ("no_good_rows", "error") in rules(verdict(outcome(0, [], bad=[1]), job=QUARANTINE))


@pytest.mark.parametrize("mode", list(Mode))
def test_no_rows_are_an_error_in_every_mode(mode: Mode) -> None:
    job = replace(BY_MONTH, mode=mode)
    assert rules(verdict(outcome(0), job=job)) == [("no_rows", "error")]
    assert rules(verdict(job=job, sources=[])) == [("no_rows", "error")]


@pytest.mark.parametrize("date_column", ["day", "at"])
@pytest.mark.parametrize(
    ("days", "refused"),
    [
        ([date(2024, 2, 1), date(2024, 2, 29)], False),
        ([date(2024, 1, 31), date(2024, 2, 1)], True),
        ([date(2024, 2, 29), date(2024, 3, 1)], True),
    ],
)
def test_rows_outside_of_the_period_that_is_replaced_are_refused(
    date_column: str, days: list[date], refused: bool
) -> None:
    job = replace(BY_MONTH, date_column=date_column)
    found = verdict(*(outcome(number, [(1, day)]) for number, day in enumerate(days)), job=job)
    assert rules(found) == ([("outside_period", "error")] if refused else [])
    if refused:
        assert found.findings[0].message == (
            f"column {date_column!r} spans {days[0]} to {days[1]}, but the period is 2024-02"
        )


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
def test_a_run_with_a_period_loads_no_other_days_in_any_mode(mode: Mode) -> None:
    part = outcome(0, [(1, date(1999, 1, 1))])
    assert rules(verdict(part, job=replace(BY_MONTH, mode=mode))) == [("outside_period", "error")]
    assert rules(verdict(part, job=replace(BY_MONTH, mode=mode, period=None))) == []


def test_rows_without_a_day_may_be_appended() -> None:
    assert rules(verdict(outcome(0, [(1, None)]), job=replace(BY_MONTH, mode=Mode.APPEND))) == []


def test_rows_without_a_day_belong_to_no_period() -> None:
    found = verdict(outcome(0, [GOOD, (1, None), (2, None)]), job=BY_MONTH)
    assert rules(found) == [("null_date", "error")]
    assert (found.findings[0].count, found.findings[0].message) == (
        2,
        "2 rows have no 'day': they belong to no period",
    )
    assert rules(verdict(outcome(0, [(1, None)]), job=BY_MONTH)) == [("null_date", "error")]


def test_rows_without_a_key_cannot_be_merged() -> None:
    job = replace(JOB, mode=Mode.MERGE, keys=("id", "day"))
    rows: list[Row] = [GOOD, (None, date(2024, 2, 1)), (None, None)]
    found = verdict(outcome(0, rows), job=job)
    assert [(finding.rule, finding.count) for finding in found.findings] == [("null_key", 2), ("null_key", 1)]
    assert rules(verdict(outcome(0, rows), job=replace(job, mode=Mode.APPEND))) == []


def error(rule: str, *samples: Sample, advice: str = "") -> Finding:
    return Finding(
        rule=rule, severity=Severity.ERROR, count=1, message=f"{rule} is wrong", advice=advice, samples=samples
    )


def test_warnings_pass_the_gate() -> None:
    pass_gate([])
    pass_gate(replace(error("a"), severity=severity) for severity in (Severity.WARNING, Severity.INFO))


def test_an_error_is_refused_with_its_first_place_and_its_advice() -> None:
    place = Sample(file="a.csv", line=7, reason="'x' is no number")
    with pytest.raises(Refused) as caught:
        pass_gate([replace(error("w"), severity=Severity.WARNING), error("type", place, place, advice="Mend it.")])
    assert caught.value.message == "refused at the gate: type is wrong (first: a.csv:7: 'x' is no number)"
    assert caught.value.advice == "Mend it."


def test_a_place_without_a_reason_is_told_with_its_value() -> None:
    with pytest.raises(Refused) as caught:
        pass_gate([error("a", Sample(file="a.csv", line=7, column="n", value="x")), error("b", Sample(file="a.csv"))])
    assert (
        caught.value.message == "refused at the gate: a is wrong (first: a.csv:7: 'n' = 'x'); b is wrong (first: a.csv)"
    )


def test_a_place_that_the_message_names_is_not_named_once_more() -> None:
    told = replace(error("a"), message="x.csv is empty", samples=(Sample(file="/data/x.csv"),))
    with pytest.raises(Refused) as caught:
        pass_gate([told])
    assert caught.value.message == "refused at the gate: x.csv is empty"


def test_what_the_gate_refuses_holds_all_findings() -> None:
    found = (replace(error("w"), severity=Severity.WARNING), *map(error, "abcd"))
    with pytest.raises(Refused) as caught:
        pass_gate(found)
    assert caught.value.findings == found


def test_many_errors_are_refused_with_the_first_three_and_the_number_of_others() -> None:
    with pytest.raises(Refused) as caught:
        pass_gate([error("a", Sample(file="a.csv", reason="r")), error("b", Sample(reason="r")), *map(error, "cde")])
    assert caught.value.message == (
        "refused at the gate: a is wrong (first: a.csv: r); b is wrong; c is wrong; and 2 more"
    )
    assert caught.value.advice
