"""Texts that Arrow's parser takes for numbers that they do not say: hexadecimal integers, and floats beyond any range.

Hexadecimal digits wrap around at the top bit, and too large a float becomes infinite; neither is an error to Arrow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from etl_framework import extremes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from etl_delimited.dialect import Dialect
    from etl_delimited.parse import Buffer
    from etl_delimited.structure import Flags, Offsets

    Letters = npt.NDArray[np.uint8]

# Comparisons stay within the second-level cache; shorter ones would make threads wait for each other.
_STRIDE = 1 << 19
_MOST_BETWEEN = 64
_ZERO, _X, _LOWER_CASE = ord("0"), ord("x"), 0x20

EXES = b"xX"
"""One of them stands in every integer in hexadecimal digits."""


def _table(letters: Iterable[int]) -> Flags:
    """Which of all bytes are among the letters."""
    table = np.zeros(256, np.bool_)
    table[list(letters)] = True
    return table


_LINE_END = _table(b"\r\n")


def count_letter(texts: pa.Array, letter: int) -> int:
    """How often a letter of ASCII occurs in all of the texts; 0.1 ms for a MiB."""
    _, offsets, data = texts.buffers()
    if data is None:
        return 0
    begin, end = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    letters = np.frombuffer(data, np.uint8)[begin:end]
    found = np.empty(min(_STRIDE, len(letters)), np.bool_)
    pieces = (letters[at : at + _STRIDE] for at in range(0, len(letters), _STRIDE))
    return sum(int(np.count_nonzero(np.equal(piece, letter, out=found[: len(piece)]))) for piece in pieces)


def hexadecimal_fields(records: Buffer, dialect: Dialect, rows: int, width: int) -> frozenset[int]:
    """The fields that may hold integers in hexadecimal digits; 2 ms for 8 MiB without ``0x`` or ``0X``.

    Those that begin with it, or any field where that is costly to tell: where some delimiters are quoted or escaped, or
    have several characters.

    :param records: whole records, in UTF-8.
    :param rows: how many they are.
    :param width: fields of each.
    """
    letters = np.frombuffer(records, np.uint8)
    # A closing quote and an escape character may stand between the two letters, and are no part of the value.
    signs = [ord(sign) for sign in (dialect.quote, dialect.escape) if sign is not None]
    places = _places(letters, signs)
    if places is None:
        return frozenset(range(width))
    delimiter = dialect.delimiter.encode()
    before = _before_fields(letters, places, delimiter[-1], signs)
    if not len(before):
        return frozenset()
    first = (before < 0) | _LINE_END[letters[before]]
    inner = before[~first]
    if not len(inner):
        return frozenset({0})
    numbers, delimiters = _numbered(letters, delimiter[0], inner)
    if len(delimiter) > 1 or delimiters != rows * (width - 1) or (letters[inner] != delimiter[0]).any():
        return frozenset(range(width))
    fields = np.bincount(numbers % (width - 1) + 1, minlength=width) > 0
    fields[0] = first.any()
    return frozenset(np.flatnonzero(fields).tolist())


def _places(letters: Letters, between: Sequence[int]) -> Offsets | None:
    """Where ``0x`` stands; None when some has one of the signs between its letters."""
    lowered = np.empty(_STRIDE + 1, np.uint8)
    zeros, found = np.empty((2, _STRIDE + 1), np.bool_)
    places = [np.zeros(0, np.int64)]
    for begin in range(0, len(letters), _STRIDE):
        piece = letters[begin : begin + _STRIDE + 1]
        size = len(piece)
        zero = np.equal(piece, _ZERO, out=zeros[:size])[:-1]
        x = np.equal(np.bitwise_or(piece, _LOWER_CASE, out=lowered[:size]), _X, out=found[:size])[1:]
        if np.logical_and(zero, x, out=x).any():
            places.append(np.flatnonzero(x) + begin)
        for sign in between:
            signs = np.equal(piece, sign, out=found[:size])[1:]
            if signs.any() and np.logical_and(zero, signs, out=signs).any():
                behind = np.flatnonzero(signs) + begin + 2
                if any(_is_x(letters, behind + more, between) for more in (0, 1)):
                    return None
    return np.concatenate(places)


def _before_fields(letters: Letters, places: Offsets, delimiter: int, signs: Sequence[int]) -> Offsets:
    """For those of the places at which a field may begin, where the delimiter or line end before it stands, or -1.

    Blanks, quotes and escape characters between the two are passed over, unless they are too many.
    """
    between = _table(sign for sign in (*signs, *b" \t") if sign != delimiter)
    before = places - 1
    for _ in range(_MOST_BETWEEN):
        passed = between[letters[before]] & (before >= 0)
        if not passed.any():
            break
        before = before - passed
    return before[(before < 0) | (_LINE_END | between | _table([delimiter]))[letters[before]]]


def _numbered(letters: Letters, sign: int, places: Offsets) -> tuple[Offsets, int]:
    """How many of the signs stand before each of the places, which ascend, and how many there are."""
    numbers, seen = [], 0
    for begin in range(0, len(letters), _STRIDE):
        found = letters[begin : begin + _STRIDE] == sign
        low, high = np.searchsorted(places, (begin, begin + _STRIDE))
        if low < high:
            numbers.append(seen + np.searchsorted(np.flatnonzero(found), places[low:high] - begin))
        seen += int(np.count_nonzero(found))
    return np.concatenate(numbers), seen


def _is_x(letters: Letters, places: Offsets, between: Sequence[int]) -> bool:
    """Whether an x stands at one of the places, with none but a quote or an escape character right before it."""
    places = places[places < len(letters)]
    return bool(((letters[places] | _LOWER_CASE == _X) & np.isin(letters[places - 1], between)).any())


def hexadecimal_rows(texts: pa.Array) -> Offsets:
    """The rows whose text is an integer in hexadecimal digits."""
    return _rows(pc.match_substring_regex(texts, r"^[ \t]*0[xX]"))


def infinite_rows(values: pa.Array) -> Offsets:
    """The rows whose float is infinite."""
    # The bounds of all are found at once.
    if math.isfinite(sum(bound or 0.0 for bound in extremes(values))):
        return np.zeros(0, np.int64)
    return _rows(pc.is_inf(values))


def finite_rows(texts: pa.Array) -> Offsets:
    """The rows whose text, a float, spells no infinity."""
    return _rows(pc.invert(pc.match_substring_regex(texts, r"^[ \t]*[+-]?(?i:inf)")))


def _rows(mask: pa.Array) -> Offsets:
    rows: Offsets = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))
    return rows
