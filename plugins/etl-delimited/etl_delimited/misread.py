"""Texts that Arrow's parser takes for numbers that they do not say: hexadecimal integers, and floats beyond any range.

Hexadecimal digits wrap around at the top bit, and too large a float becomes infinite; neither is an error to Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from etl_delimited.dialect import Dialect
    from etl_delimited.parse import Buffer
    from etl_delimited.structure import Offsets

    Letters = npt.NDArray[np.uint8]

# Comparisons stay within the second-level cache; shorter ones would make threads wait for each other.
_STRIDE = 1 << 19
_ZERO, _X, _LOWER_CASE = ord("0"), ord("x"), 0x20


def may_hold_hexadecimal(records: Buffer, dialect: Dialect) -> bool:
    """Whether some field of the records may hold ``0x`` or ``0X``, text fields included; about 1 ms for 8 MiB.

    :param records: in UTF-8.
    """
    letters = np.frombuffer(records, np.uint8)
    # A closing quote and an escape character may stand between the two letters, and are no part of the value.
    between = [ord(sign) for sign in (dialect.quote, dialect.escape) if sign is not None]
    lowered = np.empty(_STRIDE + 1, np.uint8)
    zeros, found = np.empty((2, _STRIDE + 1), np.bool_)
    for begin in range(0, len(letters), _STRIDE):
        piece = letters[begin : begin + _STRIDE + 1]
        size = len(piece)
        zero = np.equal(piece, _ZERO, out=zeros[:size])[:-1]
        x = np.equal(np.bitwise_or(piece, _LOWER_CASE, out=lowered[:size]), _X, out=found[:size])[1:]
        if np.logical_and(zero, x, out=x).any():
            return True
        for sign in between:
            signs = np.equal(piece, sign, out=found[:size])[1:]
            if signs.any() and np.logical_and(zero, signs, out=signs).any():
                places = np.flatnonzero(signs) + begin + 2
                if any(_is_x(letters, places + more, between) for more in (0, 1)):
                    return True
    return False


def _is_x(letters: Letters, places: Offsets, between: Sequence[int]) -> bool:
    """Whether an x stands at one of the places, with none but a quote or an escape character right before it."""
    places = places[places < len(letters)]
    return bool(((letters[places] | _LOWER_CASE == _X) & np.isin(letters[places - 1], between)).any())


def hexadecimal_rows(texts: pa.Array) -> Offsets:
    """The rows whose text is an integer in hexadecimal digits."""
    return _rows(pc.match_substring_regex(texts, r"^[ \t]*0[xX]"))


def infinite_rows(values: pa.Array) -> Offsets:
    """The rows whose float is infinite."""
    # A null leaves a finite number behind it, and NaN is not infinite; the bounds of all are found at once.
    numbers = np.frombuffer(values.buffers()[1], values.type.to_pandas_dtype())[values.offset :][: len(values)]
    if len(numbers) and np.isfinite(numbers.min()) and np.isfinite(numbers.max()):
        return np.zeros(0, np.int64)
    return _rows(pc.is_inf(values))


def finite_rows(texts: pa.Array) -> Offsets:
    """The rows whose text, a float, spells no infinity."""
    return _rows(pc.invert(pc.match_substring_regex(texts, r"^[ \t]*[+-]?(?i:inf)")))


def _rows(mask: pa.Array) -> Offsets:
    rows: Offsets = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))
    return rows
