"""The windows of a large source begin at records, however many quoted fields hold line ends and delimiters."""

from __future__ import annotations

import csv
import io
from itertools import accumulate
from pathlib import Path

import pytest
from etl_delimited.analyze import analyze
from etl_delimited.dialect import Dialect
from etl_delimited.sample import windows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_framework import Job, Source, TableName

LETTER = "Dear Sir,\nplease call back, today, thanks\nBob"


def source(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    status = path.stat()
    return Source(
        path=str(path),
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
        inode=status.st_ino,
        digest="0" * 32,
    )


def record(number: int, note: str, newline: str) -> str:
    """A record as Python writes it, with the line ends within the note that its own ends are."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=newline).writerow(
        [number, f"2024-01-{number % 28 + 1:02}", note.replace("\n", newline)]
    )
    return text.getvalue()


def analyzed(path: Path, data: bytes):
    job = Job(name="notes", patterns=(), table=TableName.parse("t"), target="duckdb:x")
    found = analyze(source(path, data), job)
    assert found is not None
    return found


def assert_known(path: Path, text: str, rows: int) -> None:
    found = analyzed(path, text.encode())
    assert [str(column.type) for column in found.columns] == ["bigint", "date", "varchar"]
    assert not found.findings
    assert abs(found.rows - rows) < rows / 6


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("every", "mib"), [(1, 4), (2, 4), (4, 7), (37, 4), (1000, 4)])
def test_notes_with_line_ends_and_delimiters_are_no_records(tmp_path: Path, every: int, mib: int, newline: str) -> None:
    rows = (mib << 20) // len(record(100_000, LETTER if every < 4 else "plain note", newline))
    text = "".join(record(number, "plain note" if number % every else LETTER, newline) for number in range(rows))
    assert_known(tmp_path / "a.csv", f"id,day,note{newline}{text}", rows)


@pytest.mark.parametrize("lines", [3, 60, 1500])
def test_notes_of_any_length_that_hold_a_table_are_no_records(tmp_path: Path, lines: int) -> None:
    note = "\n".join(f"{number},2024-01-01,seven" for number in range(lines))
    rows = (6 << 20) // len(note)
    text = "".join(record(number, note, "\n") + record(number, "plain", "\n") for number in range(rows))
    assert_known(tmp_path / "a.csv", f"id,day,note\n{text}", 2 * rows)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quotes_that_come_late_are_seen_for_what_they_are(tmp_path: Path, newline: str) -> None:
    rows = 120_000
    text = "".join(record(number, "plain note" if number < rows / 2 else LETTER, newline) for number in range(rows))
    assert_known(tmp_path / "a.csv", f"id,day,note{newline}{text}", rows)


NOTES = st.lists(
    st.lists(st.sampled_from(["1", "2024-01-02", "x", ",", ",", "\n", '"', "a b"]), max_size=12).map("".join),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=NOTES,
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "latin-1"]),
    rows=st.integers(50, 600),
)
def test_windows_hold_whole_records_and_nothing_else(
    tmp_path: Path, notes: list[str], newline: str, encoding: str, rows: int
) -> None:
    records = [record(number, notes[number % len(notes)], newline).encode(encoding) for number in range(rows)]
    starts = {start: at for at, start in enumerate(accumulate(map(len, records), initial=0))}
    dialect = Dialect(newline=newline, encoding=encoding)
    for offset, data in windows(source(tmp_path / "a.csv", b"".join(records)), dialect, 3, 0):
        first = starts[offset]
        text = data.decode()
        assert text == b"".join(records[first:]).decode(encoding)[: len(text)]
        assert offset + len(text.encode(encoding)) in starts
