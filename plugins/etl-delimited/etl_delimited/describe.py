"""An analysis in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from etl_delimited.preamble import lines_before, may_name_columns
from etl_delimited.settings import SECTION
from etl_framework import NO_ROWS, Column, Fact, Finding, Sample, Severity, counted

if TYPE_CHECKING:
    from etl_delimited.cells import Cells
    from etl_delimited.dialect import Dialect
    from etl_delimited.settings import FormatSettings
    from etl_delimited.sniff import Supposition

_DELIMITERS = {
    "\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe", " ": "space",
    "||": "double pipe (||)", "::": "double colon (::)",
}  # fmt: skip
_NEWLINES = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}
_QUOTES = {None: "none", '"': 'double quote (")', "'": "single quote (')"}
_ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 little-endian",
    "utf-16-be": "UTF-16 big-endian",
    "latin-1": "Latin-1",
}


def facts(dialect: Dialect, columns: Sequence[Column]) -> tuple[Fact, ...]:
    """The format for people."""
    found = {
        "format": "delimited text",
        "delimiter": delimiter_name(dialect.delimiter),
        "quote": _QUOTES.get(dialect.quote, str(dialect.quote)),
        "escape": dialect.escape or "",
        "header": "yes" if dialect.header else "no",
        "encoding": _ENCODINGS.get(dialect.encoding, dialect.encoding)
        + (" with byte order mark" if dialect.bom else ""),
        "line ends": _NEWLINES[dialect.newline],
        "compression": dialect.compression or "none",
        "skipped lines": str(dialect.skip_lines or ""),
        "null values": ", ".join(dialect.null_values[1:]),
        "date formats": ", ".join(f"{column.name}: {column.format}" for column in columns if column.format),
        "columns": str(len(columns)),
    }
    return tuple(Fact(label=label, value=value) for label, value in found.items() if value)


def delimiter_name(delimiter: str) -> str:
    """A delimiter in words, or escaped when it does not print."""
    name = _DELIMITERS.get(delimiter)
    return name or (delimiter if delimiter.isprintable() else repr(delimiter)[1:-1])


def empty_source(path: str, what: str, *, columns_known: bool = True) -> Finding:
    """The finding for a source without rows.

    :param what: what it is or holds, as it follows its name in a sentence.
    :param columns_known: whether a header or the job tells its columns; it is an error when neither does.
    """
    return Finding(
        rule="empty_source",
        severity=Severity.WARNING if columns_known else Severity.ERROR,
        count=1,
        message=f"{path} {what}" + ("" if columns_known else ", so its columns are not known"),
        advice="Fetch the file again if it should hold rows"
        + ("." if columns_known else "; else declare the columns."),
        samples=(Sample(file=path),),
        cause=NO_ROWS,
    )


def mixed_line_ends(path: str, counts: Mapping[str, int]) -> list[Finding]:
    """The finding for a sample whose records end in several ways.

    :param counts: how many records each kind of line end ends.
    """
    if len(counts) < 2:
        return []
    shown = ", ".join(f"{_NEWLINES[newline]} ({count:,}×)" for newline, count in counts.items())
    usual = max(counts.values())
    return [
        Finding(
            rule="mixed_line_ends",
            severity=Severity.WARNING,
            count=sum(counts.values()) - usual,
            message=f"records end in several ways: {shown}; each of them ends a record",
            advice="Often parts of two systems were joined, or a lone CR stands in an unquoted field.",
            samples=(Sample(file=path),),
        )
    ]


def quote_findings(path: str, text: str, found: Supposition, settings: FormatSettings) -> list[Finding]:
    """What is odd about the quotes at the beginning of a source."""
    cells = found.cells
    if found.quote is None and settings.quote is None and '"' in text:
        return [quotes_without_meaning(path, text, line=1)]
    at = cells.stray_record
    place = text.find(found.quote or "") if at is None or at >= len(cells.starts) else cells.starts[at]
    if cells.joined:
        message = "a quote opens that is not closed where its field ends, so that records run together"
        advice = f'Repair the record, or declare quote = "none" in {SECTION} if quotes mean nothing.'
        return [_stray(path, text, place, 1, Severity.WARNING, cells.joined, message, advice)]
    if cells.malformed:
        message = "quoted fields go on after their closing quote"
        advice = 'Double the quotes within quoted fields, or declare quote = "none" or an escape character.'
        return [_stray(path, text, place, 1, Severity.WARNING, cells.malformed, message, advice)]
    if cells.stray:
        message = "quote characters stand within fields that are not quoted; they are part of the values"
        return [_stray(path, text, place, 1, Severity.INFO, cells.stray, message, "")]
    return []


def quotes_without_meaning(path: str, text: str, *, line: int | None) -> Finding:
    """The finding that the quotes of a text are taken as they are.

    :param line: on which line of the source the text begins, when that is known.
    """
    message = "quote characters enclose no fields here, so they are part of the values"
    advice = f"""Declare quote = '"' in {SECTION} if they should enclose fields."""
    return _stray(path, text, text.find('"'), line, Severity.WARNING, text.count('"'), message, advice)


def _stray(
    path: str, text: str, place: int, line: int | None, severity: Severity, count: int, message: str, advice: str
) -> Finding:
    begin = max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1
    shown = text[begin : begin + 200].splitlines()[0]
    line = None if line is None else line + len(text[:begin].splitlines())
    sample = Sample(file=path, line=line, value=shown, reason="stray quote")
    return Finding(
        rule="stray_quotes", severity=severity, count=count, message=message, advice=advice, samples=(sample,)
    )


def other_width(path: str, text: str, start: int, found: Supposition, width: int) -> Finding:
    """The finding for a header that does not have as many names as the records have fields.

    :param start: where the first record begins in ``text``, characters.
    :param width: fields of most records.
    """
    cells = found.cells
    names = len(cells.records[0])
    return Finding(
        rule="header_mismatch",
        severity=Severity.ERROR,
        count=1,
        message=f"the header names {counted(names, 'column')}, but most records have {counted(width, 'field')}",
        advice=_for_other_width(text, start, cells, width),
        samples=(Sample(file=path, value=", ".join(cells.records[0])[:200], reason=counted(names, "field")),),
    )


def _for_other_width(text: str, start: int, cells: Cells, width: int) -> str:
    header, *records = cells.records
    usual = [record for record in records if len(record) == width]
    if width == len(header) + 1 and not any(record[-1].strip() for record in usual):
        return "The records end with a delimiter that the header lacks: take it off them, or add one to the header."
    at = next((at for at, record in enumerate(cells.records) if len(record) == width), 0)
    hint = ""
    if at and width > 1 and may_name_columns(cells.records[at]):
        lines = lines_before(text, start + cells.starts[at])
        hint = f" If the header is on line {lines + 1}, set skip_lines = {lines} in {SECTION}."
    return f"Check the delimiter and the first lines of the file.{hint}"
