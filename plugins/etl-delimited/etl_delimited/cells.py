"""Cut a short text into records and cells under a supposed dialect, and count what speaks against it.

For guessing only: it keeps every cell as text and forgives everything. What reads the data is elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

_FOREIGN = re.compile(r"[\t;|,\x01\x1f]")
_NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d[.,]?\s*")
# Cells whose looks are judged; more would tell nothing new.
_JUDGED = 2000


@dataclass(slots=True)
class Cells:
    """What a supposed dialect makes of a text.

    :ivar records: the complete, not blank records' cells.
    :ivar starts: where each record starts, characters.
    :ivar first_end: just past the first record's line end.
    :ivar quoted: number of quoted cells.
    :ivar needed: quoted cells that hold a delimiter, a quote or a line end.
    :ivar malformed: quoted cells with text after the closing quote.
    :ivar joined: those of them that hold a line end, so that a stray quote may have joined two records.
    :ivar stray: quote characters within cells that are not quoted.
    :ivar unclosed: where a quoted cell begins that does not end in the text.
    :ivar judged: cells whose looks were judged.
    :ivar unclean: those that look as if they were several.
    """

    records: list[list[str]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    first_end: int = 0
    quoted: int = 0
    needed: int = 0
    malformed: int = 0
    joined: int = 0
    stray: int = 0
    unclosed: int | None = None
    judged: int = 0
    unclean: int = 0
    stray_record: int | None = None

    def judge(self, cells: list[str]) -> None:
        """Look at unquoted cells."""
        if self.judged < _JUDGED:
            self.judged += len(cells)
            self.unclean += sum(_looks_like_several(cell) for cell in cells)


def _looks_like_several(cell: str) -> bool:
    return (_FOREIGN.search(cell) is not None and not _NUMBER.fullmatch(cell)) or cell[:1] == " "


@lru_cache(maxsize=256)
def _patterns(delimiter: str, quote: str | None, escape: str | None) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    mark = re.escape(delimiter)
    escaped = re.escape(escape) if escape else ""
    plain = rf"[^{mark}\r\n{escaped}]" if len(delimiter) == 1 else rf"(?:(?!{mark})[^\r\n{escaped}])"
    bare = rf"(?:{plain}++|{escaped}.)*+" if escape else rf"{plain}*+"
    if quote is None:
        return re.compile(bare, re.DOTALL), None
    q = re.escape(quote)
    body = rf"(?:[^{q}{escaped}]++|{q}{q}" + (rf"|{escaped}." if escape else "") + ")*+"
    return re.compile(bare, re.DOTALL), re.compile(f"{q}({body}){q}", re.DOTALL)


_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")


def cut(
    text: str, delimiter: str, quote: str | None, escape: str | None, *, whole: bool, judging: bool = True
) -> Cells:
    """Cut a text that begins at a record.

    :param whole: nothing follows the text, so its last record is complete without a line end.
    :param judging: whether to look at the cells.
    """
    found = Cells(judged=0 if judging else _JUDGED)
    place, size = 0, len(text)
    while place < size:
        line = _LINE.match(text, place)
        assert line is not None  # the pattern matches anywhere
        special = (quote is not None and quote in line[1]) or (escape is not None and escape in line[1])
        if special:
            cells, end = _cut_slowly(text, place, delimiter, quote, escape, found)
        else:
            cells, end = line[1].split(delimiter), line.end()
            found.judge(cells)
        if found.unclosed is not None or (end == size and not whole and text[-1] not in "\r\n"):
            break
        if cells != [""]:
            found.records.append(cells)
            found.starts.append(place)
            found.first_end = found.first_end or end
        place = end
    return found


def _cut_slowly(
    text: str, place: int, delimiter: str, quote: str | None, escape: str | None, found: Cells
) -> tuple[list[str], int]:
    bare, enclosed = _patterns(delimiter, quote, escape)
    cells: list[str] = []
    plain: list[str] = []
    while True:
        value = ""
        if quote and enclosed and text.startswith(quote, place):
            match = enclosed.match(text, place)
            if match is None:
                found.unclosed = place
                return cells, len(text)
            value = match[1].replace(quote * 2, quote)
            found.quoted += 1
            found.needed += delimiter in value or quote in value or "\n" in value or "\r" in value
            place = match.end()
        rest = bare.match(text, place)
        assert rest is not None  # the pattern matches the empty text
        if rest[0]:
            stray = quote is not None and quote in rest[0] and not (escape and f"{escape}{quote}" in rest[0])
            if value:
                found.malformed += 1
                found.joined += "\n" in value or "\r" in value
            elif stray:
                found.stray += 1
            if (value or stray) and found.stray_record is None:
                found.stray_record = len(found.records)
            plain.append(rest[0])
        cells.append(value + rest[0])
        place = rest.end()
        if text.startswith(delimiter, place):
            place += len(delimiter)
            continue
        found.judge(plain)
        place += 2 if text.startswith("\r\n", place) else 1
        return cells, min(place, len(text))
