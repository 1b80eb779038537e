"""Count the records of a source exactly, without parsing them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from etl_delimited.lines import LineReader
from etl_delimited.split import split_likely
from etl_delimited.stream import LimitedStream, open_source
from etl_delimited.structure import Scanner, marks_of
from etl_delimited.tokens import tokenize
from etl_framework import Interrupted, first_completed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl_delimited.dialect import Dialect
    from etl_delimited.stream import Readable
    from etl_framework import Source

# Small enough for the cache, large enough that threads seldom wait for each other.
_BLOCK_BYTES = 2 << 20
_LEAST_BYTES = 16 << 20


def count_rows(source: Source, dialect: Dialect, width: int, workers: int) -> int:
    """Count the records, from ``dialect.data_start`` on.

    Workers count ranges that most likely begin where records do. One that turns out to begin inside quotes, because the
    one before it ends so, is counted once more.

    :param width: fields of a record; in a file of one column a blank line is a record.
    :param workers: threads to use; a compressed source is counted by one, while another decompresses.
    :raises InputError: the source cannot be read.
    :raises SourceChanged: the source is shorter than it was.
    """
    counter = _Counter(source, dialect, keep_blank=width == 1)
    if dialect.compression is not None:
        return counter.count_all()
    # One range each: what a worker sets up for a range costs more than waiting for the slowest.
    range_bytes = max(-(-source.size // workers), _LEAST_BYTES)
    ranges = split_likely(source, dialect, width, range_bytes)
    outcomes = _side_by_side(counter, ranges, workers)
    total, in_quotes = 0, False
    for place, outcome in zip(ranges, outcomes, strict=True):
        count, in_quotes = counter.count_range(place, in_quotes=True) if in_quotes else outcome
        total += count
    return total


def _side_by_side(counter: _Counter, ranges: Sequence[tuple[int, int]], workers: int) -> list[tuple[int, bool]]:
    """What counting each range gives; whatever ends it, such as Ctrl-C, ends all of them between two blocks."""
    with ThreadPoolExecutor(workers, thread_name_prefix="count") as pool:
        try:
            futures = [pool.submit(counter.count_range, place) for place in ranges]
            pending = set(futures)
            while pending:
                done, pending = first_completed(pending)
                for future in done:
                    future.result()
        except BaseException:
            counter.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [future.result() for future in futures]


class _Counter:
    def __init__(self, source: Source, dialect: Dialect, *, keep_blank: bool) -> None:
        self._stopped = False
        self._source, self._dialect, self._keep_blank = source, dialect, keep_blank
        self._marks = marks_of(dialect)
        self._quote = None if dialect.quote is None else dialect.quote.encode(dialect.encoding)

    def stop(self) -> None:
        """Have every count under way, in whichever thread, raise :class:`Interrupted` before its next block."""
        self._stopped = True

    def count_all(self) -> int:
        """Records of a compressed source."""
        with open_source(self._source.path, self._dialect) as stream:
            _skip(stream, self._dialect.data_start)
            return self._count(stream, in_quotes=False)[0]

    def count_range(self, place: tuple[int, int], *, in_quotes: bool = False) -> tuple[int, bool]:
        """Records that begin in a range of the source, and whether it ends inside quotes.

        :param place: the range: where a line begins, and one past its last byte.
        :param in_quotes: whether it begins inside quotes.
        """
        start, end = place
        with open_source(self._source.path, self._dialect, start) as stream:
            return self._count(LimitedStream(stream, self._source, end - start), in_quotes=in_quotes)

    def _count(self, stream: Readable, *, in_quotes: bool) -> tuple[int, bool]:
        reader, buffer = LineReader(stream, self._dialect, self._source.path), bytearray(_BLOCK_BYTES)
        scanner, total = Scanner(self._marks), 0
        while size := reader.fill(buffer):
            if self._stopped:
                raise Interrupted("stopped between two blocks")
            count, in_quotes = self._count_block(scanner, buffer, size, in_quotes)
            total += count
        return total, in_quotes

    def _count_block(self, scanner: Scanner, buffer: bytearray, size: int, in_quotes: bool) -> tuple[int, bool]:
        only_lf = self._marks.unit == 1 and buffer.find(b"\r", 0, size) < 0
        quoted = self._quote is not None and buffer.find(self._quote, 0, size) >= 0
        if only_lf and not quoted and self._marks.escape is None:
            return (0, True) if in_quotes else (self._count_lines(buffer, size), False)
        units = self._marks.units(memoryview(buffer)[:size])
        structure = (
            scanner.structure(units, in_quotes, only_lf=only_lf) or tokenize(units, self._marks, in_quotes).structure
        )
        return structure.count(keep_blank=self._keep_blank), structure.in_quotes

    def _count_lines(self, buffer: bytearray, size: int) -> int:
        """Records of a block in which every line feed, and nothing else, ends one."""
        feeds = np.frombuffer(buffer, np.uint8, count=size) == self._marks.lf
        lines = int(np.count_nonzero(feeds)) + (not feeds[-1])
        if not self._keep_blank:
            lines -= int(np.count_nonzero(feeds[1:] & feeds[:-1])) + int(feeds[0])
        return lines


def _skip(stream: Readable, size: int) -> None:
    buffer = bytearray(_BLOCK_BYTES)
    while size and (read := stream.readinto(memoryview(buffer)[:size])):
        size -= read
