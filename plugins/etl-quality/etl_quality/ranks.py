"""Quantiles of numbers, dates and times, as values of their own type."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Self

from etl_framework import INTEGERS, Kind, Quantile
from etl_quality.hashing import integers
from etl_quality.sketches import RankSketch, number_of_key, ordered_keys

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from etl_framework import ColumnType

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_ENDS = ("value", "low", "high")
_WIDE = Context(prec=100)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ranks:
    """The quantiles of a column of numbers, dates, times or timestamps.

    Numbers count as double precision ones, which holds 15 digits of a decimal.
    """

    def __init__(self, type: ColumnType) -> None:  # noqa: A002 - the column's own word
        self._type = type
        self._sketch = RankSketch()
        self._any = False

    def update(self, values: pa.Array) -> None:
        """Take in dates, times or timestamps."""
        self._any = True
        self._sketch.update(integers(values))

    def update_numbers(self, numbers: np.ndarray) -> None:
        """Take in finite numbers."""
        self._any |= bool(len(numbers))
        self._sketch.update(ordered_keys(numbers))

    def merge(self, other: Self) -> None:
        """Take in what another saw."""
        self._any |= other._any
        self._sketch.merge(other._sketch)

    def quantiles(self, minimum: Any, maximum: Any) -> tuple[Quantile, ...]:
        """The quantiles of :data:`SHARES`; none without values.

        :param minimum: the smallest value, which no quantile is less than, however numbers are rounded.
        :param maximum: the largest value.
        """
        found = (self._quantile(share) for share in SHARES if self._any)
        return tuple(
            replace(quantile, **{end: min(max(getattr(quantile, end), minimum), maximum) for end in _ENDS})
            for quantile in found
        )

    def _quantile(self, share: float) -> Quantile:
        low, high, way = self._sketch.quantile(share)
        if self._type.is_number:
            least, most = number_of_key(low), number_of_key(high)
            between = self._number(least + (most - least) * way)
            return Quantile(share=share, value=between, low=self._number(least), high=self._number(most))
        moment = self._moment(low + round((high - low) * way))
        return Quantile(share=share, value=moment, low=self._moment(low), high=self._moment(high))

    def _number(self, number: float) -> int | float | Decimal:
        if self._type.kind in INTEGERS:
            return round(number)
        if self._type.kind is Kind.DECIMAL:
            return Decimal(repr(number)).quantize(Decimal(1).scaleb(-(self._type.scale or 0)), context=_WIDE)
        return number

    def _moment(self, key: int) -> date | time | datetime:
        if self._type.kind is Kind.DATE:
            return date(1970, 1, 1) + timedelta(days=key)
        moment = _EPOCH + timedelta(microseconds=key)
        if self._type.kind is Kind.TIME:
            return moment.time()
        return moment if self._type.kind is Kind.TIMESTAMPTZ else moment.replace(tzinfo=None)
