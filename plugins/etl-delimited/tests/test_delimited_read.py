"""Reading well-formed content: every value as Python's csv reads it, whatever the dialect, encoding and block size."""

from __future__ import annotations

import bz2
import codecs
import csv
import datetime as dt
import gzip
import io
import pickle
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from etl_delimited.dialect import Dialect
from etl_delimited.format import DelimitedFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_framework import (
    Block,
    Column,
    ColumnType,
    InputError,
    MisplacedCut,
    Part,
    Position,
    Source,
    SourceChanged,
    TypesWidened,
    UsageError,
)

WHOLE = 1 << 23


def column(name: str, kind: str = "varchar", **more: object) -> Column:
    return Column(name=name, type=ColumnType.parse(kind), **{"declared": True, **more})


def columns(*kinds: str) -> list[Column]:
    return [column(f"c{index}", kind) for index, kind in enumerate(kinds)]


def moment(*numbers: int) -> dt.datetime:
    return dt.datetime(*numbers)  # noqa: DTZ001 - a timestamp has no zone


class File:
    """A file on disk, with how to read it."""

    def __init__(self, folder: Path, content: bytes, cols: list[Column], **dialect: object) -> None:
        path = folder / "data.csv"
        path.write_bytes(content)
        self.content = content
        self.columns = cols
        self.source = Source(path=str(path), size=len(content), modified_ns=0, changed_ns=0, inode=0, digest="")
        self.dialect = Dialect(**{"header": False, **dialect})
        self.format = DelimitedFormat(dialect=self.dialect, header=tuple(c.name for c in cols))

    def parts(self, *cuts: int) -> list[Part]:
        bounds = [0, *cuts, len(self.content)]
        return [Part(source=0, number=number, start=a, end=b) for number, (a, b) in enumerate(pairwise(bounds))]

    def blocks(self, *cuts: int, block_bytes: int = WHOLE):
        for part in self.parts(*cuts):
            yield from self.format.read(self.source, part, self.columns, block_bytes)

    def block(self) -> Block:
        """The first block, still valid."""
        return next(self.blocks())

    def rows(self, *cuts: int, block_bytes: int = WHOLE) -> list[tuple[object, ...]]:
        return [row for block in self.blocks(*cuts, block_bytes=block_bytes) for row in rows_of(block)]


def rows_of(block: Block) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in block.batch.to_pylist()]


@pytest.fixture
def file(tmp_path: Path):
    def make(content: bytes | str, cols: list[Column] | int, **dialect: object) -> File:
        data = content.encode() if isinstance(content, str) else content
        return File(tmp_path, data, columns(*["varchar"] * cols) if isinstance(cols, int) else cols, **dialect)

    return make


def test_the_rows_of_a_small_file_are_its_records(file):
    assert file("1,a\n2,b\n", columns("bigint", "varchar")).rows() == [(1, "a"), (2, "b")]


def test_a_block_says_what_it_covers(file):
    block = file("a,b\n1,x\n\n2,y\n", 2, header=True, data_start=4).block()
    assert (block.part, block.lines, block.consumed, bytes(block.data)) == (0, 4, 13, b"1,x\n\n2,y\n")


def test_tiny_blocks_give_the_same_rows_as_one(file):
    text = "".join(f'{number},"line one\nline two, {number}"\r\n' for number in range(50))
    whole = file(text, columns("bigint", "varchar"))
    assert whole.rows(block_bytes=16) == whole.rows()
    assert sum(block.lines for block in whole.blocks(block_bytes=16)) == 100
    assert sum(block.consumed for block in whole.blocks(block_bytes=16)) == len(text)
    assert b"".join(bytes(block.data) for block in whole.blocks(block_bytes=16)) == text.encode()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("trailing", [True, False])
