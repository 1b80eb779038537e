"""Counting records without parsing them: always as many as Python's csv reads."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import os
import re
import signal
from pathlib import Path
from typing import Any, Literal

import pytest
from etl_delimited import count as counting
from etl_delimited import lines
from etl_delimited.count import count_rows
from etl_delimited.dialect import Dialect
from etl_delimited.stream import open_source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_framework import InputError, Source

# An escape right after a closing quote is text to csv.
escapes = st.text(alphabet='a,"\n\r;\\', max_size=300).map(lambda text: re.sub(r'"\\+', '"', text))
content = escapes | st.text(alphabet='a,b"\n', max_size=300)


def source_of(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    return Source(path=str(path), size=len(data), modified_ns=0, changed_ns=0, inode=0, digest="")


def rows_of(text: str, dialect: Dialect) -> list[list[str]]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    text_lines = io.StringIO(text, newline="")
    return list(
        csv.reader(
            text_lines, delimiter=dialect.delimiter, escapechar=dialect.escape, quotechar=dialect.quote, quoting=quoting
        )
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=content,
    quote=st.sampled_from(['"', None]),
    escape=st.sampled_from([None, "\\"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    block=st.sampled_from([2, 8, 64, 1 << 20]),
    workers=st.sampled_from([1, 2, 3]),
    width=st.sampled_from([1, 2]),
)
def test_as_many_records_as_csv_reads(
    text: str, quote: str | None, escape: str | None, encoding: str, block: int, workers: int, width: int,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(counting, "_BLOCK_BYTES", block)
    monkeypatch.setattr(counting, "_LEAST_BYTES", block)
    dialect = Dialect(quote=quote, escape=escape, encoding=encoding)
    source = source_of(tmp_path / "x.csv", text.encode(encoding))
    expected = sum(bool(row) or width == 1 for row in rows_of(text, dialect))
    assert count_rows(source, dialect, width, workers) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_the_header_and_what_is_before_it_do_not_count(tmp_path: Path, workers: int) -> None:
    head = b"\xef\xbb\xbfmade by hand\nid,name\n"
    source = source_of(tmp_path / "x.csv", head + b'1,"a\nb"\n\n2,c')
    dialect = Dialect(bom=3, skip_lines=1, data_start=len(head))
    assert count_rows(source, dialect, 2, workers) == 2


@pytest.mark.parametrize("data", [b"", b"id,name\n"])
def test_nothing_but_a_header_has_no_records(tmp_path: Path, data: bytes) -> None:
    source = source_of(tmp_path / "x.csv", data)
    assert count_rows(source, Dialect(data_start=len(data)), 2, 2) == 0


@pytest.mark.parametrize(("suffix", "compress"), [("gzip", gzip.compress), ("bz2", bz2.compress)])
def test_a_compressed_source_is_counted_without_its_header(tmp_path: Path, suffix: str, compress: object) -> None:
    rows = b"".join(b'%d,"text\n%d"\r\n' % (number, number) for number in range(200_000))
    source = source_of(tmp_path / "x.csv", compress(b"id,name\r\n" + rows))  # type: ignore[operator]
    assert count_rows(source, Dialect(compression=suffix, data_start=9), 2, 2) == 200_000


@pytest.mark.parametrize("workers", [1, 2])
def test_ill_formed_quotes_in_some_blocks_do_not_change_the_count(tmp_path: Path, workers: int) -> None:
    good = b'1,"two\nlines",3\n' * 40_000
    ill = b'5,a 3" pipe,"x" y\n' * 1_001
    source = source_of(tmp_path / "x.csv", good + ill + good + ill + good)
    assert count_rows(source, Dialect(), 3, workers) == 3 * 40_000 + 2 * 1_001


def test_a_field_of_many_blocks_is_one_record(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv", b'1,"' + b"line\n" * 700_000 + b'"\n2,' + b"y" * (3 << 20) + b"\n3,z\n")
    assert count_rows(source, Dialect(), 3, 2) == 3


def test_a_quote_that_is_never_closed_takes_the_rest_as_one_record(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv", b'1,a\n2,"b\n' + b"3,c\n" * 600_000)
    assert count_rows(source, Dialect(), 3, 2) == 2


def test_a_line_longer_than_a_record_may_be_is_an_error(tmp_path: Path) -> None:
    source = source_of(tmp_path / "x.csv", b"1,a\n" + b"y" * (5 << 20))
    with pytest.raises(InputError, match="longer than a record may be"):
        count_rows(source, Dialect(max_record_bytes=2 << 20), 2, 2)


def test_blocks_end_at_line_ends_and_together_are_the_source(tmp_path: Path) -> None:
    data = b"a,b\r\ncc,dd\r\n" * 50 + b"e"
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    found, buffer = b"", bytearray(8)
    with open_source(str(path), Dialect()) as stream:
        reader = lines.LineReader(stream, Dialect(), str(path))
        while size := reader.fill(buffer):
            found += buffer[:size]
            assert found.endswith(b"\r\n") or found == data
            assert reader.offset == len(found)
    assert found == data


def test_ctrl_c_ends_a_count_between_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(counting, "_LEAST_BYTES", 16)
    counted = []
    count_block = counting._Counter._count_block

    def count_and_interrupt(counter: counting._Counter, *args: Any) -> tuple[int, bool]:
        if not counted:
            os.kill(os.getpid(), signal.SIGINT)
        counted.append(args)
        return count_block(counter, *args)

    monkeypatch.setattr(counting._Counter, "_count_block", count_and_interrupt)
    source = source_of(tmp_path / "a.csv", b"1234567\n" * (1 << 20))
    with pytest.raises(KeyboardInterrupt):
        count_rows(source, Dialect(), 1, workers=2)
    assert len(counted) < source.size // 16 // 4
