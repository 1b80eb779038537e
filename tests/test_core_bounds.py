"""Smallest and largest values, compared with Python's own."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl_framework.bounds import extremes

LETTERS = st.characters(codec="utf-8")
# Values that are alike for long, and of any length: what comparing eight bytes at a time could get wrong.
ALIKE = st.tuples(st.integers(0, 130), st.text(st.sampled_from("\0ab\x7f\x80é\uffee\U00010000"), max_size=12)).map(
    lambda drawn: "a" * drawn[0] + drawn[1]
)
TEXT = st.one_of(ALIKE, st.text(LETTERS, max_size=10), st.sampled_from(["", "a" * 8, "a" * 16, "a" * 9 + "b"]))


def of_text(values: list[str | None]) -> tuple[str | None, str | None]:
    there = [value for value in values if value is not None]
    return min(there, key=str.encode, default=None), max(there, key=str.encode, default=None)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, max_size=12))
@example(["a", "a\0"])
@example(["a" * 200, "a" * 200 + "b"])
@example(["", ""])
@example([""])
@example(["é", "z"])
def test_text_compares_by_its_bytes(values: list[str]) -> None:
    assert extremes(pa.array(values, pa.string())) == of_text(list(values))


@pytest.mark.parametrize("times", [1, 2, 100])
def test_values_that_are_alike_for_very_long_are_compared_to_their_end(times: int) -> None:
    shorter, longer = "a" + "x" * 100_000, "a" + "x" * 100_001
    assert extremes(pa.array(["b", *[longer, shorter] * times])) == (shorter, "b")
    assert extremes(pa.array(["A", *[longer, shorter] * times])) == ("A", longer)
    assert extremes(pa.array([longer] * times)) == (longer, longer)
    assert extremes(pa.array(["a" * n for n in range(1, 3000)])) == ("a", "a" * 2999)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | TEXT, max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_slices_and_nulls_count_only_what_is_in_them(values: list[str | None], begin: int, length: int) -> None:
    part = pa.array(values, pa.string()).slice(min(begin, len(values)), length)
    assert extremes(part) == of_text(values[begin : begin + length])


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize(("type_", "width"), [(pa.float64(), 64), (pa.float32(), 32)])
@given(data=st.data())
def test_floats_are_compared_without_nan(type_: pa.DataType, width: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | st.floats(width=width), max_size=8))  # type: ignore[arg-type]
    numbers = [value for value in values if value is not None and not math.isnan(value)]
    if numbers or not any(value is not None for value in values):
        assert extremes(pa.array(values, type_, from_pandas=False)) == (
            min(numbers, default=None),
            max(numbers, default=None),
        )


@pytest.mark.parametrize("type_", [pa.int64(), pa.date32(), pa.bool_(), pa.string(), pa.float64()])
def test_without_values_there_are_no_extremes(type_: pa.DataType) -> None:
    assert extremes(pa.array([], type_)) == (None, None)
    assert extremes(pa.array([None, None], type_)) == (None, None)
