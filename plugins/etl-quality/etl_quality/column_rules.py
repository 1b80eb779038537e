"""The rules for the values of one column: which are bad, asked of an Arrow array, and asked in SQL.

On files, each rule first asks what is cheap (how many are missing, the smallest and the largest value), and looks for
the bad ones only where that shows that there are any. A missing value breaks only ``not_null``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_framework import Condition, extremes, few_distinct, float_bounds
from etl_quality.typed import sent

if TYPE_CHECKING:
    import numpy.typing as npt

    from etl_framework import Column
    from etl_quality.typed import Bound
    from etl_quality.words import Words


class ColumnRule(Protocol):
    """A rule for the values of a column."""

    @property
    def words(self) -> Words:
        """What is said of values that break it."""

    def broken(self, values: pa.Array) -> pa.Array | None:
        """A boolean for each value, true or null where it is bad or missing; None when none is bad."""

    def condition(self, name: str, column: Column) -> Condition:
        """SQL that is true of bad values, in the dialect that checks are written in.

        :param name: of the column, quoted.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNull:
    """There must be a value."""

    words: Words

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`ColumnRule`."""
        return pc.is_null(values) if values.null_count else None

    def condition(self, name: str, column: Column) -> Condition:  # noqa: ARG002 - the same for all types
        """See :class:`ColumnRule`."""
        return Condition(f"{name} IS NULL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Least:
    """No value may be lower."""

    words: Words
    bound: Bound

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`ColumnRule`."""
        low, _ = _extremes(values)
        if low is None or not low < self.bound.value:
            return None
        limit = _scalar(self.bound.value, values.type)
        return pc.is_valid(values) if limit is None else pc.less(values, limit)

    def condition(self, name: str, column: Column) -> Condition:
        """See :class:`ColumnRule`."""
        bound, value = sent(self.bound.value, column)
        return Condition(f"{name} < {bound}", (value,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """No value may be higher; not-a-number is higher than all."""

    words: Words
    bound: Bound

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`ColumnRule`."""
        _, high = _extremes(values)
        if high is None or high < self.bound.value or (high == self.bound.value and not self.bound.excluded):
            return None
        limit = _scalar(self.bound.value, values.type)
        if limit is None:
            return pc.is_valid(values)
        compare = pc.greater_equal if self.bound.excluded else pc.greater
        beyond = compare(values, limit)
        return pc.or_(beyond, pc.is_nan(values)) if pa.types.is_floating(values.type) else beyond

    def condition(self, name: str, column: Column) -> Condition:
        """See :class:`ColumnRule`."""
        bound, value = sent(self.bound.value, column)
        return Condition(f"{name} {'>=' if self.bound.excluded else '>'} {bound}", (value,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """A text must have so many characters.

    :param least: at least.
    :param most: at most; None for any number.
    """

    words: Words
    least: int
    most: int | None

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`ColumnRule`."""
        lengths = pc.binary_length(values) if _is_ascii(values) else pc.utf8_length(values)
        found = pc.min_max(lengths)
        low, high = found["min"].as_py(), found["max"].as_py()
        if low is None or (low >= self.least and (self.most is None or high <= self.most)):
            return None
        short = pc.less(lengths, self.least)
        return short if self.most is None else pc.or_(short, pc.greater(lengths, self.most))

    def condition(self, name: str, column: Column) -> Condition:  # noqa: ARG002 - all are texts
        """See :class:`ColumnRule`."""
        short = f"length({name}) < {self.least:d}"
        return Condition(short if self.most is None else f"({short} OR length({name}) > {self.most:d})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """A text must match a regular expression from its beginning to its end."""

    words: Words
    pattern: str

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`ColumnRule`."""
        pattern = whole(self.pattern)
        distinct = few_distinct(values)
        if distinct is not None and pc.all(pc.match_substring_regex(distinct, pattern)).as_py() is not False:
            return None
        good = pc.match_substring_regex(values, pattern)
        return None if pc.all(good).as_py() is not False else pc.invert(good)

    def condition(self, name: str, column: Column) -> Condition:  # noqa: ARG002 - all are texts
        """See :class:`ColumnRule`."""
        return Condition(f"NOT regexp_full_match({name}, ?)", (self.pattern,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """A value must be one of some.

    :param values: as the column's type.
    """

    words: Words
    values: pa.Array

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`ColumnRule`."""
        known = self.values if self.values.type == values.type else self.values.cast(values.type)
        if (letters := _single_letters(values)) is not None:
            allowed = "".join(text for text in known.to_pylist() if len(text) == 1 and text.isascii())
            if not letters.translate(None, allowed.encode()):
                return None
        distinct = few_distinct(values)
        if distinct is not None and pc.all(pc.is_in(distinct.drop_null(), value_set=known)).as_py() is not False:
            return None
        good = pc.is_in(values, value_set=known)
        if pc.all(good).as_py() is not False:
            return None
        bad = pc.invert(good)
        return pc.and_(bad, pc.is_valid(values)) if values.null_count else bad

    def condition(self, name: str, column: Column) -> Condition:
        """See :class:`ColumnRule`."""
        if not len(self.values):
            return Condition(f"{name} IS NOT NULL")
        marks, values = zip(*(sent(value, column) for value in self.values.to_pylist()), strict=True)
        return Condition(f"{name} NOT IN ({', '.join(marks)})", values)


def whole(pattern: str) -> str:
    """The regular expression as Arrow takes one that must match from the beginning to the end."""
    return rf"\A(?:{pattern})\z"


def _extremes(values: pa.Array) -> tuple[Any, Any]:
    """The smallest and the largest value; not-a-number is the largest, and (None, None) of no values."""
    if pa.types.is_floating(values.type) and values.null_count < len(values):
        _, high = float_bounds(values.drop_null() if values.null_count else values)
        if math.isnan(high):
            return extremes(values)[0], high
    return extremes(values)


def _scalar(value: object, type_: pa.DataType) -> pa.Scalar | None:
    """A bound to compare with; None when it is beyond everything that the type can hold."""
    if pa.types.is_floating(type_):
        # In double precision, as in SQL: the number next to a bound need not be on the same side of it.
        return pa.scalar(value, pa.float64())
    try:
        return pa.scalar(int(value) if pa.types.is_integer(type_) else value, type_)  # type: ignore[call-overload]
    except (pa.ArrowInvalid, OverflowError):
        return None


def _single_letters(values: pa.Array) -> bytes | None:
    """The texts one after the other when each is one ASCII letter, such as Y and N; None when one is not."""
    if not pa.types.is_string(values.type) or values.null_count or not len(values):
        return None
    offsets = _offsets(values)
    if offsets[-1] - offsets[0] != len(values) or not (np.diff(offsets) == 1).all():
        return None
    # One byte that is valid UTF-8 is ASCII.
    return memoryview(values.buffers()[2])[offsets[0] : offsets[-1]].tobytes()


def _offsets(values: pa.Array) -> npt.NDArray[np.int32]:
    """Where each text begins, and the last one ends, among the bytes of all."""
    return np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]


def _is_ascii(values: pa.Array) -> bool:
    """Whether every text has as many characters as bytes."""
    data = values.buffers()[2]
    if data is None or not len(values):
        return True
    offsets = _offsets(values)
    used = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return not len(used) or int(used.max()) < 128
