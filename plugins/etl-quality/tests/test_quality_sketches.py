"""Sketches are right within the bounds that they state, and do not depend on how data are split."""

from __future__ import annotations

import math
import pickle
import statistics
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from etl_quality.hashing import hashes
from etl_quality.sketches import DistinctSketch, RankSketch, number_of_key, ordered_keys
from etl_quality.sums import Spread
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)
TEXTS = st.text(max_size=30)


def split(draw, values):
    """The values cut into parts, in another order."""
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=4)))
    parts = [values[a:b] for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True)]
    return draw(st.permutations(parts))


@st.composite
def splits(draw, values):
    drawn = draw(values)
    return drawn, split(draw, drawn)


def merged(new, parts):
    whole = new()
    for part in parts:
        other = new()
        other.update(part)
        whole.merge(pickle.loads(pickle.dumps(other)))
    return whole


# Hashes


@given(st.lists(st.text(max_size=40) | st.text(min_size=500, max_size=600), max_size=20))
def test_equal_texts_have_equal_hashes_wherever_they_stand(texts):
    whole = hashes(pa.array(texts, pa.string()))
    alone = [int(hashes(pa.array([text], pa.string()))[0]) for text in texts]
    assert whole.tolist() == alone
    assert len(set(alone)) == len(set(texts))
    assert hashes(pa.array(["x", *texts], pa.string()).slice(1)).tolist() == alone


def test_texts_that_differ_only_in_nul_bytes_or_in_their_order_have_other_hashes():
    texts = [
        "",
        "\0",
        "\0\0",
        "a",
        "a\0",
        "ab",
        "ba",
        "a" * 8,
        "a" * 9,
        "a" * 8 + "\0",
        "abcdefghABCDEFGH",
        "ABCDEFGHabcdefgh",
    ]
    assert len(set(hashes(pa.array(texts)).tolist())) == len(texts)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, -1, 2**63 - 1]),
        pa.array([Decimal("1.50"), Decimal("-1.50"), Decimal(10) ** 30], pa.decimal128(38, 2)),
        pa.array([1.5, -1.5, math.inf, math.nan, 0.0]),
        pa.array([True, False]),
        pa.array([0, 1, -1], pa.date32()),
        pa.array([0, 1], pa.time64("us")),
        pa.array([0, 1], pa.timestamp("us", "UTC")),
    ],
    ids=lambda values: str(values.type),
)
def test_different_values_have_different_hashes(values):
    assert len(set(hashes(values).tolist())) == len(values)
    assert hashes(values.slice(1)).tolist() == hashes(values)[1:].tolist()


def test_equal_floats_have_equal_hashes():
    zero, minus, nan, other = hashes(pa.array([0.0, -0.0, math.nan, -math.nan])).tolist()
    assert zero == minus
    assert nan == other


# Distinct values


@given(splits(st.lists(st.integers(-50, 50), max_size=200)))
def test_any_split_gives_the_same_distinct_values(drawn):
    values, parts = drawn
    for size in (8, 1000):
        sketches = [
            merged(lambda size=size: DistinctSketch(size), [pa.array(part, pa.int64()) for part in cut])
            for cut in ([values], parts)
        ]
        one, other = ((s.distinct, s.is_exact, s.most_frequent(20)) for s in sketches)
        assert one == other
    assert sketches[0].distinct == len(set(values))
    assert dict(sketches[0].most_frequent(200)) == {value: values.count(value) for value in values}


@pytest.mark.parametrize("distinct", [4096, 4097, 50_000, 300_000])
@pytest.mark.parametrize("cast", [pa.int64(), pa.string(), pa.float64()], ids=str)
def test_distinct_values_are_exact_or_estimated_within_the_error(distinct, cast):
    sketch = DistinctSketch()
    values = pa.array(np.arange(distinct) * 7919).cast(cast)
    for _ in range(2):
        for at in range(0, distinct, 40_000):
            sketch.update(values.slice(at, 40_000))
    if distinct <= 4096:
        assert (sketch.distinct, sketch.error) == (distinct, 0)
    else:
        assert abs(sketch.distinct - distinct) <= 4 * sketch.error * distinct
        assert sketch.error == pytest.approx(1 / 64, rel=1e-2)


