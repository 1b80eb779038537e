"""What reads sources: formats, their blocks, and what a block or a source may turn out to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_framework.columns import Column
    from etl_framework.values import BadRow, Finding, Part, Position, Source, TextLayout


class Block(Protocol):
    """Some MiB of a part, parsed. Valid only until the next block of the same part is asked for.

    :ivar source: path of the file.
    :ivar part: number of the part.
    :ivar data: the good records' bytes in UTF-8, in the order of the file, without header or byte order mark.
    :ivar batch: the same records, typed; one row each, one column per column of the run.
    :ivar bad_rows: the records that are not in ``data`` and ``batch``.
    :ivar lines: physical lines that the block covers, good, bad and blank.
    :ivar consumed: bytes of the source that the block covers.
    """

    source: str
    part: int
    data: bytes | bytearray | memoryview
    batch: pa.RecordBatch
    bad_rows: Sequence[BadRow]
    lines: int
    consumed: int

    def position(self, row: int) -> Position:
        """Where the record of row ``row`` of ``batch`` begins; computed when asked, so cheap when nothing is wrong."""

    def positions(self, rows: Sequence[int]) -> Sequence[Position]:
        """The same of several rows, in ascending order; costs little more than one."""


@runtime_checkable
class Located(Protocol):
    """What a block offers beside :class:`Block` when it can tell at once where all of its rows begin."""

    def offsets(self) -> NDArray[np.int64]:
        """Of each row of ``batch``, the byte within the source at which its record begins; see :class:`Position`."""


@runtime_checkable
class Lined(Protocol):
    """What a block offers beside :class:`Block` when it can tell at once on which lines all of its rows begin."""

    def row_lines(self) -> NDArray[np.int64]:
        """Of each row of ``batch``, the line within the part; see :class:`Position`."""


class Format(Protocol):
    """How to split and to read one source. Picklable: it travels to worker processes and into the journal."""

    @property
    def name(self) -> str:
        """Of the format, such as ``delimited``."""

    def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        """Cut the source at record boundaries.

        A cut may be guessed from the data around it; :meth:`read` proves it.

        :param part_bytes: nominal size of a part, bytes.
        :returns: (start, end) of each part; the first starts at 0, each starts where the one before ends, the last
            ends at the source's size. An empty source has one empty part.
        """

    def split_exactly(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        """The same by reading everything before each cut; asked after :class:`MisplacedCut`."""

    def read(self, source: Source, part: Part, columns: Sequence[Column], block_bytes: int) -> Iterator[Block]:
        """The blocks of one part, in order.

        Inferred columns (``declared=False``) whose values do not fit are not bad rows: the rest of the part is read
        to learn all that does not fit, then :class:`TypesWidened` is raised.

        :param columns: the columns of the run.
        :param block_bytes: nominal size of a block; a longer record makes a larger one.
        :raises MisplacedCut: the part does not begin or end at a record boundary.
        :raises TypesWidened: inferred columns need a wider type.
        :raises InputError: the source cannot be read any further.
        """

    def text_layout(self) -> TextLayout | None:
        """How :attr:`Block.data` is to be read; None when it is no delimited text."""

    def count_rows(self, source: Source, workers: int) -> int:
        """Exact number of records, reading everything but parsing nothing.

        :param workers: threads to use.
        """


class MisplacedCut(Exception):
    """A part does not begin or end at a record boundary: the cuts of its source must be made exactly."""


class TypesWidened(Exception):
    """Inferred columns turn out to need a wider type.

    :param columns: the columns of the run, those that need it widened.
    :param findings: one for each widened column (severity info), with the first value that did not fit.
    """

    def __init__(self, columns: Sequence[Column], findings: Sequence[Finding]) -> None:
        super().__init__(tuple(columns), tuple(findings))
        self.columns = tuple(columns)
        self.findings = tuple(findings)
