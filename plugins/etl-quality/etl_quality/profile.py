"""Profile data in one pass: figures of each column, in memory that does not grow with the data."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import numpy as np

from etl_framework import FLOATS, NUMBERS, ColumnProfile, Kind, Lengths, Profile, TopValue, TotalsAccumulator
from etl_quality.hashing import hashes, mixed
from etl_quality.patterns import patterns_of
from etl_quality.ranks import Ranks
from etl_quality.row_sample import RowSample, Sampled
from etl_quality.score import ColumnFigures, score_of_column, score_of_table
from etl_quality.sketches import SIZE, DistinctCount, DistinctSketch, by_frequency
from etl_quality.sums import Spread

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import Block, Column, ColumnTotals

_MOST_TOP, _MOST_PATTERNS = 10, 10


class ProfileMaker:
    """Makes the profile of a part; see :class:`etl_framework.Profiler`.

    :param columns: as every batch has them.
    :param keys: the columns that are declared to identify a row; none when none are.
    """

    def __init__(self, columns: tuple[Column, ...], keys: tuple[str, ...] = ()) -> None:
        names = [column.name for column in columns]
        self._totals = TotalsAccumulator(columns)
        self._columns = [ColumnMaker(column) for column in columns]
        self._keys = [names.index(key) for key in keys] if set(keys) <= set(names) else []
        self._distinct_keys = DistinctCount(SIZE)
        self._sample = RowSample()
        self._bad: Counter[str | None] = Counter()

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Profiler.update`."""
        self._bad.update(bad.column for bad in block.bad_rows)
        if not block.batch.num_rows:
            return
        self._totals.update(block.batch)
        for maker, values in zip(self._columns, block.batch.columns, strict=True):
            maker.update(values)
        if self._keys:
            self._distinct_keys.update_hashes(_of_rows([block.batch.column(key) for key in self._keys]))
        self._sample.update(block)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Profiler.merge`."""
        self._bad.update(other._bad)
        self._totals.merge(other._totals)
        for mine, theirs in zip(self._columns, other._columns, strict=True):
            mine.merge(theirs)
        self._distinct_keys.merge(other._distinct_keys)
        self._sample.merge(other._sample)

    def finish(self) -> Profile:
        """See :meth:`etl_framework.Profiler.finish`."""
        totals, bad = self._totals.finish(), self._bad.total()
        keys = [totals.columns[key].name for key in self._keys]
        columns = tuple(
            maker.finish(
                totals.rows,
                self._bad[figures.name],
                figures,
                self._sample.column(index, maker.type),
                is_key=keys == [figures.name],
            )
            for index, (maker, figures) in enumerate(zip(self._columns, totals.columns, strict=True))
        )
        return Profile(
            rows=totals.rows,
            bad_rows=bad,
            sampled=len(self._sample),
            columns=columns,
            score=score_of_table(totals.rows, bad, columns, keys, self._distinct_keys),
        )


class ColumnMaker:
    """Makes the profile of one column."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._kind = column.type.kind
        self.type = column.type.arrow()
        self._distinct = DistinctSketch()
        self._ranks = Ranks(column.type) if self._kind not in (Kind.VARCHAR, Kind.BOOLEAN) else None
        self._spread = Spread() if self._kind in NUMBERS else None
        self._not_finite = 0
        self._lengths: tuple[int, int, int] | None = None

    def update(self, values: pa.Array) -> None:
        """Take in the column of a batch."""
        values = values.drop_null()
        if not len(values):
            return
        self._distinct.update(values)
        if self._kind is Kind.VARCHAR:
            self._extend(values)
        if self._spread is not None:
            numbers = _floats(values)
            finite = numbers[np.isfinite(numbers)] if self._kind in FLOATS else numbers
            self._not_finite += len(numbers) - len(finite)
            self._spread.update(finite)
            assert self._ranks is not None
            self._ranks.update_numbers(finite)
        elif self._ranks is not None:
            self._ranks.update(values)

    def merge(self, other: Self) -> None:
        """Take in what another one saw of the same column."""
        self._distinct.merge(other._distinct)
        self._not_finite += other._not_finite
        if self._ranks is not None and other._ranks is not None:
            self._ranks.merge(other._ranks)
        if self._spread is not None and other._spread is not None:
            self._spread.merge(other._spread)
        self._lengths = _both(self._lengths, other._lengths)

    def finish(self, rows: int, bad: int, totals: ColumnTotals, sample: Sampled, *, is_key: bool) -> ColumnProfile:
        """The profile of the column.

        :param rows: good rows of all.
        :param bad: bad rows whose fault lies here.
        :param sample: the column's values in the sample.
        """
        values = rows - totals.nulls
        top, top_error = self._top(values, sample)
        patterns, alike = patterns_of(sample.values, _MOST_PATTERNS) if self._kind is Kind.VARCHAR else ((), None)
        shortest, longest, characters = self._lengths or (0, 0, 0)
        distinct = min(self._distinct.distinct, values)
        figures = ColumnFigures(
            rows=rows,
            nulls=totals.nulls,
            bad=bad,
            not_finite=self._not_finite,
            type=self._column.type,
            distinct=distinct if is_key else None,
            distinct_error=self._distinct.error,
            alike=alike,
        )
        return ColumnProfile(
            name=totals.name,
            type=self._column.type,
            rows=rows,
            nulls=totals.nulls,
            bad=bad,
            distinct=distinct,
            distinct_error=self._distinct.error,
            minimum=totals.minimum,
            maximum=totals.maximum,
            mean=self._mean(values, totals),
            deviation=self._spread.deviation if self._spread else None,
            not_finite=self._not_finite,
            quantiles=self._ranks.quantiles(totals.minimum, totals.maximum) if self._ranks else (),
            top=top,
            top_error=top_error,
            no_top="" if top or not values else self._no_top(values, len(sample.values)),
            lengths=Lengths(shortest=shortest, longest=longest, mean=characters / values) if self._lengths else None,
            patterns=patterns,
            score=score_of_column(figures),
        )

    def _mean(self, values: int, totals: ColumnTotals) -> float | None:
        if self._kind in FLOATS and self._spread is not None:
            return self._spread.mean
        # Integers and decimals may have more digits than floating point numbers: their own sum is exact.
        summed = self._spread is not None and values and totals.total is not None
        return float(Fraction(totals.total) / values) if summed and totals.total is not None else None

    def _top(self, values: int, sample: Sampled) -> tuple[tuple[TopValue, ...], float]:
        """The most frequent values: exact when all are kept, else from the sample."""
        if self._distinct.is_exact or not len(sample.values):
            if self._distinct.distinct == values > 1:
                # The first by value are no more frequent than any other.
                return (), 0.0
            known = self._distinct.most_frequent(_MOST_TOP)
            return tuple(TopValue(value=value, count=count, share=count / values) for value, count in known), 0.0
        counts = ((row["values"], row["counts"]) for row in sample.values.value_counts().to_pylist())
        # What occurs once in a sample is no more frequent than what does not occur in it.
        repeated = [
            (value, count / len(sample.values)) for value, count in sorted(counts, key=by_frequency) if count > 1
        ]
        top = tuple(
            TopValue(value=value, count=round(share * values), share=share) for value, share in repeated[:_MOST_TOP]
        )
        return top, sample.error([found.share for found in top])

    def _no_top(self, values: int, sampled: int) -> str:
        """Why no value is more frequent than others."""
        if self._distinct.is_exact or not sampled:
            return f"all {values:,} values are different"
        return f"all {sampled:,} sampled values are different"

    def _extend(self, values: pa.Array) -> None:
        import pyarrow.compute as pc

        lengths = pc.utf8_length(values)
        ends = pc.min_max(lengths)
        self._lengths = _both(self._lengths, (ends["min"].as_py(), ends["max"].as_py(), pc.sum(lengths).as_py()))


def _both(one: tuple[int, int, int] | None, other: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1]), one[2] + other[2]


def _floats(values: pa.Array) -> np.ndarray:
    import pyarrow as pa

    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _of_rows(columns: list[pa.Array]) -> np.ndarray:
    """A hash of each row's values of some columns; nulls count as values of their own."""
    found = np.zeros(len(columns[0]), np.uint64)
    for values in columns:
        valid = np.asarray(values.is_valid().to_numpy(zero_copy_only=False))
        each = np.ones(len(values), np.uint64)
        each[valid] = hashes(values.drop_null())
        found = mixed(mixed(found) ^ each)
    return found
