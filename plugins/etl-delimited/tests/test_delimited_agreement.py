"""Whoever counts, cuts and reads a source sees the same records: those of a simple reader, which are those of csv."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from etl_delimited import count as counting
from etl_delimited import scan
from etl_delimited.dialect import Dialect
from etl_delimited.format import DelimitedFormat
from etl_delimited.records import RecordBuffer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_framework import Column, ColumnType, MisplacedCut, Part, Source

ANY_FILE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=100
)


@dataclass
class Record:
    """A record as the simple reader has it.

    :ivar start: in characters.
    :ivar fields: their texts; None for one that is empty and not quoted.
    :ivar unclear: csv reads it otherwise, since an escape follows a closing quote or stands at the very end.
    :ivar unclosed: a quote is open where the text ends.
    :ivar stray: text follows a closing quote.
    :ivar lines: a line end is quoted.
    :ivar blank: nothing stands before its line end.
    """

    start: int
    fields: list[str | None] = field(default_factory=list)
    blank: bool = False
    unclear: bool = False
    unclosed: bool = False
    stray: bool = False
    lines: bool = False


class SimpleReader:
    """Reads character by character."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text, self.dialect, self.at = text, dialect, 0

    def records(self) -> list[Record]:
        found = []
        while self.at < len(self.text):
            record = Record(self.at)
            found.append(record)
            self._field(record)
            while self._take(self.dialect.delimiter):
                self._field(record)
            record.blank = self.at == record.start
            _ = self._take("\r\n") or self._take("\n") or self._take("\r")
        return found

    def _take(self, what: str | None) -> bool:
        taken = what is not None and self.text.startswith(what, self.at)
        self.at += len(what or "") * taken
        return taken

    def _character(self) -> str:
        self.at += 1
        return self.text[self.at - 1 : self.at]

    def _field(self, record: Record) -> None:
        quoted = self._quoted(record) if self._take(self.dialect.quote) else None
        value = ""
        while self.at < len(self.text) and not self.text.startswith((self.dialect.delimiter, "\r", "\n"), self.at):
            if self._take(self.dialect.escape):
                record.unclear |= self.at == len(self.text) or (quoted is not None and not value)
            value += self._character()
        record.stray |= bool(value) and quoted is not None
        record.lines |= bool({"\r", "\n"} & set(quoted or ""))
        record.fields.append((quoted or "") + value if value or quoted is not None else None)

    def _quoted(self, record: Record) -> str:
        value = ""
        while self.at < len(self.text):
            if self._take(self.dialect.escape):
                record.unclear |= self.at == len(self.text)
            elif self._take(self.dialect.quote) and not self.text.startswith(self.dialect.quote or "", self.at):
                return value
            value += self._character()
        record.unclosed = True
        return value


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    return Dialect(
        header=False,
        delimiter=draw(st.sampled_from([",", "\t", "|", "||", ",;", "|||", "aba", "¦"])),
        quote=draw(st.sampled_from(['"', '"', "'", None])),
        escape=draw(st.sampled_from([None, "\\", "^"])),
        encoding=draw(st.sampled_from(["utf-8", "utf-8", "utf-16-le", "utf-16-be", "latin-1"])),
        newline=draw(st.sampled_from(["\n", "\r\n", "\r"])),
    )


def fragments(dialect: Dialect) -> st.SearchStrategy[str]:
    """Any text, made of what means something in the dialect."""
    signs = [dialect.delimiter, dialect.quote or '"', dialect.escape or "\\"]
    return st.lists(st.sampled_from(["a", "é", "\n", "\r", "\r\n", *signs]), max_size=60).map("".join)


@st.composite
def tables(draw: st.DrawFn, dialect: Dialect) -> str:
    """Records as somebody writes them, and perhaps a letter too much or one lost."""
    quote, escape, delimiter = dialect.quote, dialect.escape, dialect.delimiter
    cell = st.text(st.sampled_from(["a", "b", delimiter[0], "'", '"', "\\", "^", "\n", "\r", "é"]), max_size=4)

    def written(value: str) -> str:
        if escape is not None:
            special = {escape, quote, "\r", "\n", *delimiter}
            value = "".join(escape + letter if letter in special else letter for letter in value)
        if quote is None:
            return value
        return quote + (value if escape is not None else value.replace(quote, 2 * quote)) + quote if value else ""

    rows = draw(st.lists(st.lists(cell, min_size=2, max_size=2), max_size=20))
    text = "".join(delimiter.join(map(written, row)) + dialect.newline for row in rows)
    place = draw(st.integers(0, len(text)))
    more = draw(st.sampled_from(["", "", "", quote or "", escape or "", dialect.newline, "\0"]))
    return text[:place] + more + text[place + draw(st.integers(0, 1)) :]


