"""Record boundaries found in a buffer: always those of Python's csv."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from etl_delimited import scan
from etl_delimited.dialect import Dialect
from etl_delimited.structure import Scanner, marks_of
from etl_delimited.tokens import tokenize
from hypothesis import given
from hypothesis import strategies as st

PIECES = (16, 64, 200, 1 << 20)
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")

dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", "\t"]),
    quote=st.sampled_from(['"', '"', "'", None]),
    escape=st.sampled_from([None, None, "\\"]),
    encoding=st.sampled_from(ENCODINGS),
)
junk = st.text(alphabet='a,"\n\r;\\\té', max_size=120) | st.text(alphabet='a,"\n\r', max_size=400)


@st.composite
def written(draw: st.DrawFn) -> tuple[Dialect, str]:
    """A dialect and what csv.writer writes in it."""
    cells = st.text(alphabet='ab,"\n\ré', max_size=6)
    rows = draw(st.lists(st.lists(cells, min_size=2, max_size=3), max_size=30))
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    out = io.StringIO(newline="")
    csv.writer(
        out, lineterminator=newline, quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    ).writerows(rows)
    return Dialect(newline=newline, encoding=draw(st.sampled_from(ENCODINGS))), out.getvalue()


texts = st.tuples(dialects, junk) | written()


@pytest.fixture(autouse=True, scope="module")
def _restore_piece_size() -> object:
    before = scan._PIECE_BYTES
    yield before
    scan._PIECE_BYTES = before


def lines_of(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


def records_of(text: str, dialect: Dialect, *, keep_blank: bool) -> list[tuple[int, int]]:
    """Where each record begins, in characters, and on which line, as Python's csv has it."""
    lines = lines_of(text)
    places = [0]
    for line in lines:
        places.append(places[-1] + len(line))
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    reader = csv.reader(
        iter(lines), delimiter=dialect.delimiter, escapechar=dialect.escape, quotechar=dialect.quote, quoting=quoting
    )
    found: list[tuple[int, int]] = []
    index = 0
    for row in reader:
        if row or keep_blank:
            found.append((places[index], index))
        index = reader.line_num
    return found


@given(case=texts, keep_blank=st.booleans(), piece=st.sampled_from(PIECES))
def test_records_begin_where_those_of_csv_begin(case: tuple[Dialect, str], keep_blank: bool, piece: int) -> None:
    dialect, text = case
    scan._PIECE_BYTES = piece
    data = text.encode(dialect.encoding)
    found = scan.record_offsets(data, dialect, keep_blank=keep_blank)
    expected = records_of(text, dialect, keep_blank=keep_blank)
    assert found.tolist() == [len(text[:place].encode(dialect.encoding)) for place, _ in expected]
    assert scan.line_indexes(data, dialect, found).tolist() == [line for _, line in expected]


@given(case=texts, piece=st.sampled_from(PIECES))
def test_the_last_record_end_is_where_the_next_record_of_csv_would_begin(case: tuple[Dialect, str], piece: int) -> None:
    dialect, text = case
    scan._PIECE_BYTES = piece
    text = text.rstrip("\r")
    starts = [place for place, _ in records_of(text + "x", dialect, keep_blank=True)]
    end = scan.last_record_end(memoryview(text.encode(dialect.encoding)), dialect, final=False)
    assert end == len(text[: starts[-1]].encode(dialect.encoding))


@given(case=texts, piece=st.sampled_from(PIECES))
def test_cutting_at_the_first_record_end_again_and_again_gives_every_record(
    case: tuple[Dialect, str], piece: int
) -> None:
    dialect, text = case
    scan._PIECE_BYTES = piece
    data, starts, place = text.encode(dialect.encoding), [], 0
    while place < len(data):
        starts.append(place)
        place += scan.first_record_end(data[place:], dialect, final=True) or len(data)
    assert starts == scan.record_offsets(data, dialect, keep_blank=True).tolist()


@given(case=texts)
def test_lines_are_counted_as_python_counts_them(case: tuple[Dialect, str]) -> None:
    dialect, text = case
    assert scan.count_lines(text.encode(dialect.encoding), dialect) == len(lines_of(text))


@given(case=texts, piece=st.sampled_from(PIECES))
def test_a_quote_is_open_at_the_end_exactly_when_one_more_line_belongs_to_the_last_record(
    case: tuple[Dialect, str], piece: int
) -> None:
    dialect, text = case
    scan._PIECE_BYTES = piece
    # Neither a quote nor an escape at the very end may take its meaning from what is added.
    text = text.rstrip("\r\\\"'") + "x\n"
    data = text.encode(dialect.encoding)
    goes_on = len(records_of(text + "x", dialect, keep_blank=True)) == len(records_of(text, dialect, keep_blank=True))
    assert scan.ends_in_quotes(data, dialect) == goes_on
    opened = scan.unclosed_quote(data, dialect)
    assert (opened is not None) == goes_on
    if opened is not None:
        assert dialect.quote is not None
        assert data[opened:].startswith(dialect.quote.encode(dialect.encoding))
        assert not scan.ends_in_quotes(data[:opened], dialect)