def test_every_line_end_ends_a_record(file, newline, trailing):
    text = newline.join(["1,a", "2,b", "3,c"]) + newline * trailing
    read = file(text, columns("bigint", "varchar"), newline=newline)
    for block_bytes in (16, WHOLE):
        assert read.rows(block_bytes=block_bytes) == [(1, "a"), (2, "b"), (3, "c")]
        assert sum(block.lines for block in read.blocks(block_bytes=block_bytes)) == 3
    assert b"".join(bytes(block.data) for block in read.blocks(block_bytes=16)) == text.encode()


def test_a_cr_lf_counts_once_wherever_it_lies(file):
    # Lines are counted in strides of some power of two.
    for size in (1 << 17) - 2, (1 << 17) - 1, 1 << 17:
        text = "x" * (size - 2) + ",y\r\n" + "z,\n" * 3 + "a,b"
        assert [block.lines for block in file(text, 2, newline="\r\n").blocks()] == [5]


def test_blank_lines_are_no_records(file):
    assert file("\n1,a\n\n\n2,b\n\n", columns("bigint", "varchar")).rows() == [(1, "a"), (2, "b")]


def test_in_a_file_of_one_column_a_blank_line_is_a_null(file):
    assert file("\n1\n\n2\n", columns("bigint")).rows() == [(None,), (1,), (None,), (2,)]


def test_header_and_skipped_lines_are_passed_over_and_counted(file):
    read = file("report of May\n\na,b\n1,x\n", 2, header=True, skip_lines=2, data_start=19)
    block = read.block()
    assert rows_of(block) == [("1", "x")]
    assert (block.lines, block.consumed) == (4, 23)
    assert block.position(0) == Position(part=0, line=4, offset=19)


def test_a_header_alone_gives_no_rows_but_its_line(file):
    (block,) = file("a,b\n", 2, header=True, data_start=4).blocks()
    assert (block.batch.num_rows, block.lines, block.consumed, bytes(block.data)) == (0, 1, 4, b"")
    assert block.batch.schema.names == ["c0", "c1"]


def test_an_empty_file_gives_nothing(file):
    assert list(file("", 2).blocks()) == []


def test_a_byte_order_mark_is_no_data(file):
    read = file(codecs.BOM_UTF8 + b"1,a\n", columns("bigint", "varchar"), bom=3, data_start=3)
    assert read.rows() == [(1, "a")]


def test_a_text_that_begins_like_a_byte_order_mark_is_data_wherever_a_block_begins(file):
    content = "\ufeffa,1\nb,2\n\ufeffc,3\n"
    read = file(content, columns("varchar", "bigint"))
    expected = [("\ufeffa", 1), ("b", 2), ("\ufeffc", 3)]
    assert [row for block in read.blocks(block_bytes=8) for row in rows_of(block)] == read.rows() == expected


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_other_encodings_become_utf8_and_positions_stay_those_of_the_source(file, encoding):
    astral = "\U0001f600" if encoding.startswith("utf-16") else "é"
    content = f"é,{astral}\nü,2\r\nx,3\n".encode(encoding)
    read = file(content, columns("varchar", "varchar"), encoding=encoding)
    block = read.block()
    assert rows_of(block) == [("é", astral), ("ü", "2"), ("x", "3")]
    assert bytes(block.data).decode() == f"é,{astral}\nü,2\r\nx,3\n"
    for row, (line, text) in enumerate([(1, ""), (2, f"é,{astral}\n"), (3, f"é,{astral}\nü,2\r\n")]):
        assert block.position(row) == Position(part=0, line=line, offset=len(text.encode(encoding)))
    assert block.offsets().tolist() == [place.offset for place in block.positions(range(3))]
    assert sum(part.consumed for part in read.blocks(block_bytes=16)) == len(content)


@pytest.mark.parametrize(("compression", "pack"), [("gzip", gzip.compress), ("bz2", bz2.compress)])
def test_a_compressed_source_is_read_as_what_it_holds(file, compression, pack):
    text = "a,b\n" + "".join(f"{number},x\n" for number in range(5000))
    read = file(pack(text.encode()), columns("bigint", "varchar"), compression=compression, header=True, data_start=4)
    blocks = [(rows_of(block), block.position(0), block.consumed) for block in read.blocks(block_bytes=4096)]
    assert [row for rows, _, _ in blocks for row in rows] == [(number, "x") for number in range(5000)]
    assert blocks[0][1] == Position(part=0, line=2, offset=4)
    assert blocks[1][1].offset == 4 + sum(len(f"{number},x\n") for number in range(len(blocks[0][0])))
    assert sum(consumed for _, _, consumed in blocks) == len(read.content)


