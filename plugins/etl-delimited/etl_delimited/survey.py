"""The sample of a source as a table of texts, and what is odd about its records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl_delimited.parse import InvalidRows, Layout, ParseError, Parser
from etl_delimited.scan import ends_in_quotes, is_well_formed, last_record_end, line_indexes, record_offsets
from etl_framework import Column, ColumnType, Finding, Kind, Sample, Severity, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl_delimited.dialect import Dialect

# What may stand in a text besides letters: tab and line ends, and the separators that some delimit with.
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r") + b"\x7f"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole records of a source.

    :param data: in UTF-8.
    :param offset: where they begin in the source, bytes; None when it is not known.
    :param line: on which line, from 1; None when it is not known.
    """

    data: bytes
    offset: int | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Survey:
    """The sampled records.

    :param table: every field as text, null where it is empty and not quoted; only records of the usual width.
    :param sizes: of each piece, the number of records, of any width, and the bytes in UTF-8.
    :param findings: what is odd about them.
    """

    table: pa.Table
    sizes: tuple[tuple[int, int], ...]
    findings: tuple[Finding, ...]


def survey(path: str, pieces: Sequence[Piece], dialect: Dialect, width: int) -> Survey:
    """Parse pieces of a source.

    :param width: fields of a record.
    """
    plain = replace(dialect, encoding="utf-8", null_values=("",))
    tables: list[pa.Table] = []
    findings: list[Finding] = []
    ragged: list[Sample] = []
    sizes: list[tuple[int, int]] = []
    many = 0
    for piece in pieces:
        skipped = InvalidRows()
        try:
            table = _parser(plain, width).texts(piece.data, skip=skipped)
        except ParseError:
            # The run tells what is wrong and where; the types come from what does parse.
            sizes.append((0, 0))
            continue
        tables.append(table)
        sizes.append((table.num_rows + len(skipped.widths), len(piece.data)))
        many += len(skipped.widths)
        if skipped.widths and len(ragged) < _SHOWN:
            ragged += _places(path, piece, plain, skipped.widths)
    if many:
        findings.append(_ragged(many, width, ragged[:_SHOWN]))
    findings += _odd_characters(path, pieces, dialect)
    empty = pa.table({str(at): pa.array([], pa.string()) for at in range(width)})
    table = pa.concat_tables([empty, *tables])
    return Survey(table, tuple(sizes), tuple(findings))


def whole_records(data: bytes, dialect: Dialect, *, final: bool) -> bytes:
    """What of a text in UTF-8 that begins at a record is whole records."""
    return data[: last_record_end(data, replace(dialect, encoding="utf-8"), final=final)]


def quotes_are_sound(data: bytes, dialect: Dialect, *, whole: bool) -> bool:
    """Whether every quote in a text that begins at a record opens or closes a field, or is doubled.

    A field that is open at the last line end may as well come from a stray quote.

    :param whole: nothing follows the text.
    """
    if dialect.quote is None or dialect.quote.encode() not in data:
        return True
    utf8 = replace(dialect, encoding="utf-8")
    if not whole:
        data = data[: max(data.rfind(b"\n"), data.rfind(b"\r")) + 1]
    return is_well_formed(data, utf8) and not ends_in_quotes(data, utf8)


def line_ends(data: bytes, dialect: Dialect) -> dict[str, int]:
    """How many records each kind of line end ends."""
    feeds, pairs, returns = data.count(b"\n"), data.count(b"\r\n"), data.count(b"\r")
    kinds = {"\n": feeds - pairs, "\r\n": pairs, "\r": returns - pairs}
    if sum(map(bool, kinds.values())) > 1:
        # Line ends within quoted fields do not count.
        starts = record_offsets(data, replace(dialect, encoding="utf-8"))
        text = np.frombuffer(data, np.uint8)
        ends = np.append(starts[1:], len(text)) if data.endswith((b"\n", b"\r")) else starts[1:]
        ends = ends[ends > 1]
        feed = text[ends - 1] == ord("\n")
        pair = feed & (text[ends - 2] == ord("\r"))
        kinds = {"\n": int((feed & ~pair).sum()), "\r\n": int(pair.sum()), "\r": int((~feed).sum())}
    return {newline: count for newline, count in kinds.items() if count}


