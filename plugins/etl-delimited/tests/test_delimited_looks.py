"""The quick looks at a window: they miss nothing that must be looked at again, wherever pieces of it begin."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from etl_delimited import misread, read, records
from etl_delimited.dialect import Dialect
from etl_delimited.format import DelimitedFormat
from etl_delimited.misread import EXES, count_letter
from etl_delimited.padded import PaddedLook
from etl_delimited.parse import Layout, ParseError, Parser
from etl_delimited.records import RecordBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import Column, ColumnType, Part, Source, TypesWidened

DIALECTS = st.sampled_from([Dialect(), Dialect(delimiter="|", quote=None), Dialect(delimiter="\t", escape="\\")])
TEXTS = st.text(alphabet='0xX7"\\,|\t\n -+a', max_size=24).map(str.encode)


def seen(look: PaddedLook, text: bytes, stride: int) -> bool:
    pieces = [(begin, min(begin + stride + 2, len(text))) for begin in range(0, len(text), stride)]
    return any(look(bytearray(text), *piece) for piece in pieces)


def window_of(text: bytes, block_bytes: int, **more: Any) -> RecordBuffer:
    return RecordBuffer(
        io.BytesIO(text), Dialect(quote=None), block_bytes, path="x.csv", offset=0, line=0, last=True, **more
    )


@given(text=TEXTS, stride=st.integers(1, 12), block_bytes=st.integers(16, 30))
def test_the_letters_of_each_window_are_counted(text: bytes, stride: int, block_bytes: int) -> None:
    window = window_of(text, block_bytes, counted=b"xX")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "_STRIDE", stride)
        while window.advance():
            data = bytes(window.data)
            assert window.counts == {ord("x"): data.count(b"x"), ord("X"): data.count(b"X")}


@given(
    texts=st.lists(st.none() | st.text("xXé0", max_size=6), max_size=6),
    begin=st.integers(0, 4),
    stride=st.integers(1, 9),
)
def test_the_letters_of_texts_are_counted_and_no_others(texts: list[str | None], begin: int, stride: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(misread, "_STRIDE", stride)
        found = count_letter(pa.array(texts, pa.string()).slice(begin), ord("x"))
    assert found == sum(text.count("x") for text in texts[begin:] if text is not None)


LETTERS = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", "|", "||", "x", "0x", "x|"]),
    quote=st.sampled_from(['"', None, "X"]),
    escape=st.sampled_from([None, "\\"]),
    null_values=st.sampled_from([("",), ("", "x"), ("0x1",), ()]),
)
CELLS_OF_LETTERS = st.sampled_from(
    ["1", "-7", "0x1F", " 0X2", '"0x3"', '"0"x4', "\\0\\x5", "x", "abcx", "2024-01-02", ""]
)
TYPES = {
    "bigint": Column(name="a", type=ColumnType.parse("bigint")),
    "varchar": Column(name="a", type=ColumnType.parse("varchar")),
    "double": Column(name="a", type=ColumnType.parse("double")),
    "date": Column(name="a", type=ColumnType.parse("date"), format="%Y-%m-%d"),
}


@settings(max_examples=400, deadline=None)
@given(
    dialect=LETTERS,
    lines=st.lists(st.tuples(CELLS_OF_LETTERS, CELLS_OF_LETTERS, CELLS_OF_LETTERS), min_size=1, max_size=3),
    kinds=st.tuples(st.just("bigint"), st.sampled_from(sorted(TYPES)), st.sampled_from([*sorted(TYPES), None])),
)
def test_counted_letters_tell_every_integer_in_hexadecimal_digits(
    dialect: Dialect, lines: list[tuple[str, str, str]], kinds: tuple[str | None, ...]
) -> None:
    columns = [replace(TYPES[kind], name=f"c{at}") for at, kind in enumerate(kinds) if kind is not None]
    parser = Parser(dialect, Layout.of(["c0", "c1", "c2"], columns))
    data = "".join(f"{dialect.delimiter.join(cells)}\n" for cells in lines).encode()
    window = RecordBuffer(io.BytesIO(data), dialect, 64, path="x.csv", offset=0, line=0, last=True, counted=EXES)

    def parsed(exes: dict[int, int] | None) -> Any:
        try:
            return parser.fields(window.records, is_ascii=window.is_ascii, exes=exes).to_pylist()
        except ParseError as error:
            return error.column, error.row, error.detail

    while window.advance():
        assert parsed(window.counts) == parsed(None)


@given(dialect=DIALECTS, text=TEXTS, stride=st.integers(1, 12))
def test_a_number_with_a_leading_zero_is_never_missed(dialect: Dialect, text: bytes, stride: int) -> None:
    before = re.escape(dialect.delimiter + "\n" + (dialect.quote or "") + (dialect.escape or ""))
    padded = re.search(f"(^|[{before}])[ \t+-]*0[0-9]", text.decode()) is not None
    assert seen(PaddedLook(dialect), text, stride) == padded


def test_a_zero_behind_more_blanks_than_anybody_counts_is_taken_for_a_leading_one() -> None:
    assert seen(PaddedLook(Dialect()), b"7," + b" " * 1000 + b"07\n", 512)


@pytest.mark.parametrize("text", ["say 0 x,10,0.5,20\n", "x0,1\n", "2024-01-02 03:04,a -01,-1.05\n"])
def test_text_without_any_is_not_looked_at_again(text: str) -> None:
    assert not seen(PaddedLook(Dialect()), text.encode(), 8)


def test_a_window_says_what_was_seen_in_it_and_not_in_the_one_before() -> None:
    padded = PaddedLook(Dialect())
    window = window_of(b"a,007,bcdefghijk\na,7,bcdefghijklm\n", 20, looks=(padded,))
    assert window.advance()
    assert window.seen == {padded}
    assert window.advance()
    assert window.seen == set()


FIELDS = st.sampled_from(["1", "-7", "10", '"20"']) | st.sampled_from(
    ["007", "-007", " 01", "\t-01", '"-05"', "0x1", '"0"x1', "0X1", " 0x7", "true", "x", "a 01", "2024-01-02", ""]
)
KINDS = st.sampled_from(["bigint", "bigint", "decimal(38,0)", "boolean", "varchar"])


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Reads text as columns whose types were inferred: the rows and the bad ones, or the types that they have to be."""
    path = tmp_path_factory.mktemp("looks") / "a.csv"

    def of(text: str, kinds: tuple[str, ...], encoding: str, block_bytes: int) -> Any:
        path.write_bytes(data := text.encode(encoding))
        columns = [Column(name=f"c{at}", type=ColumnType.parse(kind)) for at, kind in enumerate(kinds)]
        source = Source(path=str(path), size=len(data), modified_ns=0, changed_ns=0, inode=0, digest="")
        asked = DelimitedFormat(dialect=Dialect(header=False, encoding=encoding), header=("c0", "c1"))
        rows, bad = [], []
        try:
            for block in asked.read(source, Part(source=0, number=0, start=0, end=len(data)), columns, block_bytes):
                rows += block.batch.to_pylist()
                bad += [(one.position.line, one.rule, one.value) for one in block.bad_rows]
        except TypesWidened as widened:
            return [column.type for column in widened.columns]
        return rows, bad

    return of


def sees(*_: object) -> bool:
    return True


@settings(deadline=None)
@given(
    lines=st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=6),
    kinds=st.tuples(KINDS, KINDS),
    encoding=st.sampled_from(["utf-8", "utf-16-le"]),
    block_bytes=st.integers(16, 60),
    stride=st.integers(1, 30),
)
def test_what_is_read_is_what_is_read_where_everything_is_looked_at_again(
    outcome, lines, kinds, encoding, block_bytes, stride
):
    text = "".join(f"{one},{other}\n" for one, other in lines)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "_STRIDE", stride)
        found = outcome(text, kinds, encoding, block_bytes)
        patched.setattr(Parser, "_has_exes_outside_of_texts", lambda *_: True)
        patched.setattr(read, "PaddedLook", lambda _: sees)
        assert outcome(text, kinds, encoding, block_bytes) == found