def test_a_delimiter_of_several_characters(file):
    read = file('1||a|b||"x||y"\n2||||"z ""q"""\n', columns("bigint", "varchar", "varchar"), delimiter="||")
    block = read.block()
    assert rows_of(block) == [(1, "a|b", "x||y"), (2, None, 'z "q"')]
    assert bytes(block.data) == read.content
    assert block.position(1).offset == 15


def test_a_delimiter_beyond_ascii(file):
    assert file("1¦a\n2¦b\n", columns("bigint", "varchar"), delimiter="¦").rows() == [(1, "a"), (2, "b")]


def test_control_characters_in_the_data_do_not_disturb_a_long_delimiter(file):
    assert file("a\x1f::b\x1e\n", 2, delimiter="::").rows() == [("a\x1f", "b\x1e")]


def test_without_a_quote_character_quotes_are_text(file):
    assert file('"a,b"\n"c\n"d,e\n'.replace('"c\n', ""), 2, quote=None).rows() == [('"a', 'b"'), ('"d', "e")]


def test_an_escape_character_takes_the_meaning_from_the_next(file):
    read = file('a\\,b,"c\\"d"\n1,2\n', 2, escape="\\")
    assert read.rows() == [("a,b", 'c"d'), ("1", "2")]


def test_a_quote_within_an_unquoted_field_is_text(file):
    assert file('a"b,5" pipe\n"x"y,z\n', 2).rows() == [('a"b', '5" pipe'), ("xy", "z")]


def test_a_quoted_text_may_end_with_a_line_end_where_a_block_ends(file):
    text = '1,"a\n"\n2,"b\n"\n3,c\n'
    read = file(text, columns("bigint", "varchar"))
    assert read.rows(block_bytes=16) == [(1, "a\n"), (2, "b\n"), (3, "c")]
    assert read.rows() == [(1, "a\n"), (2, "b\n"), (3, "c")]


def test_an_unquoted_empty_text_is_null_and_a_quoted_one_is_empty(file):
    content = 'a,1\n,2\n"",3\n'
    assert file(content, columns("varchar", "bigint")).rows() == [("a", 1), (None, 2), ("", 3)]


def test_a_quoted_empty_number_is_null_and_leaves_empty_texts_empty(file):
    content = '"","1","x"\n,"",y\n"a","3",""\n,5,\n'
    expected = [("", 1, "x"), (None, None, "y"), ("a", 3, ""), (None, 5, None)]
    read = file(content, columns("varchar", "bigint", "varchar"))
    assert read.rows() == expected
    assert read.rows(block_bytes=16) == expected


@pytest.mark.parametrize("texts", ['x\nNA\n""\n\n', "x\nNA\n\n"])
def test_further_null_values_never_touch_texts(file, texts):
    lines = texts.splitlines()
    content = "".join(f"{text},{number}\n" for text, number in zip(lines, ["1", "NA", "", "-"], strict=False))
    read = file(content, columns("varchar", "bigint"), null_values=("", "NA", "-"))
    empty = [("", None), (None, None)] if len(lines) == 4 else [(None, None)]
    assert read.rows() == [("x", 1), ("NA", None), *empty]


def test_when_empty_is_no_null_value_an_empty_text_is_empty(file):
    read = file("a,1\n,\\N\n\\N,3\n", columns("varchar", "bigint"), null_values=("\\N",))
    assert read.rows() == [("a", 1), ("", None), ("\\N", 3)]


