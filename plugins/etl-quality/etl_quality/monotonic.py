"""Whether the values of a column rise or fall in the order of each file, across its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_framework import MOST_SAMPLES, Finding, Sample, Severity, shown
from etl_quality.words import Tally, Words

if TYPE_CHECKING:
    from etl_framework import Block, Rows

NAME = "monotonic"

DIRECTIONS = {
    "increasing": (pc.less, "lower than"),
    "strictly increasing": (pc.less_equal, "not above"),
    "decreasing": (pc.greater, "higher than"),
    "strictly decreasing": (pc.greater_equal, "not below"),
}
"""Of each direction: when a value is bad, given it and the one before it; and how that is said."""


@dataclass(slots=True)
class _Stretch:
    """What is known of a part of a file.

    :param first: the first value, as an Arrow array of one, and the place of its row.
    :param last: the last value.
    """

    source: str
    first: pa.Array
    place: Sample
    last: pa.Array


class Monotonic:
    """Keeps the first and the last value of each part, so that it can be told later how parts follow upon each other.

    Missing values have no place in the order, and neither has not-a-number.

    :param column: as in the batches.
    :param called: as the job spells it.
    """

    name = NAME

    def __init__(self, column: str, called: str, direction: str, severity: Severity) -> None:
        self._column, self._direction = column, direction
        _, unlike = DIRECTIONS[direction]
        self._tally = Tally(
            Words(
                rule=NAME,
                column=called,
                severity=severity,
                one=f"value of column {called!r} is {unlike} the one before it",
                several=f"values of column {called!r} are {unlike} the one before them",
                reason=f"is {unlike} the value before it",
                advice="Was the file sorted by another column, or put together from several?",
            )
        )
        self._parts: dict[int, _Stretch] = {}

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        values = block.batch.column(self._column)
        rows = None
        missing = pc.is_null(values, nan_is_null=True) if pa.types.is_floating(values.type) else None
        if values.null_count or (missing is not None and pc.any(missing).as_py()):
            rows = np.flatnonzero(pc.invert(pc.is_null(values, nan_is_null=True)).to_numpy(zero_copy_only=False))
            values = values.take(pa.array(rows))
        if not len(values):
            return
        known = self._parts.get(block.part)
        # The block is gone before the next one comes: what is kept of it must be a copy.
        ends = [pa.array([values[at].as_py()], values.type) for at in (0, -1)]
        if known is None:
            place = self._place(block, 0 if rows is None else int(rows[0]), ends[0])
            self._parts[block.part] = _Stretch(block.source, ends[0], place, ends[1])
        elif self._bad(ends[0], known.last):
            self._tell(block, 0 if rows is None else int(rows[0]), ends[0])
        if known is not None:
            known.last = ends[1]
        if len(values) > 1:
            compare, _ = DIRECTIONS[self._direction]
            bad = pc.indices_nonzero(compare(values.slice(1), values.slice(0, len(values) - 1)))
            first = [at + 1 for at in bad[:MOST_SAMPLES].to_pylist()]
            places = first if rows is None else [int(rows[at]) for at in first]
            self._tally.add(block, places, [values[at].as_py() for at in first], more=len(bad) - len(first))

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._tally.merge(other._tally)
        self._parts.update(other._parts)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        whole = Tally(self._tally.words)
        whole.merge(self._tally)
        before: dict[str, _Stretch] = {}
        for number in sorted(self._parts):
            part = self._parts[number]
            if part.source in before and self._bad(part.first, before[part.source].last):
                whole.merge(Tally(whole.words, 1, [part.place]))
            before[part.source] = part
        yield from whole.findings()

    def _bad(self, value: pa.Array, before: pa.Array) -> bool:
        compare, _ = DIRECTIONS[self._direction]
        return bool(compare(value, before)[0].as_py())

    def _tell(self, block: Block, row: int, value: pa.Array) -> None:
        self._tally.add(block, [row], value.to_pylist())

    def _place(self, block: Block, row: int, value: pa.Array) -> Sample:
        alone = Tally(self._tally.words)
        alone.add(block, [row], value.to_pylist())
        return alone.samples[0]


@dataclass(slots=True)
class MonotonicInTable:
    """Says that a table cannot be asked: its rows have no order."""

    column: str
    direction: str
    name: str = NAME

    def run(self, rows: Rows) -> Iterator[Finding]:  # noqa: ARG002 - nothing is asked
        """See :meth:`etl_framework.TableCheck.run`."""
        yield Finding(
            rule=NAME,
            severity=Severity.INFO,
            count=0,
            message=f"whether column {shown(self.column)!r} is {self.direction} was not checked: "
            "the rows of a table have no order",
            advice="It is checked in files: --check file, or --check both.",
        )
