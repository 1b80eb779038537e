"""Tell the good records of a block from the bad ones, once Arrow's parser has refused the block as a whole.

A record is good exactly if the parser accepts it. Most bad ones are found by looking at whole columns; the parser then
has the last word on what is left, halving it until each record that it refuses stands alone.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl_delimited import misfits, scan
from etl_delimited.checks import Problem, violations
from etl_delimited.parse import InvalidRows, ParseError, Parser, whole
from etl_framework import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etl_delimited.parse import Buffer
    from etl_delimited.structure import Offsets

_LINE_FEED, _RETURN = ord("\n"), ord("\r")
_MOST_HINTS = 4
_JOINED = Problem(
    "unbalanced_quote",
    None,
    None,
    "A quote joins lines to one record, and text follows where it closes: most likely it is a stray one.",
)


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


def sift(records: Buffer, parser: Parser, *, unclosed: bool) -> Sifted:
    """Sift the records of a block.

    :param records: whole records in UTF-8, as :attr:`RecordBuffer.records` gives them.
    :param unclosed: the last record ends within quotes.
    :raises Misfits: values of an inferred column do not fit, in records that are good otherwise.
    """
    sieve = _Sieve(records, parser)
    if unclosed:
        sieve.reject(
            len(sieve.starts) - 2, Problem("unbalanced_quote", None, None, "A quote is opened and not closed.")
        )
    sieve.reject_bytes()
    for record in joined_records(records, parser, sieve.starts):
        sieve.reject(record, _JOINED)
    batch = sieve.parse()
    return Sifted(batch, np.flatnonzero(sieve.alive), sieve.problems, sieve.starts)


def record_starts(records: Buffer, parser: Parser) -> Offsets:
    """Where each record begins, and where the last one ends."""
    starts = scan.record_offsets(records, parser.utf8, keep_blank=parser.layout.width == 1)
    return np.append(starts, len(records))


def joined_records(records: Buffer, parser: Parser, starts: Offsets) -> list[int]:
    """The records of several lines in which text follows a closing quote: a stray quote swallowed what comes after it.

    Within one line, what a stray quote does shows in the number of fields or does no harm; over several lines it would
    make records disappear.

    :param starts: as :func:`record_starts` gives them.
    """
    dialect = parser.utf8
    # What is escaped needs no quotes to run on, and then no quote tells what was meant.
    if dialect.quote is None or dialect.escape is not None or scan.is_well_formed(records, dialect):
        return []
    lines = scan.line_indexes(records, dialect, starts)
    pattern = _well_formed_record(dialect.delimiter.encode(), dialect.quote.encode())
    texts = {int(row): bytes(records[starts[row] : starts[row + 1]]) for row in np.flatnonzero(np.diff(lines) > 1)}
    return [row for row, text in texts.items() if _has_lines(text) and not pattern.fullmatch(text)]


def _has_lines(record: bytes) -> bool:
    """Whether a record itself goes over several lines, blank ones behind it aside."""
    return re.search(rb"[\r\n]", record.rstrip(b"\r\n")) is not None


@cache
def _well_formed_record(delimiter: bytes, quote: bytes) -> re.Pattern[bytes]:
    d, q = re.escape(delimiter), re.escape(quote)
    field = rb"(?:%(q)b(?:[^%(q)b]++|%(q)b%(q)b)*+%(q)b|(?!%(q)b)(?:(?!%(d)b)[^\r\n])*+)" % {b"q": q, b"d": d}
    return re.compile(rb"%(f)b(?:%(d)b%(f)b)*+[\r\n]*+" % {b"f": field, b"d": d}, re.DOTALL)


def joined(records: memoryview, starts: Offsets, indexes: Offsets) -> bytes:
    """The bytes of some records, given by ascending indexes."""
    if not len(indexes):
        return b""
    breaks = np.flatnonzero(np.diff(indexes) != 1) + 1
    begins = starts[indexes[np.concatenate(([0], breaks))]].tolist()
    ends = starts[indexes[np.concatenate((breaks - 1, [len(indexes) - 1]))] + 1].tolist()
    runs: list[bytes | memoryview] = [records[begin:end] for begin, end in zip(begins, ends, strict=True)]
    if any(after[0] == _LINE_FEED and run[-1] == _RETURN for run, after in pairwise(runs)):
        # In a file of one column, CR and the LF of a blank line must not become one line end.
        runs = [piece for run in runs for piece in ((b"\r", run) if run[0] == _LINE_FEED else (run,))]
    return b"".join(runs)


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

    def reject_bytes(self) -> None:
        """Take out the records with a NUL byte or with bytes that are no UTF-8."""
        letters = np.frombuffer(self.records, np.uint8)
        with_nul = self._holding(np.flatnonzero(letters == 0))
        self._reject_bytes(with_nul, "nul_byte", "There is a NUL byte in the record.", lambda value: 0 in value)
        if _is_utf8(self.records):
            return
        holding = self._holding(np.flatnonzero(letters >= 0x80))
        broken = [record for record in holding if not _is_utf8(self._record(record))]
        reason = f"Some bytes are not valid {self.parser.dialect.encoding}."
        self._reject_bytes(broken, "invalid_encoding", reason, lambda value: not _is_utf8(value))

    def parse(self) -> pa.RecordBatch:
        """Parse what is left, and take out what keeps it from parsing until nothing does."""
        hints = 0
        looked_at: set[int] = set()
        while True:
            candidates = np.flatnonzero(self.alive)
            try:
                return self._checked(self.parser.parse(self._joined(candidates)), candidates)
            except ParseError as error:
                at, row = error.column, error.row
            if at is None and self._reject_shapes(candidates):
                continue
            if at is not None and at not in looked_at:
                looked_at.add(at)
                self._reject_values(candidates, at)
            elif row is not None and hints < _MOST_HINTS:
                hints += 1
                self._reject_refused(candidates[row : row + 1])
            else:
                self._reject_all_refused(candidates)

    def _record(self, index: int) -> memoryview:
        return self.records[self.starts[index] : self.starts[index + 1]]

    def _joined(self, indexes: Offsets) -> bytes:
        return joined(self.records, self.starts, indexes)

    def _holding(self, places: Offsets) -> list[int]:
        """The records in which some bytes of the block lie."""
        found: list[int] = np.unique(np.searchsorted(self.starts, places, side="right") - 1).tolist()
        return [record for record in found if record >= 0 and self.alive[record]]

    def _reject_bytes(self, records: list[int], rule: str, reason: str, is_wrong: Callable[[bytes], bool]) -> None:
        if not records:
            return
        for record, values in zip(records, self._raw_values(np.array(records, np.int64)), strict=True):
            at = next((at for at, value in enumerate(values) if is_wrong(value)), None)
            column = None if at is None else self.columns[at].name
            value = None if at is None else values[at].decode("utf-8", "replace")
            self.reject(record, Problem(rule, column, value, reason))

    def _raw_values(self, records: Offsets) -> list[list[bytes]]:
        """The values of some records, in the columns' order; none where a record has a wrong number of fields."""
        skipped = InvalidRows()
        # Each byte as a character of its own, since Arrow shows rows of a wrong width as valid text only.
        dialect = self.parser.dialect
        delimiter = dialect.delimiter.encode().decode("latin-1")
        parser = Parser(replace(dialect, delimiter=delimiter), self.parser.layout)
        texts = parser.texts(self._joined(records).decode("latin-1").encode(), skip=skipped)
        if texts.num_rows + len(skipped.widths) != len(records):
            return [[] for _ in records]
        columns = [texts.column(field).to_pylist() for field in self.parser.layout.fields]
        rows = iter(zip(*columns, strict=True))
        return [
            [] if row in skipped.widths else [(value or "").encode("latin-1") for value in next(rows)]
            for row in range(len(records))
        ]

    def _reject_shapes(self, candidates: Offsets) -> bool:
        """Take out the records with a wrong number of fields.

        :returns: whether there are any.
        """
        skipped = InvalidRows()
        texts = self.parser.texts(self._joined(candidates), fields=[0], skip=skipped)
        # The parser ends records where the structure does, or nothing here could be told.
        assert texts.num_rows + len(skipped.widths) == len(candidates)
        expected = self.parser.layout.width
        for row, width in skipped.widths.items():
            rule = "too_few_fields" if width < expected else "too_many_fields"
            reason = f"The record has {counted(width, 'field')}, not {expected}."
            self.reject(int(candidates[row]), Problem(rule, None, None, reason))
        return bool(skipped.widths)

    def _reject_values(self, candidates: Offsets, at: int, *, refused: bool = False) -> None:
        """Take out the records whose value in one column is not of its type.

        :param refused: this is so for all of them; else for those where it is sure.
        :raises Misfits: the column is inferred.
        """
        field = self.parser.layout.fields[at]
        texts = whole(self.parser.texts(self._joined(candidates), fields=[field]).column(0))
        rows = np.arange(len(candidates)) if refused else np.flatnonzero(self._wrong(at, texts))
        if self.columns[at].declared:
            self._reject_texts(candidates[rows], at, texts.take(pa.array(rows)))
        elif len(rows):
            self._widen(candidates[rows], at, texts.take(pa.array(rows)))

    def _reject_texts(self, records: Offsets, at: int, texts: pa.Array) -> None:
        column = self.columns[at]
        for record, text in zip(records.tolist(), texts.to_pylist(), strict=True):
            self.reject(record, Problem("wrong_type", column.name, text, misfits.reason(text, column)))

    def _widen(self, candidates: Offsets, at: int, texts: pa.Array) -> None:
        """A record that is bad by what is declared is no reason to widen what is inferred.

        :raises Misfits: some records are good otherwise.
        """
        others = self.parser.texts(self._joined(candidates))
        for other, column in enumerate(self.columns):
            if column.declared:
                values = whole(others.column(self.parser.layout.fields[other]))
                rows = np.flatnonzero(self._wrong(other, values))
                self._reject_texts(candidates[rows], other, values.take(pa.array(rows)))
        good = self.alive[candidates]
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

    def _refused_among(self, candidates: Offsets) -> Iterator[Offsets]:
        """The records that the parser refuses, each alone."""
        try:
            self.parser.parse(self._joined(candidates))
        except ParseError:
            if len(candidates) == 1:
                yield candidates
                return
            middle = len(candidates) // 2
            yield from self._refused_among(candidates[:middle])
            yield from self._refused_among(candidates[middle:])

    def _reject_all_refused(self, candidates: Offsets) -> None:
        refused = list(self._refused_among(candidates))
        assert refused  # or the same candidates would be parsed again and again
        for record in refused:
            self._reject_refused(record)

    def _reject_refused(self, record: Offsets) -> None:
        """Take out one record that the parser refuses, saying what is wrong with it."""
        try:
            self.parser.parse(self._joined(record))
        except ParseError as error:
            if error.column is None:
                self.reject(int(record[0]), Problem("too_many_fields", None, None, error.detail))
            else:
                self._reject_values(record, error.column, refused=True)

    def _checked(self, batch: pa.RecordBatch, candidates: Offsets) -> pa.RecordBatch:
        """The batch without the records that break what is declared of their columns."""
        found = violations(batch, self.columns)
        if not found:
            return batch
        for row, problem in found.items():
            self.reject(int(candidates[row]), problem)
        return batch.filter(pa.array(self.alive[candidates]))


def _is_utf8(data: bytes | memoryview) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError:
        return False
    return True
