"""Sums without rounding: means and standard deviations that do not depend on the order of the data."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class ExactSum:
    """The sum of floating point numbers, without any rounding, as a whole number of the smallest one's fractions."""

    _UNIT = 1200
    _LOW = 27

    def __init__(self) -> None:
        self._total = 0

    def update(self, numbers: Floats) -> None:
        """Add finite numbers."""
        if not len(numbers):
            return
        fractions, exponents = np.frexp(numbers)
        digits = np.ldexp(fractions, 53).astype(np.int64)
        at = exponents.astype(np.int64) + self._UNIT - 53
        base = int(at.min())
        # Halves of the 53 digits add up exactly in 53 digits.
        lows = np.bincount(at - base, weights=(digits & ((1 << self._LOW) - 1)).astype(np.float64))
        highs = np.bincount(at - base, weights=(digits >> self._LOW).astype(np.float64))
        for place in np.flatnonzero((lows != 0) | (highs != 0)).tolist():
            self._total += ((int(highs[place]) << self._LOW) + int(lows[place])) << (place + base)

    def merge(self, other: Self) -> None:
        """Add what another sum holds."""
        self._total += other._total

    @property
    def value(self) -> Fraction:
        """The sum."""
        return Fraction(self._total, 1 << self._UNIT)


class Spread:
    """Mean and standard deviation of numbers, from their exact sum and the exact sum of their squares."""

    _LARGEST = 1e150

    def __init__(self) -> None:
        self._count = 0
        self._sum, self._squares = ExactSum(), ExactSum()
        self._too_large = False

    def update(self, numbers: Floats) -> None:
        """Take in finite numbers."""
        self._count += len(numbers)
        self._sum.update(numbers)
        large = np.abs(numbers) > self._LARGEST
        if large.any():
            self._too_large, numbers = True, numbers[~large]
        # The square of a number is exactly the sum of two numbers (Dekker, Numerische Mathematik 18, 1971).
        squares = numbers * numbers
        shifted = numbers * 134217729.0
        high = shifted - (shifted - numbers)
        low = numbers - high
        self._squares.update(squares)
        self._squares.update(((high * high - squares) + 2 * high * low) + low * low)

    def merge(self, other: Self) -> None:
        """Take in what another saw."""
        self._count += other._count
        self._too_large |= other._too_large
        self._sum.merge(other._sum)
        self._squares.merge(other._squares)

    @property
    def mean(self) -> float | None:
        """None without numbers."""
        return float(self._sum.value / self._count) if self._count else None

    @property
    def deviation(self) -> float | None:
        """Of a sample; None of fewer than two numbers, or where their squares are beyond what a number can be."""
        if self._count < 2 or self._too_large:
            return None
        total = self._sum.value
        return sqrt(max(float((self._squares.value - total * total / self._count) / (self._count - 1)), 0.0))
