"""What may stand before the header: a line that names the delimiter, as Excel reads it, comments, or a title."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from etl_delimited.cells import cut
from etl_delimited.header import all_names, is_value
from etl_delimited.infer import NULL_TOKENS
from etl_delimited.settings import SECTION
from etl_framework import Finding, Sample, Severity, counted

if TYPE_CHECKING:
    from etl_delimited.sniff import Supposition

_DELIMITER_LINE = re.compile(r"""(["']?)sep=([^\w\s"']|\t)\1(?=[\r\n]|\Z)""", re.IGNORECASE)
_NULLS = frozenset(token.lower() for token in NULL_TOKENS)
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = ("#", "//", "--", "%", ";")
_MOST_BEFORE = 50
# What begins a table is looked for behind so many lines: it need not be its first line.
_SKIPPED = (1, 2, 3, 5, 8, 13, 21, 34, 50)


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


def lines_before_records(
    text: str, start: int, found: Supposition, sniffed: Callable[[str], Supposition], *, declared: bool = False
) -> int:
    """How many lines, from the beginning of the text, stand before the header or the first record.

    What stands there may have spoilt the guess of the dialect. So where the text begins with comments, or seems to have
    one column, what a later line begins is looked at as a table of its own.

    :param text: of the source, from its beginning.
    :param start: where the first record was supposed, characters.
    :param sniffed: finds the dialect of a text that begins at a record.
    :param declared: the first record is declared to be a header, which is believed where it has the records' width.
    :returns: 0 when nothing shows that the first record is none.
    """
    if declared and found.width > 1 and len(found.cells.records[0]) == found.width:
        return 0
    at = records_before(found.cells.records, found.width)
    if at:
        return lines_before(text, start + found.cells.starts[at])
    rest = text[start:]
    ends = [end.end() for end in islice(_LINE_END.finditer(rest), _MOST_BEFORE)]
    comments = sum(1 for _ in takewhile(lambda place: rest.startswith(_COMMENT, place), (0, *ends)))
    for skipped in {comments: None, **dict.fromkeys(_SKIPPED if found.width < 2 else ())}:
        if 0 < skipped <= len(ends) and (place := _table_within(rest, ends[skipped - 1], sniffed)):
            return lines_before(text, start + place)
    return 0


def _table_within(text: str, place: int, sniffed: Callable[[str], Supposition]) -> int:
    """Where the table begins that goes on at a place in the text; 0 when there is none, or it is all of the text."""
    body = sniffed(text[place:])
    if body.width < 2 or body.disagreeing or body.swallowed:
        return 0
    shown = text[: place + body.cells.starts[-1]]
    cells = cut(shown, body.delimiter, body.quote, body.escape, whole=True, judging=False)
    records = [*cells.records, body.cells.records[-1]]
    at = records_before(records, body.width)
    header = records[at]
    # Prose has blanks behind its commas, and few lines of it may well have as many commas each.
    if len(records) - at < 2 or any(cell[:1] == " " for cell in header):
        return 0
    return cells.starts[at] if at and at < len(cells.starts) else 0


def records_before(records: Sequence[Sequence[str]], width: int) -> int:
    """How many records are neither header nor data, for certain.

    Either a header above values follows them, and the first of them could be neither; or they are comments.

    :param width: fields of most records.
    """
    if width < 2:
        return 0
    at = header_above_values(records, width)
    if at and not _may_be_header(records[0], records[at:], width) and not _above_is_data(records, at, width):
        return at
    comments = sum(1 for _ in takewhile(lambda record: _is_comment(record, width), records))
    rest = records[comments : comments + 1]
    goes_on = any(_is_comment(record, width) for record in records[comments:])
    return comments if 0 < comments <= _MOST_BEFORE and rest and len(rest[0]) == width and not goes_on else 0


def header_above_values(records: Sequence[Sequence[str]], width: int) -> int:
    """The index of the first record that names the columns, where what it names are numbers, dates or times.

    :returns: 0 when it is the first record, or none.
    """
    for at, record in enumerate(records[: _MOST_BEFORE + 1]):
        if len(record) == width and may_name_columns(record) and _columns_of_values(records[at + 1 :], width):
            return at
    return 0


def lines_before(text: str, place: int) -> int:
    """How many lines of a text end before a place in it."""
    return len(_LINE_END.findall(text, 0, place))


def preamble(path: str, text: str, skipped: int, lines: int, width: int) -> Finding:
    """The finding that lines are to be skipped.

    :param text: of the source, from its beginning.
    :param width: fields of most records, as long as none are.
    :param skipped: lines that are skipped already.
    :param lines: how many should be.
    """
    first = _LINE_END.split(text, skipped + 1)[skipped][:200]
    more = lines - skipped
    otherwise = (
        "If the source has one column only, declare a delimiter that it does not hold."
        if width < 2
        else "If the first line is header or data, declare header = true or false."
    )
    shown = counted(more, "line is", "lines are")
    return Finding(
        rule="preamble",
        severity=Severity.ERROR,
        count=more,
        message=f"at the beginning, {shown} neither header nor data: {first!r}{', …' * (more > 1)}",
        advice=f"Set skip_lines = {lines} in {SECTION}; then the columns are as shown. {otherwise}",
        samples=(Sample(file=path, line=skipped + 1, value=first, reason="neither header nor data"),),
    )


def may_name_columns(names: Sequence[str]) -> bool:
    """Whether a record has names for all columns, each another one."""
    lower = {name.strip().lower() for name in names}
    return all_names(names) and len(lower) == len(names) and not lower & _NULLS


def _columns_of_values(records: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns that hold nearly nothing but numbers, dates or times, and begin with one."""
    rows = [record for record in records if len(record) == width]
    return [at for at in range(width) if _are_values(row[at].strip() for row in rows)]


def _are_values(cells: Iterable[str]) -> bool:
    filled = (cell for cell in cells if cell and cell.lower() not in _NULLS)
    first = next(filled, "")
    if not is_value(first):
        return False
    others = [is_value(cell) for cell in filled]
    return 1 + sum(others) > 0.9 * (1 + len(others))


def _above_is_data(records: Sequence[Sequence[str]], at: int, width: int) -> bool:
    """Whether what stands above a header fits the columns that it names: then it is a record amid others."""
    above = [record for record in records[:at] if len(record) == width]
    typed = _columns_of_values(records[at + 1 :], width)
    return all(any(is_value(record[column].strip()) for record in above) for column in typed)


def _may_be_header(record: Sequence[str], table: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first record of all could be a header, although a better one follows further down.

    :param table: the records from that one on.
    """
    if len(record) != width or not any(cell.strip() for cell in record[1:]):
        return False
    signed = record[0].lstrip().startswith(_COMMENT)
    names = [record[0].lstrip(" " + "".join(_COMMENT)), *record[1:]] if signed else record
    if not all_names([name for name in names if name.strip()]):
        return False
    if signed:
        # Some write the header itself like a comment, but no header is a sentence.
        return not any(" " in name.strip() for name in names)
    padded = (at for at, name in enumerate(names) if name[:1] == " ")
    return all(any(row[at][:1] == " " for row in table if len(row) == width) for at in padded)


def _is_comment(record: Sequence[str], width: int) -> bool:
    """Whether a record begins with a sign of comments, and not as a name or a value might that has the sign in it."""
    first = record[0].lstrip()
    sign = next((sign for sign in _COMMENT if first.startswith(sign)), None)
    return sign is not None and (len(record) != width or first[len(sign) :].startswith(" "))
