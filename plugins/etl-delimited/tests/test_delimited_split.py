"""Cutting a source into parts at record boundaries."""

from __future__ import annotations

import csv
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from etl_delimited import split as splitting
from etl_delimited.dialect import Dialect
from etl_delimited.split import split, split_exactly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_framework import Source

# An escape right after a closing quote is text to csv.
escapes = st.text(alphabet='a,"\n\r;\\', max_size=300).map(lambda text: re.sub(r'"\\+', '"', text))
content = escapes | st.text(alphabet='a,b"\n', max_size=300)
fields = st.text(alphabet='ab,"\n\r', max_size=8)


def source_of(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    return Source(path=str(path), size=len(data), modified_ns=0, changed_ns=0, inode=0, digest="")


def boundaries_of(text: str, dialect: Dialect) -> set[int]:
    """Where the records of Python's csv begin, blank ones too, in bytes."""
    lines = io.StringIO(text, newline="").readlines()
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    reader = csv.reader(
        iter(lines), delimiter=dialect.delimiter, escapechar=dialect.escape, quotechar=dialect.quote, quoting=quoting
    )
    return {0} | {len("".join(lines[: reader.line_num]).encode(dialect.encoding)) for _ in reader}


def assert_parts_are_the_source(parts: list[tuple[int, int]], size: int) -> None:
    assert parts[0][0] == 0
    assert parts[-1][1] == size
    assert all(end == start for (_, end), (start, _) in pairwise(parts))
    assert all(start < end for start, end in parts) or parts == [(0, 0)]


def written(rows: list[list[str]], newline: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=newline, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=content | st.lists(st.lists(fields, min_size=3, max_size=3), max_size=20).map(written),
    quote=st.sampled_from(['"', None]),
    escape=st.sampled_from([None, "\\"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    part_bytes=st.integers(1, 100),
)
def test_parts_are_the_source_and_exact_cuts_are_those_of_csv(
    text: str, quote: str | None, escape: str | None, encoding: str, part_bytes: int, tmp_path: Path
) -> None:
    dialect = Dialect(quote=quote, escape=escape, encoding=encoding)
    data = text.encode(encoding)
    source = source_of(tmp_path / "x.csv", data)
    exact = split_exactly(source, dialect, part_bytes)
    assert_parts_are_the_source(exact, len(data))
    assert {start for start, _ in exact} <= boundaries_of(text, dialect)
    guessed = split(source, dialect, 3, part_bytes)
    assert_parts_are_the_source(guessed, len(data))
    for start, _ in guessed[1:]:
        place = len(data[:start].decode(encoding))
        assert text[place - 1] in "\r\n"
        assert text[place - 1 : place + 1] != "\r\n"


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "latin-1"])
def test_guessed_cuts_are_right_around_quoted_line_breaks(
    tmp_path: Path, quoting: int, newline: str, encoding: str
) -> None:
    note = f'He said: "so, what?"{newline}{newline}and left, é.'
    rows = [[str(number), note if number % 3 else "short", "2024-01-01"] for number in range(200)]
    text = written(rows, newline, quoting)
    dialect = Dialect(newline=newline, encoding=encoding)
    source = source_of(tmp_path / "x.csv", text.encode(encoding))
    parts = split(source, dialect, 3, 300)
    assert len(parts) > 20
    assert {start for start, _ in parts} <= boundaries_of(text, dialect)


def test_every_border_within_a_record_is_moved_to_its_end(tmp_path: Path) -> None:
    text = '1,"a\nb",x\n2,"c,\n""d""\n",y\n3,e,z\n' * 3
    source = source_of(tmp_path / "x.csv", text.encode())
    assert [text[start:end] for start, end in split_exactly(source, Dialect(), 1)] == [
        '1,"a\nb",x\n', '2,"c,\n""d""\n",y\n', "3,e,z\n"
    ] * 3  # fmt: skip


def test_parts_are_about_as_large_as_asked(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv", b"1,abc,2\n" * 10_000)
    for parts in (split(source, Dialect(), 3, 20_000), split_exactly(source, Dialect(), 20_000)):
        assert len(parts) == 4
        assert all(19_900 < end - start < 20_100 for start, end in parts)


def test_what_is_before_the_data_lies_in_the_first_part(tmp_path: Path) -> None:
    head = b"\xef\xbb\xbf" + b"about this file\n" * 50 + b"id,name\n"
    source = source_of(tmp_path / "x.csv", head + b"1,a\n2,b\n3,c\n")
    dialect = Dialect(bom=3, skip_lines=50, data_start=len(head))
    for parts in (split(source, dialect, 2, 10), split_exactly(source, dialect, 10)):
        assert parts[0][1] > len(head)
        assert_parts_are_the_source(parts, source.size)


def test_an_empty_source_is_one_empty_part(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv", b"")
    assert split(source, Dialect(), 3, 100) == split_exactly(source, Dialect(), 100) == [(0, 0)]


def test_a_compressed_source_is_one_part(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv.gz", b"not looked at\n" * 100)
    dialect = Dialect(compression="gzip")
    assert split(source, dialect, 1, 100) == split_exactly(source, dialect, 100) == [(0, source.size)]


def test_text_that_looks_like_records_inside_quotes_is_cut_right_by_the_exact_way(tmp_path: Path) -> None:
    inner = "".join(f"{number},looks,real\n" for number in range(3_000))
    text = f'1,"{inner}",x\n2,b,y\n3,c,z\n'
    source = source_of(tmp_path / "x.csv", text.encode())
    second = text.index("\n2,b,y") + 1
    assert split_exactly(source, Dialect(), 20_000) == [(0, second), (second, source.size)]


def test_a_quoted_text_longer_than_every_window_is_left_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "_WINDOWS", (256, 1024))
    text = '1,"' + "a line of prose, long and dull\n" * 500 + '",x\n2,b,y\n' * 2
    source = source_of(tmp_path / "x.csv", text.encode())
    parts = split(source, Dialect(), 3, 4_000)
    assert {start for start, _ in parts} <= boundaries_of(text, Dialect())


def test_some_ragged_rows_do_not_mislead_the_guess(tmp_path: Path) -> None:
    rows = [[str(number), "two\nlines", "x"] + ["more"] * (number % 7 == 0) for number in range(2_000)]
    text = written(rows)
    source = source_of(tmp_path / "x.csv", text.encode())
    parts = split(source, Dialect(), 3, 1_000)
    assert len(parts) > 20
    assert {start for start, _ in parts} <= boundaries_of(text, Dialect())


def test_a_file_of_one_column_is_cut_too(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv", b"word\n" * 5_000)
    assert len(split(source, Dialect(), 1, 1_000)) == 25