def test_every_type_is_read(file):
    kinds = "boolean smallint integer bigint decimal(10,2) real double date time timestamp timestamptz varchar(3)"
    first = "true,1,2,3,4.50,0.5,0.25,2024-02-29,12:34:56.5,2024-02-29 01:02:03.000004,2024-02-29T01:02:03+02:00,äöü"
    second = "no,-1,-2,-3,-4.5,-1e3,1e-3,1999-12-31,23:59,1999-12-31T23:59:59,1999-12-31 23:59:59Z,"
    expected = [
        (
            True,
            1,
            2,
            3,
            Decimal("4.50"),
            0.5,
            0.25,
            dt.date(2024, 2, 29),
            dt.time(12, 34, 56, 500000),
            moment(2024, 2, 29, 1, 2, 3, 4),
            dt.datetime(2024, 2, 28, 23, 2, 3, tzinfo=dt.UTC),
            "äöü",
        ),
        (
            False,
            -1,
            -2,
            -3,
            Decimal("-4.50"),
            -1000.0,
            0.001,
            dt.date(1999, 12, 31),
            dt.time(23, 59),
            moment(1999, 12, 31, 23, 59, 59),
            dt.datetime(1999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
            None,
        ),
    ]
    read = file(f"{first}\n{second}\n", columns(*kinds.split()))
    assert read.rows() == expected
    block = read.block()
    assert block.batch.schema.types == [one.type.arrow() for one in read.columns]


@pytest.mark.parametrize(
    ("pattern", "kind", "text", "value"),
    [
        ("%d.%m.%Y", "date", "29.02.2024", dt.date(2024, 2, 29)),
        ("%d.%m.%Y", "date", "1.2.2024", dt.date(2024, 2, 1)),
        ("%m/%d/%y", "date", "12/31/99", dt.date(1999, 12, 31)),
        ("%d %b %Y", "date", "3 Jan 2024", dt.date(2024, 1, 3)),
        ("%Y%m%d", "date", "20240229", dt.date(2024, 2, 29)),
        ("%d.%m.%Y %H:%M", "timestamp", "29.02.2024 13:14", moment(2024, 2, 29, 13, 14)),
        ("%Y%m%d%H%M%S.%f", "timestamp", "20240229131415.5", moment(2024, 2, 29, 13, 14, 15, 500000)),
        (
            "%d.%m.%Y %H:%M %z",
            "timestamptz",
            "29.02.2024 13:14 +0200",
            dt.datetime(2024, 2, 29, 11, 14, tzinfo=dt.UTC),
        ),
    ],
)
def test_dates_are_read_by_their_pattern(file, pattern, kind, text, value):
    cols = [column("when", kind, format=pattern), column("iso", "date"), column("note")]
    read = file(f'{text},2024-01-02,x\n,,\n"",2024-01-02,\n"{text}",2024-01-02,y\n', cols)
    assert [row[0] for row in read.rows()] == [value, None, None, value]


def test_many_dates_of_one_width_are_read_as_one_by_one(file):
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=number) for number in range(1500)]
    content = "".join(f"{day:%d.%m.%Y},{day:%m/%d/%Y %H:%M:%S}\n" for day in days)
    cols = [column("a", "date", format="%d.%m.%Y"), column("b", "timestamp", format="%m/%d/%Y %H:%M:%S")]
    expected = [(day, dt.datetime.combine(day, dt.time())) for day in days]
    assert file(content, cols).rows() == expected


def test_the_batch_has_the_columns_of_the_run_in_their_order(file):
    read = file("1,a,2.5\n", columns("bigint", "varchar", "double"))
    block = next(iter(read.format.read(read.source, read.parts()[0], [read.columns[2], read.columns[0]], WHOLE)))
    assert block.batch.to_pylist() == [{"c2": 2.5, "c0": 1}]
    assert bytes(block.data) == b"1,a,2.5\n"


def test_a_column_that_is_not_in_the_source_is_an_error(file):
    read = file("1,a\n", columns("bigint", "varchar"))
    with pytest.raises(UsageError, match="no column 'price'"):
        next(iter(read.format.read(read.source, read.parts()[0], [column("price")], WHOLE)))


