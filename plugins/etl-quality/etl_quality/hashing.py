"""Hash values of columns: the same for equal values, on every machine, in every process."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

_LONG = 512
"""Texts of more bytes are hashed one by one: a few long ones would make as many rounds over all."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)


def mixed(words: Hashes) -> Hashes:
    """Spread 64-bit words evenly over all 64-bit words, one to one: the output function of SplitMix64.

    Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    words = words + _GOLDEN
    words = (words ^ (words >> _30)) * _FIRST
    words = (words ^ (words >> _27)) * _SECOND
    return words ^ (words >> _31)


def hashes(values: pa.Array) -> Hashes:
    """A 64-bit hash of each value. Equal floating point numbers are equal here: 0.0 and -0.0, and every NaN.

    :param values: without nulls, of a type that a column can have.
    """
    import pyarrow as pa

    kind = values.type
    if pa.types.is_string(kind):
        return _of_texts(values)
    if pa.types.is_decimal(kind):
        halves = np.frombuffer(values.buffers()[1], np.uint64).reshape(-1, 2)
        low, high = halves[values.offset : values.offset + len(values)].T
        return mixed(mixed(low) ^ high)
    if pa.types.is_floating(kind):
        numbers = values.cast(pa.float64()).to_numpy() + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return mixed(numbers.view(np.uint64))
    return mixed(integers(values).view(np.uint64))


def integers(values: pa.Array) -> NDArray[np.int64]:
    """What stands behind values without nulls: numbers themselves, days since 1970, microseconds.

    :param values: booleans, integers, dates, times or timestamps.
    """
    import pyarrow as pa

    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    elif pa.types.is_date32(values.type):
        values = values.view(pa.int32())
    elif pa.types.is_temporal(values.type):
        values = values.view(pa.int64())
    found: NDArray[np.int64] = values.to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def text_hash(text: bytes) -> int:
    """A 64-bit hash of one text."""
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def _of_texts(values: pa.Array) -> Hashes:
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    starts, lengths = (offsets[:-1] - first).astype(np.int64), np.diff(offsets).astype(np.int64)
    # Eight bytes may be read from any byte of the texts on.
    padded = np.zeros(last - first + 8, np.uint8)
    if last > first:
        padded[:-8] = np.frombuffer(values.buffers()[2], np.uint8, last - first, first)
    words = np.ndarray((last - first + 1,), "<u8", padded, strides=(1,))
    found = mixed(lengths.view(np.uint64))
    live, at = np.flatnonzero((lengths > 0) & (lengths <= _LONG)), 0
    while len(live):
        left = lengths[live] - at
        unused = np.maximum(8 - left, 0).astype(np.uint64) * np.uint64(8)
        word = (words[starts[live] + at] << unused) >> unused
        found[live] = mixed(found[live] ^ word)
        at += 8
        live = live[left > 8]
    for row in np.flatnonzero(lengths > _LONG):
        found[row] = text_hash(padded[starts[row] : starts[row] + lengths[row]].tobytes())
    return found
