"""A sample of rows in which every row has the same chance, and which does not depend on how a file is split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Self

import numpy as np

from etl_quality.hashing import mixed, text_hash
from etl_quality.sketches import SIZE, kept

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The values of a column in a sample.

    :param values: without nulls.
    :param whole: whether there are no others.
    """

    values: pa.Array
    whole: bool

    def error(self, shares: Iterable[float]) -> float:
        """The largest standard error of shares that are estimated from the sample."""
        if self.whole:
            return 0.0
        return max((sqrt(share * (1 - share) / len(self.values)) for share in shares), default=0.0)


class RowSample:
    """The rows whose places in their files have the smallest hashes.

    :param size: how many rows are kept.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._seen = 0
        self._hashes = np.empty(0, np.uint64)
        self._rows: pa.Table | None = None

    def update(self, block: Block) -> None:
        """Take in the good rows of a block."""
        if not (rows := block.batch.num_rows):
            return
        self._seen += rows
        file = np.uint64(text_hash(block.source.encode("utf-8", "surrogateescape")))
        found = mixed(mixed(_offsets(block).view(np.uint64)) ^ file)
        near = np.flatnonzero(found < self._hashes[-1]) if len(self._hashes) == self._size else np.arange(rows)
        if len(near) > self._size:
            near = near[np.argpartition(found[near], self._size - 1)[: self._size]]
        if len(near):
            self._absorb(found[near], _kept(block.batch.take(near)))

    def merge(self, other: Self) -> None:
        """Take in what another sample of the same size saw."""
        self._seen += other._seen
        if other._rows is not None:
            self._absorb(other._hashes, other._rows)

    def __len__(self) -> int:
        return len(self._hashes)

    def column(self, index: int, kind: pa.DataType) -> Sampled:
        """The values of a column in the sample.

        :param kind: of the column, which a sample of no rows does not know.
        """
        import pyarrow as pa

        values = pa.array([], kind) if self._rows is None else self._rows.column(index).combine_chunks()
        return Sampled(values=values.drop_null(), whole=len(self) == self._seen)

    def _absorb(self, found: np.ndarray, rows: pa.Table) -> None:
        import pyarrow as pa

        joined = np.concatenate([self._hashes, found])
        order = np.argsort(joined, kind="stable")[: self._size]
        self._hashes = joined[order]
        whole = rows if self._rows is None else pa.concat_tables([self._rows, rows])
        self._rows = whole.take(order).combine_chunks()


def _kept(batch: pa.RecordBatch) -> pa.Table:
    import pyarrow as pa

    names = [str(index) for index in range(batch.num_columns)]
    return pa.table([kept(values) for values in batch.columns], names=names)


def _offsets(block: Block) -> np.ndarray:
    from etl_framework import Located

    if isinstance(block, Located):
        return np.asarray(block.offsets(), np.int64)
    return np.array([where.offset for where in block.positions(range(block.batch.num_rows))], np.int64)