def test_positions_are_those_of_an_editor(file):
    read = file('a,1\n"b\nc",2\n\nd,3\n', 2)
    block = read.block()
    places = [block.position(row) for row in range(3)]
    assert [(place.line, place.offset) for place in places] == [(1, 0), (2, 4), (5, 13)]
    assert block.positions([0, 2]) == [places[0], places[2]]
    assert block.offsets().tolist() == [0, 4, 13]


def test_positions_go_on_from_block_to_block_and_begin_anew_in_each_part(file):
    lines = [f"{number},x\n" for number in range(10, 40)]
    read = file("".join(lines), columns("bigint", "varchar"))
    seen = [
        (block.part, place.line, place.offset)
        for block in read.blocks(50, block_bytes=16)
        for place in [block.position(row) for row in range(block.batch.num_rows)]
    ]
    assert seen == [(0, n + 1, 5 * n) for n in range(10)] + [(1, n + 1, 50 + 5 * n) for n in range(20)]


def test_a_part_that_ends_within_quotes_is_a_misplaced_cut(file):
    text = '1,"a\nb"\n2,c\n'
    read = file(text, columns("bigint", "varchar"))
    with pytest.raises(MisplacedCut):
        read.rows(text.index("b"))


@pytest.mark.parametrize("cut", [1, 4, 6])
def test_a_part_that_ends_within_a_line_is_a_misplaced_cut(file, cut):
    with pytest.raises(MisplacedCut):
        file("1,a\r\n2,b\r\n", columns("bigint", "varchar")).rows(cut)


def test_a_part_after_a_quoted_line_end_is_refused_by_the_part_before(file):
    # Seen alone, the second part looks sound.
    text = '1,"a\n2,b\n3,c\n"\n'
    read = file(text, columns("bigint", "varchar"))
    with pytest.raises(MisplacedCut):
        read.rows(5)
    assert read.rows() == [(1, "a\n2,b\n3,c\n")]


def test_a_source_that_got_shorter_is_refused(file):
    read = file("1,a\n2,b\n", 2)
    Path(read.source.path).write_bytes(b"1,a\n")
    with pytest.raises(SourceChanged, match="it ends 4 bytes before the end of what was to be read"):
        read.rows()


def test_a_record_beyond_the_limit_is_an_error_that_says_where(file):
    read = file('1,a\n2,"b\n' + "x\n" * 5000, 2, max_record_bytes=4096)
    with pytest.raises(InputError, match="byte 4, line 2 of its part") as raised:
        read.rows(block_bytes=512)
    assert 'quote = "none"' in raised.value.advice


