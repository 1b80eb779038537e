"""Wider types for inferred columns whose values turn out not to fit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl_delimited.misfits import wrong
from etl_framework import INTEGERS, ColumnType, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl_framework import Column

Rows = npt.NDArray[np.int64]

_PADDED = re.compile(r"\s*[+-]?0[0-9]")
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
# From here on, some integers are no doubles.
_SAFE_INTEGER = 1 << 53
_DECIMAL = ColumnType(kind=Kind.DECIMAL, precision=38, scale=0)
_DOUBLE = ColumnType(kind=Kind.DOUBLE)
_TIMESTAMP = ColumnType(kind=Kind.TIMESTAMP)
_VARCHAR = ColumnType(kind=Kind.VARCHAR)
_WIDER = {**dict.fromkeys(INTEGERS, (_DECIMAL, _DOUBLE)), Kind.DATE: (_TIMESTAMP,)}


def widened(column: Column, texts: Sequence[str]) -> Column:
    """The column with the narrowest type that takes its former values and these.

    :param texts: values that do not fit; their column is a varchar if no number or date takes them as they are.
    """
    padded = any(map(_PADDED.match, texts))
    candidates = () if column.format or padded else _WIDER.get(column.type.kind, ())
    for candidate in candidates:
        if _takes(candidate, texts):
            return replace(column, type=candidate)
    return replace(column, type=_VARCHAR, format=None)


def _takes(candidate: ColumnType, texts: Sequence[str]) -> bool:
    if candidate is _DECIMAL and not all(map(_INTEGER.fullmatch, texts)):
        return False
    if candidate is _DOUBLE and any(map(_inexact, texts)):
        return False
    return not wrong(pa.array(texts, pa.string()), candidate).any()


def large_doubles(values: pa.Array) -> Rows:
    """The rows whose doubles are so large that an integer may have been rounded."""
    numbers = np.frombuffer(values.buffers()[1], np.float64)[values.offset : values.offset + len(values)]
    # Nulls are some number, too, and NaN is neither larger nor smaller: both are sorted out below.
    if not len(numbers) or (numbers.max() < _SAFE_INTEGER and numbers.min() > -_SAFE_INTEGER):
        return np.zeros(0, np.int64)
    large = (np.abs(numbers) >= _SAFE_INTEGER) & np.isfinite(numbers)
    return np.flatnonzero(large & values.is_valid().to_numpy(zero_copy_only=False))


def rounded_integers(texts: Sequence[str | None]) -> list[int]:
    """Indexes of the texts that are integers, written as such, of more digits than a double keeps."""
    return [index for index, text in enumerate(texts) if text is not None and _inexact(text)]


def _inexact(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and abs(int(text)) > _SAFE_INTEGER
