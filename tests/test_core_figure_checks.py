"""Checks of figures: of all rows together, and of each key."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Finding, KeyCheck, Position, Severity, TotalCheck, key_check, total_check
from etl_framework.figures import exact_sum

Check = TotalCheck | KeyCheck


@dataclass
class Rows:
    """A block; every record lies on a line of its own unless lines are given."""

    batch: pa.RecordBatch
    part: int = 0
    begins: Sequence[int] = ()
    source: str = "trades.csv"
    data: bytes | bytearray | memoryview = b""
    bad_rows: Sequence[BadRow] = ()
    lines: int = 0
    consumed: int = 0

    def position(self, row: int) -> Position:
        return Position(part=self.part, line=self.begins[row] if self.begins else row + 1, offset=0)

    def positions(self, rows: Sequence[int]) -> list[Position]:
        assert list(rows) == sorted(rows)
        return [self.position(row) for row in rows]


def rows(part: int = 0, begins: Sequence[int] = (), **columns: Any) -> Rows:
    return Rows(pa.RecordBatch.from_pydict(columns), part, begins)


def found(check: Check, *blocks: Rows) -> list[Finding]:
    for block in blocks:
        check.update(block)
    return list(check.finish())


def is_small(total: Mapping[str, Any]) -> bool:
    return bool(total["amount"] <= 10)


def small(**options: Any) -> TotalCheck:
    return total_check("small", {"amount": ("amount", "sum")}, is_small, **options)


def never(keys: pa.RecordBatch) -> pa.Array:
    return pa.array([False] * keys.num_rows)


def test_figures_of_all_rows_are_judged_together() -> None:
    assert found(small(), rows(amount=[4, 5]), rows(amount=[1])) == []
    (finding,) = found(small(reason="too much", advice="Ask."), rows(amount=[4000, 5]), rows(amount=[1]))
    assert (finding.rule, finding.severity, finding.count) == ("small", Severity.ERROR, 1)
    assert (finding.message, finding.advice) == ("too much: amount = 4,006", "Ask.")


def test_each_figure_is_what_sql_calls_so() -> None:
    told: dict[str, Any] = {}
    check = total_check(
        "told",
        {
            "rows": (None, "count"),
            "known": ("n", "count"),
            "sum": ("n", "sum"),
            "least": ("day", "min"),
            "last": ("day", "max"),
            "twice": (lambda batch: pc.multiply(batch["n"], 2), "sum"),
        },
        lambda total: not told.update(total),
    )
    assert found(check, rows(n=[1, None], day=["b", "a"]), rows(n=[None, 5], day=["c", None])) == []
    assert told == {"rows": 4, "known": 2, "sum": 6, "least": "a", "last": "c", "twice": 12}


@pytest.mark.parametrize("severity", Severity)
def test_without_rows_a_total_is_an_error_whatever_its_severity(severity: Severity) -> None:
    (finding,) = found(small(severity=severity))
    assert (finding.severity, finding.message) == (Severity.ERROR, "there are no rows to check")


def test_a_figure_without_values_is_never_good() -> None:
    (finding,) = found(small(severity=Severity.WARNING), rows(amount=pa.array([None, None], pa.int64())))
    assert (finding.severity, finding.message) == (Severity.WARNING, "all values are null, so there is no amount")


@pytest.mark.parametrize(
    ("values", "total"),
    [
        (pa.array([2**63 - 1, 2**63 - 1]), 2**64 - 2),
        (pa.array([Decimal("1.10"), Decimal("2.20")]), Decimal("3.30")),
        (pa.array([1e308, 1e308, -1e308]), 1e308),
        (pa.array([1e308, 1e308]), float("inf")),
        (pa.array([1.0, float("inf")]), float("inf")),
        (pa.array([0.1] * 10), 1.0),
    ],
)
def test_sums_neither_wrap_around_nor_round_on_the_way(values: pa.Array, total: object) -> None:
    told: list[object] = []
    check = total_check("t", {"sum": ("n", "sum")}, lambda found: told.append(found["sum"]) is None)
    assert found(check, rows(n=values)) == []
    assert told == [total]
    assert type(told[0]) is type(total)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_a_sum_of_floats_is_exact(values: list[float]) -> None:
    array = pa.array(values, pa.float64())
    assert (exact_sum("t", array) if values else 0) == sum(map(Fraction, values))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: total_check("t", {}, bool), "there are no figures"),
        (lambda: total_check("t", {"a": ("a", "mean")}, bool), "'mean', but there are count, max, min, sum"),  # type: ignore[dict-item]
        (lambda: total_check("t", {"a": (None, "sum")}, bool), "sum of no column"),
        (lambda: key_check("t", [], {"a": ("a", "sum")}, never), "at least one key"),
        (lambda: key_check("t", ["a", "b"], {"a": ("c", "sum")}, never), "names of their own"),
    ],
)
def test_a_check_that_cannot_work_is_refused_when_it_is_made(make: Callable[[], Check], says: str) -> None:
    with pytest.raises(ValueError, match=f"^t: .*{says}"):
        make()


@pytest.mark.parametrize(
    ("of", "error", "says"),
    [
        ("none", KeyError, "no column 'none' among name"),
        ("name", TypeError, "type string have no sum"),
        (lambda _: [1], TypeError, "not list"),
        (lambda _: pa.array([1, 2]), ValueError, "2 values for 1 rows"),
    ],
)
def test_a_figure_that_cannot_be_computed_names_the_check(of: Any, error: type[Exception], says: str) -> None:
    for check in (total_check("t", {"a": (of, "sum")}, bool), key_check("t", "name", {"a": (of, "sum")}, never)):
        with pytest.raises(error, match=f"t: .*{says}"):
            check.update(rows(name=["x"]))


def one_price(**options: Any) -> KeyCheck:
    return key_check(
        "one_price",
        "isin",
        {"low": ("price", "min"), "high": ("price", "max")},
        lambda keys: pc.equal(keys["low"], keys["high"]),
        reason="more than one price",
        **options,
    )


def test_figures_of_each_key_are_judged_and_shown_with_the_first_line_of_the_key() -> None:
    (finding,) = found(
        one_price(),
        rows(isin=["A", "B", "A", "C"], price=[1, 2, 1, 3], begins=[2, 3, 7, 8]),
        rows(isin=["B", "C", None], price=[4, 3, None], begins=[9, 10, 11]),
    )
    assert (finding.count, finding.message) == (1, "1 key (isin): more than one price")
    (sample,) = finding.samples
    assert (sample.file, sample.part, sample.line, sample.column, sample.value) == ("trades.csv", 0, 3, "isin", "B")
    assert sample.reason == "more than one price: low = 2, high = 4"


def test_several_columns_make_a_key_and_null_is_a_value_of_its_own() -> None:
    check = key_check("twice", ("a", "b"), {"rows": (None, "count")}, lambda keys: pc.less(keys["rows"], 2))
    (finding,) = found(check, rows(a=["x", "x", None, None], b=[1, 2, 3, 3]))
    (sample,) = finding.samples
    assert (sample.line, sample.column, sample.value) == (3, None, "a = None, b = 3")


def test_sums_of_a_key_are_exact_and_those_of_floats_are_refused() -> None:
    check = key_check("k", "k", {"n": ("n", "sum")}, lambda keys: pc.equal(keys["n"], pa.scalar(Decimal(2**63))))
    assert found(check, rows(k=["a"], n=[2**63 - 1]), rows(k=["a"], n=[1])) == []
    with pytest.raises(TypeError, match=r"k: .*same in any order.*figure 'n'.*decimal"):
        check.update(rows(k=["a"], n=[1.5]))


def test_more_keys_than_fit_are_an_error_whatever_the_severity() -> None:
    check = one_price(most_keys=2, severity=Severity.INFO)
    assert found(check, rows(isin=["A", "B"], price=[1, 2])) == []
    (finding,) = found(check, rows(isin=["C"], price=[1]))
    assert finding.severity is Severity.ERROR
    assert finding.message == "could not be made: there are more than 2 keys (isin)"


def test_a_verdict_on_keys_must_be_boolean() -> None:
    with pytest.raises(TypeError, match="k: the predicate gives int64, not boolean"):
        found(key_check("k", "k", {"n": (None, "count")}, lambda keys: keys["n"]), rows(k=["a"]))


@pytest.mark.parametrize("answer", [1, None, "yes", pa.scalar(1)])
def test_a_verdict_on_totals_must_be_boolean(answer: Any) -> None:
    with pytest.raises(TypeError, match=f"t: the predicate gives {type(answer).__name__}, not bool"):
        found(total_check("t", {"n": (None, "count")}, lambda _: answer), rows(k=["a"]))


@pytest.mark.parametrize("answer", [False, pa.scalar(False), np.bool_(False)])
def test_a_verdict_on_totals_may_be_arrow_s_or_numpy_s(answer: Any) -> None:
    assert len(found(total_check("t", {"n": (None, "count")}, lambda _: answer), rows(k=["a"]))) == 1


def test_a_block_without_rows_changes_nothing() -> None:
    empty = rows(isin=pa.array([], pa.string()), price=pa.array([], pa.int64()))
    assert found(one_price(), empty) == []
    assert len(found(small(), rows(amount=pa.array([], pa.int64())))) == 1


FIGURES = {
    "rows": (None, "count"),
    "known": ("n", "count"),
    "total": ("n", "sum"),
    "low": ("n", "min"),
    "high": ("f", "max"),
}


def objecting_total() -> TotalCheck:
    return total_check("t", {**FIGURES, "floats": ("f", "sum")}, lambda _: False)  # type: ignore[dict-item]


def objecting_keys() -> KeyCheck:
    return key_check("k", "key", FIGURES, never, most_keys=5)  # type: ignore[arg-type]


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["a", "b", "c", "d", "e", "f", None]),
            "n": st.one_of(st.none(), st.integers(-3, 3)),
            "f": st.one_of(st.none(), st.floats()),
        }
    ),
    min_size=1,
    max_size=40,
)
SCHEMA = pa.schema([("key", pa.string()), ("n", pa.int64()), ("f", pa.float64())])


def batch_of(records: list[dict[str, object]], part: int) -> Rows:
    return Rows(pa.RecordBatch.from_pylist(records, SCHEMA), part)


def in_one_file(findings: list[Finding], cuts: list[int]) -> list[object]:
    return [
        (
            f.rule,
            f.severity,
            f.count,
            f.message,
            [(s.value, s.reason, cuts[s.part or 0] + (s.line or 0)) for s in f.samples],
        )
        for f in findings
    ]


@pytest.mark.parametrize("make", [objecting_total, objecting_keys])
@settings(max_examples=60, deadline=None)
@given(records=RECORDS, data=st.data())
def test_any_parts_merged_in_any_order_find_what_one_pass_finds(
    make: Callable[[], Check], records: list[dict[str, object]], data: st.DataObject
) -> None:
    once = in_one_file(found(make(), batch_of(records, 0)), [0])
    inner = data.draw(st.lists(st.integers(0, len(records)), max_size=4).map(sorted))
    cuts = [0, *inner, len(records)]
    parts = []
    for number, (begin, end) in enumerate(pairwise(cuts)):
        part = make()
        part.update(batch_of(records[begin:end], number))
        parts.append(pickle.loads(pickle.dumps(part)))
    merged: Any = make()
    for part in data.draw(st.permutations(parts)):
        merged.merge(part)
    assert in_one_file(list(merged.finish()), cuts) == once


@pytest.mark.parametrize("make", [objecting_total, objecting_keys])
def test_what_travelled_only_merges(make: Callable[[], Check]) -> None:
    travelled = pickle.loads(pickle.dumps(make()))
    for use in (lambda: travelled.update(batch_of([], 0)), lambda: list(travelled.finish())):
        with pytest.raises(AssertionError, match="only merges"):
            use()


def test_many_keys_are_put_together_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_framework.key_checks._FEW_ROWS", 3)
    check = key_check("k", "key", {"rows": (None, "count")}, lambda keys: pc.less(keys["rows"], 3))
    blocks = [
        rows(key=[begin, begin + 1, begin + 2], begins=[begin * 10, begin * 10 + 1, begin * 10 + 2])
        for begin in range(9)
    ]
    (finding,) = found(check, *blocks)
    assert finding.count == 7
    assert [(sample.value, sample.line) for sample in finding.samples[:2]] == [("2", 2), ("3", 12)]


def test_what_travels_is_no_larger_than_the_figures_are() -> None:
    check = key_check("k", "key", {"rows": (None, "count")}, never)
    check.update(rows(key=list(range(100_000))))
    check.update(rows(key=list(range(50_000, 200_000))))
    assert len(pickle.dumps(check)) < 200_000 * 3 * 8 + 10_000
