"""Read a part: blocks of whole records, parsed into the run's columns, the bad ones set apart with their reasons."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl_delimited import scan
from etl_delimited.checks import violations
from etl_delimited.misread import EXES
from etl_delimited.padded import PaddedLook, padded_rows
from etl_delimited.parse import Layout, ParseError, Parser, whole
from etl_delimited.records import RecordBuffer, TextStream, source_bytes, source_size
from etl_delimited.sift import Misfits, Sifted, joined, joined_records, record_starts, sift
from etl_delimited.stream import ByteStream, LimitedStream, Readable, open_source
from etl_delimited.widen import large_doubles, rounded_integers, widened
from etl_framework import (
    INTEGERS,
    BadRow,
    Finding,
    Kind,
    MisplacedCut,
    Part,
    Position,
    Sample,
    Severity,
    Source,
    TypesWidened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl_delimited.checks import Problem
    from etl_delimited.dialect import Dialect
    from etl_delimited.structure import Offsets
    from etl_framework import Block, Column

_SHOWN = 200
_INTEGRAL = INTEGERS | {Kind.DECIMAL}


def read_part(
    dialect: Dialect, header: Sequence[str], source: Source, part: Part, columns: Sequence[Column], block_bytes: int
) -> Iterator[Block]:
    """The blocks of one part; see :meth:`etl_framework.Format.read`."""
    layout = Layout.of(header, columns)
    with open_source(source.path, dialect, part.start) as stream:
        reader = _PartReader(dialect, layout, source, part, stream, block_bytes)
        yield from reader.blocks()


class DelimitedBlock:
    """See :class:`etl_framework.Block`."""

    def __init__(
        self,
        window: RecordBuffer,
        parser: Parser,
        batch: pa.RecordBatch,
        sifted: Sifted | None,
        source: Source,
        part: Part,
    ) -> None:
        self.source = source.path
        self.part = part.number
        self.batch = batch
        self.lines = window.lines
        self.consumed = window.source_size
        self.data: bytes | bytearray | memoryview = window.data
        self.bad_rows: Sequence[BadRow] = ()
        self._window = window
        self._parser = parser
        self._kept = None if sifted is None else sifted.kept
        if sifted is not None:
            self._starts = sifted.starts
            self.data = joined(window.data, np.minimum(sifted.starts, len(window.data)), sifted.kept)
            self.bad_rows = self._bad_rows(sifted.problems)

    def release(self) -> None:
        """Let go of the batch before the next one is made, so that its memory is used again while it is warm."""
        del self.batch, self.data

    def position(self, row: int) -> Position:
        """Where the record of a row of the batch begins."""
        return self.positions([row])[0]

    def offsets(self) -> Offsets:
        """Where the record of every row of the batch begins: see :class:`etl_framework.Located`."""
        starts = self._starts[:-1] if self._kept is None else self._starts[self._kept]
        if self._parser.dialect.encoding == "utf-8":
            return starts + self._window.offset
        return np.fromiter(self._offsets(starts.tolist()), np.int64, len(starts))

    def row_lines(self) -> Offsets:
        """The line of every row of the batch: see :class:`etl_framework.Lined`."""
        before, rows = self._window.line + 1, self.batch.num_rows
        if self._kept is None and self._window.lines == rows:
            # Every record has a line of its own, and every line a record.
            return np.arange(before, before + rows)
        starts = self._starts[:-1] if self._kept is None else self._starts[self._kept]
        return scan.line_indexes(self._window.data, self._window.dialect, starts) + before

    def positions(self, rows: Sequence[int]) -> list[Position]:
        """Where the records of several rows begin, given in ascending order."""
        records = np.array(rows, np.int64)
        return self._positions(records if self._kept is None else self._kept[records])

    def _positions(self, records: Offsets) -> list[Position]:
        """The same of records, good or bad."""
        starts = self._starts[records]
        lines = scan.line_indexes(self._window.data, self._window.dialect, starts) + self._window.line + 1
        offsets = self._offsets(starts.tolist())
        return [
            Position(part=self.part, line=line, offset=offset)
            for line, offset in zip(lines.tolist(), offsets, strict=True)
        ]

    @cached_property
    def _starts(self) -> Offsets:
        return record_starts(self._window.data, self._parser)

    def _offsets(self, starts: list[int]) -> Iterator[int]:
        """Offsets within the source of places in the window."""
        offset, at = self._window.offset, 0
        for start in starts:
            offset += source_size(self._window.data[at:start], self._parser.dialect.encoding)
            at = start
            yield offset

    def _bad_rows(self, problems: dict[int, Problem]) -> list[BadRow]:
        records = sorted(problems)
        return [
            self._bad_row(record, position, problems[record])
            for record, position in zip(records, self._positions(np.array(records, np.int64)), strict=True)
        ]

    def _bad_row(self, record: int, position: Position, problem: Problem) -> BadRow:
        begin, end = self._starts[record : record + 2].tolist()
        return BadRow(
            position=position,
            rule=problem.rule,
            column=problem.column,
            value=_shortened(problem.value),
            reason=problem.reason,
            data=source_bytes(_without_blank_lines(bytes(self._window.data[begin:end])), self._parser.dialect.encoding),
        )


class _PartReader:
    def __init__(
        self, dialect: Dialect, layout: Layout, source: Source, part: Part, stream: ByteStream, block_bytes: int
    ) -> None:
        self.dialect = dialect
        self.source = source
        self.part = part
        self.parser = Parser(dialect, layout)
        self.inferred = layout.columns
        self.stream = stream
        self.misfits: dict[int, tuple[str, Position]] = {}
        whole_source = dialect.compression is not None
        limited = stream if whole_source else LimitedStream(stream, source, part.size)
        if not whole_source:
            _check_start(source, part, dialect)
        self.preface = self._skip_preface(limited)
        self.padded = PaddedLook(self.parser.utf8)
        # A column whose type was inferred may become one of integers.
        inferred = not all(column.declared for column in layout.columns)
        integers = inferred or any(column.type.kind in INTEGERS for column in layout.columns)
        self.window = RecordBuffer(
            limited if dialect.encoding == "utf-8" else TextStream(limited, dialect.encoding),
            dialect,
            block_bytes,
            path=source.path,
            offset=part.start + len(self.preface),
            line=scan.count_lines(self.preface, dialect),
            last=whole_source or part.end == source.size,
            looks=(self.padded,) if inferred else (),
            counted=EXES if integers else b"",
        )

    def blocks(self) -> Iterator[Block]:
        lines, consumed = self.window.line, len(self.preface)
        if self.dialect.compression is not None:
            consumed = 0
        told = self.part.start
        while self.window.advance():
            block = self._block()
            if self.misfits:
                continue
            block.lines += lines
            block.consumed += consumed
            if self.dialect.compression is not None:
                block.consumed, told = self.stream.tell() - told, self.stream.tell()
            lines = consumed = 0
            yield block
            block.release()
        if self.misfits:
            raise TypesWidened(self.parser.layout.columns, self._findings())
        if lines or consumed:
            block = self._empty_block()
            block.lines, block.consumed = lines, self.part.size if self.dialect.compression else consumed
            yield block

    def _skip_preface(self, stream: Readable) -> bytes:
        """What comes before the first record: byte order mark, skipped lines, header."""
        size = self.dialect.data_start - self.part.start
        if self.dialect.compression is None:
            size = min(size, self.part.size)
        preface = bytearray(max(size, 0))
        view = memoryview(preface)
        while view and (count := stream.readinto(view)):
            view = view[count:]
        return bytes(preface[: len(preface) - len(view)])

    def _empty_block(self) -> DelimitedBlock:
        return DelimitedBlock(self.window, self.parser, self.parser.parse(b""), None, self.source, self.part)

    def _block(self) -> DelimitedBlock:
        while True:
            batch, sifted = None, None
            try:
                batch = self._parse_at_once()
                if batch is None:
                    sifted = sift(self.window.records, self.parser, unclosed=self.window.unclosed)
                    batch = sifted.batch
                self._check_doubles(batch, sifted)
                self._check_padded(sifted)
            except Misfits as misfits:
                self._widen(misfits)
            else:
                return DelimitedBlock(self.window, self.parser, batch, sifted, self.source, self.part)

    def _parse_at_once(self) -> pa.RecordBatch | None:
        """The window's records when all of them are good, else None."""
        window, parser = self.window, self.parser
        while True:
            try:
                fields = parser.fields(window.records, is_ascii=window.is_ascii, exes=window.counts)
                suspicious = parser.ends_in_line_end(fields)
                batch = parser.batch(fields)
            except ParseError:
                suspicious, batch = True, None
            if suspicious and window.cut_exactly():
                continue
            if batch is None or window.unclosed or window.has_nul or violations(batch, parser.layout.columns):
                return None
            if window.lines > batch.num_rows and self._joins():
                return None
            return batch

    def _joins(self) -> bool:
        """Whether a stray quote made one record of several."""
        records = self.window.records
        if scan.is_well_formed(records, self.window.dialect):
            return False
        return bool(joined_records(records, self.parser, record_starts(records, self.parser)))

    def _check_doubles(self, batch: pa.RecordBatch, sifted: Sifted | None) -> None:
        """An inferred column of doubles must not round integers.

        :raises Misfits: it does.
        """
        for at, column in enumerate(self.parser.layout.columns):
            if column.declared or column.type.kind is not Kind.DOUBLE:
                continue
            rows = large_doubles(batch.column(at))
            if not len(rows):
                continue
            records = self.window.records
            chosen = rows if sifted is None else sifted.kept[rows]
            starts = record_starts(records, self.parser) if sifted is None else sifted.starts
            texts = self.parser.texts(joined(records, starts, chosen), fields=[self.parser.layout.fields[at]])
            values = texts.column(0).to_pylist()
            if rounded := rounded_integers(values):
                raise Misfits(at, [values[index] for index in rounded], int(chosen[rounded[0]]))

    def _check_padded(self, sifted: Sifted | None) -> None:
        """An inferred column of integers must not lose leading zeros.

        :raises Misfits: it does.
        """
        inferred = [
            at
            for at, column in enumerate(self.parser.layout.columns)
            if not column.declared and column.type.kind in _INTEGRAL
        ]
        if not inferred or self.padded not in self.window.seen:
            return
        records = self.window.records
        kept = records if sifted is None else joined(records, sifted.starts, sifted.kept)
        if not len(kept):
            return
        texts = self.parser.texts(kept, fields=[self.parser.layout.fields[at] for at in inferred])
        for at, column in zip(inferred, texts.columns, strict=True):
            values = whole(column)
            if len(rows := padded_rows(values)):
                first = int(rows[0]) if sifted is None else int(sifted.kept[rows[0]])
                raise Misfits(at, values.take(pa.array(rows)).unique().to_pylist(), first)

    def _widen(self, misfits: Misfits) -> None:
        at, layout = misfits.column, self.parser.layout
        if at not in self.misfits:
            place = DelimitedBlock(self.window, self.parser, None, None, self.source, self.part)
            self.misfits[at] = misfits.texts[0], place.position(misfits.first)
        columns = list(layout.columns)
        columns[at] = widened(columns[at], misfits.texts)
        self.parser = Parser(self.dialect, replace(layout, columns=tuple(columns)))

    def _findings(self) -> list[Finding]:
        findings = []
        for at, (value, position) in sorted(self.misfits.items()):
            before, after = self.inferred[at], self.parser.layout.columns[at]
            sample = Sample(
                file=self.source.path,
                line=position.line,
                offset=position.offset,
                column=after.name,
                value=_shortened(value),
                reason=f"The value is no {before.type}.",
                part=self.part.number,
            )
            findings.append(
                Finding(
                    rule="type_widened",
                    severity=Severity.INFO,
                    count=1,
                    message=f"column {after.name!r} looked like {before.type} and is {after.type}",
                    advice="Declare the column's type to have other values refused.",
                    samples=(sample,),
                )
            )
        return findings


def _check_start(source: Source, part: Part, dialect: Dialect) -> None:
    """A part begins behind a line end, and not between CR and LF.

    :raises MisplacedCut: it does not.
    """
    if part.start <= dialect.data_start or not part.size:
        return
    unit = dialect.unit
    around = bytearray(2 * unit)
    with open_source(source.path, dialect, part.start - unit) as stream:
        size = stream.readinto(memoryview(around))
    text = bytes(around[:size]).decode(dialect.encoding, "replace")
    if text[:1] not in ("\r", "\n") or text == "\r\n":
        raise MisplacedCut


def _shortened(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _without_blank_lines(record: bytes) -> bytes:
    """A record with its own line end, but not the blank lines behind it."""
    size = len(record.rstrip(b"\r\n"))
    return record[: size + (2 if record[size : size + 2] == b"\r\n" else 1)]
