"""A 64-bit hash of the key of each row: equal keys have equal hashes, which is all that is relied upon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

if TYPE_CHECKING:
    Bits: TypeAlias = npt.NDArray[np.uint64]
    Flags: TypeAlias = npt.NDArray[np.bool_]

_WORD = 8
_MOST_WORDS = 16
"""Words of a text that are mixed in for all rows at once; the few texts that are longer are hashed one by one."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0xD1B54A32D192ED03)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def hashes(columns: Sequence[pa.Array]) -> Bits:
    """The hash of each row's values, the same in every process.

    Values that SQL's ``GROUP BY`` takes to be equal have equal hashes: nulls are equal to each other, and so are zeros
    of either sign, and every NaN.

    :param columns: of equal length, at least one.
    """
    mixed = np.zeros(len(columns[0]), np.uint64)
    for values in columns:
        nulls = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
        if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
            _mix_texts(mixed, values, nulls)
        else:
            for words in _fixed(values):
                _mix(mixed, words, nulls)
    return mixed


def _mix(mixed: Bits, words: Bits, nulls: Flags | None = None) -> None:
    """Mix one word into each hash, in place: a step and the finaliser of SplitMix64."""
    shifted = np.empty_like(mixed)
    mixed += _STEP
    # Under a null lies anything.
    mixed ^= words if nulls is None else np.where(nulls, _NULL, words)
    for shift, factor in zip(_SHIFTS, (*_FACTORS, None), strict=True):
        mixed ^= np.right_shift(mixed, shift, out=shifted)
        if factor is not None:
            mixed *= factor


def _fixed(values: pa.Array) -> Iterator[Bits]:
    """Values of a fixed width, as one word each or two."""
    kind, begin, end = values.type, values.offset, values.offset + len(values)
    if pa.types.is_boolean(kind):
        yield np.asarray(values.cast(pa.uint8()).fill_null(0)).astype(np.uint64)
        return
    raw = values.buffers()[1]
    if raw is None:
        yield np.zeros(len(values), np.uint64)
    elif pa.types.is_floating(kind):
        numbers = np.frombuffer(raw, kind.to_pandas_dtype())[begin:end].astype(np.float64)
        numbers += 0.0  # makes a zero of either sign a positive one
        numbers[np.isnan(numbers)] = np.nan
        yield numbers.view(np.uint64)
    elif kind.bit_width == 128:
        halves = np.frombuffer(raw, np.uint64)[2 * begin : 2 * end]
        yield halves[0::2]
        yield halves[1::2]
    else:
        yield np.frombuffer(raw, f"i{kind.bit_width // 8}")[begin:end].astype(np.int64).view(np.uint64)


def _mix_texts(mixed: Bits, values: pa.Array, nulls: Flags | None) -> None:
    """Mix in the length of each text, then as many words as it has."""
    _, raw_offsets, raw = values.buffers()
    offsets = np.frombuffer(raw_offsets, np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    sizes = np.diff(offsets)
    _mix(mixed, sizes.view(np.uint64), nulls)
    if nulls is not None:
        sizes[nulls] = 0
    if raw is None or not sizes.any():
        return
    letters = np.zeros(int(offsets[-1] - offsets[0]) + _WORD, np.uint8)
    letters[:-_WORD] = np.frombuffer(raw, np.uint8)[offsets[0] : offsets[-1]]
    # A word at every byte, without a copy.
    words = np.lib.stride_tricks.as_strided(letters, (len(letters) - _WORD + 1, _WORD), (1, 1))
    begins = offsets[:-1] - offsets[0]
    # The hash of a text must not depend on how long its neighbours are.
    rows = np.flatnonzero(sizes)
    for place in range(0, _MOST_WORDS * _WORD, _WORD):
        rows = rows[sizes[rows] > place]
        if not len(rows):
            return
        found = words[begins[rows] + place].view(np.uint64)[:, 0]
        # What lies behind a text's end belongs to the next.
        found &= _KEPT[np.minimum(sizes[rows] - place, _WORD)]
        some = mixed[rows]
        _mix(some, found)
        mixed[rows] = some
    behind = _MOST_WORDS * _WORD
    for row in rows[sizes[rows] > behind].tolist():
        begin, size = int(begins[row]), int(sizes[row])
        mixed[row] ^= np.uint64(xxhash.xxh3_64_intdigest(letters[begin + behind : begin + size].tobytes()))


_KEPT = np.array([(1 << 8 * count) - 1 for count in range(_WORD + 1)], np.uint64)
"""Masks of the first bytes of a little-endian word, by how many of them count."""
