"""Control totals: figures about every column, computed from the sources and again in the warehouse.

That both agree is the proof that what was in the files is in the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Context, Decimal, Inexact
from typing import TYPE_CHECKING, Any

from etl_framework.columns import FLOATS, INTEGERS, Column, Kind
from etl_framework.errors import ReconciliationError

if TYPE_CHECKING:
    import pyarrow as pa

Scalar = bool | int | float | Decimal | date | datetime | time | str

FLOAT_TOLERANCE = 1e-12
"""How far two sums of floating point numbers may differ, relative to rows × largest magnitude.

Summation in any order stays within n·ε·Σ|x| (Higham, Accuracy and Stability of Numerical Algorithms, 4.2); pairwise
and compensated sums, which both sides use, within a small multiple of ε·Σ|x|, and Σ|x| ≤ rows × largest magnitude.
"""

_EXACT = Context(prec=100, traps=[Inexact])
"""Decimals have up to 38 digits, and Python's default context would round their sums to 28."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnTotals:
    """The control totals of one column.

    :param name: the column.
    :param nulls: rows without a value.
    :param minimum: smallest value, None without values; text compares by its UTF-8 bytes; of floating point numbers
        only the finite ones count, here and in ``total``.
    :param maximum: largest value.
    :param total: the sum of numbers; of text, the sum of the values' lengths in UTF-8 bytes; None for other types. 0
        without values.
    """

    name: str
    nulls: int
    minimum: Scalar | None
    maximum: Scalar | None
    total: int | float | Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The control totals of a table or of what is loaded into it.

    :param rows: number of rows.
    :param columns: one each, in order.
    :param counted_only: whether only the rows were counted and no column was measured, since what was loaded cannot
        be told from what was there before.
    """

    rows: int
    columns: tuple[ColumnTotals, ...]
    counted_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A control total in which the table differs from the sources.

    :param column: which column; empty for the number of rows.
    :param figure: ``rows``, ``nulls``, ``minimum``, ``maximum`` or ``total``.
    :param expected: as computed from the sources.
    :param found: as measured in the warehouse.
    """

    column: str
    figure: str
    expected: str
    found: str

    def __str__(self) -> str:
        where = f"{self.figure} of column {self.column!r}" if self.column else self.figure
        return f"{where}: {self.expected} in the sources, {self.found} in the table"


def compare(expected: Totals, found: Totals) -> tuple[Difference, ...]:
    """Every control total in which two sides differ; sums of floats within :data:`FLOAT_TOLERANCE`.

    :param found: only its rows are compared where only they were counted.
    """
    differences = []
    if expected.rows != found.rows:
        differences.append(Difference(column="", figure="rows", expected=str(expected.rows), found=str(found.rows)))
    by_name = {column.name: column for column in found.columns}
    for column in () if found.counted_only else expected.columns:
        other = by_name.get(column.name)
        for figure in ("nulls", "minimum", "maximum", "total"):
            mine, theirs = getattr(column, figure), getattr(other, figure, None)
            same = _close(column, mine, theirs, expected.rows) if figure == "total" else mine == theirs
            if not same:
                differences.append(Difference(column=column.name, figure=figure, expected=str(mine), found=str(theirs)))
    return tuple(differences)


def reconcile(expected: Totals, found: Totals) -> None:
    """Insist that two sides agree.

    :raises ReconciliationError: they do not; the message lists the first differences.
    """
    if differences := compare(expected, found):
        shown = "; ".join(map(str, differences[:5])) + (" …" if len(differences) > 5 else "")
        raise ReconciliationError(
            f"the table does not hold what the sources hold: {shown}",
            advice="Nothing was committed. If the sources did not change, please report this as a defect.",
        )


def _close(column: ColumnTotals, mine: Any, theirs: Any, rows: int) -> bool:
    if not isinstance(mine, float) or not isinstance(theirs, int | float | Decimal):
        return bool(mine == theirs)
    largest = max((abs(float(v)) for v in (column.minimum, column.maximum) if isinstance(v, int | float)), default=0.0)
    # A sum that may have left the range of the type, on one side or both, proves nothing.
    return not math.isfinite(rows * largest) or abs(mine - float(theirs)) <= FLOAT_TOLERANCE * rows * largest


