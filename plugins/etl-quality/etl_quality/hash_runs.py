"""Sorted runs of hashes on disk, and the hashes that occur more than once in all of them together.

A run holds each hash at most twice, however many rows have it: twice is enough to tell that it is repeated, and no
value can make a run, or what is read of it, longer than its share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from etl_quality.key_hashes import Bits

_WORD = 8
_THREADS = 2
_FLAG_BITS = 24
_STRIPES = 256
_FENCES = np.arange(1, _STRIPES, dtype=np.uint64) << np.uint64(64 - 8)
"""Where each stripe of the hashes begins but the first: by their first eight bits."""


@dataclass(frozen=True, slots=True)
class Run:
    """A sorted run within a file.

    :param path: of the file.
    :param begin: index of its first hash in the file.
    :param fences: where each of the stripes begins within the run, and its end: 257 numbers.
    """

    path: Path
    begin: int
    fences: tuple[int, ...]

    def __len__(self) -> int:
        return self.fences[-1]

    def read(self, first: int, last: int) -> Bits:
        """The hashes of the stripes from ``first`` up to, not including, ``last``."""
        begin, end = self.fences[first], self.fences[last]
        return np.fromfile(self.path, np.uint64, end - begin, offset=(self.begin + begin) * _WORD)


def sorted_run(hashes: Sequence[Bits]) -> tuple[Bits, tuple[int, ...]]:
    """A run of these hashes, and its fences.

    :param hashes: at least one array.
    """
    run = np.concatenate(hashes)
    run.sort()
    kept = run[2:] != run[:-2]
    if not kept.all():
        run = run[np.concatenate([[True] * min(2, len(run)), kept])]
    return run, (0, *np.searchsorted(run, _FENCES).tolist(), len(run))


class Suspects:
    """Hashes that may occur more than once: all that do, and some that do not, in a fixed amount of memory."""

    def __init__(self) -> None:
        self._flags = np.zeros(1 << _FLAG_BITS, np.bool_)
        self.any = False

    def add(self, hashes: Bits) -> None:
        """Suspect these; from several threads at once, if need be."""
        if len(hashes):
            self._flags[hashes >> np.uint64(64 - _FLAG_BITS)] = True
            self.any = True

    def among(self, hashes: Bits) -> npt.NDArray[np.intp]:
        """Indexes of those that are suspected."""
        return np.flatnonzero(self._flags[hashes >> np.uint64(64 - _FLAG_BITS)])


def suspects(runs: Sequence[Run], most: int) -> Suspects:
    """Find every hash that occurs more than once in the runs.

    :param most: hashes to hold in memory at once, by each of two threads.
    """
    found = Suspects()
    with ThreadPoolExecutor(_THREADS) as threads:
        for done in [threads.submit(lambda span: found.add(repeated(runs, span)), span) for span in spans(runs, most)]:
            done.result()
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """Hashes that are looked at together.

    :param first: first stripe.
    :param last: one past the last stripe.
    :param piece: which of so many equal pieces of the stripes.
    :param pieces: how many there are.
    """

    first: int
    last: int
    piece: int = 0
    pieces: int = 1


def spans(runs: Sequence[Run], most: int) -> Iterator[Span]:
    """Cut the hashes of all runs into spans of about so many.

    A stripe that is too large by itself is cut into equal pieces.
    """
    sizes = np.zeros(_STRIPES, np.int64)
    for run in runs:
        sizes += np.diff(run.fences)
    first = 0
    while first < _STRIPES:
        last = first + 1
        while last < _STRIPES and sizes[first : last + 1].sum() <= most:
            last += 1
        pieces = max(1, -(-int(sizes[first:last].sum()) // most))
        yield from (Span(first, last, piece, pieces) for piece in range(pieces))
        first = last


def load(runs: Sequence[Run], span: Span) -> Bits:
    """The hashes of a span, unsorted."""
    return np.concatenate([np.empty(0, np.uint64), *(_piece(run.read(span.first, span.last), span) for run in runs)])


def repeated(runs: Sequence[Run], span: Span) -> Bits:
    """The hashes of a span that occur more than once, each once."""
    found = load(runs, span)
    found.sort()
    again: Bits = found[1:][found[1:] == found[:-1]]
    return again[np.concatenate([[True], again[1:] != again[:-1]])] if len(again) else again


def _piece(found: Bits, span: Span) -> Bits:
    """Those of a stripe's sorted hashes that lie in the piece."""
    if span.pieces == 1:
        return found
    width = ((span.last - span.first) << 64 - 8) // span.pieces + 1
    begin = (span.first << 64 - 8) + span.piece * width
    ends = [min(end, (1 << 64) - 1) for end in (begin, begin + width)]
    low, high = np.searchsorted(found, np.array(ends, np.uint64))
    return found[low : len(found) if span.piece == span.pieces - 1 else high].copy()
