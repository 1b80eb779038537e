"""Bad rows: each rule, with the exact place, column, value and bytes, wherever in a part or block the record lies."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from etl_delimited.dialect import Dialect
from etl_delimited.format import DelimitedFormat
from etl_delimited.misfits import wrong
from etl_delimited.misread import hexadecimal_fields
from etl_delimited.parse import Layout, ParseError, Parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Block, Column, ColumnType, Part, Source

WHOLE = 1 << 23
GOOD = "1,ab,2024-02-29\n"
COLUMNS = (
    Column(name="id", type=ColumnType.parse("bigint"), declared=True, required=True),
    Column(name="code", type=ColumnType.parse("varchar(4)"), declared=True),
    Column(name="day", type=ColumnType.parse("date"), declared=True),
)

BAD = {
    "too_few_fields": (b"2,xy\n", None, None, "The record has 2 fields, not 3."),
    "too_many_fields": (b"2,xy,2024-01-01,z\n", None, None, "The record has 4 fields, not 3."),
    "invalid_encoding": (b"2,\xff\xfe,2024-01-01\n", "code", "\ufffd\ufffd", "Some bytes are not valid utf-8."),
    "nul_byte": (b"2,a\0b,2024-01-01\n", "code", "a\0b", "There is a NUL byte in the record."),
    "wrong_type": (b"2,xy,2024-02-30\n", "day", "2024-02-30", "The value is not of type date."),
    "null_in_required": (b",xy,2024-01-01\n", "id", None, "The column is required, and the value is null."),
    "too_long": ("2,äöüßé,2024-01-01\n".encode(), "code", "äöüßé", "The text has 5 characters, varchar(4) holds 4."),
}
RULES = sorted(BAD)


class Reading:
    """All that reading a file gives."""

    def __init__(
        self, folder: Path, content: bytes, cuts: list[int], cols: tuple[Column, ...], block_bytes: int, **dialect
    ):
        path = folder / "data.csv"
        path.write_bytes(content)
        source = Source(path=str(path), size=len(content), modified_ns=0, changed_ns=0, inode=0, digest="")
        form = DelimitedFormat(dialect=Dialect(**{"header": False, **dialect}), header=tuple(c.name for c in cols))
        self.rows: list[tuple[object, ...]] = []
        self.data = b""
        self.bad: list[BadRow] = []
        self.lines: dict[int, int] = {}
        self.consumed = 0
        bounds = [0, *cuts, len(content)]
        for number, (start, end) in enumerate(pairwise(bounds)):
            for block in form.read(source, Part(source=0, number=number, start=start, end=end), cols, block_bytes):
                self._add(block)

    def _add(self, block: Block) -> None:
        self.rows += [tuple(row.values()) for row in block.batch.to_pylist()]
        self.data += bytes(block.data)
        self.bad += block.bad_rows
        self.lines[block.part] = self.lines.get(block.part, 0) + block.lines
        self.consumed += block.consumed

    def places(self) -> list[tuple[int, int, int]]:
        return [(bad.position.part, bad.position.line, bad.position.offset) for bad in self.bad]


@pytest.fixture
def read(tmp_path: Path):
    def reading(content: bytes | str, *cuts: int, cols=COLUMNS, block_bytes: int = WHOLE, **dialect) -> Reading:
        data = content.encode() if isinstance(content, str) else content
        return Reading(tmp_path, data, list(cuts), tuple(cols), block_bytes, **dialect)

    return reading


def columns(*kinds: str) -> list[Column]:
    return [Column(name=f"c{n}", type=ColumnType.parse(kind), declared=True) for n, kind in enumerate(kinds)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("place", [0, 3, 7], ids=["first row", "in between", "last row"])
@pytest.mark.parametrize("block_bytes", [16, 40, WHOLE])
def test_a_bad_row_is_set_apart_with_its_reason(read, rule, place, block_bytes):
    record, column, value, reason = BAD[rule]
    records = [GOOD.encode()] * 7
    records.insert(place, record)
    found = read(b"".join(records), block_bytes=block_bytes)
    (bad,) = found.bad
    assert (bad.rule, bad.column, bad.value, bad.reason, bad.data) == (rule, column, value, reason, record)
    assert found.places() == [(0, place + 1, place * len(GOOD))]
    assert found.data == GOOD.encode() * 7
    assert len(found.rows) == 7
    assert found.lines == {0: 8}
    assert found.consumed == 7 * len(GOOD) + len(record)


@pytest.mark.parametrize("rule", RULES)
def test_bad_rows_at_both_sides_of_a_part_border(read, rule):
    record = BAD[rule][0]
    first, second = GOOD.encode() + record, record + GOOD.encode()
    found = read(first + second, len(first))
    assert [bad.data for bad in found.bad] == [record, record]
    assert found.places() == [(0, 2, len(GOOD)), (1, 1, len(first))]
    assert found.data == GOOD.encode() * 2


def test_a_bad_last_record_without_a_line_end_keeps_its_bytes(read):
    found = read(GOOD + "2,xy")
    assert found.bad[0].data == b"2,xy"
    assert found.data == GOOD.encode()


@pytest.mark.parametrize("block_bytes", [16, WHOLE])
def test_a_quote_that_is_never_closed_takes_the_rest_of_the_file(read, block_bytes):
    rest = '2,"xy,2024-01-01\n3,b,\n4,c,\n'
    found = read(GOOD + rest, block_bytes=block_bytes)
    (bad,) = found.bad
    assert (bad.rule, bad.column, bad.data) == ("unbalanced_quote", None, rest.encode())
    assert found.places() == [(0, 2, len(GOOD))]
    assert len(found.rows) == 1
    assert found.lines == {0: 4}


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_quote_that_is_never_closed_in_the_very_last_field(read, end):
    found = read('1,a\n2,"b' + end, cols=columns("bigint", "varchar"))
    assert [bad.rule for bad in found.bad] == ["unbalanced_quote"]
    assert found.rows == [(1, "a")]
    assert found.bad[0].data == b'2,"b' + end.encode()


def test_a_quote_that_is_never_closed_around_a_number(read):
    found = read('1,2\n3,"4', cols=columns("bigint", "bigint"))
    assert [bad.rule for bad in found.bad] == ["unbalanced_quote"]
    assert found.rows == [(1, 2)]


def test_records_that_a_stray_quote_joins_are_one_bad_row_with_all_their_bytes(read):
    found = read('1,a\n2,"b\n3,c\n4,"d"\n5,e\n', cols=columns("bigint", "varchar"))
    assert [row[0] for row in found.rows] == [1, 5]
    assert [(bad.rule, bad.position.line, bad.data) for bad in found.bad] == [
        ("unbalanced_quote", 2, b'2,"b\n3,c\n4,"d"\n')
    ]


def test_quoted_line_breaks_are_no_stray_quotes_even_beside_one(read):
    found = read('1,"a\nb"\n2,"c"d\n3,"x ""y""\nz"\n', cols=columns("bigint", "varchar"))
    assert found.rows == [(1, "a\nb"), (2, "cd"), (3, 'x "y"\nz')]
    assert not found.bad


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block_bytes", [16, WHOLE])
def test_lines_are_those_of_an_editor(read, newline, block_bytes):
    lines = ["x,y", "", "1,a", '2,"b', "", 'c"', "bad", "3,c", "worse,d", ""]
    text = newline.join(lines)
    start = len("x,y" + newline)
    found = read(
        text, cols=columns("bigint", "varchar"), block_bytes=block_bytes, newline=newline, header=True, data_start=start
    )
    assert found.places() == [
        (0, 7, text.index("bad")),
        (0, 9, text.index("worse")),
    ]
    assert found.bad[0].data == f"bad{newline}".encode()
    assert found.lines == {0: 9}


def test_a_blank_line_after_a_bad_row_stays_a_row_of_its_own(read):
    found = read("\rx\n\n1\n", cols=columns("bigint"))
    assert found.rows == [(None,), (None,), (1,)]
    assert [bad.data for bad in found.bad] == [b"x\n"]


def test_an_escaped_line_end_ends_no_record(read):
    found = read("1\\\n2,a\n3,b\\\nc\nx\n", cols=columns("varchar", "varchar"), quote=None, escape="\\", block_bytes=16)
    assert found.rows == [("1\n2", "a"), ("3", "b\nc")]
    assert found.places() == [(0, 5, 14)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    text=st.text(st.sampled_from('a1",|\n\r\\\0'), max_size=30),
    kinds=st.lists(st.sampled_from(["varchar", "bigint"]), min_size=1, max_size=3),
    escape=st.sampled_from([None, "\\"]),
    quote=st.sampled_from(['"', None]),
    delimiter=st.sampled_from([",", "|,"]),
    block_bytes=st.integers(1, 40),
)
def test_no_text_is_lost_or_read_twice(tmp_path, text, kinds, escape, quote, delimiter, block_bytes):
    content = text.encode()
    dialect = {"escape": escape, "quote": quote, "delimiter": delimiter}
    found = Reading(tmp_path, content, [], tuple(columns(*kinds)), block_bytes, **dialect)
    whole = Reading(tmp_path, content, [], tuple(columns(*kinds)), WHOLE, **dialect)
    assert (found.rows, found.places(), found.lines) == (whole.rows, whole.places(), whole.lines)
    assert found.consumed == len(content)
    for bad in found.bad:
        assert content[bad.position.offset :].startswith(bad.data)


def test_blank_lines_do_not_belong_to_the_bad_row_before_them(read):
    found = read("1\r\n\r\n\r\n2,b\r\n", cols=columns("bigint", "varchar"), newline="\r\n")
    assert found.bad[0].data == b"1\r\n"
    assert found.rows == [(2, "b")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "cp1252"])
def test_in_another_encoding_bytes_and_offsets_are_those_of_the_source(read, encoding):
    lines = ["1,é\n", "2,ü,x\n", "x,ß\n", "3,ö\n"]
    found = read("".join(lines).encode(encoding), cols=columns("bigint", "varchar"), encoding=encoding)
    sizes = [len(line.encode(encoding)) for line in lines]
    assert [(bad.rule, bad.data) for bad in found.bad] == [
        ("too_many_fields", lines[1].encode(encoding)),
        ("wrong_type", lines[2].encode(encoding)),
    ]
    assert found.places() == [(0, 2, sizes[0]), (0, 3, sizes[0] + sizes[1])]
    assert found.data.decode() == "1,é\n3,ö\n"


@pytest.mark.parametrize(
    ("encoding", "wrong"), [("utf-16-le", b"\x00\xd8"), ("utf-16-be", b"\xdc\x00"), ("cp1252", b"\x81")]
)
def test_what_is_no_text_in_the_declared_encoding_is_a_bad_row(read, encoding, wrong):
    good, comma, end = "1,a\n".encode(encoding), "2,".encode(encoding), "\n".encode(encoding)
    record = comma + wrong + end
    found = read(good + record + good, cols=columns("bigint", "varchar"), encoding=encoding)
    assert [(bad.rule, bad.column, bad.data) for bad in found.bad] == [("invalid_encoding", "c1", record)]
    assert found.places() == [(0, 2, len(good))]
    assert found.rows == [(1, "a"), (1, "a")]
    assert found.consumed == len(good + record + good)


@pytest.mark.parametrize("delimiter", ["¦", "|¦"])
@pytest.mark.parametrize(
    ("fields", "column"), [((b"\xff", b"b"), "c0"), ((b"2", b"\xff"), "c1"), ((b"2", b"\xffb"), "c1")]
)
def test_invalid_bytes_are_shown_as_they_are_beside_a_delimiter_beyond_ascii(read, delimiter, fields, column):
    record = delimiter.encode().join(fields) + b"\n"
    found = read(record, cols=columns("varchar", "varchar"), delimiter=delimiter)
    value = fields[int(column[1])].decode("utf-8", "replace")
    assert [(bad.rule, bad.column, bad.value) for bad in found.bad] == [("invalid_encoding", column, value)]


def test_half_a_unit_at_the_end_of_utf_16_is_a_bad_row(read):
    found = read("1,a\n2,b".encode("utf-16-le") + b"\n", cols=columns("bigint", "varchar"), encoding="utf-16-le")
    assert [bad.rule for bad in found.bad] == ["invalid_encoding"]
    assert found.rows == [(1, "a")]


def test_a_field_that_the_run_does_not_load_must_be_text_too(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"1,a\n2,\xff\n")
    source = Source(path=str(path), size=8, modified_ns=0, changed_ns=0, inode=0, digest="")
    form = DelimitedFormat(dialect=Dialect(header=False), header=("c0", "c1"))
    part = Part(source=0, number=0, start=0, end=8)
    block = next(iter(form.read(source, part, columns("bigint"), WHOLE)))
    assert [bad.rule for bad in block.bad_rows] == ["invalid_encoding"]
    assert block.batch.to_pylist() == [{"c0": 1}]


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("boolean", "maybe", "The value is not of type boolean."),
        ("smallint", "32768", "The value is out of the range of smallint."),
        ("integer", "-2147483649", "The value is out of the range of integer."),
        ("bigint", "9223372036854775808", "The value is out of the range of bigint."),
        ("bigint", "1.0", "The value is not of type bigint."),
        ("bigint", "+1", "The value is not of type bigint."),
        ("bigint", "1e3", "The value is not of type bigint."),
        ("smallint", "0x8000", "The value is not of type smallint."),
        ("integer", "0xffffffff", "The value is not of type integer."),
        ("bigint", "0X1F", "The value is not of type bigint."),
        ("bigint", " 0x1 ", "The value is not of type bigint."),
        ("bigint", "1_000", "The value is not of type bigint."),
        ("bigint", "٣", "The value is not of type bigint."),
        ("bigint", "\u00a01", "The value is not of type bigint."),
        ("decimal(6,2)", "1.234", "The value has more digits than decimal(6,2) holds."),
        ("decimal(6,2)", "12345", "The value has more digits than decimal(6,2) holds."),
        ("decimal(6,2)", "12345.6", "The value has more digits than decimal(6,2) holds."),
        ("decimal(6,2)", "1e5", "The value has more digits than decimal(6,2) holds."),
        ("decimal(6,2)", "1,5", "The value is not of type decimal(6,2)."),
        ("real", "1.2.3", "The value is not of type real."),
        ("double", "1,5", "The value is not of type double."),
        ("double", "0x1p3", "The value is not of type double."),
        ("double", "1_000.5", "The value is not of type double."),
        ("double", "infinite", "The value is not of type double."),
        ("double", "1e400", "The value is out of the range of double."),
        ("double", "-1e400", "The value is out of the range of double."),
        ("real", "1e39", "The value is out of the range of real."),
        ("decimal(6,2)", "inf", "The value is not of type decimal(6,2)."),
        ("date", "0000-01-01", "The value is not of type date."),
        ("timestamp", "0000-12-31 23:59", "The value is not of type timestamp."),
        ("timestamptz", "0001-01-01 00:00+01", "The value is not of type timestamptz."),
        ("timestamptz", "9999-12-31 23:59-01", "The value is not of type timestamptz."),
        ("date", "2023-02-29", "The value is not of type date."),
        ("date", "2024-1-1", "The value is not of type date."),
        ("date", "2024-01-01 00:00:00", "The value is not of type date."),
        ("time", "24:00:00", "The value is not of type time."),
        ("time", "1:00", "The value is not of type time."),
        ("timestamp", "2024-01-01 25:00:00", "The value is not of type timestamp."),
        ("timestamp", "2024-01-01T10:00:00Z", "The value is not of type timestamp."),
        ("timestamp", "2024-01-01 10:00:00.1234567", "The value is not of type timestamp."),
        ("timestamptz", "2024-01-01 10:00:00", "The value has no zone offset, which timestamptz needs."),
    ],
)
def test_a_value_that_is_not_of_its_type_says_why(read, kind, text, reason):
    found = read(f'x,\ny,"{text}"\nz,\n', cols=columns("varchar", kind))
    assert [(bad.rule, bad.column, bad.value, bad.reason) for bad in found.bad] == [("wrong_type", "c1", text, reason)]
    assert found.rows == [("x", None), ("z", None)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bigint", " 5\t", 5),
        ("bigint", "007", 7),
        ("decimal(6,2)", "+1e3", Decimal("1000.00")),
        ("decimal(6,2)", " .5 ", Decimal("0.50")),
        ("double", "+1.", 1.0),
        ("double", "1e-400", 0.0),
        ("double", " -inf ", -math.inf),
        ("double", "+Infinity", math.inf),
        ("date", " 2024-02-29 ", dt.date(2024, 2, 29)),
        ("date", "0001-01-01", dt.date.min),
        ("date", "9999-12-31", dt.date.max),
        ("timestamp", "9999-12-31T23", dt.datetime(9999, 12, 31, 23)),  # noqa: DTZ001 - a timestamp has no zone
        ("time", " 10:00 ", dt.time(10)),
        ("boolean", "1", True),
        ("varchar", "0x10", "0x10"),
        ("varchar", "1e400", "1e400"),
    ],
)
def test_a_declared_type_takes_these_spellings(read, kind, text, value):
    found = read(f"{text},0x1\n", cols=columns(kind, "varchar"))
    assert not found.bad
    assert found.rows == [(value, "0x1")]


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("0x10", {}),
        ('"0x10"', {}),
        ('"0"x10', {}),
        ("0\\x10", {"escape": "\\"}),
        ("\\0\\X10", {"escape": "\\"}),
        ('"0\\x10"', {"escape": "\\"}),
        ('"0"\\x10', {"escape": "\\"}),
        ("0x10", {"quote": None}),
        ("0x10", {"encoding": "utf-16-le"}),
    ],
)
def test_a_hexadecimal_integer_is_a_bad_row_however_it_is_quoted(read, text, more):
    content = f"a,1\nxyz,{text}\nc,3\n".encode(more.get("encoding", "utf-8"))
    found = read(content, cols=columns("varchar", "smallint"), **more)
    assert [(bad.rule, bad.column) for bad in found.bad] == [("wrong_type", "c1")]
    assert found.rows == [("a", 1), ("c", 3)]


def test_a_hexadecimal_integer_is_found_wherever_it_lies_in_a_block(read):
    # The search goes through the block in strides of some power of two.
    for size in range((1 << 19) - 6, (1 << 19) + 2):
        found = read("y" * size + ",1\n,0x7\n", cols=columns("varchar", "bigint"))
        assert [bad.value for bad in found.bad] == ["0x7"]


@pytest.mark.parametrize(
    ("records", "fields"),
    [
        ("1,a 0x1f,2\n", set()),
        ("1,0x1f,2\n3,b,4\n", {1}),
        ("1,b,2\n3,b,  0X1f\n", {2}),
        ("1,b,2\r\n0x3,b,4\r\n", {0}),
        ('1,"0x1f",2\n', {1}),
        ('1,say "0x1f,2\n', set()),
        ('1,"a,b",2\n3,0x1f,4\n', {0, 1, 2}),
        ("1," + " " * 99 + "0x1f,2\n", {0, 1, 2}),
    ],
)
def test_only_fields_that_begin_like_a_hexadecimal_integer_are_read_once_more(records, fields):
    assert hexadecimal_fields(records.encode(), Dialect(), records.count("\n"), 3) == fields


CELLS = st.one_of(
    st.sampled_from(["0x1f", " 0X2", "0x", "a 0x1f", "0", "17", "", "x", "a,b", 'say "0x1f"', "one\n0x1f", '0"x1']),
    st.text('0x1, "\n\\', max_size=6),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, st.sampled_from(["1", "-2", '"3"', "0x1f", " 0x2", '"0x3"', '"0"x4', ""]), CELLS)),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_integers_refuse_hexadecimal_digits_and_texts_keep_them(read, rows, quoting):
    def cell(text):
        out = io.StringIO()
        csv.writer(out, quoting=quoting, lineterminator="\n").writerow([text])
        return out.getvalue()[:-1]

    content = "".join(f"{cell(first)},{number},{cell(last)}\n" for first, number, last in rows)
    found = read(content, cols=columns("varchar", "bigint", "varchar"))
    good = [(first, last) for first, number, last in rows if "x" not in number]
    assert [(first or "", last or "") for first, _, last in found.rows] == good
    assert len(found.bad) == len(rows) - len(good)


def test_a_null_value_may_look_like_a_hexadecimal_integer(read):
    found = read("1\n0x0\n", cols=columns("bigint"), null_values=("", "0x0"))
    assert found.rows == [(1,), (None,)]


def test_a_number_out_of_range_is_told_from_an_infinity_beside_it(read):
    found = read("inf\n1e999\n-Infinity\n", cols=columns("double"))
    assert [bad.value for bad in found.bad] == ["1e999"]
    assert found.rows == [(math.inf,), (-math.inf,)]


@pytest.mark.parametrize(
    ("kind", "pattern", "text"),
    [
        ("date", "%d.%m.%Y", "31.02.2024"),
        ("date", "%d.%m.%Y", "01.02.24"),
        ("date", "%d.%m.%Y", "2024-02-01"),
        ("date", "%d.%m.%Y", "01.02.2024 "),
        ("date", "%d.%m.%Y %H:%M", "01.02.2024 10:00"),
        ("timestamp", "%d.%m.%Y %H:%M", "30.02.2024 10:00"),
        ("timestamp", "%d.%m.%Y %H:%M:%S", "01.02.2024 10:00:60"),
        ("timestamp", "%Y-%m-%d %H:%M", "0000-01-01 00:00"),
        ("timestamptz", "%d.%m.%Y %H:%M", "01.02.2024 10:00"),
        ("timestamptz", "%Y-%m-%d %H:%M %z", "0001-01-01 00:00 +0100"),
    ],
)
def test_a_date_must_be_in_the_calendar_and_in_its_pattern(read, kind, pattern, text):
    cols = [*columns("varchar"), Column(name="when", type=ColumnType.parse(kind), declared=True, format=pattern)]
    found = read(f"x,\ny,{text}\nz,\n", cols=cols)
    (bad,) = found.bad
    assert (bad.rule, bad.column, bad.value) == ("wrong_type", "when", text)
    assert bad.reason == f"The value is no {kind} of the form {pattern}."
    assert found.rows == [("x", None), ("z", None)]


def test_only_the_first_problem_of_a_record_is_told(read):
    found = read("x,abcde,soon\n" + GOOD)
    assert [(bad.rule, bad.column) for bad in found.bad] == [("wrong_type", "id")]


def test_a_long_value_is_shown_shortened(read):
    found = read(f"{'9' * 500},a,\n" + GOOD)
    assert found.bad[0].value == "9" * 199 + "…"
    assert len(found.bad[0].data) == 504


def test_a_delimiter_of_several_characters_stays_in_what_is_kept_and_what_is_not(read):
    found = read('1||"a||b"\nx||c\n2||d||e\n3||f\n', cols=columns("bigint", "varchar"), delimiter="||")
    assert [(bad.rule, bad.data) for bad in found.bad] == [("wrong_type", b"x||c\n"), ("too_many_fields", b"2||d||e\n")]
    assert found.data == b'1||"a||b"\n3||f\n'
    assert found.rows == [(1, "a||b"), (3, "f")]


def test_null_values_are_not_bad_wherever_a_block_goes_the_long_way(read):
    content = 'NA,NA\n"","x"\n,\nx,y\n1,""\n'
    found = read(content, cols=columns("bigint", "varchar"), null_values=("", "NA"))
    assert found.rows == [(None, "NA"), (None, "x"), (None, None), (1, "")]
    assert [bad.value for bad in found.bad] == ["x"]


def test_positions_of_good_rows_are_right_beside_bad_ones(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"1,a\nx,b\n2,c\n")
    source = Source(path=str(path), size=12, modified_ns=0, changed_ns=0, inode=0, digest="")
    form = DelimitedFormat(dialect=Dialect(header=False), header=("c0", "c1"))
    part = Part(source=0, number=3, start=0, end=12)
    block = next(iter(form.read(source, part, columns("bigint", "varchar"), WHOLE)))
    place = block.position(1)
    assert (place.part, place.line, place.offset) == (3, 3, 8)
    assert block.positions([0, 1]) == [block.position(0), place]
    assert block.offsets().tolist() == [0, 8]


@pytest.mark.parametrize("record", ["x,a\n", "1,2,3\n", "1\n", "99999999999999999999,a\n", "1,\0\n"])
def test_a_file_of_bad_rows_only_ends_in_as_many_bad_rows(read, record):
    found = read(record * 20_000, cols=columns("bigint", "varchar"), block_bytes=1 << 20)
    assert len(found.bad) == 20_000
    assert found.rows == []
    assert found.data == b""
    assert found.places() == [(0, n + 1, n * len(record)) for n in range(20_000)]


VALUES = {
    "bigint": st.sampled_from(["1", "-7", "x", "1.5", "9223372036854775808", "", " 2 ", '""', "0012"]),
    "decimal(4,2)": st.sampled_from(["1.5", "1.234", "99.99", "100", "1e1", "x", "", ".5", "0.10000", '"1.5"']),
    "date": st.sampled_from(["2024-02-29", "2023-02-29", "2024-02-30", "x", "", "29.02.2024"]),
    "varchar(3)": st.sampled_from(["abc", "abcd", "äöü", "", '""', '"a\nb"', '"a""b"', "\0"]),
    "boolean": st.sampled_from(["true", "f", "maybe", "", "1"]),
    "timestamp": st.sampled_from(
        ["2024-01-01", "2024-01-01 10:00", "2024-01-01T10:00:00.5", "2024-13-01", "10:00", ""]
    ),
}
KINDS = list(VALUES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    records=st.lists(
        st.one_of(st.tuples(*VALUES.values()).map(",".join), st.sampled_from(["1", "a,b", ",,,,,,,", "1,2,3,4,5,6,7"])),
        max_size=12,
    ),
    block_bytes=st.integers(1, 400),
)
def test_a_record_is_judged_alike_alone_and_among_others(tmp_path, records, block_bytes):
    together = Reading(tmp_path, "".join(r + "\n" for r in records).encode(), [], tuple(columns(*KINDS)), block_bytes)
    rows, bad = [], []
    for record in records:
        alone = Reading(tmp_path, f"{record}\n".encode(), [], tuple(columns(*KINDS)), WHOLE)
        rows += alone.rows
        bad += [(one.rule, one.data) for one in alone.bad]
    assert together.rows == rows
    assert [one.data for one in together.bad] == [data for _, data in bad]


NUMBERS = st.from_regex(
    r"[ ]?[+-]?[0-9]{0,5}(\.[0-9]{0,5})?([eE][+-]?[0-9])?[ ]?", fullmatch=True, alphabet="0123459.eE+- "
)
MOMENTS = st.builds(
    "{}-{:02}-{:02}{}{}".format,
    st.sampled_from(["0000", "1900", "2000", "2023", "2024", "24", "x"]),
    st.integers(0, 13),
    st.sampled_from([0, 1, 28, 29, 30, 31, 32]),
    st.sampled_from(["", " 10", "T10:00", " 23:59:60", " 24:00:00", " 10:00:00.123456", " 10:00:00.1234567", " "]),
    st.sampled_from(["", "Z", "+02", "+0200", "+02:00", " UTC"]),
)
CLOCKS = st.sampled_from(
    ["10:00", "24:00", "1:00", "10:00:00", "10:00:61", "10:00:00.5", "10:00:00.1234567", "x", " 10:00"]
)
LITERALS = {
    "smallint": st.one_of(
        NUMBERS, st.integers(-40000, 40000).map(str), st.sampled_from(["0x1f", "0X7", "0xG", "--1", "٣"])
    ),
    "bigint": st.one_of(NUMBERS, st.integers(-(1 << 65), 1 << 65).map(str), st.integers(0, 99).map("{:030}".format)),
    "real": st.one_of(NUMBERS, st.sampled_from(["nan", "-inf", "1e39", "-1e39", "1e38"])),
    "decimal(5,2)": NUMBERS,
    "decimal(5,0)": NUMBERS,
    "decimal(3,3)": NUMBERS,
    "double": st.one_of(
        NUMBERS, st.sampled_from(["nan", "-inf", "Infinity", "nan(1)", "infin", "1e400", "-1e400", "1e39", "0x1p3"])
    ),
    "boolean": st.sampled_from(["t", "T", "true", "True", "tRUE", "yes", "y", "0", "00", " 1"]),
    "date": MOMENTS,
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS,
    "time": CLOCKS,
}


@settings(deadline=None, max_examples=100)
@given(data=st.data(), kind=st.sampled_from(sorted(LITERALS)))
def test_what_is_surely_wrong_is_refused_by_the_parser(data, kind):
    (column,) = columns(kind)
    parser = Parser(Dialect(header=False), Layout.of(["c0"], [column]))
    texts = data.draw(st.lists(LITERALS[kind].filter(bool), min_size=1, max_size=20))
    for text, surely in zip(texts, wrong(pa.array(texts), column.type), strict=True):
        try:
            parser.parse(f'"{text}"\n'.encode())
        except ParseError:
            continue
        assert not surely, text
