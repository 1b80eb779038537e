"""A score says how it comes about."""

from __future__ import annotations

import pytest
from etl_quality.score import WEIGHTS, ColumnFigures, score_of_column

from etl_framework import ColumnType, profile


def score(**figures):
    known = {
        "rows": 100,
        "nulls": 0,
        "bad": 0,
        "not_finite": 0,
        "type": ColumnType.parse("integer"),
        "distinct": None,
        "distinct_error": 0.0,
        "alike": None,
    }
    return score_of_column(ColumnFigures(**{**known, **figures}))


def parts(found):
    return {part.dimension: part.value for part in found.parts}


def test_the_weights_of_all_dimensions_are_one():
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_flawless_values_have_the_full_score():
    assert score(distinct=100, alike=1.0).value == pytest.approx(100)


@pytest.mark.parametrize(
    ("figures", "dimension", "value"),
    [
        ({"nulls": 25}, "completeness", 0.75),
        ({"bad": 100}, "validity", 0.5),
        ({"not_finite": 10}, "validity", 0.9),
        ({"distinct": 60}, "uniqueness", 0.6),
        ({"alike": 0.95}, "consistency", 0.95),
    ],
)
def test_each_fault_lowers_its_own_part_and_the_score(figures, dimension, value):
    found = score(**figures)
    assert parts(found)[dimension] == pytest.approx(value)
    assert all(other == 1 for name, other in parts(found).items() if name != dimension)
    assert found.value < 100


def test_the_score_is_the_weighted_mean_of_its_parts():
    found = score(nulls=50, distinct=60)
    assert sum(part.weight for part in found.parts) == pytest.approx(1)
    assert found.value == pytest.approx(100 * sum(part.value * part.weight for part in found.parts))


def test_an_estimate_within_its_error_of_all_rows_is_not_held_against_a_key():
    assert parts(score(distinct=97, distinct_error=1 / 64))["uniqueness"] == 1
    assert parts(score(distinct=90, distinct_error=1 / 64))["uniqueness"] == 0.9


def test_only_bad_rows_are_neither_valid_nor_complete():
    found = score(rows=0, bad=5)
    assert (found.value, parts(found)) == (0, {"validity": 0, "completeness": 0})


def test_nothing_cannot_be_judged():
    assert score(rows=0).value is None


def test_a_declared_key_is_judged_by_how_many_rows_repeat_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a,b\n" + "1,1\n1,2\n1,2\n2,\n2,\n")
    whole = profile("t.csv", keys=["a", "b"]).profile.score
    assert parts(whole)["uniqueness"] == pytest.approx(3 / 5)
    assert "a, b" in next(part.reason for part in whole.parts if part.dimension == "uniqueness")
    assert "uniqueness" not in parts(profile("t.csv").profile.score)
