"""Checks over rows, and the tally of bad rows."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Finding, Position, RowCheck, Severity, row_check
from etl_framework.checks import MOST_SAMPLES, BadRowTally, first_samples
from etl_framework.findings import rules_of
from etl_framework.keyless import KeylessRows


@dataclass
class Rows:
    """A block of numbers, each on a line of its own of ten bytes."""

    batch: pa.RecordBatch
    part: int = 0
    first_line: int = 1
    source: str = "numbers.csv"
    data: bytes | bytearray | memoryview = b""
    bad_rows: Sequence[BadRow] = field(default_factory=tuple)
    lines: int = 0
    consumed: int = 0

    def position(self, row: int) -> Position:
        line = self.first_line + row
        return Position(part=self.part, line=line, offset=10 * line)

    def positions(self, rows: Sequence[int]) -> list[Position]:
        return [self.position(row) for row in rows]


def rows(values: Sequence[int | None], part: int = 0, first_line: int = 1) -> Rows:
    return Rows(pa.RecordBatch.from_pydict({"n": pa.array(values, pa.int64())}), part, first_line)


def positive(batch: pa.RecordBatch) -> pa.Array:
    return pc.greater(batch["n"], 0)


def only(check: RowCheck) -> Finding:
    (finding,) = check.finish()
    return finding


def test_good_rows_give_no_finding() -> None:
    check = row_check("positive", positive)
    check.update(rows([1, 2, 3]))
    assert list(check.finish()) == []


def test_bad_rows_are_counted_and_shown_with_their_place() -> None:
    check = row_check("positive", positive, column="n", reason="n must be positive", advice="Mend it.")
    check.update(rows([5, -1, 0], part=3, first_line=7))
    finding = only(check)
    assert (finding.rule, finding.severity, finding.count) == ("positive", Severity.ERROR, 2)
    assert finding.message == "2 rows: n must be positive"
    assert finding.advice == "Mend it."
    shown = [(s.file, s.part, s.line, s.offset, s.column, s.value, s.reason) for s in finding.samples]
    assert shown == [
        ("numbers.csv", 3, 8, 80, "n", "-1", "n must be positive"),
        ("numbers.csv", 3, 9, 90, "n", "0", "n must be positive"),
    ]


def test_a_null_verdict_is_good_as_in_sql() -> None:
    check = row_check("positive", positive)
    check.update(rows([None, None]))
    assert list(check.finish()) == []


def test_a_null_is_shown_as_no_value_and_a_long_value_in_short() -> None:
    batch = pa.RecordBatch.from_pydict({"text": [None, "x" * 1_000_000]})
    check = row_check("never", lambda batch: pa.array([False] * batch.num_rows), column="text")
    check.update(Rows(batch))
    missing, long = (sample.value for sample in only(check).samples)
    assert missing is None
    assert long == "x" * 200


def test_without_a_column_samples_show_no_value() -> None:
    check = row_check("positive", positive, severity=Severity.WARNING)
    check.update(rows([-1]))
    finding = only(check)
    assert (finding.severity, finding.message) == (Severity.WARNING, "1 row: fails positive")
    assert (finding.samples[0].column, finding.samples[0].value) == (None, None)


def test_a_chunked_verdict_is_taken_as_it_is_meant() -> None:
    check = row_check("alternating", lambda _: pa.chunked_array([[True, False], [True], []], pa.bool_()))
    check.update(rows([1, 2, 3]))
    assert [sample.line for sample in only(check).samples] == [2]


@pytest.mark.parametrize(
    ("predicate", "error", "says"),
    [
        (lambda _: pa.array([True]), ValueError, "1 verdicts for 2 rows"),
        (lambda _: pa.array([1, 2]), TypeError, "gives int64, not boolean"),
        (lambda _: [True, True], TypeError, "gives list, not a boolean Arrow array"),
        (lambda _: pa.scalar(True), TypeError, "gives BooleanScalar, not a boolean Arrow array"),
    ],
)
def test_a_predicate_that_answers_nonsense_is_named(
    predicate: Callable[[pa.RecordBatch], Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=f"strange.*{says}"):
        row_check("strange", predicate).update(rows([1, 2]))


def test_a_column_that_is_not_there_is_told_before_a_row_is_bad() -> None:
    with pytest.raises(KeyError, match="positive: there is no column 'm' among n"):
        row_check("positive", positive, column="m").update(rows([1, 2]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-2, 2), max_size=40).flatmap(
        lambda values: st.tuples(
            st.just(values), st.lists(st.integers(0, len(values)), max_size=4).map(sorted), st.randoms()
        )
    )
)
def test_merging_parts_in_any_order_finds_what_one_pass_finds(drawn: tuple[list[int], list[int], Any]) -> None:
    values, cuts, chance = drawn
    parts = []
    for number, (begin, end) in enumerate(pairwise([0, *cuts, len(values)])):
        part = row_check("positive", positive, column="n")
        part.update(rows(values[begin:end], part=number, first_line=1))
        parts.append(pickle.loads(pickle.dumps(part)))
    chance.shuffle(parts)
    merged = parts[0]
    for part in parts[1:]:
        merged.merge(part)
    bad = [value for value in values if value <= 0]
    found = list(merged.finish())
    assert [finding.count for finding in found] == ([len(bad)] if bad else [])
    assert [sample.value for finding in found for sample in finding.samples] == [str(v) for v in bad[:MOST_SAMPLES]]


def test_a_check_that_travelled_merges_though_its_predicate_cannot_travel() -> None:
    smallest = 0
    check = row_check("positive", lambda batch: pc.greater(batch["n"], smallest))
    check.update(rows([-1]))
    there = pickle.loads(pickle.dumps(check))
    assert only(there) == only(check)
    with pytest.raises(AssertionError, match="only merges"):
        there.update(rows([1]))


def bad_row(line: int, rule: str = "wrong_type", column: str | None = "n", part: int = 0) -> BadRow:
    where = Position(part=part, line=line, offset=10 * line)
    return BadRow(position=where, rule=rule, column=column, value=str(line), reason="is no number", data=b"x\n")


def test_bad_rows_are_tallied_by_rule_and_column_the_most_frequent_first() -> None:
    tally = BadRowTally()
    for row in [bad_row(1), bad_row(2, "too_few_fields", None), bad_row(3), bad_row(4, column="m")]:
        tally.add(row, "a.csv")
    findings = tally.findings(Severity.ERROR)
    assert tally.rows == 4
    assert [finding.message for finding in findings] == [
        "2 bad rows: wrong type in column 'n'",
        "1 bad row: too few fields",
        "1 bad row: wrong type in column 'm'",
    ]
    assert all(finding.advice for finding in findings)
    assert [(s.file, s.line, s.offset, s.value, s.reason) for s in findings[0].samples] == [
        ("a.csv", 1, 10, "1", "is no number"),
        ("a.csv", 3, 30, "3", "is no number"),
    ]


def test_a_rule_that_the_core_does_not_know_is_tallied_without_advice() -> None:
    tally = BadRowTally()
    tally.add(bad_row(1, "odd_sock"), "a.csv")
    (finding,) = tally.findings(Severity.WARNING)
    assert (finding.rule, finding.severity, finding.advice) == ("odd_sock", Severity.WARNING, "")


def in_parts(values: list[Any], cuts: list[int]) -> list[list[tuple[Position, Any]]]:
    """The values of each part, with their places."""
    borders = pairwise([0, *sorted(min(cut, len(values)) for cut in cuts), len(values)])
    return [
        [(Position(part=number, line=line, offset=10 * line), values[line]) for line in range(begin, end)]
        for number, (begin, end) in enumerate(borders)
    ]


CUTS = st.lists(st.integers(0, 60), max_size=5)
FAULTS = st.tuples(st.sampled_from(["wrong_type", "too_long"]), st.sampled_from([None, "m", "n"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(FAULTS, max_size=60), CUTS, st.randoms(use_true_random=False))
def test_tallies_of_any_split_in_any_order_are_those_of_one_pass(
    faults: list[tuple[str, str | None]], cuts: list[int], chance: Any
) -> None:
    whole, tallies = BadRowTally(), []
    for part in in_parts(faults, cuts):
        tally = BadRowTally()
        for position, (rule, column) in part:
            row = BadRow(position=position, rule=rule, column=column, value="x", reason="is bad", data=b"x\n")
            tally.add(row, "a.csv")
            whole.add(row, "a.csv")
        tallies.append(pickle.loads(pickle.dumps(tally)))
    chance.shuffle(tallies)
    merged = BadRowTally()
    for tally in tallies:
        merged.merge(tally)
    assert (merged.rows, merged.findings(Severity.ERROR)) == (whole.rows, whole.findings(Severity.ERROR))
    assert {(one.rule, one.samples[0].column): one.count for one in merged.findings(Severity.ERROR)} == Counter(faults)


NO_KEYS = st.tuples(st.none() | st.just(1), st.none() | st.just(1))


@settings(max_examples=60, deadline=None)
@given(st.lists(NO_KEYS, max_size=60), CUTS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_rows_without_a_key_of_any_split_in_any_order_are_those_of_one_pass(
    keys: list[tuple[int | None, int | None]], cuts: list[int], size: int, chance: Any
) -> None:
    whole, parts = KeylessRows("ab"), []
    for part in in_parts(keys, cuts):
        keyless = KeylessRows("ab")
        for begin in range(0, len(part), size):
            place, values = part[begin][0], [value for _, value in part[begin : begin + size]]
            columns = {name: pa.array([value[at] for value in values], pa.int64()) for at, name in enumerate("ab")}
            block = Rows(pa.RecordBatch.from_pydict(columns), place.part, place.line)
            keyless.update(block)
            whole.update(block)
        parts.append(pickle.loads(pickle.dumps(keyless)))
    chance.shuffle(parts)
    merged = KeylessRows()
    for other in parts:
        merged.merge(other)
    for at, name in enumerate("ab"):
        assert merged.samples(name) == whole.samples(name)
        missing = [line for line, key in enumerate(keys) if key[at] is None]
        assert [sample.line for sample in merged.samples(name)] == missing[:MOST_SAMPLES]


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(4)))
def test_tallies_merge_in_any_order_and_keep_the_first_samples(order: list[int]) -> None:
    merged = BadRowTally()
    for part in order:
        tally = BadRowTally()
        for line in range(1, 7):
            tally.add(bad_row(line, part=part), "a.csv")
        merged.merge(pickle.loads(pickle.dumps(tally)))
    (finding,) = merged.findings(Severity.ERROR)
    assert (merged.rows, finding.count) == (24, 24)
    places = [(sample.part, sample.line) for sample in finding.samples]
    assert places == [(0, line) for line in range(1, 7)] + [(1, line) for line in range(1, 5)]
    assert len(places) == MOST_SAMPLES


def test_samples_without_a_part_come_first_and_then_by_place() -> None:
    tally = BadRowTally()
    for part, line in [(1, 1), (0, 9), (0, 2)]:
        tally.add(bad_row(line, part=part), "a.csv")
    samples = tally.findings(Severity.ERROR)[0].samples
    assert [(s.part, s.line) for s in first_samples(samples)] == [(0, 2), (0, 9), (1, 1)]


@dataclass
class _Several:
    rule_names: object
    name: str = "several"


def test_a_check_of_several_rules_tells_each_name_once() -> None:
    assert rules_of(cast("Any", _Several(["length", "regex", "length"]))) == ("length", "regex")
    assert rules_of(row_check("one", lambda batch: batch.column(0))) == ("one",)


@pytest.mark.parametrize("names", ["length", None, [1]])
def test_names_of_rules_that_are_none_are_refused(names: object) -> None:
    with pytest.raises(TypeError, match="rule_names"):
        rules_of(cast("Any", _Several(names)))
