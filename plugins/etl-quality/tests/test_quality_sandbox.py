"""What a query in the sandbox sees: the rows of the moment, and never those of another block, rule or thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from etl_quality.sandbox import BATCH, connection, seeing
from hypothesis import given, settings
from hypothesis import strategies as st

VALUES = {pa.int32(): st.integers(-9, 9), pa.string(): st.text("ab", max_size=2), pa.float64(): st.sampled_from([0.5])}


@st.composite
def blocks(draw: st.DrawFn) -> pa.RecordBatch:
    """A block of some of the columns a, b, c, each of any type, cut out of a larger one."""
    names = draw(st.permutations("abc"))[: draw(st.integers(1, 3))]
    types = [draw(st.sampled_from(list(VALUES))) for _ in names]
    size = draw(st.integers(0, 5))
    values = [draw(st.lists(st.none() | VALUES[type_], min_size=size, max_size=size)) for type_ in types]
    arrays = [pa.array(each, type_) for each, type_ in zip(values, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names).slice(draw(st.integers(0, size)))


def seen(block: pa.RecordBatch, names: list[str]) -> list[Any]:
    with seeing(block) as made:
        return made.execute(f"SELECT {', '.join(names)} FROM {BATCH}").fetchall()


@settings(deadline=None)
@given(shown=st.lists(blocks(), min_size=1, max_size=8), data=st.data())
def test_a_query_sees_the_rows_of_its_block_whatever_was_seen_before(shown, data):
    for block in shown:
        names = data.draw(st.permutations(block.schema.names).map(lambda all_: all_[: len(all_) // 2 + 1]))
        assert seen(block, names) == [tuple(row[name] for name in names) for row in block.to_pylist()]


def test_threads_see_rows_of_their_own():
    many = [pa.record_batch({"a": [number] * 1000}) for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        for number, rows in enumerate(threads.map(lambda block: seen(block, ["DISTINCT a"]), many)):
            assert rows == [(number,)]


@pytest.mark.parametrize(
    "sql", ["SET TimeZone = 'Asia/Tokyo'", "SET memory_limit = '9GB'", "SET lock_configuration = false"]
)
def test_every_thread_has_the_same_settings_and_can_change_none(monkeypatch, sql):
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    def tried() -> str:
        with pytest.raises(duckdb.Error, match="locked"):
            connection().execute(sql)
        [[zone]] = connection().execute("SELECT current_setting('TimeZone')").fetchall()
        return zone

    with ThreadPoolExecutor(1) as thread:
        assert [tried(), thread.submit(tried).result()] == ["UTC", "UTC"]


def test_nothing_is_seen_where_nothing_is_shown():
    block = pa.record_batch({"a": [1]})
    assert seen(block, ["a"]) == [(1,)]
    with pytest.raises(duckdb.Error, match="asked outside"):
        connection().execute(f"SELECT a FROM {BATCH}")
    assert seen(block, ["a"]) == [(1,)]


def test_rows_that_duckdb_does_not_take_are_refused_alike_each_time():
    strange = pa.record_batch({"a": pa.nulls(1, pa.decimal256(60, 0))})
    seen(pa.record_batch({"b": [1]}), ["b"])
    said = []
    for _ in range(2):
        with pytest.raises(duckdb.NotImplementedException) as raised:
            seen(strange, ["a"])
        said.append(str(raised.value))
    assert said[0] == said[1]
