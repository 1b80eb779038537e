"""Figures of all rows, made of the figures of their parts in any order, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_DIGITS = 200
_MANTISSA = 53
_HALF = 26


@dataclass(slots=True)
class Count:
    """How many."""

    number: int = 0

    def add(self, found: int | str | None) -> None:
        """Take in a part's figure."""
        self.number += int(found or 0)

    def merge(self, other: Count) -> None:
        """Take in what another one knows."""
        self.number += other.number

    def text(self) -> str | None:
        """As SQL casts it."""
        return str(self.number)


@dataclass(slots=True)
class Sum:
    """A sum of integers or decimals; None of no values."""

    total: Decimal | None = None

    def add(self, found: int | str | None) -> None:
        """Take in a part's figure."""
        if found is not None:
            with localcontext() as context:
                context.prec = _DIGITS
                self.total = (self.total or Decimal(0)) + Decimal(found)

    def merge(self, other: Sum) -> None:
        """Take in what another one knows."""
        self.add(None if other.total is None else f"{other.total:f}")

    def text(self) -> str | None:
        """As SQL casts it."""
        return None if self.total is None else f"{self.total:f}"


@dataclass(slots=True)
class FloatSum:
    """A sum of floats that does not depend on their order: whole numbers, by the power of two that they count.

    :param special: the sum of what is infinite or not a number; 0.0 while there is none.
    """

    seen: bool = False
    special: float = 0.0
    parts: dict[int, int] = field(default_factory=dict)

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Take in a part's values."""
        if not len(values):
            return
        self.seen = True
        finite = np.isfinite(values)
        if not finite.all():
            for value in set(values[~finite].tolist()):
                self._add_special(value)
            values = values[finite]
        mantissas, exponents = np.frexp(values)
        whole = np.ldexp(mantissas, _MANTISSA).astype(np.int64)
        lowest = int(exponents.min(initial=0))
        places = exponents - lowest
        # Floats count integers exactly up to 2^53: halves of 27 bits leave room for 2^26 values.
        for shift, half in ((_HALF, whole >> _HALF), (0, whole & ((1 << _HALF) - 1))):
            sums = np.bincount(places, weights=half.astype(np.float64))
            for place in np.flatnonzero(sums).tolist():
                power = lowest + place - _MANTISSA + shift
                self.parts[power] = self.parts.get(power, 0) + int(sums[place])

    def merge(self, other: FloatSum) -> None:
        """Take in what another one knows."""
        self.seen |= other.seen
        self._add_special(other.special)
        for power, number in other.parts.items():
            self.parts[power] = self.parts.get(power, 0) + number

    def text(self) -> str | None:
        """As SQL casts it."""
        if not self.seen:
            return None
        if self.special:
            return repr(self.special)
        total = sum((number * Fraction(2) ** power for power, number in self.parts.items()), Fraction(0))
        try:
            return repr(float(total))
        except OverflowError:
            return "inf" if total > 0 else "-inf"

    def _add_special(self, value: float) -> None:
        self.special = self.special + value if value else self.special


@dataclass(slots=True)
class Extreme:
    """The smallest or the largest value; None of no values.

    :param largest: which of the two.
    :param numeric: whether values compare as numbers. Dates, times and texts compare as texts do.
    """

    largest: bool
    numeric: bool
    found: str | None = None

    def add(self, found: int | str | None) -> None:
        """Take in a part's figure."""
        if found is None:
            return
        value = str(found)
        if self.found is None or (self._key(value) > self._key(self.found)) == self.largest:
            self.found = value

    def merge(self, other: Extreme) -> None:
        """Take in what another one knows."""
        self.add(other.found)

    def text(self) -> str | None:
        """As SQL casts it."""
        return self.found

    def _key(self, value: str) -> tuple[bool, Any]:
        if not self.numeric:
            return False, value
        # As in SQL, not-a-number is above all.
        return (True, 0) if isnan(number := Decimal(value)) else (False, number)
