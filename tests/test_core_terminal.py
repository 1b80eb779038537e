"""Text for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_framework import bytes_in_words, counted, printable, seconds_in_words
from etl_framework.terminal import quoted


@given(st.text(st.characters()), st.none() | st.integers(1, 30), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_printable_text_can_neither_steer_a_terminal_nor_fail_to_encode(
    text: str, limit: int | None, encoding: str
) -> None:
    shown = printable(text, limit=limit, encoding=encoding)
    assert shown.isprintable()
    shown.encode(encoding)
    assert limit is None or len(shown) <= max(limit, 3)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"])))
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b2J", "\\x9b2J"),
        ("a\udc80", "a\\udc80"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_only_what_is_invisible_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", r"'two\nlines'"),
        (r"a\nb", r"'a\\nb'"),
        ("it's", '"it\'s"'),
        ("\udc80", r"'\udc80'"),
        ("é", "'é'"),
    ],
)
def test_quoted_text_is_escaped_once(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_a_long_quoted_text_ends_in_an_ellipsis_within_the_quotes() -> None:
    assert quoted("a" * 9, limit=8) == f"'{'a' * 7}…'"
    assert quoted("a" * 8, limit=8) == f"'{'a' * 8}'"


@given(st.text(st.characters()), st.none() | st.integers(1, 30), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_quoted_text_is_as_harmless(text: str, limit: int | None, encoding: str) -> None:
    shown = quoted(text, limit=limit, encoding=encoding)
    assert shown.isprintable()
    shown.encode(encoding)


def test_long_text_ends_in_an_ellipsis_that_the_stream_can_hold() -> None:
    assert printable("a" * 9, limit=8) == "a" * 7 + "…"
    assert printable("a" * 9, limit=8, encoding="ascii") == "a" * 5 + "..."
    assert printable("a" * 8, limit=8) == "a" * 8


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (31_230_000, "31.2 MB"),
        (999_999, "1.00 MB"),
        (99_960_000, "100 MB"),
        (50_000_000_000, "50.0 GB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes_have_three_digits(number: int, words: str) -> None:
    assert bytes_in_words(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2142, "0.21 s"),
        (9.999, "10.0 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7629, "2 h 07 min"),
    ],
)
def test_durations_never_show_sixty(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


def test_one_is_counted_as_one() -> None:
    assert [counted(number, "row") for number in (0, 1, 2, 12_000)] == ["0 rows", "1 row", "2 rows", "12,000 rows"]
    assert [counted(number, "row lies", "rows lie") for number in (1, 2)] == ["1 row lies", "2 rows lie"]
