"""Guess where a record begins in a window of a source, which may begin anywhere: inside quotes too.

Both are supposed, that the window begins inside quotes and that it does not, and what comes of each is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_delimited.cells import cut
from etl_delimited.scan import first_record_end, next_line

if TYPE_CHECKING:
    from etl_delimited.dialect import Dialect


def first_record(window: bytes, dialect: Dialect, width: int, *, final: bool) -> int | None:
    """Where the first record that begins within a window most likely begins.

    :param window: in the dialect's encoding, cut between two of its units.
    :param width: fields of a record.
    :param final: no text follows the window.
    :returns: offset in bytes; None when the window holds none, or both guesses are as good.
    """
    line = next_line(window, dialect, final=final)
    if line is None or dialect.quote is None:
        return line
    inside = _begins_inside(window[line:], dialect, width)
    if not inside:
        return None if inside is None else line
    end = first_record_end(window[line:], dialect, final=final, in_quotes=True)
    return line + end if end else None


def _begins_inside(text: bytes, dialect: Dialect, width: int) -> bool | None:
    """Whether a text that begins a line more likely begins inside quotes than at a record."""
    assert dialect.quote is not None
    decoded = text.decode(dialect.encoding, "replace")
    outside = _Evidence.of(decoded, dialect, width, skip=0)
    if dialect.quote not in decoded:
        # Nothing speaks of quotes then: rows of other widths are only that, unless they are the most.
        return False if 2 * outside.defects < outside.records else None
    # An opening quote put before the text makes it one that begins outside; its first record is then not whole.
    inside = _Evidence.of(dialect.quote + decoded, dialect, width, skip=1)
    if outside.speaks_for and inside.speaks_for:
        return None if outside.defects == inside.defects else inside.defects < outside.defects
    return inside.speaks_for if outside.speaks_for or inside.speaks_for else None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """:param records: how many were seen.
    :param defects: how many things are odd about them: wrong numbers of fields, quotes where none should be.
    """

    records: int
    defects: int

    @classmethod
    def of(cls, text: str, dialect: Dialect, width: int, *, skip: int) -> _Evidence:
        found = cut(text, dialect.delimiter, dialect.quote, dialect.escape, whole=False, judging=False)
        records = found.records[skip:]
        return cls(len(records), found.malformed + found.stray + sum(len(record) != width for record in records))

    @property
    def speaks_for(self) -> bool:
        return self.records > 0 and 5 * self.defects <= self.records
