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

# Comparisons stay within the second-level cache.
_STRIDE = 1 << 17
_ZERO, _NINE = ord("0"), ord("9")


def may_hold_padded(records: Buffer, dialect: Dialect) -> bool:
    """Whether some field of the records begins with a zero and another digit; text fields count, too."""
    letters = np.frombuffer(records, np.uint8)
    before = {ord("\n"), ord("\r"), dialect.delimiter.encode()[-1], *(dialect.quote or "").encode()}
    if len(letters) > 1 and letters[0] == _ZERO and _ZERO <= letters[1] <= _NINE:
        return True
    for begin in range(0, len(letters) - 2, _STRIDE):
        piece = letters[begin : begin + _STRIDE + 2]
        zeros = piece[1:-1] == _ZERO
        begins = np.zeros(len(zeros), np.bool_)
        for letter in before:
            begins |= piece[:-2] == letter
        begins &= zeros
        places = np.flatnonzero(begins)
        following = piece[places + 2]
        if ((following >= _ZERO) & (following <= _NINE)).any():
            return True
    return False


def padded_rows(texts: pa.Array) -> Offsets:
    """The rows whose text is an integer with leading zeros."""
    found = pc.fill_null(pc.match_substring_regex(texts, r"^\s*[+-]?0[0-9]"), False)
    rows: Offsets = np.flatnonzero(found.to_numpy(zero_copy_only=False))
    return rows
