"""The quick looks at a window: they miss nothing that must be looked at again, wherever pieces of it begin."""

from __future__ import annotations

import io
import re

import pytest
from etl_delimited.dialect import Dialect
from etl_delimited.misread import HexadecimalLook
from etl_delimited.padded import PaddedLook
from etl_delimited.records import RecordBuffer
from hypothesis import given
from hypothesis import strategies as st

DIALECTS = st.sampled_from([Dialect(), Dialect(delimiter="|", quote=None), Dialect(delimiter="\t", escape="\\")])
TEXTS = st.text(alphabet='0xX7"\\,|\t\n -+a', max_size=24).map(str.encode)


def seen(look: HexadecimalLook | PaddedLook, text: bytes, stride: int) -> bool:
    pieces = [(begin, min(begin + stride + 2, len(text))) for begin in range(0, len(text), stride)]
    return any(look(bytearray(text), *piece) for piece in pieces)


@given(dialect=DIALECTS, text=TEXTS, stride=st.integers(1, 12))
def test_a_hexadecimal_integer_is_never_missed(dialect: Dialect, text: bytes, stride: int) -> None:
    signs = re.escape((dialect.quote or "") + (dialect.escape or ""))
    between = f"[{signs}]?" if signs else ""
    if re.search(f"0{between}[xX]", text.decode()):
        assert seen(HexadecimalLook(dialect), text, stride)


@given(dialect=DIALECTS, text=TEXTS, stride=st.integers(1, 12))
def test_a_number_with_a_leading_zero_is_never_missed(dialect: Dialect, text: bytes, stride: int) -> None:
    before = re.escape(dialect.delimiter + "\n" + (dialect.quote or "") + (dialect.escape or ""))
    padded = re.search(f"(^|[{before}])[ \t+-]*0[0-9]", text.decode()) is not None
    assert seen(PaddedLook(dialect), text, stride) == padded


def test_a_zero_behind_more_blanks_than_anybody_counts_is_taken_for_a_leading_one() -> None:
    assert seen(PaddedLook(Dialect()), b"7," + b" " * 1000 + b"07\n", 512)


@pytest.mark.parametrize("text", ["say 0 x,10,0.5,20\n", "x0,1\n", "2024-01-02 03:04,a -01,-1.05\n"])
def test_text_without_any_is_not_looked_at_again(text: str) -> None:
    assert not seen(HexadecimalLook(Dialect()), text.encode(), 8)
    assert not seen(PaddedLook(Dialect()), text.encode(), 8)


def test_a_window_says_what_was_seen_in_it_and_not_in_the_one_before() -> None:
    padded, hexadecimal = PaddedLook(Dialect()), HexadecimalLook(Dialect())
    window = RecordBuffer(
        io.BytesIO(b"a,007,bcdefghijk\na,7,bcdefghijklm\n"),
        Dialect(),
        20,
        path="x.csv",
        offset=0,
        line=0,
        last=True,
        looks=(padded, hexadecimal),
    )
    assert window.advance()
    assert window.seen == {padded}
    assert window.advance()
    assert window.seen == set()
