"""What several checks need of a batch is made once, and not kept longer than the batch."""

from __future__ import annotations

import gc
from weakref import ref

import pyarrow as pa

from etl_framework import once_per_batch


class Frame:
    """What another library has for a batch."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.values = rows["n"].to_pylist()


def test_it_is_made_once_for_a_batch_and_anew_for_the_next() -> None:
    frames = once_per_batch(Frame)
    first, second = (pa.record_batch({"n": [number]}) for number in (1, 2))
    assert frames(first) is frames(first)
    assert [frames(rows).values for rows in (first, second, first)] == [[1], [2], [1]]


def test_it_is_forgotten_with_the_batch() -> None:
    frames = once_per_batch(Frame)
    rows = pa.record_batch({"n": [1]})
    frame = ref(frames(rows))
    del rows
    gc.collect()
    assert frame() is None


def test_the_end_of_the_batch_before_takes_nothing_away() -> None:
    frames = once_per_batch(Frame)
    before, rows = pa.record_batch({"n": [1]}), pa.record_batch({"n": [2]})
    frames(before)
    frame = frames(rows)
    del before
    gc.collect()
    assert frames(rows) is frame
