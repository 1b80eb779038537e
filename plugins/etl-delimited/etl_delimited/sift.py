"""Tell the good records of a block from the bad ones, once Arrow's parser has refused the block as a whole.

A record is good exactly if the parser accepts it. Most bad ones are found by looking at whole columns; the parser then
has the last word on what is left, halving it until each record that it refuses stands alone.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl_delimited import misfits, scan
from etl_delimited.checks import Problem, violations
from etl_delimited.parse import InvalidRows, ParseError, Parser, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl_delimited.parse import Buffer
    from etl_delimited.structure import Offsets

_MOST_HINTS = 4


@dataclass(frozen=True, slots=True)
class Sifted:
    """The outcome.

    :param batch: the good records.
    :param kept: their indexes among the block's records, ascending.
    :param problems: for each bad record, by its index, the first problem found.
    :param starts: where each record of the block begins, good or bad, and where the last one ends.
    """

    batch: pa.RecordBatch
    kept: Offsets
    problems: dict[int, Problem]
    starts: Offsets


class Misfits(Exception):
    """Values of an inferred column are not of the type that was inferred.

    :ivar column: index of the column.
    :ivar texts: the values, each once.
    :ivar first: index of the first record with such a value.
    """

    def __init__(self, column: int, texts: list[str], first: int) -> None:
        super().__init__(column, texts, first)
        self.column = column
        self.texts = texts
        self.first = first


def record_starts(records: Buffer, parser: Parser) -> Offsets:
    """Where each record begins, and where the last one ends."""
    starts = scan.record_offsets(records, parser.utf8, keep_blank=parser.layout.width == 1)
    return np.append(starts, len(records))


def sift(records: Buffer, parser: Parser, *, unclosed: bool) -> Sifted:
    """Sift the records of a block.

    :param records: whole records in UTF-8, ending with a line end.
    :param unclosed: the last record ends within quotes.
    :raises Misfits: values of inferred columns do not fit, in records that are good otherwise.
    """
    sieve = _Sieve(records, parser)
    if unclosed:
        sieve.reject(
            len(sieve.starts) - 2, Problem("unbalanced_quote", None, None, "A quote is opened and not closed.")
        )
    sieve.reject_bytes()
    batch = sieve.parse()
    return Sifted(batch, np.flatnonzero(sieve.alive), sieve.problems, sieve.starts)


class _Sieve:
    def __init__(self, records: Buffer, parser: Parser) -> None:
        self.records = memoryview(records)
        self.parser = parser
        self.columns = parser.layout.columns
        self.starts = record_starts(records, parser)
        self.alive = np.ones(len(self.starts) - 1, np.bool_)
        self.problems: dict[int, Problem] = {}

    def reject(self, record: int, problem: Problem) -> None:
        if self.alive[record]:
            self.alive[record] = False
            self.problems[record] = problem

    def record(self, index: int) -> memoryview:
        return self.records[self.starts[index] : self.starts[index + 1]]

    def joined(self, indexes: Offsets) -> bytes:
        """The bytes of some records, given in ascending order."""
        return joined(self.records, self.starts, indexes)

    def reject_bytes(self) -> None:
        """Records with a NUL byte or with bytes that are no UTF-8."""
        letters = np.frombuffer(self.records, np.uint8)
        for record in self._holding(np.flatnonzero(letters == 0)):
            column, value = self._field_with(record, b"\0")
            self.reject(record, Problem("nul_byte", column, value, "There is a NUL byte in the record."))
        if _is_utf8(self.records):
            return
        for record in self._holding(np.flatnonzero(letters >= 0x80)):
            try:
                str(self.record(record), "utf-8")
            except UnicodeDecodeError as error:
                column, value = self._field_with(record, bytes(self.record(record)[error.start : error.end]))
                encoding = self.parser.dialect.encoding
                self.reject(record, Problem("invalid_encoding", column, value, f"Some bytes are not valid {encoding}."))

    def _holding(self, places: Offsets) -> list[int]:
        found: list[int] = np.unique(np.searchsorted(self.starts, places, side="right") - 1).tolist()
        return [record for record in found if record >= 0]

    def _field_with(self, record: int, wanted: bytes) -> tuple[str | None, str | None]:
        """Name of the column and text of the field that holds some bytes."""
        fields = self._raw_fields(record)
        for column, field in zip(self.columns, self.parser.layout.fields, strict=True):
            if fields and wanted in fields[field]:
                return column.name, fields[field].decode("utf-8", "replace")
        return None, None

    def _raw_fields(self, record: int) -> list[bytes]:
        skipped = InvalidRows()
        # Characters of UTF-8 taken one byte each, since Arrow shows rows of wrong width only as valid text.
        texts = self.parser.texts(str(self.record(record), "latin-1").encode(), skip=skipped)
        row = texts.to_pylist()[0] if texts.num_rows else {}
        return [(value or "").encode("latin-1") for value in row.values()]

    def parse(self) -> pa.RecordBatch:
        """Parse what is left, and take out what keeps it from parsing until nothing does."""
        hints = 0
        looked_at: set[int | None] = set()
        while True:
            candidates = np.flatnonzero(self.alive)
            try:
                return self._checked(self.parser.parse(self.joined(candidates)), candidates)
            except ParseError as error:
                refused, at = error.row, error.column
            if at not in looked_at:
                looked_at.add(at)
                self._reject_shapes(candidates) if at is None else self._reject_values(candidates, at)
            elif refused is not None and hints < _MOST_HINTS:
                hints += 1
                self._refuse(int(candidates[refused]))
            else:
                for record in list(self._refused_among(candidates)):
                    self._refuse(record)

    def _reject_shapes(self, candidates: Offsets) -> None:
        """Take out the records with a wrong number of fields."""
        skipped = InvalidRows()
        self.parser.texts(self.joined(candidates), skip=skipped)
        expected = self.parser.layout.width
        for row, width in skipped.widths.items():
            rule = "too_few_fields" if width < expected else "too_many_fields"
            reason = f"The record has {_fields(width)}, not {expected}."
            self.reject(int(candidates[row]), Problem(rule, None, None, reason))

    def _reject_values(self, candidates: Offsets, at: int) -> None:
        """Take out the records whose value in one column surely is not of its type.

        :raises Misfits: the column is inferred.
        """
        field = self.parser.layout.fields[at]
        texts = whole(self.parser.texts(self.joined(candidates), field=field).column(0))
        rows = np.flatnonzero(self._wrong(at, texts))
        if self.columns[at].declared:
            for row in rows.tolist():
                self._reject_value(int(candidates[row]), at, texts[row].as_py())
        elif len(rows):
            self._widen(candidates[rows], at, texts.take(pa.array(rows)))

    def _widen(self, candidates: Offsets, at: int, texts: pa.Array) -> None:
        """A record that is bad by what is declared is no reason to widen what is inferred."""
        others = self.parser.texts(self.joined(candidates))
        good = np.ones(len(candidates), np.bool_)
        for other, column in enumerate(self.columns):
            if column.declared:
                values = whole(others.column(self.parser.layout.fields[other]))
                for row in np.flatnonzero(self._wrong(other, values)).tolist():
                    self._reject_value(int(candidates[row]), other, values[row].as_py())
                    good[row] = False
        if good.any():
            first = int(candidates[np.flatnonzero(good)[0]])
            raise Misfits(at, texts.filter(pa.array(good)).unique().to_pylist(), first)

    def _wrong(self, at: int, values: pa.Array) -> misfits.Mask:
        pattern = self.parser.pattern(at)
        if pattern is None:
            return misfits.wrong(values, self.columns[at].type)
        mask = np.zeros(len(values), np.bool_)
        mask[pattern.read(values)[1]] = True
        return mask

    def _reject_value(self, record: int, at: int, text: str | None) -> None:
        column = self.columns[at]
        self.reject(record, Problem("wrong_type", column.name, text, misfits.reason(text, column)))

    def _refused_among(self, candidates: Offsets) -> Iterator[int]:
        try:
            self.parser.parse(self.joined(candidates))
        except ParseError:
            if len(candidates) == 1:
                yield int(candidates[0])
                return
            middle = len(candidates) // 2
            yield from self._refused_among(candidates[:middle])
            yield from self._refused_among(candidates[middle:])

    def _refuse(self, record: int) -> None:
        """Take out a record that the parser refuses, saying what is wrong with it."""
        data = self.record(record)
        try:
            self.parser.parse(data)
        except ParseError as error:
            if error.column is None:
                self.reject(record, Problem("too_many_fields", None, None, error.detail))
                return
            field = self.parser.layout.fields[error.column]
            text = self.parser.texts(data, field=field).column(0)[0].as_py()
            if not self.columns[error.column].declared:
                self._widen(np.array([record]), error.column, pa.array([text]))
            else:
                self._reject_value(record, error.column, text)

    def _checked(self, batch: pa.RecordBatch, candidates: Offsets) -> pa.RecordBatch:
        found = violations(batch, self.columns)
        if not found:
            return batch
        for row, problem in found.items():
            self.reject(int(candidates[row]), problem)
        return batch.filter(pa.array(self.alive[candidates]))


def joined(records: memoryview, starts: Offsets, indexes: Offsets) -> bytes:
    """The bytes of some records, given by ascending indexes."""
    if not len(indexes):
        return b""
    breaks = np.flatnonzero(np.diff(indexes) != 1) + 1
    begins = starts[indexes[np.concatenate(([0], breaks))]].tolist()
    ends = starts[indexes[np.concatenate((breaks - 1, [len(indexes) - 1]))] + 1].tolist()
    return b"".join([records[begin:end] for begin, end in zip(begins, ends, strict=True)])


def _is_utf8(data: memoryview) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"
