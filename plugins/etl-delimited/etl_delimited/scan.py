"""Find the records in a buffer of delimited text, as Python's :mod:`csv` finds them.

Every buffer begins where a line begins: at a record, or, where a function takes ``in_quotes``, inside a quoted field
that goes on. Buffers are in the dialect's encoding; text that was transcoded is scanned with
``replace(dialect, encoding="utf-8")``. All offsets and sizes are in bytes.

A quote is special only where a field begins; inside quotes it is doubled, or escaped when the dialect has an escape
character. CR LF, LF and CR outside quotes each end a record, unless escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etl_delimited.structure import (
    Buffer,
    Flags,
    Marks,
    Offsets,
    Scanner,
    Structure,
    Units,
    contains,
    flags_of,
    marks_of,
)
from etl_delimited.tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl_delimited.dialect import Dialect

_PIECE_BYTES = 1 << 20
_FIRST_WINDOW = 1 << 12


def last_record_end(buffer: Buffer, dialect: Dialect, *, final: bool, in_quotes: bool = False) -> int:
    """Where the last record that ends in the buffer ends.

    :param final: no text follows the buffer; a CR at the very end counts only then, since an LF might follow it, and
        so does a record without a line end.
    :param in_quotes: the buffer begins inside quotes.
    :returns: offset just past the record's line end; 0 when no record ends in the buffer.
    """
    marks = marks_of(dialect)
    units = marks.units(buffer)
    if final:
        return len(buffer)
    if len(units) and units[-1] == marks.cr:
        units = units[:-1]
    if not in_quotes and _is_plain(units, marks):
        return line_cut(units, marks, 0, len(units)) * marks.unit
    found = 0
    for begin, structure in structures(units, marks, in_quotes):
        end = structure.last_end()
        found = begin + end if end else found
    return found * marks.unit


def first_record_end(buffer: Buffer, dialect: Dialect, *, final: bool, in_quotes: bool = False) -> int:
    """Where the first record that ends in the buffer ends: offset just past its line end, 0 when there is none.

    :param final: no text follows the buffer; a CR at the very end counts only then, since an LF might follow it.
    :param in_quotes: the buffer begins inside quotes.
    """
    marks = marks_of(dialect)
    units = marks.units(buffer)
    if len(units) and units[-1] == marks.cr and not final:
        units = units[:-1]
    for begin, structure in structures(units, marks, in_quotes):
        if end := structure.first_end():
            return (begin + end) * marks.unit
    return 0


def next_line(buffer: Buffer, dialect: Dialect, *, final: bool) -> int | None:
    """Where the first line after the buffer's first unit's begins, quotes aside; the buffer may begin anywhere.

    A line end that an escape character precedes, or that is the buffer's first unit, is passed over.

    :param final: no text follows the buffer; a CR at the very end counts only then, since an LF might follow it.
    :returns: offset just past the line end; None when there is none.
    """
    marks = marks_of(dialect)
    units = marks.units(buffer)
    ends = _line_ends(units, marks)
    ends[:1] = False
    if len(units) and not final:
        ends[-1] &= units[-1] != marks.cr
    if marks.escape is not None:
        ends[1:] &= units[:-1] != marks.escape
    place = int(ends.argmax()) if ends.any() else None
    return None if place is None else (place + 1) * marks.unit


def record_offsets(buffer: Buffer, dialect: Dialect, *, keep_blank: bool = False) -> Offsets:
    """Offset of the first byte of each record; takes some 20 ms for 8 MiB.

    :param keep_blank: a blank line is a record, as it is in a file of one column.
    :returns: ascending, int64; the end of a record is the next one's start or the end of the buffer, line end and
        blank lines included.
    """
    marks = marks_of(dialect)
    found = [
        np.flatnonzero(flags_of(structure.starts(keep_blank=keep_blank), structure.size)) + begin
        for begin, structure in structures(marks.units(buffer), marks, False)
    ]
    return np.concatenate(found) * marks.unit if found else np.zeros(0, np.int64)


def line_indexes(buffer: Buffer, dialect: Dialect, offsets: Offsets) -> Offsets:
    """The physical line on which each offset lies, from 0 for the buffer's first.

    LF, CR LF and CR each end a line, inside quotes too.
    """
    marks = marks_of(dialect)
    ends = np.flatnonzero(_line_ends(marks.units(buffer), marks)) * marks.unit
    return np.searchsorted(ends, offsets, side="left").astype(np.int64, copy=False)


def count_lines(buffer: Buffer, dialect: Dialect) -> int:
    """Number of line ends (LF, CR LF or CR, inside quotes too), and one more when text follows the last of them."""
    marks = marks_of(dialect)
    units = marks.units(buffer)
    if not len(units):
        return 0
    if contains(units, marks.cr):
        ends = int(np.count_nonzero(_line_ends(units, marks)))
    else:
        ends = sum(
            int(np.count_nonzero(units[i : i + _PIECE_BYTES] == marks.lf)) for i in range(0, len(units), _PIECE_BYTES)
        )
    return ends + (units[-1] not in (marks.lf, marks.cr))


def ends_in_quotes(buffer: Buffer, dialect: Dialect, *, in_quotes: bool = False) -> bool:
    """Whether a quoted field is open where the buffer ends."""
    marks = marks_of(dialect)
    for _, structure in structures(marks.units(buffer), marks, in_quotes):
        in_quotes = structure.in_quotes
    return in_quotes


def unclosed_quote(buffer: Buffer, dialect: Dialect) -> int | None:
    """Offset of the opening quote of the field that is still open where the buffer ends, or None."""
    marks = marks_of(dialect)
    units = marks.units(buffer)
    open_pieces = [(begin, found) for begin, found in structures(units, marks, False)]
    while open_pieces and open_pieces[-1][1].in_quotes:
        begin, structure = open_pieces.pop()
        opened = tokenize(units[begin : begin + structure.size], marks, structure.began_in_quotes).opened
        if opened is not None:
            return (begin + opened) * marks.unit
    return None


def is_well_formed(buffer: Buffer, dialect: Dialect) -> bool:
    """Whether quotes stand only around fields or doubled within them."""
    marks = marks_of(dialect)
    units, in_quotes = marks.units(buffer), False
    scanner = Scanner(marks)
    for begin, end in _pieces(units, marks):
        structure = scanner.structure(units[begin:end], in_quotes)
        if structure is None or not scanner.closes_well(units[begin:end], in_quotes):
            return False
        in_quotes = structure.in_quotes
    return True


def structures(units: Units, marks: Marks, in_quotes: bool) -> Iterator[tuple[int, Structure]]:
    """Cut the text into pieces of about a MiB where lines begin, and find the structure of each.

    :param in_quotes: the text begins inside quotes.
    :returns: where each piece begins, in units, and its structure, which holds until the next.
    """
    scanner = Scanner(marks)
    for begin, end in _pieces(units, marks):
        piece = units[begin:end]
        structure = scanner.structure(piece, in_quotes) or tokenize(piece, marks, in_quotes).structure
        in_quotes = structure.in_quotes
        yield begin, structure


def _pieces(units: Units, marks: Marks) -> Iterator[tuple[int, int]]:
    """Cut the text where lines begin, into pieces of about a MiB, so that temporary arrays stay in the cache."""
    begin, step = 0, _PIECE_BYTES // marks.unit
    while begin < len(units):
        length = step
        while begin + length < len(units) and not (end := line_cut(units, marks, begin, begin + length)):
            length *= 2
        if begin + length >= len(units):
            end = len(units)
        yield begin, end
        begin = end


def line_cut(units: Units, marks: Marks, begin: int, end: int) -> int:
    """The last place in (begin, end] where a line begins: just past a line end that is not escaped.

    :param begin: where a line begins.
    :returns: in units; 0 when there is none. A CR at ``end`` counts unless an LF follows it in ``units``.
    """
    upper, window = end, _FIRST_WINDOW
    while upper > begin:
        lower = max(begin, upper - window)
        tail = units[lower:upper]
        for place in np.flatnonzero((tail == marks.lf) | (tail == marks.cr))[::-1]:
            if _begins_line(units, marks, begin, lower + int(place) + 1):
                return lower + int(place) + 1
        upper, window = lower, window * 2
    return 0


def _begins_line(units: Units, marks: Marks, begin: int, place: int) -> bool:
    last = units[place - 1]
    if last == marks.cr and place < len(units) and units[place] == marks.lf:
        return False
    # What an escape character precedes may be escaped or not; another line end will do.
    return marks.escape is None or place - 2 < begin or units[place - 2] != marks.escape


def _is_plain(units: Units, marks: Marks) -> bool:
    """Whether every line end ends a record."""
    special = [value for value in (marks.quote, marks.escape) if value is not None]
    return not any(contains(units, value) for value in special)


def _line_ends(units: Units, marks: Marks) -> Flags:
    feeds, returns = units == marks.lf, units == marks.cr
    returns[:-1] &= ~feeds[1:]
    ends: Flags = feeds | returns
    return ends
