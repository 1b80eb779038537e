"""Summaries of bounded size that do not depend on the order of the data: any split, merged in any order, is one pass.

Sketches of well-kept libraries (KLL, t-digest, Space-Saving) do depend on it: what they drop follows from what they saw
first, or from chance. These do not, so that a run that is split otherwise, or resumed, tells the very same figures.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from etl_quality.hashing import hashes

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_quality.hashing import Hashes

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SIZE = 4096
"""Values that a sketch keeps."""


SHOWN = 200
"""Characters that are kept of a text."""


def kept(values: pa.Array) -> pa.Array:
    """What a sketch or a sample keeps of values: texts are shortened, and there is one zero."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(values.type):
        return pc.utf8_slice_codeunits(values, 0, SHOWN)
    return pc.add(values, pa.scalar(0.0, values.type)) if pa.types.is_floating(values.type) else values


class DistinctCount:
    """The smallest hashes of values: how many different values there are, exact while no more than ``size``.

    How many follows from how dense the hashes lie, with a relative standard error of 1/√(size - 2) (Beyer et al., On
    synopses for distinct-value estimation under multiset operations, SIGMOD 2007).

    :param size: how many hashes are kept.
    """

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._hashes = np.empty(0, np.uint64)
        self._dropped = False

    def update(self, values: pa.Array) -> None:
        """Take in values, none of them null."""
        if len(values):
            self.update_hashes(hashes(values if self._dropped else values.unique()))

    def update_hashes(self, found: Hashes) -> None:
        """Take in hashes of whatever it is."""
        if self._dropped:
            found = found[found <= self._hashes[-1]]
        joined = np.unique(np.concatenate([self._hashes, found]))
        self._dropped |= len(joined) > self._size
        self._hashes = joined[: self._size]

    def merge(self, other: Self) -> None:
        """Take in what another of the same size saw."""
        self.update_hashes(other._hashes)
        self._dropped |= other._dropped

    @property
    def is_exact(self) -> bool:
        """Whether every hash is kept."""
        return not self._dropped

    @property
    def error(self) -> float:
        """Relative standard error of :attr:`distinct`."""
        return 0.0 if self.is_exact else 1 / sqrt(self._size - 2)

    @property
    def distinct(self) -> int:
        """How many different values there are, exact or estimated without bias."""
        if self.is_exact:
            return len(self._hashes)
        return round(Fraction((self._size - 1) << 64, int(self._hashes[-1]) + 1))


class DistinctSketch(DistinctCount):
    """The same with the values themselves, and how often each occurs: all values while no more than ``size``.

    A value that is kept in the end was among the smallest from its first row on, so that its count is exact (Gibbons,
    Distinct sampling for highly-accurate answers to distinct values queries, VLDB 2001).

    :param size: how many values are kept.
    """

    def __init__(self, size: int = SIZE) -> None:
        super().__init__(size)
        self._counts = np.empty(0, np.int64)
        self._values: pa.Array | None = None

    def update(self, values: pa.Array) -> None:
        """Take in values, none of them null."""
        if not len(values):
            return
        if self._dropped:
            found = hashes(values)
            near = np.flatnonzero(found <= self._hashes[-1])
            if len(near):
                self._absorb(found[near], np.ones(len(near), np.int64), kept(values.take(near)))
            return
        encoded = values.dictionary_encode()
        indices = encoded.indices.to_numpy()
        counts = np.bincount(indices, minlength=len(encoded.dictionary))
        self._absorb(hashes(encoded.dictionary), counts, kept(encoded.dictionary))

    def merge(self, other: Self) -> None:
        """Take in what another sketch of the same size saw."""
        self._dropped |= other._dropped
        self._absorb(other._hashes, other._counts, other._values)

    def most_frequent(self, number: int) -> list[tuple[Any, int]]:
        """Kept values and their counts, the most frequent first; with :attr:`is_exact`, those of all values."""
        if self._values is None:
            return []
        kept = zip(self._values.to_pylist(), self._counts.tolist(), strict=True)
        return sorted(kept, key=by_frequency)[:number]

    def _absorb(self, found: Hashes, counts: Integers, values: pa.Array | None) -> None:
        import pyarrow as pa

        if not len(found):
            return
        joined = np.concatenate([self._hashes, found])
        order = np.argsort(joined, kind="stable")
        joined = joined[order]
        starts = np.flatnonzero(np.concatenate([[True], joined[1:] != joined[:-1]]))
        self._dropped |= len(starts) > self._size
        kept = starts[: self._size]
        self._hashes = joined[kept]
        self._counts = np.add.reduceat(np.concatenate([self._counts, counts])[order], starts)[: self._size]
        if values is not None:
            chunks = [values] if self._values is None else [self._values, values]
            self._values = pa.concat_arrays(chunks).take(order[kept])


