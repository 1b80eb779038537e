"""Smallest, largest and different values of Arrow arrays: of floats and of text much faster than Arrow finds them.

Control totals look at every value of every column, so this is on the path of every byte. Arrow compares text value by
value; here it is compared up to eight bytes of all values at a time, and left to Arrow where values begin alike.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_framework.once_per_block import once_per_block

_WIDTHS = (8, 4, 2, 1)
_ALIKE = 24
_FIRST = 1000
_REPEATED = 10
"""Codes are told by the first values: each of these occurs so many times on average."""

Numbers = npt.NDArray[Any]


@once_per_block
def extremes(values: pa.Array) -> tuple[Any, Any]:
    """The smallest and the largest value as Python objects; (None, None) without values.

    Text compares by its UTF-8 bytes; NaN among floats is passed over.
    """
    if values.null_count == 0 and len(values):
        if pa.types.is_floating(values.type):
            low, high = float_bounds(values)
            if low == low:
                return low, high
        elif pa.types.is_string(values.type) and values.buffers()[2] is not None:
            return _text_extremes(values)
    if pa.types.is_date32(values.type):
        first, last = (pa.scalar(day, values.type).as_py() for day in extremes(values.view(pa.int32())))
        return first, last
    found = pc.min_max(values).as_py()
    return found["min"], found["max"]


@once_per_block
def float_bounds(values: pa.Array) -> tuple[float, float]:
    """The smallest and the largest of floats, both NaN where one is among them.

    :param values: at least one, none of them null.
    """
    numbers = values.to_numpy(zero_copy_only=True)
    return float(numbers.min()), float(numbers.max())


@once_per_block
def few_distinct(values: pa.Array) -> pa.Array | None:
    """The different values, null among them, where the first ones repeat themselves as codes do; None where not."""
    few = len(pc.unique(values[:_FIRST])) * _REPEATED <= min(_FIRST, len(values))
    return pc.unique(values) if few else None


def _text_extremes(values: pa.Array) -> tuple[str, str]:
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    texts = _Texts(values, np.frombuffer(values.buffers()[2], np.uint8), offsets[:-1], np.diff(offsets))
    if texts.shortest == 0:
        # The empty value is the smallest; it has no first byte to compare.
        filled = np.flatnonzero(texts.lengths)
        return "", texts.only(filled).extreme(0, largest=True) if len(filled) else ""
    first = texts.window(0, 1)
    low, high = first.min(), first.max()
    if texts.are_of_one_length:
        return texts.extreme(0, largest=False), texts.extreme(0, largest=True)
    if low == high:
        # Most likely they have more in common, such as the beginning of an address: Arrow passes over that once.
        found = pc.min_max(values).as_py()
        return found["min"], found["max"]
    return (
        texts.only(np.flatnonzero(first == low)).extreme(1, largest=False),
        texts.only(np.flatnonzero(first == high)).extreme(1, largest=True),
    )


class _Texts:
    """Some values of a text array.

    :param values: all values of the array, for the answer and as a last resort.
    :param data: the bytes of all values.
    :param starts: where each of the values begins.
    :param lengths: in bytes.
    :param rows: their indexes among ``values``; None when they are all of them.
    """

    def __init__(
        self, values: pa.Array, data: Numbers, starts: Numbers, lengths: Numbers, rows: Numbers | None = None
    ) -> None:
        self._values, self._data, self._starts, self._rows = values, data, starts, rows
        self.lengths = lengths
        self.shortest, self._longest = int(lengths.min()), int(lengths.max())

    @property
    def are_of_one_length(self) -> bool:
        """Whether all values have the same number of bytes."""
        return self.shortest == self._longest

    def only(self, kept: Numbers) -> _Texts:
        """Those with the given indexes."""
        rows = kept if self._rows is None else self._rows[kept]
        return _Texts(self._values, self._data, self._starts[kept], self.lengths[kept], rows)

    def window(self, begin: int, width: int) -> Numbers:
        """Some bytes of each value as one number that compares as they do; every value has them."""
        if self._rows is None and self.are_of_one_length:
            # Values of one length lie at equal distances.
            first = int(self._starts[0]) + begin
            shape, step = (len(self._starts),), (self.shortest,)
            found: Numbers = np.ndarray(shape, f"=u{width}", self._data[first:], strides=step)
        elif width == 1:
            found = self._data.take(self._starts + begin if begin else self._starts)
        else:
            windows: Numbers = np.ndarray((len(self._data) - width + 1,), f"=u{width}", self._data, strides=(1,))
            found = windows[self._starts + begin]
        return found.byteswap() if width > 1 and sys.byteorder == "little" else found

    def extreme(self, done: int, *, largest: bool) -> str:
        """The smallest or the largest of values that are alike in their first ``done`` bytes."""
        if len(self._starts) == 1:
            return self._at(0)
        if self.shortest == done:
            # A value that ends here is smaller than those that go on like it.
            if not largest or self.are_of_one_length:
                return self._at(int(self.lengths.argmin()))
            return self.only(np.flatnonzero(self.lengths > done)).extreme(done, largest=True)
        width = next(width for width in _WIDTHS if width <= self.shortest)
        end = min(self.shortest, done + width)
        # Bytes that are known to be alike may be compared again: so one window reaches the end of short values.
        numbers = self.window(end - width, width)
        best = int(numbers.argmax() if largest else numbers.argmin())
        if self.are_of_one_length and end == self.shortest:
            return self._at(best)
        alike = numbers == numbers[best]
        if alike.all() and end <= _ALIKE:
            # Few different values, or only one: there is nothing to take out.
            return self.extreme(end, largest=largest)
        kept = np.flatnonzero(alike)
        if end > _ALIKE and 2 * len(kept) > len(numbers):
            # Windows hardly tell these apart, and Arrow's comparing stops at the first byte that does.
            values = self._values if self._rows is None else self._values.take(pa.array(self._rows))
            return str(pc.min_max(values)["max" if largest else "min"].as_py())
        return self.only(kept).extreme(end, largest=largest)

    def _at(self, index: int) -> str:
        return str(self._values[index if self._rows is None else int(self._rows[index])].as_py())
