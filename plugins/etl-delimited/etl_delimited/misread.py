"""Texts that Arrow's parser takes for numbers that they do not say: hexadecimal integers, and floats beyond any range.

Hexadecimal digits wrap around at the top bit, and too large a float becomes infinite; neither is an error to Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_delimited.dialect import Dialect
    from etl_delimited.parse import Buffer
    from etl_delimited.structure import Offsets

# Comparisons stay within the second-level cache.
_STRIDE = 1 << 17
_ZERO, _X, _LOWER_CASE = ord("0"), ord("x"), 0x20


def may_hold_hexadecimal(records: Buffer, dialect: Dialect) -> bool:
    """Whether some field of the records may hold ``0x`` or ``0X``, text fields included; some 0.5 ms for 8 MiB.

    :param records: in UTF-8.
    """
    letters = np.frombuffer(records, np.uint8)
    # A closing quote and an escape character may stand between the two letters, and are no part of the value.
    between = {_ZERO, *(ord(sign) for sign in (dialect.quote, dialect.escape) if sign is not None)}
    lowered, (found, near) = np.empty(_STRIDE, np.uint8), np.empty((2, _STRIDE), np.bool_)
    for begin in range(1, len(letters), _STRIDE):
        piece = letters[begin : begin + _STRIDE]
        size = len(piece)
        marked = np.equal(np.bitwise_or(piece, _LOWER_CASE, out=lowered[:size]), _X, out=found[:size])
        if not marked.any():
            continue
        for letter in between:
            before = np.equal(letters[begin - 1 : begin - 1 + size], letter, out=near[:size])
            if not np.logical_and(marked, before, out=before).any():
                continue
            earlier = letters[np.maximum(np.flatnonzero(before) + begin - 2, 0)]
            if letter == _ZERO or any((earlier == sign).any() for sign in between):
                return True
    return False


def hexadecimal_rows(texts: pa.Array) -> Offsets:
    """The rows whose text is an integer in hexadecimal digits."""
    return _rows(pc.match_substring_regex(texts, r"^[ \t]*0[xX]"))


def infinite_rows(values: pa.Array) -> Offsets:
    """The rows whose float is infinite."""
    bounds = pc.min_max(values).values()
    if not any(bound.is_valid and abs(bound.as_py()) == np.inf for bound in bounds):
        return np.zeros(0, np.int64)
    return _rows(pc.is_inf(values))


def finite_rows(texts: pa.Array) -> Offsets:
    """The rows whose text, a float, spells no infinity."""
    return _rows(pc.invert(pc.match_substring_regex(texts, r"^[ \t]*[+-]?(?i:inf)")))


def _rows(mask: pa.Array) -> Offsets:
    rows: Offsets = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))
    return rows
