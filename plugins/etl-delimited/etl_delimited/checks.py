"""What every parsed batch is checked for: nulls where none may be, texts and numbers too long, days of no calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_framework import Kind, extremes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl_framework import Column

_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))
_DAY_MICROSECONDS = 86_400_000_000
_CALENDAR = {
    Kind.DATE: (_FIRST_DAY, _LAST_DAY),
    **dict.fromkeys(
        (Kind.TIMESTAMP, Kind.TIMESTAMPTZ),
        (_FIRST_DAY * _DAY_MICROSECONDS, (_LAST_DAY + 1) * _DAY_MICROSECONDS - 1),
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record is bad; the fields of :class:`~etl_framework.BadRow` without its place."""

    rule: str
    column: str | None
    value: str | None
    reason: str


def violations(batch: pa.RecordBatch, columns: Sequence[Column]) -> dict[int, Problem]:
    """The rows that break what is declared of their columns, each with its first problem; rows ascending."""
    found: dict[int, Problem] = {}
    for values, column in zip(batch.columns, columns, strict=True):
        for row, problem in _of_column(values, column):
            found.setdefault(row, problem)
    return dict(sorted(found.items()))


def too_large(values: pa.Array, column: Column) -> list[int]:
    """The rows whose decimal has more digits than its type.

    Arrow checks the digits as they are written, not once zeros have filled up the scale.
    """
    kind = column.type
    if kind.kind is not Kind.DECIMAL or not len(values):
        return []
    beyond = 10 ** ((kind.precision or 38) - (kind.scale or 0))
    if not any(bound.is_valid and abs(bound.as_py()) >= beyond for bound in pc.min_max(values).values()):
        return []
    return [row for row, value in enumerate(values.to_pylist()) if value is not None and abs(value) >= beyond]


def outside_calendar(values: pa.Array, kind: Kind) -> list[int]:
    """The rows whose day lies before year 1 or after year 9999, where neither Python nor most databases know days."""
    if kind not in _CALENDAR or not len(values):
        return []
    first, last = _CALENDAR[kind]
    numbers = values.view(pa.int32() if kind is Kind.DATE else pa.int64())
    if all(bound is None or first <= bound <= last for bound in extremes(numbers)):
        return []
    return _true_rows(pc.or_(pc.less(numbers, first), pc.greater(numbers, last)))


def _of_column(values: pa.Array, column: Column) -> Iterator[tuple[int, Problem]]:
    if column.required and values.null_count:
        for row in _true_rows(pc.is_null(values)):
            yield row, Problem("null_in_required", column.name, None, "The column is required, and the value is null.")
    limit = column.type.precision
    # A text has no more characters than bytes.
    if column.type.kind is Kind.VARCHAR and limit and (pc.max(pc.binary_length(values)).as_py() or 0) > limit:
        yield from _too_long(values, column, limit)


def _too_long(values: pa.Array, column: Column, limit: int) -> Iterator[tuple[int, Problem]]:
    lengths = pc.utf8_length(values)
    for row in _true_rows(pc.greater(lengths, limit)):
        reason = f"The text has {lengths[row].as_py()} characters, {column.type} holds {limit}."
        yield row, Problem("too_long", column.name, values[row].as_py(), reason)


def _true_rows(mask: pa.Array) -> list[int]:
    rows: list[int] = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False)).tolist()
    return rows
