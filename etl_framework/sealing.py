"""Batches that nobody can write into: what one check did there, the next would see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def read_only(array: pa.Array) -> pa.Array:
    """An array of the same values in the same memory, of which nobody gets a view to write through.

    :param array: of a type without children.
    """
    import pyarrow as pa

    buffers = [None if buffer is None else pa.py_buffer(memoryview(buffer).toreadonly()) for buffer in array.buffers()]
    return pa.Array.from_buffers(array.type, len(array), buffers, array.null_count, array.offset)
