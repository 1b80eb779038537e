"""Dates and timestamps written in a ``strptime`` pattern, read a whole column at a time.

Python's ``strptime`` defines what a pattern accepts: Arrow's own takes 31 February for 2 March. Patterns of fixed width
are rearranged to ISO 8601 and cast; everything else is looked up in a dictionary of the texts met so far.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl_framework import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl_framework import Column

Rows = npt.NDArray[np.int64]

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_ISO = (("Y", ""), ("m", "-"), ("d", "-"), ("H", " "), ("M", ":"), ("S", ":"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_REMEMBERED = 200_000


class DatePattern:
    """Reads the texts of one column.

    :param column: of kind date, timestamp or timestamptz, with a format.
    :param null_values: texts that are null.
    """

    def __init__(self, column: Column, null_values: Sequence[str]) -> None:
        assert column.format is not None
        self._format = column.format
        self._kind = column.type.kind
        self._type = column.type.arrow()
        self._null_values = dict.fromkeys((*null_values, None))
        self._known: dict[str | None, int | bool | None] = dict(self._null_values)
        self._fixed = _fixed_width(column.format) if self._kind is not Kind.TIMESTAMPTZ else None

    def read(self, texts: pa.Array) -> tuple[pa.Array, Rows]:
        """Convert the texts.

        :param texts: strings.
        :returns: the values, null where the text is a null value or wrong; and the rows of wrong texts, ascending.
        """
        if self._fixed is not None and (values := self._rearranged(texts)) is not None:
            return values, np.zeros(0, np.int64)
        return self._looked_up(texts)

    def _rearranged(self, texts: pa.Array) -> pa.Array | None:
        assert self._fixed is not None
        iso = self._fixed.to_iso(texts, 10 if self._kind is Kind.DATE else 19)
        if iso is None:
            return None
        try:
            return iso.cast(self._type)
        except pa.ArrowInvalid:
            return None

    def _looked_up(self, texts: pa.Array) -> tuple[pa.Array, Rows]:
        encoded = texts.dictionary_encode(null_encoding="encode")
        if len(self._known) > _MOST_REMEMBERED:
            self._known = dict(self._null_values)
        found = [self._lookup(text) for text in encoded.dictionary.to_pylist()]
        # None is null, False is wrong.
        wrong = np.array([value is False for value in found], np.bool_)
        numbers = pa.array([None if value is False else value for value in found], pa.int64())
        rows = np.asarray(encoded.indices)
        values = numbers.take(encoded.indices)
        typed = values.cast(pa.int32()) if self._kind is Kind.DATE else values
        return typed.view(self._type), np.flatnonzero(wrong[rows]) if len(rows) else np.zeros(0, np.int64)

    def _lookup(self, text: str | None) -> int | bool | None:
        if text not in self._known:
            self._known[text] = self._number(text or "")
        return self._known[text]

    def _number(self, text: str) -> int | bool:
        """Days or microseconds since 1970; False when the text is wrong."""
        try:
            moment = datetime.strptime(text, self._format)  # noqa: DTZ007 - whether there is a zone is checked below
        except ValueError:
            return False
        # White space in a pattern matches line ends too, which belong to no date.
        if "\n" in text or "\r" in text or (moment.tzinfo is None) is (self._kind is Kind.TIMESTAMPTZ):
            return False
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
        if self._kind is not Kind.DATE:
            return since // _MICROSECOND
        return False if since % timedelta(days=1) else since.days


class _FixedWidth:
    """Where the digits of a date stand in texts of one width."""

    def __init__(self, width: int, places: dict[str, int], literals: dict[int, int]) -> None:
        self._width = width
        self._places = places
        self._literals = np.array(list(literals), np.int64), np.array(list(literals.values()), np.uint8)

    def to_iso(self, texts: pa.Array, width: int) -> pa.Array | None:
        """The texts in ISO 8601, ``width`` characters each; None when they are not all of this pattern's width."""
        count = len(texts)
        if texts.null_count or not count:
            return None
        _, offsets_buffer, data = texts.buffers()
        offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1]
        first = int(offsets[0])
        if int(offsets[-1]) - first != count * self._width or (np.diff(offsets) != self._width).any():
            return None
        letters = np.frombuffer(data, np.uint8)[first : first + count * self._width].reshape(count, self._width)
        where, what = self._literals
        year = self._places["Y"]
        # Python knows no year 0, ISO 8601 does.
        if (letters[:, where] != what).any() or (letters[:, year : year + 4] == ord("0")).all(axis=1).any():
            return None
        return _strings(self._iso(letters, width))

    def _iso(self, letters: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
        iso = np.empty((len(letters), width), np.uint8)
        at = 0
        for directive, before in _ISO:
            if at >= width:
                break
            if before:
                iso[:, at] = ord(before)
                at += 1
            size, place = _WIDTHS[directive], self._places.get(directive)
            iso[:, at : at + size] = ord("0") if place is None else letters[:, place : place + size]
            at += size
        return iso


def _strings(letters: npt.NDArray[np.uint8]) -> pa.Array:
    count, width = letters.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(letters)])


def _fixed_width(pattern: str) -> _FixedWidth | None:
    """The pattern as places of digits; None when its texts may differ in width."""
    places: dict[str, int] = {}
    literals: dict[int, int] = {}
    at = 0
    for directive, letter in re.findall(r"%(.)|(.)", pattern, re.DOTALL):
        if directive:
            if directive not in _WIDTHS or directive in places:
                return None
            places[directive] = at
            at += _WIDTHS[directive]
        elif not letter.isascii():
            return None
        else:
            literals[at] = ord(letter)
            at += 1
    if not {"Y", "m", "d"} <= places.keys() or {ord("\n"), ord("\r")} & set(literals.values()):
        return None
    return _FixedWidth(at, places, literals)
