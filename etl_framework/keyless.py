"""Rows that lack a part of the key which they are to be merged by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_framework.checks import MOST_SAMPLES, first_samples
from etl_framework.values import Mode, Sample

if TYPE_CHECKING:
    from etl_framework.protocols import Block
    from etl_framework.values import Job


class KeylessRows:
    """The first rows without a value, of each column of a key; how many there are the control totals tell. Mergeable.

    :param keys: names of the columns.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._samples: dict[str, list[Sample]] = {key: [] for key in keys}

    @classmethod
    def of(cls, job: Job) -> KeylessRows:
        """For the rows of a job, which need their keys only where they are merged."""
        return cls(job.keys if job.mode is Mode.MERGE else ())

    def update(self, block: Block) -> None:
        """Look at the rows of a block."""
        import pyarrow.compute as pc

        names = block.batch.schema.names
        for key, samples in self._samples.items():
            wanted = MOST_SAMPLES - len(samples)
            if not wanted or key not in names or not block.batch[key].null_count:
                continue
            rows = pc.indices_nonzero(pc.is_null(block.batch[key]))[:wanted].to_pylist()
            samples += [
                Sample(
                    file=block.source,
                    line=where.line,
                    offset=where.offset,
                    part=where.part,
                    column=key,
                    reason="there is no value",
                )
                for where in block.positions(rows)
            ]

    def merge(self, other: KeylessRows) -> None:
        """Take in what was found in another part."""
        for key, samples in other._samples.items():
            self._samples[key] = first_samples([*self._samples.get(key, ()), *samples])

    def samples(self, key: str) -> tuple[Sample, ...]:
        """The first rows without a value in a column."""
        return tuple(self._samples.get(key, ()))
