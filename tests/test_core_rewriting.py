"""Records written anew as plain text."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl_framework import Column, ColumnType
from etl_framework.rewriting import plain_layout, plain_text

TEXTS = st.lists(st.tuples(st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0")))))


@given(TEXTS)
def test_every_text_is_read_back_as_it_was_and_null_is_told_from_empty(rows: list[tuple[str | None]]) -> None:
    batch = pa.record_batch({"n": pa.array(range(len(rows))), "s": pa.array([row[0] for row in rows], pa.string())})
    text = plain_text(batch).decode()
    assert [row[1] for row in csv.reader(io.StringIO(text, newline=""))] == [row[0] or "" for row in rows]
    assert [line.endswith(",\n") for line in cut(text)] == [row[0] is None for row in rows]


def cut(text: str) -> list[str]:
    """The records: a line end counts where quotes are balanced."""
    records = [""]
    for line in text.splitlines(keepends=True) if "\r" not in text else io.StringIO(text, newline="\n"):
        records[-1] += line
        if records[-1].endswith("\n") and records[-1].count('"') % 2 == 0:
            records.append("")
    return records[:-1]


def test_moments_are_written_in_utc_and_a_single_null_is_no_blank_line() -> None:
    moments = pa.array([0, None], pa.timestamp("us", tz="Europe/Berlin"))
    assert plain_text(pa.record_batch({"m": moments})) == b'"1970-01-01 00:00:00.000000+00:00",""\n,""\n'


def test_the_layout_names_the_columns_in_their_order() -> None:
    columns = [Column(name=name, type=ColumnType.parse("date"), format="%d.%m.%Y") for name in ("b", "a")]
    layout = plain_layout(columns)
    assert (layout.fields, layout.escape, layout.rewritten) == (("b", "a"), None, True)
