"""Which values a rule finds bad: the short ways find the same as asking each value."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from etl_quality.column_rules import Among, ColumnRule, Matches
from etl_quality.words import Words
from hypothesis import example, given
from hypothesis import strategies as st

from etl_framework import Severity

WORDS = Words(
    rule="r",
    column="c",
    severity=Severity.ERROR,
    one="is bad",
    several="are bad",
    reason="It is bad.",
    advice="",
)
TEXTS = st.one_of(st.none(), st.sampled_from(["A", "N", "R", "a", "é", "", "AN", "A\n"]), st.text(max_size=3))
COLUMNS = st.one_of(
    st.lists(TEXTS, max_size=30),
    # Codes: few values that repeat themselves, and one more somewhere.
    st.builds(
        lambda codes, times, other, at: [*(codes * times)[:at], other, *(codes * times)[at:]],
        st.lists(TEXTS, min_size=1, max_size=3),
        st.integers(10, 60),
        TEXTS,
        st.integers(0, 180),
    ),
)


def bad_rows(rule: ColumnRule, column: list[str | None], before: int) -> list[int]:
    """As the rule finds them, in an array that does not begin where its memory does."""
    values = pa.array([*["N"] * before, *column], pa.string())[before:]
    broken = rule.broken(values)
    return [] if broken is None else [row for row, bad in enumerate(broken.to_pylist()) if bad]


@given(column=COLUMNS, before=st.integers(0, 3))
@example(column=["A"] * 2000 + ["é"], before=0)
@example(column=["A"] * 2000 + [None, "b"], before=1)
def test_a_pattern_is_asked_of_every_value(column: list[str | None], before: int) -> None:
    expected = [row for row, text in enumerate(column) if text is not None and not re.fullmatch("[A-Z]+", text)]
    assert bad_rows(Matches(words=WORDS, pattern="[A-Z]+"), column, before) == expected


@given(
    column=COLUMNS,
    before=st.integers(0, 3),
    allowed=st.lists(st.sampled_from(["A", "N", "R", "é", "", "AN"]), unique=True, max_size=4),
)
@example(column=["A"] * 2000 + ["N"], before=0, allowed=["A"])
@example(column=["A", "é"], before=0, allowed=["A", "é"])
def test_a_set_is_asked_of_every_value(column: list[str | None], before: int, allowed: list[str]) -> None:
    expected = [row for row, text in enumerate(column) if text is not None and text not in allowed]
    assert bad_rows(Among(words=WORDS, values=pa.array(allowed, pa.string())), column, before) == expected


@pytest.mark.parametrize("bad", [0, 1, 1500, 2999])
def test_one_bad_code_among_thousands_is_found(bad: int) -> None:
    column: list[str | None] = ["CODE ONE", "CODE TWO", "CODE THREE"] * 1000
    column[bad] = "code two"
    assert bad_rows(Matches(words=WORDS, pattern="[A-Z ]+"), column, 0) == [bad]
