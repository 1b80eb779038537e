"""What may stand before the header: a line that names the delimiter, as Excel reads it, comments, or a title."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etl_delimited.header import all_names, is_value
from etl_delimited.settings import SECTION
from etl_framework import Finding, Sample, Severity, counted

if TYPE_CHECKING:
    from etl_delimited.sniff import Supposition

_DELIMITER_LINE = re.compile(r"""(["']?)sep=([^\w\s"']|\t)\1(?=[\r\n]|\Z)""", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = ("#", "//", "--", "%")
_MOST_BEFORE = 50


def named_delimiter(text: str) -> str | None:
    """The delimiter that the first line names, as in ``sep=;``; None when it is an ordinary line."""
    found = _DELIMITER_LINE.match(text)
    return None if found is None else found[2]


def delimiter_line(path: str, delimiter: str) -> Finding:
    """The finding that such a line is passed over."""
    return Finding(
        rule="delimiter_line",
        severity=Severity.INFO,
        count=1,
        message=f"the first line names the delimiter, {delimiter!r}, and is passed over",
        samples=(Sample(file=path, line=1, reason="names the delimiter"),),
    )


def lines_before_records(text: str, start: int, found: Supposition) -> int:
    """How many lines, from the beginning of the text, stand before the header or the first record.

    :param text: of the source, from its beginning.
    :param start: where the first record was supposed, characters.
    :returns: 0 when nothing shows that the first record is none.
    """
    records, width = found.cells.records, found.width
    if width < 2:
        return 0
    at = next((at for at, record in enumerate(records[:_MOST_BEFORE]) if not _is_preamble(record, width)), 0)
    if not at or len(records[at]) != width:
        return 0
    comments = all(_is_comment(record) and len(record) != width for record in records[:at])
    if not comments and not _is_header(records[at], records[at + 1 :]):
        return 0
    return lines_before(text, start + found.cells.starts[at])


def lines_before(text: str, place: int) -> int:
    """How many lines of a text end before a place in it."""
    return len(_LINE_END.findall(text, 0, place))


def preamble(path: str, text: str, skipped: int, lines: int) -> Finding:
    """The finding that lines are to be skipped.

    :param text: of the source, from its beginning.
    :param skipped: lines that are skipped already.
    :param lines: how many should be.
    """
    first = _LINE_END.split(text, skipped + 1)[skipped][:200]
    more = lines - skipped
    shown = counted(more, "line is", "lines are")
    return Finding(
        rule="preamble",
        severity=Severity.ERROR,
        count=more,
        message=f"at the beginning, {shown} neither header nor data: {first!r}{', …' * (more > 1)}",
        advice=f"Set skip_lines = {lines} in {SECTION}; then the columns are as shown.",
        samples=(Sample(file=path, line=skipped + 1, value=first, reason="neither header nor data"),),
    )


def _is_preamble(record: Sequence[str], width: int) -> bool:
    if len(record) != width:
        return True
    if _is_comment(record):
        # Some write the header itself like a comment.
        return not all_names([record[0].lstrip("".join(_COMMENT)), *record[1:]])
    return width > 2 and sum(bool(cell.strip()) for cell in record) < 2


def _is_comment(record: Sequence[str]) -> bool:
    return record[0].lstrip().startswith(_COMMENT)


def _is_header(names: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a record has names for all columns, and some column holds nearly nothing but numbers, dates or times."""
    if not all_names(names) or len({name.strip().lower() for name in names}) < len(names):
        return False
    columns = zip(*(record for record in below if len(record) == len(names)), strict=True)
    filled = ([cell.strip() for cell in column if cell.strip()] for column in columns)
    return any(cells and sum(map(is_value, cells)) > 0.9 * len(cells) for cells in filled)