files = dialects().flatmap(lambda dialect: st.tuples(st.just(dialect), fragments(dialect) | tables(dialect)))


@dataclass
class Reading:
    """Good and bad records by their offsets."""

    rows: dict[int, list[str | None]] = field(default_factory=dict)
    bad: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    size: int = 0


class File:
    """A text on disk, of records of some width."""

    def __init__(self, folder: Path, text: str, dialect: Dialect, width: int) -> None:
        data = text.encode(dialect.encoding)
        path = folder / "x.csv"
        path.write_bytes(data)
        self.source = Source(path=str(path), size=len(data), modified_ns=0, changed_ns=0, inode=0, digest="")
        names = [f"c{number}" for number in range(width)]
        self.columns = [Column(name=name, type=ColumnType.parse("varchar"), declared=True) for name in names]
        self.format = DelimitedFormat(dialect=dialect, header=tuple(names))

    def read(self, ranges: list[tuple[int, int]], block_bytes: int) -> Reading:
        found = Reading()
        for number, (start, end) in enumerate(ranges):
            part = Part(source=0, number=number, start=start, end=end)
            for block in self.format.read(self.source, part, self.columns, block_bytes):
                found.size += block.consumed
                places = [block.position(row).offset for row in range(block.batch.num_rows)]
                rows = [list(row.values()) for row in block.batch.to_pylist()]
                assert not found.rows.keys() & places
                found.rows |= dict(zip(places, rows, strict=True))
                found.bad |= {bad.position.offset: (bad.rule, bad.data) for bad in block.bad_rows}
        return found

    def whole(self) -> list[tuple[int, int]]:
        return [(0, self.source.size)]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_PIECE_BYTES", 32)
    monkeypatch.setattr(counting, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(counting, "_LEAST_BYTES", 24)


def rows_of_csv(text: str, dialect: Dialect) -> list[list[str]]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    lines = io.StringIO(text, newline="")
    return list(
        csv.reader(
            lines, delimiter=dialect.delimiter, escapechar=dialect.escape, quotechar=dialect.quote, quoting=quoting
        )
    )


@ANY_FILE
@given(case=files)
def test_the_simple_reader_reads_as_csv_does(case: tuple[Dialect, str]) -> None:
    dialect, text = case
    found = SimpleReader(text, dialect).records()
    if len(dialect.delimiter) == 1 and not any(record.unclear for record in found):
        rows = [[] if record.blank else [value or "" for value in record.fields] for record in found]
        assert rows == rows_of_csv(text, dialect)


@ANY_FILE
@given(case=files, width=st.integers(1, 3), workers=st.integers(1, 2))
def test_as_many_records_are_counted_as_there_are(
    tmp_path: Path, case: tuple[Dialect, str], width: int, workers: int
) -> None:
    dialect, text = case
    expected = sum(width == 1 or not record.blank for record in SimpleReader(text, dialect).records())
    file = File(tmp_path, text, dialect, width)
    assert file.format.count_rows(file.source, workers) == expected


@ANY_FILE
@given(case=files, width=st.integers(1, 3), block_bytes=st.integers(16, 100))
def test_every_record_is_read_once_and_is_bad_only_for_a_reason(
    tmp_path: Path, case: tuple[Dialect, str], width: int, block_bytes: int
) -> None:
    dialect, text = case
    file = File(tmp_path, text, dialect, width)
    found = file.read(file.whole(), block_bytes)
    expected = [record for record in SimpleReader(text, dialect).records() if width == 1 or not record.blank]
    places = [len(text[: record.start].encode(dialect.encoding)) for record in expected]
    assert sorted([*found.rows, *found.bad]) == places
    assert found.size == file.source.size
    for place, record in zip(places, expected, strict=True):
        wrong = len(record.fields) != width or record.unclosed or any("\0" in value for value in record.fields if value)
        if place in found.rows:
            assert found.rows[place] == record.fields
            assert not wrong
        else:
            assert wrong or (record.stray and record.lines and dialect.escape is None)


@ANY_FILE
@given(
    case=files, width=st.integers(1, 3), part_bytes=st.integers(1, 100), block_bytes=st.integers(16, 100)
)  # fmt: skip
def test_parts_hold_what_the_whole_source_holds(
    tmp_path: Path, case: tuple[Dialect, str], width: int, part_bytes: int, block_bytes: int
) -> None:
    file = File(tmp_path, case[1], case[0], width)
    whole = file.read(file.whole(), 1 << 20)
    exact = list(file.format.split_exactly(file.source, part_bytes))
    guessed = list(file.format.split(file.source, part_bytes))
    for ranges in (exact, guessed):
        assert [0, *(end for _, end in ranges)] == [*(start for start, _ in ranges), file.source.size]
        assert all(end == start for (_, end), (start, _) in pairwise(ranges))
    assert file.read(exact, block_bytes) == whole
    try:
        found = file.read(guessed, block_bytes)
    except MisplacedCut:
        return
    assert found == whole


@pytest.mark.parametrize("text", ['"a"\\,b\n1,2\n', '"a"\\\nb,c\n1,2\n', '"a"\\"b,c\n1,2\n', '"a"\\\\,b\n1,2\n'])
def test_an_escape_after_a_closing_quote_takes_the_meaning_from_the_next(tmp_path: Path, text: str) -> None:
    dialect = Dialect(header=False, escape="\\")
    expected = [record.fields for record in SimpleReader(text, dialect).records()]
    file = File(tmp_path, text, dialect, len(expected[0]))
    found = file.read(file.whole(), 1 << 20)
    assert file.format.count_rows(file.source, 1) == len(found.rows) + len(found.bad) == len(expected)
    assert list(found.rows.values()) == [row for row in expected if len(row) == len(expected[0])]


@pytest.mark.parametrize(
    ("text", "records"),
    [("a,b", b"a,b\n"), ("a,b\n", b"a,b\n"), ("a,b\\", b"a,b\\"), ("a,b\\\\", b"a,b\\\\"), ('a,"b\\', b'a,"b\\')],
)
def test_a_last_record_gets_the_line_end_it_lacks_unless_that_would_be_escaped(text: str, records: bytes) -> None:
    dialect = Dialect(header=False, escape="\\")
    window = RecordBuffer(io.BytesIO(text.encode()), dialect, 64, path="x.csv", offset=0, line=0, last=True)
    assert window.advance()
    assert (bytes(window.records), bytes(window.data)) == (records, text.encode())


@pytest.mark.parametrize(("last", "value"), [("b", "b"), ("b\\", "b"), ("b\\\\", "b\\")])
def test_a_last_record_without_a_line_end_is_read_with_no_line_end_in_its_value(
    tmp_path: Path, last: str, value: str
) -> None:
    file = File(tmp_path, f"1,2\na,{last}", Dialect(header=False, escape="\\"), 2)
    assert list(file.read(file.whole(), 1 << 20).rows.values()) == [["1", "2"], ["a", value]]


@pytest.mark.parametrize("block_bytes", range(16, 30))
def test_a_cr_lf_among_lone_crs_is_not_cut_apart(tmp_path: Path, block_bytes: int) -> None:
    text = "a\rb\r\nccc\r\r\ndddd\r\ne\rf\n"
    file = File(tmp_path, text, Dialect(header=False, newline="\r"), 1)
    expected = [["a"], ["b"], ["ccc"], [None], ["dddd"], ["e"], ["f"]]
    assert list(file.read(file.whole(), block_bytes).rows.values()) == expected


def test_lines_that_end_otherwise_than_most_do_not_fill_the_memory(tmp_path: Path) -> None:
    text = "a,b\r" + "c,d\n" * 5000
    file = File(tmp_path, text, Dialect(header=False, newline="\r", max_record_bytes=4096), 2)
    assert len(file.read(file.whole(), 512).rows) == 5001


def test_a_blank_line_behind_a_record_makes_no_bad_row_of_it(tmp_path: Path) -> None:
    file = File(tmp_path, '1,"a"b\n\n2,"c"d\n', Dialect(header=False), 2)
    found = file.read(file.whole(), 1 << 20)
    assert list(found.rows.values()) == [["1", "ab"], ["2", "cd"]]
    assert not found.bad
