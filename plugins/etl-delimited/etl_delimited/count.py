"""Count the records of a source exactly, without parsing them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from etl_delimited.lines import LineReader
from etl_delimited.scan import pieces, structures
from etl_delimited.stream import ByteStream, open_source
from etl_delimited.structure import Bits, Units, bits_of, marks_of

if TYPE_CHECKING:
    from etl_delimited.dialect import Dialect
    from etl_framework import Source

_BLOCK_BYTES = 1 << 20

# Records that begin in some text, and whether it ends inside quotes.
_Outcome = tuple[int, bool]


def count_rows(source: Source, dialect: Dialect, workers: int, *, keep_blank: bool = False) -> int:
    """Count the records, from ``dialect.data_start`` on.

    :param workers: threads to use; a compressed source is counted by one, while another decompresses.
    :param keep_blank: a blank line is a record, as it is in a file of one column.
    :raises InputError: the source cannot be read.
    """
    counter = _Counter(source.path, dialect, keep_blank)
    if dialect.compression is not None or workers == 1:
        return counter.serially()
    return counter.in_threads(workers)


@dataclass(frozen=True, slots=True)
class _Block:
    """What a worker found in a block without knowing whether it begins inside quotes.

    :param outcomes: if it begins outside, and if inside; None when its quotes are then ill-formed.
    """

    begin: int
    size: int
    outcomes: tuple[_Outcome | None, _Outcome | None]


class _Counter:
    def __init__(self, path: str, dialect: Dialect, keep_blank: bool) -> None:
        self._path, self._dialect, self._keep_blank = path, dialect, keep_blank
        self._marks = marks_of(dialect)

    def serially(self) -> int:
        with open_source(
            self._path, self._dialect, 0 if self._dialect.compression else self._dialect.data_start
        ) as stream:
            if self._dialect.compression:
                _skip(stream, self._dialect.data_start)
            reader, buffer = LineReader(stream, self._dialect, self._path), bytearray(_BLOCK_BYTES)
            total, in_quotes = 0, False
            while size := reader.fill(buffer):
                count, in_quotes = self._exactly(self._marks.units(memoryview(buffer)[:size]), in_quotes)
                total += count
        return total

    def in_threads(self, workers: int) -> int:
        """Workers take the next block in turn, and count it both ways; then the blocks are put together in order."""
        blocks: list[_Block] = []
        with open_source(self._path, self._dialect, self._dialect.data_start) as stream:
            reader, turn = LineReader(stream, self._dialect, self._path), Lock()
            with ThreadPoolExecutor(workers, thread_name_prefix="count") as pool:
                for found in [pool.submit(self._work, reader, turn) for _ in range(workers)]:
                    blocks += found.result()
        blocks.sort(key=lambda block: block.begin)
        return self._merged(blocks)

    def _work(self, reader: LineReader, turn: Lock) -> list[_Block]:
        found: list[_Block] = []
        buffer = bytearray(_BLOCK_BYTES)
        while True:
            with turn:
                begin = reader.offset
                size = reader.fill(buffer)
            if not size:
                return found
            lines = self._plain_lines(buffer, size)
            outcomes = self._both_ways(self._marks.units(memoryview(buffer)[:size])) if lines is None else lines
            found.append(_Block(begin, size, outcomes))

    def _plain_lines(self, buffer: bytearray, size: int) -> tuple[_Outcome, _Outcome] | None:
        """The outcomes of a block in which every line feed, and nothing else, ends a record; None if it is not so."""
        marks = self._marks
        if marks.unit != 1 or marks.escape is not None or buffer.find(b"\r", 0, size) >= 0:
            return None
        if marks.quote is not None and buffer.find(marks.quote, 0, size) >= 0:
            return None
        feeds = np.frombuffer(buffer, np.uint8, count=size) == marks.lf
        lines = int(np.count_nonzero(feeds)) + (not feeds[-1])
        if not self._keep_blank:
            lines -= int(np.count_nonzero(feeds[1:] & feeds[:-1])) + int(feeds[0])
        return (lines, False), (0, True)

    def _both_ways(self, units: Units) -> tuple[_Outcome | None, _Outcome | None]:
        bits = [bits_of(units[begin:end], self._marks) for begin, end in pieces(units, self._marks)]
        return self._chained(bits, False), None if self._marks.quote is None else self._chained(bits, True)

    def _chained(self, bits: list[Bits], in_quotes: bool) -> _Outcome | None:
        total = 0
        for piece in bits:
            structure = piece.given(in_quotes)
            if structure is None:
                return None
            total += structure.count(keep_blank=self._keep_blank)
            in_quotes = structure.in_quotes
        return total, in_quotes

    def _merged(self, blocks: list[_Block]) -> int:
        total, in_quotes = 0, False
        for block in blocks:
            count, in_quotes = block.outcomes[in_quotes] or self._reread(block, in_quotes)
            total += count
        return total

    def _reread(self, block: _Block, in_quotes: bool) -> _Outcome:
        buffer = bytearray(block.size)
        with open_source(self._path, self._dialect, self._dialect.data_start + block.begin) as stream:
            _fill(stream, buffer)
        return self._exactly(self._marks.units(buffer), in_quotes)

    def _exactly(self, units: Units, in_quotes: bool) -> _Outcome:
        total = 0
        for _, structure in structures(units, self._marks, in_quotes):
            total += structure.count(keep_blank=self._keep_blank)
            in_quotes = structure.in_quotes
        return total, in_quotes


def _fill(stream: ByteStream, buffer: bytearray) -> None:
    view = memoryview(buffer)
    while view and (size := stream.readinto(view)):
        view = view[size:]


def _skip(stream: ByteStream, size: int) -> None:
    buffer = bytearray(_BLOCK_BYTES)
    while size and (read := stream.readinto(memoryview(buffer)[:size])):
        size -= read
