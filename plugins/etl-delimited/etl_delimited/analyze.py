"""Find out how a delimited source is to be split and read, from a sample of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl_delimited.content import suffix_of
from etl_delimited.describe import (
    empty_source,
    facts,
    mixed_line_ends,
    other_width,
    quote_findings,
    quotes_without_meaning,
)
from etl_delimited.dialect import Dialect
from etl_delimited.format import DelimitedFormat
from etl_delimited.guess import first_record
from etl_delimited.header import column_names, guess_header, header_doubt, numbered
from etl_delimited.infer import Inferred, fits, infer, is_null
from etl_delimited.preamble import (
    delimiter_line,
    header_above_values,
    lines_before,
    lines_before_records,
    named_delimiter,
    preamble,
)
from etl_delimited.sample import HEAD_BYTES, Head, read_head, windows
from etl_delimited.schema import named_columns, schema
from etl_delimited.settings import SECTION, FormatSettings, addressed, format_settings
from etl_delimited.sniff import Supposition, sniff
from etl_delimited.survey import Piece, Survey, line_ends, quotes_are_sound, survey, whole_records
from etl_framework import Analysis, Column, ColumnType, Finding, InputError, Kind

if TYPE_CHECKING:
    from etl_framework import Job, Source

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
# With a header and a first row longer than this, the row's types are left to the run.
_ENOUGH_HEAD_BYTES = 8 << 20
_RECHECKED = 1 << 18
_MANY_QUOTES = 5000
_TEXT = ColumnType(kind=Kind.VARCHAR)


def analyze(source: Source, job: Job) -> Analysis | None:
    """Find the format, the columns and an estimate of the rows.

    Reads the first MiB (more only when a record is longer) and sixteen windows over the rest.

    :returns: None when the source is no delimited text and its name does not say so either.
    :raises InputError: the source cannot be read, is binary, or is not compressed as its name says.
    :raises UsageError: the job's section ``format`` is wrong.
    """
    analysis = _analysis(source, job)
    if analysis is None:
        return None
    findings = (replace(finding, advice=addressed(finding.advice, job)) for finding in analysis.findings)
    return replace(analysis, findings=tuple(findings))


def _analysis(source: Source, job: Job) -> Analysis | None:
    declared = format_settings(job)
    size = HEAD_BYTES
    while (head := read_head(source, declared, size)) is not None:
        settings, told = _with_named_delimiter(source, declared, head)
        analyzer = _Analyzer(source, job, settings, head, told)
        start = analyzer.skipped()
        if head.whole and not head.text[start:].strip("\r\n\ufeff"):
            return analyzer.empty()
        outline = analyzer.outline(start)
        records = len(outline.found.cells.records)
        if head.whole and not records:
            raise InputError(
                f"a quote opens in the first record of {source.path} and is never closed",
                advice=addressed(f'Declare quote = "none" in {SECTION} if quotes mean nothing there.', job),
            )
        if head.whole or records > 1 or (records and size >= _ENOUGH_HEAD_BYTES):
            return analyzer.without_preamble(outline) or analyzer.analysis(outline)
        if size > settings.max_record_mib << 20:
            raise InputError(
                f"the first record of {source.path} does not end within {settings.max_record_mib} MiB",
                advice=addressed(f"Check the quote character, or set max_record_mib in {SECTION}.", job),
            )
        size *= 8
    return None


@dataclass(frozen=True, slots=True)
class _Outline:
    """What the beginning of a source shows.

    :param start: where the first record begins, characters.
    :param rest: just past it, characters.
    :param found: the dialect, in characters.
    """

    start: int
    rest: int
    found: Supposition

    @property
    def first(self) -> list[str]:
        """The fields of the first record."""
        return self.found.cells.records[0]


@dataclass(frozen=True, slots=True)
class _Fields:
    """What is known of the fields of a record.

    :param header: whether the first record names them.
    """

    header: bool
    names: tuple[str, ...]
    inferred: tuple[Inferred, ...]
    texts: pa.Table
    findings: tuple[Finding, ...]


class _Analyzer:
    def __init__(
        self, source: Source, job: Job, settings: FormatSettings, head: Head, told: tuple[Finding, ...] = ()
    ) -> None:
        self._source, self._job, self._settings, self._head, self._told = source, job, settings, head, told
        self._path = source.path

    def skipped(self) -> int:
        """Where the lines to pass over end, characters."""
        place = 0
        for _ in range(self._settings.skip_lines):
            line = _LINE.match(self._head.text, place)
            assert line is not None  # the pattern matches anywhere
            place = line.end()
        return place

    def outline(self, start: int) -> _Outline:
        """Find the dialect."""
        text = self._head.text[start:]
        characters = 1 << 16
        while True:
            found = self._sniffed(text, characters)
            if len(found.cells.records) > 1 or characters >= len(text):
                break
            characters *= 16
        if not quotes_are_sound(_utf8(text), self._dialect(found), whole=self._head.whole):
            found = self._with_better_quotes(text, found)
        return _Outline(start, start + found.cells.first_end, found)

    def _sniffed(self, text: str, characters: int = 1 << 16) -> Supposition:
        return sniff(
            text,
            self._settings,
            suffix=suffix_of(self._source.name),
            whole=self._head.whole,
            widths=(len(self._job.columns),) if self._job.columns else (),
            characters=characters,
        )

    def without_preamble(self, outline: _Outline) -> Analysis | None:
        """The analysis as it is once the lines before the header are skipped; None when there are none."""
        text, skipped = self._head.text, self._settings.skip_lines
        header, found = self._settings.header, outline.found
        if header is False:
            return None
        lines = lines_before_records(text, outline.start, found, self._sniffed, declared=header is True)
        if not lines:
            return None
        settings = self._settings.model_copy(update={"skip_lines": lines})
        told = (*self._told, preamble(self._path, text, skipped, lines, found.width))
        analyzer = _Analyzer(self._source, self._job, settings, self._head, told)
        return analyzer.analysis(analyzer.outline(analyzer.skipped()))

    def analysis(self, outline: _Outline) -> Analysis:
        """The analysis of a source with at least one record."""
        found = outline.found
        dialect = self._dialect(found)
        after = _utf8(self._head.text[outline.rest :])
        body = whole_records(after, dialect, final=self._head.whole)
        newlines = line_ends(_utf8(self._head.text[outline.start : outline.rest]) + body, dialect)
        dialect = replace(dialect, newline=max(newlines, key=newlines.__getitem__, default="\n"))
        width = self._width(outline)
        dialect, pieces, quotes = self._sample(dialect, outline, body, width)
        rows = survey(self._path, pieces, dialect, width)
        fields = self._fields(outline, rows, width)
        columns = schema(
            self._path, self._job, self._settings, fields.names, fields.inferred, fields.texts, header=fields.header
        )
        dialect = replace(
            dialect,
            header=fields.header,
            null_values=columns.null_values,
            data_start=self._offset(outline.rest if fields.header else outline.start),
        )
        findings = (
            *self._told,
            *self._head.encoding.findings,
            *quote_findings(self._path, self._head.text[outline.start :], found, self._settings),
            *quotes,
            *mixed_line_ends(self._path, newlines),
            *fields.findings,
            *self._header_alone(outline, rows, header=fields.header),
            *rows.findings,
            *columns.findings,
        )
        return self._result(dialect, columns.columns, self._rows(dialect, rows, fields.header), findings)

    def _header_alone(self, outline: _Outline, rows: Survey, *, header: bool) -> list[Finding]:
        # Blank lines are records in a file of one column.
        none = self._head.whole and not rows.table.num_rows and not self._head.text[outline.rest :].strip("\r\n")
        return [empty_source(self._path, "holds a header and no rows")] if header and none else []

    def empty(self) -> Analysis:
        """The analysis of a source without any record."""
        columns = tuple(replace(column, declared=True) for column in self._job.columns)
        finding = empty_source(self._path, "is empty", columns_known=bool(columns))
        dialect = Dialect(
            delimiter=self._settings.delimiter or ",",
            encoding=self._head.encoding.name,
            bom=self._head.encoding.bom,
            compression=self._head.compression,
            skip_lines=self._settings.skip_lines,
            header=False,
            data_start=len(self._head.data),
            max_record_bytes=self._settings.max_record_mib << 20,
        )
        named = named_columns(self._job, columns, rows=0) if columns else []
        return self._result(dialect, columns, 0, (*self._head.encoding.findings, finding, *named))

    def _dialect(self, found: Supposition) -> Dialect:
        return Dialect(
            delimiter=found.delimiter,
            quote=found.quote,
            escape=found.escape,
            encoding=self._head.encoding.name,
            bom=self._head.encoding.bom,
            skip_lines=self._settings.skip_lines,
            compression=self._head.compression,
            max_record_bytes=self._settings.max_record_mib << 20,
        )

    def _with_better_quotes(self, text: str, found: Supposition) -> Supposition:
        """Look at more of a text whose quotes turn out to be ill-formed further on."""
        # Lines without quotes are fast, others are not.
        characters = len(text) if text.count('"') < _MANY_QUOTES else _RECHECKED
        fixed = self._settings.model_copy(update={"delimiter": found.delimiter})
        whole = self._head.whole and len(text) <= characters
        again = sniff(text, fixed, suffix="", whole=whole, lines=len(text), characters=characters)
        return again if again.cells.records else found

    def _width(self, outline: _Outline) -> int:
        """Fields of a record: of most of them, not counting the first unless others are as many as those."""
        widths = [len(record) for record in outline.found.cells.records[1:]]
        first = len(outline.first)
        return max(set(widths), key=lambda width: (widths.count(width), width == first), default=first)

    def _pieces(self, dialect: Dialect, outline: _Outline, body: bytes, width: int) -> list[Piece]:
        """The sample, without the first record."""
        head = self._head
        before = head.text[: outline.rest]
        pieces = [Piece(body, self._offset(outline.rest), sum(1 for _ in _LINE.finditer(before)))]
        if not head.whole and head.compression is None:
            pieces += [Piece(data, at, None) for at, data in windows(self._source, dialect, width, len(head.data))]
        return pieces if head.encoding.name == "utf-8" else [replace(piece, offset=None) for piece in pieces]

    def _sample(
        self, dialect: Dialect, outline: _Outline, body: bytes, width: int
    ) -> tuple[Dialect, list[Piece], list[Finding]]:
        """The sample, and the dialect should quotes turn up that the beginning does not have."""
        if self._settings.quote is not None or dialect.quote is None or dialect.quote in self._head.text:
            return dialect, self._pieces(dialect, outline, body, width), []
        bare = replace(dialect, quote=None)
        pieces = self._pieces(bare, outline, body, width)
        quoted = [piece.data for piece in pieces if dialect.quote.encode() in piece.data]
        if not quoted:
            return dialect, pieces, []
        fixed = self._settings.model_copy(update={"delimiter": dialect.delimiter})
        begin = first_record(quoted[0], replace(dialect, encoding="utf-8"), width, final=False)
        text = quoted[0][begin or 0 :].decode("utf-8", "replace")
        found = sniff(text, fixed, suffix="", whole=False, lines=len(text), characters=_RECHECKED)
        if found.quote is None:
            return bare, pieces, [quotes_without_meaning(self._path, text, line=None)]
        return dialect, self._pieces(dialect, outline, body, width), []

    def _fields(self, outline: _Outline, rows: Survey, width: int) -> _Fields:
        """Decide whether the first record is a header, and infer the types without or with it."""
        first = outline.first
        inferred = tuple(infer(column, self._settings) for column in rows.table.columns)
        findings: list[Finding] = []
        header = self._settings.header
        if header == "auto":
            again = [_holds(column, text) for column, text in zip(rows.table.columns, first, strict=False)]
            guess = guess_header(first, inferred, again, self._job.columns, self._settings)
            header = guess.header
            cells = outline.found.cells
            below = header_above_values(cells.records, width)
            if below or not guess.certain:
                lines = lines_before(self._head.text, outline.start + cells.starts[below]) if below else 0
                findings.append(header_doubt(self._path, first, guess, lines))
        if not header:
            inferred, texts = self._with_first(first, inferred, rows.table)
            return _Fields(False, numbered(width), inferred, texts, tuple(findings))
        names, odd = column_names(self._path, first)
        findings += odd
        if len(first) == width:
            return _Fields(True, names, inferred, rows.table, tuple(findings))
        findings.append(other_width(self._path, self._head.text, outline.start, outline.found, width))
        unknown = tuple(Inferred(_TEXT, known=False) for _ in first)
        texts = pa.table({str(at): pa.array([], pa.string()) for at in range(len(first))})
        return _Fields(True, names, unknown, texts, tuple(findings))

    def _with_first(
        self, first: Sequence[str], inferred: tuple[Inferred, ...], texts: pa.Table
    ) -> tuple[tuple[Inferred, ...], pa.Table]:
        """The first record is data too."""
        if len(first) != len(inferred):
            return inferred, texts
        record = pa.table([pa.array([text or None], pa.string()) for text in first], names=texts.column_names)
        texts = pa.concat_tables([record, texts])
        settled = [
            one
            if one.known and not is_null(text, self._settings) and fits(text, one, self._settings)
            else infer(column, self._settings)
            for text, one, column in zip(first, inferred, texts.columns, strict=True)
        ]
        return tuple(settled), texts

    def _rows(self, dialect: Dialect, rows: Survey, header: bool) -> int:
        """Estimate the records, from the mean length of the sampled ones."""
        head = self._head
        (at_head, head_bytes), *others = rows.sizes
        known = at_head + (not header)
        records = sum(count for count, _ in others or rows.sizes)
        size = sum(size for _, size in others or rows.sizes)
        if head.whole or not records:
            return known
        # In bytes of the source, where a character may be longer or shorter than in UTF-8.
        scale = len(head.data) / max(len(_utf8(head.text)), 1)
        total = self._source.size if head.compression is None else self._source.size * len(head.data) / head.compressed
        return known + max(round(((total - dialect.data_start) / scale - head_bytes) * records / size), 0)

    def _offset(self, place: int) -> int:
        """Bytes of the source before a character of the head."""
        encoding = self._head.encoding
        errors = "replace" if encoding.unit == 2 else "surrogateescape"
        return encoding.bom + len(self._head.text[:place].encode(encoding.name, errors))

    def _result(
        self, dialect: Dialect, columns: tuple[Column, ...], rows: int, findings: Sequence[Finding]
    ) -> Analysis:
        return Analysis(
            source=self._source,
            format=DelimitedFormat(dialect=dialect, header=tuple(column.name for column in columns)),
            columns=columns,
            rows=rows,
            facts=facts(dialect, columns),
            findings=tuple(findings),
        )


def _with_named_delimiter(
    source: Source, settings: FormatSettings, head: Head
) -> tuple[FormatSettings, tuple[Finding, ...]]:
    """The settings with what a first line such as ``sep=;`` says, and that it says so."""
    named = None if settings.skip_lines else named_delimiter(head.text)
    if named is None or named in (settings.quote, settings.escape):
        return settings, ()
    update = {"skip_lines": 1, "delimiter": settings.delimiter or named}
    return settings.model_copy(update=update), (delimiter_line(source.path, named),)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _holds(column: pa.ChunkedArray, text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        # Bytes that are no text in the encoding, which is a finding of its own.
        return False
    return bool(pc.any(pc.equal(column, text)).as_py())