@given(text=st.text(alphabet='a|"\n', max_size=200))
def test_a_delimiter_of_two_characters_is_read_like_one(text: str) -> None:
    data = text.encode()
    expected = scan.record_offsets(data, Dialect(delimiter="|")).tolist()
    found = scan.record_offsets(data.replace(b"|", b"~|"), Dialect(delimiter="~|"))
    assert found.tolist() == [place + data[:place].count(b"|") for place in expected]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_delimiter_that_overlaps_itself_is_matched_from_the_left(encoding: str) -> None:
    dialect = Dialect(delimiter="||", encoding=encoding)
    # Three bars are a delimiter and a bar, so the quote is within a field; four are two delimiters.
    for bars, records in ((3, 2), (4, 1)):
        data = ("a" + "|" * bars + '"b\nc"\n').encode(encoding)
        assert len(scan.record_offsets(data, dialect)) == records


@given(case=texts)
def test_the_fast_and_the_exact_way_agree_where_the_fast_one_answers(case: tuple[Dialect, str]) -> None:
    dialect, text = case
    marks = marks_of(dialect)
    if marks.quote is None:
        return
    units = marks.units(text.encode(dialect.encoding))
    for in_quotes in (False, True):
        fast = Scanner(marks).structure(units, in_quotes)
        exact = tokenize(units, marks, in_quotes).structure
        if fast is not None:
            assert fast.in_quotes == exact.in_quotes
            assert fast.ends.tolist() == exact.ends.tolist()
            assert fast.newlines.tolist() == exact.newlines.tolist()


def test_well_formed_quotes_take_the_fast_way() -> None:
    dialect = Dialect()
    marks = marks_of(dialect)
    units = marks.units(b'a,"b ""c"", d"\r\n"","x\ny"\r\n')
    assert Scanner(marks).structure(units, in_quotes=False) is not None
    assert Scanner(marks).structure(units, in_quotes=True) is None


def test_a_cr_at_the_end_ends_a_record_only_when_nothing_follows() -> None:
    dialect = Dialect(newline="\r")
    assert scan.last_record_end(b"a,b\rc,d\r", dialect, final=False) == 4
    assert scan.last_record_end(b"a,b\rc,d\r", dialect, final=True) == 8
    assert scan.first_record_end(b"a,b\r", dialect, final=False) == 0
    assert scan.first_record_end(b"a,b\r", dialect, final=True) == 4


def test_a_buffer_may_begin_inside_quotes() -> None:
    dialect = Dialect()
    data = b'more\ntext",2\n3,4\n5'
    assert scan.first_record_end(data, dialect, final=False, in_quotes=True) == 13
    assert scan.last_record_end(data, dialect, final=False, in_quotes=True) == 17


def test_a_field_longer_than_many_pieces_is_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_PIECE_BYTES", 1 << 10)
    data = b'1,"' + b"line\n" * 5000 + b'"\n2,x\n3,"' + b"y\n" * 5000
    dialect = Dialect()
    second = data.index(b"2,x")
    assert scan.record_offsets(data, dialect).tolist() == [0, second, second + 4]
    assert scan.last_record_end(data, dialect, final=False) == second + 4
    assert scan.unclosed_quote(data, dialect) == second + 6


def test_a_text_without_line_ends_is_one_piece() -> None:
    dialect = Dialect()
    data = b"x" * (3 << 20)
    assert scan.last_record_end(data, dialect, final=False) == 0
    assert scan.record_offsets(data, dialect).tolist() == [0]


def test_a_quote_that_is_several_code_units_is_refused() -> None:
    with pytest.raises(ValueError, match="too many values"):
        marks_of(Dialect(quote="«"))


@given(text=st.text(alphabet="ab\n\r\\", max_size=40), start=st.integers(0, 5), final=st.booleans())
def test_the_next_line_is_one_of_those_that_python_sees(text: str, start: int, final: bool) -> None:
    dialect = Dialect(escape="\\")
    starts, place = [], 0
    for line in lines_of(text):
        place += len(line)
        starts.append(place)
    if not text.endswith(("\n", "\r")):
        starts = starts[:-1]
    if not final and text.endswith("\r"):
        starts = starts[:-1]
    fitting = [place - start for place in starts if place - 2 >= start and text[place - 2] != "\\"]
    fitting = [place for place in fitting if place > 1]
    found = scan.next_line(text[start:].encode(), dialect, final=final)
    assert found == (fitting[0] if fitting else None)