def test_counts_of_values_that_are_kept_are_exact():
    sketch = DistinctSketch(16)
    values = np.arange(1000)
    for _ in range(3):
        sketch.update(pa.array(values))
    assert not sketch.is_exact
    assert [count for _, count in sketch.most_frequent(16)] == [3] * 16


def test_nothing_is_no_distinct_value():
    sketch = merged(DistinctSketch, [pa.array([], pa.string())] * 2)
    assert (sketch.distinct, sketch.error, sketch.most_frequent(3)) == (0, 0, [])


# Quantiles


@given(splits(st.lists(NUMBERS, min_size=1, max_size=100)))
def test_any_split_gives_the_same_quantiles_and_true_bounds(drawn):
    numbers, parts = drawn
    ranked = sorted(number + 0.0 for number in numbers)
    for size in (4, 1000):
        sketches = [
            merged(lambda size=size: RankSketch(size), [ordered_keys(np.array(part, float)) for part in cut])
            for cut in ([numbers], parts)
        ]
        for share in (0.0, 0.1, 0.5, 0.99, 1.0):
            assert sketches[0].quantile(share) == sketches[1].quantile(share)
            low, high, _ = sketches[0].quantile(share)
            true = ranked[max(math.ceil(share * len(ranked)), 1) - 1]
            assert number_of_key(low) <= true <= number_of_key(high)
            assert size < len(numbers) or low == high


@given(st.lists(NUMBERS, min_size=2))
def test_keys_are_in_the_order_of_their_numbers(numbers):
    keys = ordered_keys(np.array(numbers)).tolist()
    assert [number_of_key(key) for key in sorted(keys)] == sorted(number + 0.0 for number in numbers)


@pytest.mark.parametrize("draw", ["lognormal", "uniform", "normal", "exponential"])
def test_bounds_are_narrow_whatever_the_distribution(draw):
    numbers = getattr(np.random.default_rng(7), draw)(size=200_000)
    sketch = RankSketch()
    for part in np.array_split(numbers, 7):
        sketch.update(ordered_keys(part))
    for share in (0.01, 0.25, 0.5, 0.75, 0.99):
        low, high, _ = sketch.quantile(share)
        true = np.quantile(numbers, share, method="inverted_cdf")
        assert number_of_key(low) <= true <= number_of_key(high)
        assert number_of_key(high) - number_of_key(low) <= 0.04 * abs(true)


# Sums


@given(splits(st.lists(NUMBERS, max_size=60)))
def test_any_split_gives_the_same_mean_which_is_the_exact_one(drawn):
    numbers, parts = drawn
    one, other = (merged(Spread, [np.array(part, float) for part in cut]) for cut in ([numbers], parts))
    assert (one.mean, one.deviation) == (other.mean, other.deviation)
    if numbers:
        assert one.mean == float(statistics.mean(map(Fraction, numbers)))
    else:
        assert one.mean is None


@given(st.lists(st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100), min_size=2, max_size=50))
def test_the_deviation_is_that_of_the_numbers(numbers):
    spread = merged(Spread, [np.array(numbers)])
    assert spread.deviation == pytest.approx(math.sqrt(statistics.variance(map(Fraction, numbers))), rel=1e-12)


def test_a_small_deviation_around_a_large_mean_is_not_lost():
    numbers = 1e12 + np.arange(1000) % 2
    spread = merged(Spread, [numbers])
    assert spread.deviation == pytest.approx(float(np.std(numbers - 1e12, ddof=1)), rel=1e-12)


def test_a_mean_beyond_the_range_of_sums_is_right_and_the_deviation_unknown():
    spread = merged(Spread, [np.array([1.7e308, 1.7e308, 1.7e308])])
    assert (spread.mean, spread.deviation) == (1.7e308, None)
