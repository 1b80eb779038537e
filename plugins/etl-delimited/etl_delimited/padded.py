"""Numbers with leading zeros: codes, most likely, whose zeros a number would lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_delimited.dialect import Dialect
    from etl_delimited.parse import Buffer
    from etl_delimited.structure import Offsets

# Comparisons stay within the second-level cache; shorter ones would make threads wait for each other.
_STRIDE = 1 << 18
_ZERO, _TEN = np.uint8(ord("0")), np.uint8(10)
_HYPHEN = ord("-")


def may_hold_padded(records: Buffer, dialect: Dialect) -> bool:
    """Whether some field of the records begins with a zero and another digit, text fields included; 2 ms for 8 MiB.

    Most delimiters, line ends and quotes are below the hyphen, and what else is below it hardly ever stands before a
    zero: one comparison for all of them comes first.
    """
    letters = np.frombuffer(records, np.uint8)
    before = {ord("\n"), ord("\r"), dialect.delimiter.encode()[-1], *(dialect.quote or "").encode()}
    if len(letters) > 1 and letters[0] == _ZERO and int(letters[1]) - int(_ZERO) in range(10):
        return True
    below = [letter for letter in before if letter < _HYPHEN]
    above = [letter for letter in before if letter >= _HYPHEN]
    distances = np.empty(_STRIDE + 2, np.uint8)
    zeros, begins, found = np.empty((3, _STRIDE + 2), np.bool_)
    for begin in range(0, len(letters) - 2, _STRIDE):
        piece = letters[begin : begin + _STRIDE + 2]
        size = len(piece) - 2
        # What is below the zero wraps around and is no digit either.
        digit = np.less(np.subtract(piece[2:], _ZERO, out=distances[:size]), _TEN, out=zeros[:size])
        padded = np.logical_and(np.equal(piece[1:-1], _ZERO, out=found[:size]), digit, out=digit)
        likely = np.logical_and(np.less(piece[:-2], _HYPHEN, out=begins[:size]), padded, out=begins[:size])
        if likely.any() and bool(np.isin(piece[:-2][likely], below).any()):
            return True
        for letter in above:
            begins_field = np.equal(piece[:-2], letter, out=begins[:size])
            if np.logical_and(begins_field, padded, out=begins[:size]).any():
                return True
    return False


def padded_rows(texts: pa.Array) -> Offsets:
    """The rows whose text is an integer with leading zeros."""
    found = pc.fill_null(pc.match_substring_regex(texts, r"^\s*[+-]?0[0-9]"), False)
    rows: Offsets = np.flatnonzero(found.to_numpy(zero_copy_only=False))
    return rows
