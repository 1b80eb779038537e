"""Blocks of literal rows, as strict as those of a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from etl_framework.values import BadRow, Position

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from etl_framework.testing.literal import LiteralRows

FILE = "/literal/rows.csv"
"""The file in which literal rows stand, for those who look at samples."""


class PlainBlock:
    """A block of literal rows, whose memory is its own until :meth:`end`, and which offers no more than it must."""

    def __init__(self, rows: LiteralRows, part: int, first: int, last: int, lines_before: int) -> None:
        import pyarrow as pa

        self.source = FILE
        self.part = part
        self.bad_rows: Sequence[BadRow] = ()
        records = rows.records[first:last]
        self.lines = sum(record.count(b"\n") for record in records)
        self.consumed = sum(map(len, records))
        self._starts = rows.starts[first:last]
        self._before = (0, *accumulate(record.count(b"\n") for record in records))
        self._lines_before = lines_before
        self._text = bytearray(b"".join(records))
        self.data: bytes | bytearray | memoryview = memoryview(self._text)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.table.schema) as writer:
            taken = rows.table.slice(first, last - first).combine_chunks().to_batches()
            writer.write_batch(taken[0] if taken else pa.RecordBatch.from_pylist([], rows.table.schema))
        # The batch lies in memory that can be written to, so that a change shows and an end can be made of it.
        self._memory = bytearray(sink.getvalue().to_pybytes())
        self._as_given = bytes(self._memory), bytes(self._text)
        self.batch = pa.ipc.open_stream(pa.py_buffer(self._memory)).read_next_batch()

    def position(self, row: int) -> Position:
        """See :meth:`etl_framework.protocols.Block.position`."""
        return Position(part=self.part, line=self._lines_before + self._before[row] + 1, offset=self._starts[row])

    def positions(self, rows: Sequence[int]) -> Sequence[Position]:
        """See :meth:`etl_framework.protocols.Block.positions`."""
        return [self.position(row) for row in rows]

    @property
    def changed(self) -> bool:
        """Whether somebody wrote into the batch or the bytes."""
        return (bytes(self._memory), bytes(self._text)) != self._as_given

    def end(self) -> None:
        """Make the block worthless, as reading the next one of a part does: whoever kept it sees zeros and nulls."""
        for memory in (self._text, self._memory):
            memory[:] = bytes(len(memory))


class LiteralBlock(PlainBlock):
    """The same with all that a block may offer beside."""

    def offsets(self) -> NDArray[np.int64]:
        """See :meth:`etl_framework.protocols.Located.offsets`."""
        import numpy as np

        return np.array([self.position(row).offset for row in range(self.batch.num_rows)], np.int64)

    def row_lines(self) -> NDArray[np.int64]:
        """See :meth:`etl_framework.protocols.Lined.row_lines`."""
        import numpy as np

        return np.array([self.position(row).line for row in range(self.batch.num_rows)], np.int64)
