"""Cut a source into parts at record boundaries.

A cut is guessed from the data around it, so that a file of any size is cut at once: whoever reads a part proves that it
ends where a record ends. For the rare file that fools the guess there is :func:`split_exactly`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from etl_delimited.guess import first_record
from etl_delimited.lines import LineReader
from etl_delimited.scan import structures
from etl_delimited.stream import open_source
from etl_delimited.structure import marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etl_delimited.dialect import Dialect
    from etl_framework import Source

Ranges: TypeAlias = list[tuple[int, int]]

_WINDOWS = (4 << 10, 64 << 10, 512 << 10)
_LINE_WINDOWS = (64 << 10, 4 << 20)
_BLOCK_BYTES = 1 << 20


def split(source: Source, dialect: Dialect, width: int, part_bytes: int) -> Ranges:
    """Cut a source near multiples of a size, reading only around the cuts.

    :param width: fields of a record.
    :param part_bytes: the size that no part should much exceed, bytes.
    :returns: (start, end) of each part; what is no record before the data lies in the first. A compressed or empty
        source is one part.
    :raises InputError: the source cannot be read.
    """

    def boundary(border: int, known: int) -> int:
        guessed = _guess(source, dialect, width, border)
        return _search(source, dialect, border, known) if guessed is None else guessed

    return _ranges(source, dialect, part_bytes, boundary)


def split_exactly(source: Source, dialect: Dialect, part_bytes: int) -> Ranges:
    """The same by reading everything before each cut.

    :raises InputError: the source cannot be read, or a line is longer than a record may be.
    """
    return _ranges(source, dialect, part_bytes, lambda border, known: _search(source, dialect, border, known))


def split_likely(source: Source, dialect: Dialect, width: int, part_bytes: int) -> Ranges:
    """The same, uncut where the data around a cut does not tell.

    :returns: (start, end) of ranges that each begin where a line begins, and most likely a record; the first begins at
        ``dialect.data_start``.
    """
    starts = _starts(source, dialect, part_bytes, lambda border, _: _guess(source, dialect, width, border))
    return list(pairwise([dialect.data_start, *starts, max(source.size, dialect.data_start)]))


def _ranges(source: Source, dialect: Dialect, part_bytes: int, boundary: Callable[[int, int], int]) -> Ranges:
    return list(pairwise([0, *_starts(source, dialect, part_bytes, boundary), source.size]))


def _starts(
    source: Source, dialect: Dialect, part_bytes: int, boundary: Callable[[int, int], int | None]
) -> Iterator[int]:
    """:param boundary: gives the first place from a border on at which a record begins, or None; told one before it."""
    parts = 1 if dialect.compression else max(1, -(-source.size // max(part_bytes, 1)))
    known = dialect.data_start
    for number in range(1, parts):
        border = source.size * number // parts
        if border <= known or (found := boundary(border, known)) is None:
            continue
        known = found
        if known >= source.size:
            break
        yield known


def _search(source: Source, dialect: Dialect, border: int, known: int) -> int:
    """Where the first record that begins at or after the border begins, found by reading from a known record on."""
    marks, in_quotes = marks_of(dialect), False
    with open_source(source.path, dialect, known) as stream:
        reader, buffer = LineReader(stream, dialect, source.path), bytearray(_BLOCK_BYTES)
        while True:
            begin = known + reader.offset
            size = reader.fill(buffer)
            if not size:
                return source.size
            units = marks.units(memoryview(buffer)[:size])
            for offset, structure in structures(units, marks, in_quotes):
                in_quotes = structure.in_quotes
                piece = begin + offset * marks.unit
                if piece + structure.size * marks.unit < border:
                    continue
                end = structure.first_end(max(-(-(border - piece) // marks.unit), 0))
                if end:
                    return piece + end * marks.unit


def _guess(source: Source, dialect: Dialect, width: int, border: int) -> int | None:
    """The same guessed from a window behind the border; None when both guesses are as good."""
    border -= (border - dialect.bom) % dialect.unit
    for size in _LINE_WINDOWS if dialect.quote is None else _WINDOWS:
        window = _read(source, dialect, border, size)
        found = first_record(window, dialect, width, final=border + len(window) >= source.size)
        if found is not None:
            return border + found
    return None


def _read(source: Source, dialect: Dialect, start: int, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    with open_source(source.path, dialect, start) as stream:
        while view and (count := stream.readinto(view)):
            view = view[count:]
    return bytes(memoryview(buffer)[: size - len(view)])