def test_a_field_of_64_mib_is_read(file):
    size = 64 << 20
    read = file(b'1,a\n2,"' + b"line\n" * (size // 5) + b'"\n3,c\n', columns("bigint", "varchar"))
    lengths = [
        (number, len(text))
        for block in read.blocks(block_bytes=1 << 20)
        for number, text in zip(*(values.to_pylist() for values in block.batch.columns), strict=True)
    ]
    assert lengths == [(1, 1), (2, size // 5 * 5), (3, 1)]


def test_2000_columns_are_read(file):
    kinds = ["bigint", "varchar"] * 1000
    record = ",".join(f"{number},t{number}" for number in range(1000)) + "\n"
    read = file(record * 5, columns(*kinds))
    expected = tuple(value for number in range(1000) for value in (number, f"t{number}"))
    assert read.rows(block_bytes=16) == [expected] * 5


def test_the_format_travels_as_a_pickle(file):
    read = file("1,a\n", 2)
    assert pickle.loads(pickle.dumps(read.format)) == read.format


# Inferred types


def inferred(*kinds: str) -> list[Column]:
    return [replace(one, declared=False) for one in columns(*kinds)]


@pytest.mark.parametrize(
    ("before", "texts", "after"),
    [
        ("boolean", ["true", "maybe"], "varchar"),
        ("bigint", ["1", "9223372036854775808"], "decimal(38,0)"),
        ("bigint", ["1", "2.5"], "double"),
        ("bigint", ["1", "1e5"], "double"),
        ("bigint", ["9223372036854775808", "2.5"], "varchar"),
        ("bigint", ["1" * 39], "varchar"),
        ("bigint", ["1", "x"], "varchar"),
        ("bigint", ["1", "0x10"], "varchar"),
        ("smallint", ["1", "0xFFFF"], "varchar"),
        ("bigint", ["1", "1e400"], "varchar"),
        ("decimal(38,0)", ["1", "2.5"], "varchar"),
        ("double", ["1.5", "n/a"], "varchar"),
        ("double", ["1.5", "1e400"], "varchar"),
        ("double", ["1.5", "9007199254740993"], "varchar"),
        ("date", ["2024-01-01", "2024-01-01 10:00"], "timestamp"),
        ("date", ["2024-01-01", "soon"], "varchar"),
        ("date", ["2024-01-01", "2024-02-30"], "varchar"),
        ("date", ["2024-01-01", "0000-01-01"], "varchar"),
        ("timestamptz", ["2024-01-01 10:00Z", "0001-01-01 00:00+01"], "varchar"),
        ("time", ["10:00", "25:00"], "varchar"),
        ("timestamp", ["2024-01-01 10:00", "2024-01-01 10:00Z"], "varchar"),
        ("timestamptz", ["2024-01-01 10:00Z", "2024-01-01 10:00"], "varchar"),
    ],
)
@pytest.mark.parametrize("block_bytes", [16, WHOLE])
def test_an_inferred_type_widens_as_far_as_it_must(file, before, texts, after, block_bytes):
    read = file("".join(f"{text},k\n" for text in texts), inferred(before, "varchar"))
    with pytest.raises(TypesWidened) as raised:
        read.rows(block_bytes=block_bytes)
    assert [str(one.type) for one in raised.value.columns] == [after, "varchar"]


def test_the_rest_of_the_part_is_read_before_types_widen(file):
    read = file("1,2\nx,3\n4,5\n6,7.5\n8,y\n", inferred("bigint", "bigint"))
    with pytest.raises(TypesWidened) as raised:
        read.rows(block_bytes=16)
    assert [str(one.type) for one in raised.value.columns] == ["varchar", "varchar"]
    first, second = raised.value.findings
    (sample,) = first.samples
    assert (sample.part, sample.line, sample.offset, sample.column, sample.value) == (0, 2, 4, "c0", "x")
    assert second.samples[0].line == 4
    assert second.samples[0].value == "7.5"
    assert first.message == "column 'c0' looked like bigint and is varchar"


@pytest.mark.parametrize(
    "content",
    [
        "1,a\n007,b\n",
        "007,b\n",
        '1,a\n"007",b\n',
        "1,a\n+01,b\n1,x,y\n",
        "1,a\n-007,b\n",
        "1,a\n \t007,b\n",
        '1,a\n" -007",b\n',
        " 007,b\n",
    ],
)
def test_leading_zeros_make_text_of_an_inferred_integer(file, content):
    with pytest.raises(TypesWidened) as raised:
        file(content, inferred("bigint", "varchar")).rows()
    assert [str(one.type) for one in raised.value.columns] == ["varchar", "varchar"]


def test_zeros_within_texts_and_dates_widen_nothing(file):
    content = "0,01 x,2024-01-02\n10,007,2024-02-03\n"
    assert len(file(content, inferred("bigint", "varchar", "date")).rows()) == 2


def test_a_pattern_that_was_inferred_widens_to_text(file):
    cols = [column("when", "date", format="%d.%m.%Y", declared=False), column("k")]
    with pytest.raises(TypesWidened) as raised:
        file("01.02.2024,a\n2024-02-01,b\n", cols).rows()
    assert raised.value.columns[0] == column("when", "varchar", declared=False)


def test_a_record_that_is_bad_anyway_widens_nothing(file):
    cols = [column("a", "bigint", declared=False), column("b", "bigint")]
    read = file("1,1\nx,y\n2,2,2\nz\n3,3\n", cols)
    assert read.rows() == [(1, 1), (3, 3)]


def test_values_that_fit_the_widened_type_are_read_with_it(file):
    content = "1,a\n2.5,b\n"
    with pytest.raises(TypesWidened) as raised:
        file(content, inferred("bigint", "varchar")).rows()
    assert file(content, list(raised.value.columns)).rows() == [(1.0, "a"), (2.5, "b")]


# Any content


TEXTS = st.text(st.sampled_from("ab ,;\"'\n\r\\é\U0001f600|"), max_size=6)
TABLES, WIDER_TABLES = (
    st.integers(least, 4).flatmap(
        lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1, max_size=12)
    )
    for least in (1, 2)
)
ANY_TABLE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


def written(table: list[list[str]], newline: str, delimiter: str, quote_all: bool) -> str:
    """The table as delimited text; Python's own writer leaves a lone CR without quotes."""

    def field(text: str) -> str:
        plain = text and not set(text) & set(f'"\r\n{delimiter}')
        return text if plain and not quote_all else '"' + text.replace('"', '""') + '"'

    return "".join(delimiter.join(map(field, record)) + newline for record in table)


@ANY_TABLE
@given(
    table=TABLES,
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quote_all=st.booleans(),
    delimiter=st.sampled_from([",", ";", "|", "||", ",;"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    trailing=st.booleans(),
    block_bytes=st.integers(1, 80),
)
def test_rows_are_those_that_were_written(
    tmp_path, table, newline, quote_all, delimiter, encoding, trailing, block_bytes
):
    text = written(table, newline, delimiter, quote_all)
    text = text if trailing else text.removesuffix(newline)
    cols = columns(*["varchar"] * len(table[0]))
    read = File(tmp_path, text.encode(encoding), cols, newline=newline, delimiter=delimiter, encoding=encoding)
    assert [list(row) for row in read.rows(block_bytes=block_bytes)] == table
    assert sum(block.consumed for block in read.blocks(block_bytes=block_bytes)) == len(read.content)
    assert b"".join(bytes(block.data) for block in read.blocks(block_bytes=block_bytes)).decode() == text


@ANY_TABLE
@given(text=st.text(st.sampled_from('ab,"\n\r'), max_size=40), block_bytes=st.integers(1, 60))
def test_rows_good_and_bad_are_those_that_python_reads(tmp_path, text, block_bytes):
    records = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    read = File(tmp_path, text.encode(), columns("varchar", "varchar"))
    found: list[tuple[int, list[str] | str]] = []
    for block in read.blocks(block_bytes=block_bytes):
        found += [(bad.position.offset, bad.rule) for bad in block.bad_rows]
        found += [
            (block.position(row).offset, [value or "" for value in values]) for row, values in enumerate(rows_of(block))
        ]
    for (_, row), record in zip(sorted(found), records, strict=True):
        # A record that a stray quote makes is bad whatever its width.
        assert row == record if isinstance(row, list) else len(record) != 2 or row == "unbalanced_quote"


@ANY_TABLE
@given(table=WIDER_TABLES, block_bytes=st.integers(1, 60))
def test_positions_point_at_the_records(tmp_path, table, block_bytes):
    content = written(table, "\n", ",", quote_all=False).encode()
    read = File(tmp_path, content, columns(*["varchar"] * len(table[0])))
    for block in read.blocks(block_bytes=block_bytes):
        for row, values in enumerate(rows_of(block)):
            place = block.position(row)
            rest = io.StringIO(content[place.offset :].decode(), newline="")
            assert tuple(next(csv.reader(rest))) == values
            before = content[: place.offset].decode()
            assert place.line == 1 + before.count("\n") + before.count("\r") - before.count("\r\n")


def test_two_batches_of_one_part_have_one_schema(file):
    read = file("1,a\n2,b\n3,c\n", columns("bigint", "varchar"))
    schemas = {block.batch.schema for block in read.blocks(block_bytes=16)}
    assert schemas == {pa.schema([("c0", pa.int64()), ("c1", pa.string())])}