class TotalsAccumulator:
    """Control totals in the making: one per part, merged at the end. Picklable.

    :param columns: as every batch has them.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._rows = 0
        self._columns = [_ColumnAccumulator(column) for column in columns]

    def update(self, batch: pa.RecordBatch) -> None:
        """Take in the next batch."""
        self._rows += batch.num_rows
        for accumulator, values in zip(self._columns, batch.columns, strict=True):
            accumulator.update(values)

    def learn(self, batch: pa.RecordBatch) -> None:
        """Learn what checks asked of a batch, so as to make use of it in the next one, which they ask the same.

        Totals come first: what a check does to a batch is nothing to them.
        """
        for accumulator, values in zip(self._columns, batch.columns, strict=True):
            accumulator.learn(values)

    def merge(self, other: TotalsAccumulator) -> None:
        """Take in what another accumulator saw."""
        self._rows += other._rows
        for mine, theirs in zip(self._columns, other._columns, strict=True):
            mine.merge(theirs)

    def finish(self) -> Totals:
        """The totals so far."""
        return Totals(rows=self._rows, columns=tuple(column.finish() for column in self._columns))


class _ColumnAccumulator:
    def __init__(self, column: Column) -> None:
        self._name = column.name
        self._kind = column.type.kind
        self._nulls = 0
        self._minimum: Any = None
        self._maximum: Any = None
        self._coded = False
        self._total: Any = {Kind.DECIMAL: Decimal(0), Kind.REAL: 0.0, Kind.DOUBLE: 0.0}.get(self._kind, 0)
        self._rest = 0.0

    def update(self, values: pa.Array) -> None:
        import pyarrow.compute as pc

        from etl_framework.bounds import extremes

        self._nulls += values.null_count
        total = None
        if self._kind in FLOATS:
            total = pc.sum(values).as_py()
            if total is not None and not math.isfinite(total):
                values = values.filter(pc.is_finite(values))
                total = pc.sum(values).as_py()
        low, high = extremes(self._codes(values))
        if low is None:
            return
        self._extend(low, high)
        if self._kind in FLOATS:
            self._add(total or 0.0)
        elif self._kind in INTEGERS:
            self._add(integer_sum(values, max(abs(low), abs(high))))
        elif self._kind is Kind.DECIMAL:
            self._add(decimal_sum(values))
        elif self._kind is Kind.VARCHAR:
            self._add(_text_bytes(values))

    def _codes(self, values: pa.Array) -> pa.Array:
        """The values, or the different ones where checks ask for them anyway: to find them for totals takes longer."""
        from etl_framework.bounds import few_distinct

        codes = few_distinct(values) if self._coded else None
        return values if codes is None else codes

    def learn(self, values: pa.Array) -> None:
        from etl_framework.bounds import few_distinct
        from etl_framework.once_per_block import known

        self._coded = self._kind is Kind.VARCHAR and known(few_distinct, values) is not None

    def merge(self, other: _ColumnAccumulator) -> None:
        self._nulls += other._nulls
        if other._minimum is not None:
            self._extend(other._minimum, other._maximum)
        self._add(other._total)
        self._rest += other._rest

    def finish(self) -> ColumnTotals:
        summed = self._kind in INTEGERS | FLOATS | {Kind.DECIMAL, Kind.VARCHAR}
        return ColumnTotals(
            name=self._name,
            nulls=self._nulls,
            minimum=self._minimum,
            maximum=self._maximum,
            total=(self._total + self._rest if self._kind in FLOATS else self._total) if summed else None,
        )

    def _extend(self, low: Any, high: Any) -> None:
        # Code points and UTF-8 bytes sort alike, so comparing str here compares bytes.
        self._minimum = low if self._minimum is None else min(self._minimum, low)
        self._maximum = high if self._maximum is None else max(self._maximum, high)

    def _add(self, amount: Any) -> None:
        before = self._total
        if self._kind is Kind.DECIMAL:
            self._total = _EXACT.add(before, amount)
            return
        self._total = before + amount
        if self._kind in FLOATS and math.isfinite(self._total):
            # Neumaier's compensated summation: what the addition rounded away.
            if abs(before) >= abs(amount):
                self._rest += (before - self._total) + amount
            else:
                self._rest += (amount - self._total) + before


def integer_sum(values: pa.Array, largest: int) -> int:
    """The exact sum of integers.

    :param largest: the largest magnitude among them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if largest * len(values) < 1 << 63:
        return int(pc.sum(values).as_py())
    # Arrow sums wrap around at 64 bits.
    return int(pc.sum(values.cast(pa.decimal128(19, 0)).cast(pa.decimal256(60, 0))).as_py())


def _text_bytes(values: pa.Array) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if values.null_count or not pa.types.is_string(values.type):
        return pc.sum(pc.binary_length(values)).as_py() or 0
    # The lengths of values side by side add up to the distance from the first to the last.
    offsets = memoryview(values.buffers()[1]).cast("i")
    return int(offsets[values.offset + len(values)] - offsets[values.offset])


def decimal_sum(values: pa.Array) -> Decimal:
    """The exact sum of decimals; 0 without any."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.sum(values.cast(pa.decimal256(76, values.type.scale))).as_py() or Decimal(0)
