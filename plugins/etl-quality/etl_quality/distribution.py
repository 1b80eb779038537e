"""How numbers are spread: the figures that tell an unusual one.

The mean and the sample standard deviation (divided by n - 1, as Python's ``statistics.stdev``); quantiles by linear
interpolation, definition 7 of Hyndman and Fan (1996), as NumPy's and DuckDB's ``quantile_cont`` give them; bounds after
Tukey (1977), 1.5 interquartile ranges beyond the quartiles unless told otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The figures of some counts.

    :param size: how many counts.
    :param deviation: sample standard deviation; 0 of a single count.
    """

    size: int
    mean: float
    median: float
    first_quartile: float
    third_quartile: float
    deviation: float

    @classmethod
    def of(cls, counts: npt.NDArray[np.int64], zeros: int) -> Self:
        """Measure counts.

        :param counts: in any order; at least one, unless there are zeros.
        :param zeros: how many more counts there are, each of them zero.
        """
        ascending = np.sort(counts)
        size = len(counts) + zeros
        mean = int(counts.sum()) / size
        squares = float(np.square(ascending - mean).sum()) + zeros * mean**2
        quartiles = (_quantile(ascending, zeros, share) for share in (0.25, 0.5, 0.75))
        first, median, third = quartiles
        return cls(
            size=size,
            mean=mean,
            median=median,
            first_quartile=first,
            third_quartile=third,
            deviation=math.sqrt(squares / (size - 1)) if size > 1 else 0.0,
        )

    def __str__(self) -> str:
        return (
            f"mean {self.mean:,.1f}, median {self.median:,.1f}, quartiles {self.first_quartile:,.1f} and "
            f"{self.third_quartile:,.1f}, standard deviation {self.deviation:,.1f}"
        )

    def z_score(self, count: int) -> float:
        """How many standard deviations a count is above the mean; 0 where all are equal."""
        return (count - self.mean) / self.deviation if self.deviation else 0.0

    def bounds(self, ranges: float) -> tuple[float, float]:
        """What lies so many interquartile ranges below the first quartile, and above the third."""
        reach = ranges * (self.third_quartile - self.first_quartile)
        return self.first_quartile - reach, self.third_quartile + reach


def _quantile(ascending: npt.NDArray[np.int64], zeros: int, share: float) -> float:
    """A quantile of ascending counts that as many zeros come before."""
    place = (zeros + len(ascending) - 1) * share
    below = math.floor(place)
    low, high = (
        0 if at < zeros else int(ascending[min(at - zeros, len(ascending) - 1)]) for at in (below, math.ceil(place))
    )
    return low + (high - low) * (place - below)