def by_frequency(counted: tuple[Any, int]) -> tuple[int, bool, Any]:
    """Sorts values with their counts: the most frequent first, equally frequent ones by value, NaN last."""
    value, count = counted
    return -count, value != value, value


class RankSketch:
    """A histogram of ordered keys whose bins halve in number whenever there are too many: quantiles with bounds.

    Every key has a bin of its own at first. As long as there are more than ``size`` bins, each pair of neighbours
    becomes one (uniform collapse: Epicoco et al., UDDSketch, IEEE Access 2020). How often that happens follows from the
    set of all keys alone. A bin knows its smallest and its largest key, between which every quantile of it lies.

    :param size: the most bins.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._level = 0
        self._bins = np.empty((4, 0), np.int64)

    def update(self, keys: Integers) -> None:
        """Take in keys, in any order."""
        if not len(keys):
            return
        keys = np.sort(keys)
        places = keys >> self._level
        starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
        ends = np.concatenate([starts[1:], [len(keys)]])
        self._absorb(np.array([places[starts], ends - starts, keys[starts], keys[ends - 1]]))

    def merge(self, other: Self) -> None:
        """Take in what another sketch of the same size saw."""
        self._level, behind = max(self._level, other._level), min(self._level, other._level)
        theirs = other._bins.copy()
        (self._bins if other._level == self._level else theirs)[0] >>= self._level - behind
        self._absorb(theirs)

    def quantile(self, share: float) -> tuple[int, int, float]:
        """The key that a share of the keys does not exceed: no less than the first, no more than the second.

        :returns: both bounds, and how far between them it is to be expected, 0 to 1.
        """
        _, counts, lows, highs = self._bins
        upto = np.cumsum(counts)
        rank = max(ceil(share * int(upto[-1])), 1)
        at = int(np.searchsorted(upto, rank))
        of, within = int(counts[at]), rank - int(upto[at] - counts[at])
        # The first and the last of a bin are known.
        if within in (1, of):
            known = int(lows[at] if within == 1 else highs[at])
            return known, known, 0.0
        return int(lows[at]), int(highs[at]), (within - 1) / (of - 1)

    def _absorb(self, bins: Integers) -> None:
        if not bins.shape[1]:
            return
        bins = np.concatenate([self._bins, bins], axis=1)
        bins = _joined(bins[:, np.argsort(bins[0], kind="stable")])
        if bins.shape[1] > self._size:
            places = bins[0]
            halvings = bisect_left(range(64), -self._size, key=lambda times: -_different(places >> times))
            self._level += halvings
            places >>= halvings
            bins = _joined(bins)
        self._bins = bins


def _different(places: Integers) -> int:
    """How many different ones there are, in order."""
    return 1 + int(np.count_nonzero(places[1:] != places[:-1]))


def _joined(bins: Integers) -> Integers:
    """Bins in order, those of the same place made one."""
    places, counts, lows, highs = bins
    starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    return np.array(
        [
            places[starts],
            np.add.reduceat(counts, starts),
            np.minimum.reduceat(lows, starts),
            np.maximum.reduceat(highs, starts),
        ]
    )


def ordered_keys(numbers: Floats) -> Integers:
    """Integers in the order of the numbers; neighbouring ones share their leading digits, whatever their magnitude."""
    bits = (numbers + 0.0).view(np.int64)
    keys: Integers = bits ^ ((bits >> 63) & np.int64(0x7FFF_FFFF_FFFF_FFFF))
    return keys


def number_of_key(key: int) -> float:
    """The number whose key it is."""
    bits = np.array([key if key >= 0 else key ^ 0x7FFF_FFFF_FFFF_FFFF], np.int64)
    return float(bits.view(np.float64)[0])
