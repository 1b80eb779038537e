"""Control totals, compared with figures computed without Arrow."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import (
    Column,
    ColumnTotals,
    ColumnType,
    ReconciliationError,
    Totals,
    TotalsAccumulator,
    compare,
    reconcile,
)
from etl_framework.totals import FLOAT_TOLERANCE

Value = Any


@dataclass(frozen=True)
class Case:
    """A type, values of it, and what their sum is by Python's own arithmetic; None when they have none."""

    type: ColumnType
    values: st.SearchStrategy[Value]
    sum: Callable[[Sequence[Value]], Any] | None = None


def near(*limits: int) -> st.SearchStrategy[int]:
    """Integers of a range, mostly at its ends."""
    low, high = limits
    ends = st.integers(0, 3).flatmap(lambda step: st.sampled_from([low + step, high - step]))
    return st.one_of(ends, st.integers(low, high), st.integers(-3, 3))


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Decimals of up to so many digits, mostly at the ends."""
    largest = 10**digits - 1
    return near(-largest, largest).map(lambda number: Decimal(f"{number}E-{scale}"))


def exact(values: Sequence[Decimal]) -> Fraction:
    return sum(map(Fraction, values), Fraction(0))


def utf8_length(values: Sequence[str]) -> int:
    return sum(len(value.encode()) for value in values)


# No sum of these leaves the range of its type.
DOUBLES = st.one_of(st.floats(-1e300, 1e300), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1, 1e16]))
REALS = st.one_of(st.floats(width=32), st.sampled_from([math.nan, math.inf, -math.inf]))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
# Above the surrogates, UTF-16 sorts otherwise than UTF-8 and code points do.
HARD_TEXT = st.one_of(TEXT, st.text(st.sampled_from(["\uffee", "\U00010000", "z", "é", "\u0301", "\0"]), max_size=3))
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - without a zone, as in the file

CASES = {
    "smallint": Case(ColumnType.parse("smallint"), near(-(2**15), 2**15 - 1), sum),
    "integer": Case(ColumnType.parse("integer"), near(-(2**31), 2**31 - 1), sum),
    "bigint": Case(ColumnType.parse("bigint"), near(-(2**63), 2**63 - 1), sum),
    "decimal(18,4)": Case(ColumnType.parse("decimal(18,4)"), decimals(18, 4), exact),
    "decimal(38,0)": Case(ColumnType.parse("decimal(38,0)"), decimals(38, 0), exact),
    "decimal(38,38)": Case(ColumnType.parse("decimal(38,38)"), decimals(38, 38), exact),
    "double": Case(ColumnType.parse("double"), DOUBLES, math.fsum),
    "real": Case(ColumnType.parse("real"), REALS, math.fsum),
    "boolean": Case(ColumnType.parse("boolean"), st.booleans()),
    "date": Case(ColumnType.parse("date"), st.dates()),
    "time": Case(ColumnType.parse("time"), st.times()),
    "timestamp": Case(ColumnType.parse("timestamp"), MOMENTS),
    "timestamptz": Case(ColumnType.parse("timestamptz"), MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))),
    "varchar": Case(ColumnType.parse("varchar"), HARD_TEXT, utf8_length),
}


def accumulate(column: Column, values: Sequence[Value]) -> TotalsAccumulator:
    """The accumulator of one batch."""
    accumulator = TotalsAccumulator([column])
    array = pa.array(values, type=column.type.arrow(), from_pandas=False)
    accumulator.update(pa.RecordBatch.from_arrays([array], names=[column.name]))
    return accumulator


def by_bytes(value: Value) -> Value:
    return value.encode() if isinstance(value, str) else value


def check(case: Case, values: Sequence[Value], totals: Totals) -> None:
    """Compare totals with what Python makes of the values."""
    (found,) = totals.columns
    there = [value for value in values if value is not None]
    counted = [value for value in there if not isinstance(value, float) or math.isfinite(value)]
    assert totals.rows == len(values)
    assert found.nulls == len(values) - len(there)
    assert found.minimum == min(counted, key=by_bytes, default=None)
    assert found.maximum == max(counted, key=by_bytes, default=None)
    if case.sum is None:
        assert found.total is None
    elif case.sum is math.fsum:
        largest = max(map(abs, counted), default=0.0)
        assert isinstance(found.total, float)
        assert abs(found.total - math.fsum(counted)) <= FLOAT_TOLERANCE * len(values) * largest
    else:
        assert found.total is not None
        assert Fraction(found.total) == case.sum(counted)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_totals_are_what_python_computes_however_the_rows_are_split(case: Case, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | case.values, max_size=40))
    column = Column(name="c", type=case.type)
    check(case, values, accumulate(column, values).finish())

    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    edges = [0, *cuts, len(values)]
    parts = [accumulate(column, values[a:b]) for a, b in pairwise(edges)]
    merged = TotalsAccumulator([column])
    for part in data.draw(st.permutations(parts)):
        merged.merge(pickle.loads(pickle.dumps(part)))
    check(case, values, merged.finish())
    assert compare(accumulate(column, values).finish(), merged.finish()) == ()


def test_a_slice_of_a_batch_counts_only_its_own_rows() -> None:
    column = Column(name="c", type=ColumnType.parse("varchar"))
    whole = pa.RecordBatch.from_pydict({"c": ["a", None, "ccc", None, "e"]})
    accumulator = TotalsAccumulator([column])
    accumulator.update(whole.slice(1, 2))
    assert accumulator.finish() == Totals(
        rows=2, columns=(ColumnTotals(name="c", nulls=1, minimum="ccc", maximum="ccc", total=3),)
    )


def test_a_sum_beyond_64_bits_does_not_wrap_around() -> None:
    totals = accumulate(Column(name="c", type=ColumnType.parse("bigint")), [2**63 - 1] * 3 + [-(2**63)] * 5).finish()
    assert totals.columns[0].total == 3 * (2**63 - 1) - 5 * 2**63


def test_a_sum_of_long_decimals_keeps_every_digit_over_many_batches() -> None:
    column = Column(name="c", type=ColumnType.parse("decimal(38,2)"))
    accumulator = accumulate(column, [Decimal("9" * 36 + ".99")])
    for _ in range(3):
        accumulator.merge(accumulate(column, [Decimal("0.01")]))
    assert accumulator.finish().columns[0].total == Decimal("1" + "0" * 36 + ".02")


def test_small_numbers_are_not_lost_beside_large_ones() -> None:
    column = Column(name="c", type=ColumnType.parse("double"))
    accumulator = TotalsAccumulator([column])
    for value in [1e16, *[1.0] * 1000, -1e16]:
        accumulator.merge(accumulate(column, [value]))
    assert accumulator.finish().columns[0].total == 1000.0


def test_a_sum_of_floats_that_overflows_is_no_difference() -> None:
    column = Column(name="c", type=ColumnType.parse("double"))
    forward, backward = TotalsAccumulator([column]), TotalsAccumulator([column])
    parts = [accumulate(column, [value]) for value in (1.5e308, 1.5e308, -1.5e308, -1.5e308)]
    for part in parts:
        forward.merge(part)
    for part in (parts[0], parts[2], parts[1], parts[3]):
        backward.merge(part)
    assert backward.finish().columns[0].total == 0.0
    assert compare(forward.finish(), backward.finish()) == ()
    assert compare(backward.finish(), forward.finish()) == ()


def test_columns_are_totalled_independently() -> None:
    columns = [Column(name="a", type=ColumnType.parse("bigint")), Column(name="b", type=ColumnType.parse("varchar"))]
    accumulator = TotalsAccumulator(columns)
    accumulator.update(pa.RecordBatch.from_pydict({"a": pa.array([1, None], pa.int64()), "b": ["é", "x"]}))
    assert accumulator.finish() == Totals(
        rows=2,
        columns=(
            ColumnTotals(name="a", nulls=1, minimum=1, maximum=1, total=1),
            ColumnTotals(name="b", nulls=0, minimum="x", maximum="é", total=3),
        ),
    )


def test_batches_of_other_columns_are_refused() -> None:
    accumulator = TotalsAccumulator([Column(name="a", type=ColumnType.parse("bigint"))])
    with pytest.raises(ValueError, match="zip"):
        accumulator.update(pa.RecordBatch.from_pydict({"a": [1], "b": [2]}))


INTEGER = ColumnTotals(name="n", nulls=1, minimum=-5, maximum=7, total=12)
REAL = ColumnTotals(name="x", nulls=0, minimum=-2.0, maximum=1000.0, total=5000.5)
EXPECTED = Totals(rows=10, columns=(INTEGER, REAL))


@pytest.mark.parametrize(
    ("figure", "value"), [("nulls", 2), ("minimum", -6), ("maximum", 8), ("total", 13), ("total", None)]
)
def test_every_figure_that_differs_is_told_with_both_values(figure: str, value: object) -> None:
    found = replace(EXPECTED, columns=(replace(INTEGER, **{figure: value}), REAL))  # type: ignore[arg-type]
    (difference,) = compare(EXPECTED, found)
    assert (difference.column, difference.figure) == ("n", figure)
    assert str(difference) == f"{figure} of column 'n': {getattr(INTEGER, figure)} in the sources, {value} in the table"


def test_another_number_of_rows_is_a_difference_of_its_own() -> None:
    (difference,) = compare(EXPECTED, replace(EXPECTED, rows=11))
    assert str(difference) == "rows: 10 in the sources, 11 in the table"


def test_columns_are_compared_by_name_and_a_missing_one_differs_in_everything() -> None:
    assert compare(EXPECTED, replace(EXPECTED, columns=(REAL, INTEGER))) == ()
    missing = compare(EXPECTED, replace(EXPECTED, columns=(REAL,)))
    assert [difference.figure for difference in missing] == ["nulls", "minimum", "maximum", "total"]


@pytest.mark.parametrize(
    ("total", "same"),
    [
        (5000.5 + 0.9e-12 * 10 * 1000, True),
        (5000.5 + 2e-12 * 10 * 1000, False),
        (Decimal("5000.5"), True),
        (math.nan, False),
        (math.inf, False),
        (None, False),
    ],
)
def test_sums_of_floats_may_differ_by_what_rounding_explains(total: float | Decimal | None, same: bool) -> None:
    found = replace(EXPECTED, columns=(INTEGER, replace(REAL, total=total)))
    assert (compare(EXPECTED, found) == ()) is same


def test_reconciling_what_agrees_passes() -> None:
    reconcile(EXPECTED, EXPECTED)


def test_reconciling_names_the_first_differences_and_that_there_are_more() -> None:
    found = Totals(rows=9, columns=(replace(INTEGER, nulls=0, minimum=0, maximum=0, total=0), replace(REAL, nulls=1)))
    with pytest.raises(ReconciliationError) as caught:
        reconcile(EXPECTED, found)
    assert "rows: 10 in the sources, 9 in the table" in caught.value.message
    assert "total of column 'n': 12 in the sources, 0 in the table" in caught.value.message
    assert caught.value.message.endswith("…")
    assert caught.value.advice.startswith("Nothing was committed.")


def test_days_and_times_keep_their_types() -> None:
    for name, value in {"date": date(2024, 2, 29), "time": time(23, 59, 59, 999999)}.items():
        (column,) = accumulate(Column(name="c", type=ColumnType.parse(name)), [value, None]).finish().columns
        assert (column.minimum, column.maximum, column.total, column.nulls) == (value, value, None, 1)