def _parser(dialect: Dialect, width: int) -> Parser:
    text = ColumnType(kind=Kind.VARCHAR)
    columns = tuple(Column(name=str(at), type=text) for at in range(width))
    return Parser(dialect, Layout(width, tuple(range(width)), columns))


def _places(path: str, piece: Piece, dialect: Dialect, widths: dict[int, int]) -> list[Sample]:
    offsets = record_offsets(piece.data, dialect)
    places = [row for row in list(widths)[:_SHOWN] if row < len(offsets)]
    lines = line_indexes(piece.data, dialect, offsets[places])
    return [
        Sample(
            file=path,
            line=None if piece.line is None else piece.line + int(line),
            offset=None if piece.offset is None else piece.offset + int(offsets[row]),
            value=piece.data[offsets[row] : offsets[row] + 200].decode("utf-8", "replace").splitlines()[0],
            reason=counted(widths[row], "field"),
        )
        for row, line in zip(places, lines, strict=True)
    ]


def _ragged(count: int, width: int, samples: Sequence[Sample]) -> Finding:
    return Finding(
        rule="ragged_rows",
        severity=Severity.WARNING,
        count=count,
        message=f"records of the sample do not seem to have {counted(width, 'field')}",
        advice="`etl validate` counts the bad rows. Repair them, take them out with --on-bad-rows quarantine, "
        "or declare delimiter and quote.",
        samples=tuple(samples),
    )


def _odd_characters(path: str, pieces: Sequence[Piece], dialect: Dialect) -> list[Finding]:
    controls = bytes(code for code in _CONTROLS if chr(code) not in dialect.delimiter)
    seen: dict[int, int] = {}
    marks = 0
    samples: list[Sample] = []
    for piece in pieces:
        marks += piece.data.count(b"\xef\xbb\xbf")
        if len(piece.data.translate(None, controls)) == len(piece.data):
            continue
        for code in controls:
            if count := piece.data.count(code):
                seen[code] = seen.get(code, 0) + count
                samples.append(_control(path, piece, code))
    return [*_control_finding(seen, samples), *_mark_finding(path, marks)]


def _control(path: str, piece: Piece, code: int) -> Sample:
    place = piece.data.find(code)
    before = piece.data[:place]
    lines = before.count(b"\n") or before.count(b"\r")
    return Sample(
        file=path,
        line=None if piece.line is None else piece.line + lines,
        offset=None if piece.offset is None else piece.offset + place,
        value=f"0x{code:02x}",
        reason="control character",
    )


def _control_finding(seen: dict[int, int], samples: list[Sample]) -> list[Finding]:
    if not seen:
        return []
    shown = ", ".join(f"0x{code:02x} ({count}×)" for code, count in sorted(seen.items()))
    nul = "A row that holds NUL is a bad row; the others" if 0 in seen else "They"
    return [
        Finding(
            rule="control_characters",
            severity=Severity.WARNING,
            count=sum(seen.values()),
            message=f"the sample holds control characters: {shown}",
            advice=f"{nul} are loaded as they are, but seldom meant; have the origin take them out.",
            samples=tuple(samples[:_SHOWN]),
        )
    ]


def _mark_finding(path: str, marks: int) -> list[Finding]:
    if not marks:
        return []
    return [
        Finding(
            rule="byte_order_mark",
            severity=Severity.WARNING,
            count=marks,
            message="byte order marks stand amid the data, as when files were joined end to end",
            advice="Join the files without their marks and headers, or load them one by one.",
            samples=(Sample(file=path),),
        )
    ]
