"""What every parsed batch is checked for: nulls where none may be, texts and decimals that are too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_framework import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl_framework import Column


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
