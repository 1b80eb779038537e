"""What several ask of a column of a block is found out once, and never told of another one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etl_framework import Column, ColumnType, Kind, TotalsAccumulator
from etl_framework.bounds import extremes, few_distinct
from etl_framework.once_per_block import known, once_per_block, remembering


@pytest.fixture
def asked():
    """A function that is asked once per block, and what it was asked of."""
    seen: list[list[int]] = []

    @once_per_block
    def total(values: pa.Array) -> int:
        seen.append(values.to_pylist())
        return sum(seen[-1])

    return total, seen


def test_a_column_is_asked_once_until_it_is_forgotten(asked):
    total, seen = asked
    batch = pa.record_batch({"a": [1, 2], "b": [1, 2]})
    with remembering() as forget:
        assert [total(batch.column("a")), total(batch["a"]), total(batch.column("b"))] == [3, 3, 3]
        assert seen == [[1, 2], [1, 2]]
        forget()
        assert total(batch.column("a")) == 3
        assert len(seen) == 3
    total(batch.column("a"))
    assert len(seen) == 4


def test_parts_and_other_readings_of_the_same_values_are_told_apart(asked):
    total, _ = asked
    values = pa.array([1, 2, 3])
    with remembering():
        assert [total(values), total(values[1:]), total(values[:1]), total(values[1:2])] == [6, 5, 1, 2]
        assert extremes(values) == (1, 3)
        assert extremes(values.view(pa.timestamp("us")))[0].microsecond == 1


def test_nulls_over_the_same_values_are_told_apart():
    values = pa.array([1, 2, 3])
    holed = pa.Array.from_buffers(values.type, 3, [pa.py_buffer(b"\x03"), values.buffers()[1]])
    with remembering():
        assert [extremes(values), extremes(holed)] == [(1, 3), (1, 2)]


@pytest.mark.parametrize("values", [[], ["", ""], [None, None]])
def test_values_without_a_byte_are_asked_like_others(values: list[str | None]):
    texts = pa.array(values, pa.string())
    alone = extremes(texts)
    with remembering():
        assert [extremes(texts), extremes(texts)] == [alone, alone]


def test_values_that_come_to_lie_where_others_lay_are_not_taken_for_them():
    with remembering():
        for number in range(200):
            assert extremes(pa.array([number] * 100)) == (number, number)


def test_what_is_remembered_within_another_block_is_its_own(asked):
    total, seen = asked
    values = pa.array([1])
    with remembering():
        total(values)
        with remembering():
            total(values)
        total(values)
    assert len(seen) == 2


def test_what_nobody_asked_is_not_known():
    values = pa.array(["bb", "a"] * 50)
    assert known(few_distinct, values) is None
    with remembering():
        assert known(few_distinct, values) is None
        assert few_distinct(values).to_pylist() == ["bb", "a"]
        assert known(few_distinct, values).to_pylist() == ["bb", "a"]
        assert extremes(values) == ("a", "bb")


@pytest.mark.parametrize("texts", [["b", "aa"], ["b", None, "aa"], ["", "b"], [None, None], ["ä", "z", "𝄞"]])
def test_totals_of_codes_that_checks_have_found_are_those_of_all_values(texts: list[str | None]) -> None:
    columns = [Column(name="a", type=ColumnType(kind=Kind.VARCHAR))]
    asked, alone = TotalsAccumulator(columns), TotalsAccumulator(columns)
    for batch in (pa.record_batch({"a": pa.array(some * 50, pa.string())}) for some in (["m", "kk"], texts, ["m"])):
        alone.update(batch)
        with remembering():
            asked.update(batch)
            few_distinct(batch.column("a"))
            asked.learn(batch)
    assert asked.finish() == alone.finish()
