"""Whatever the data and however they are cut: all checks together find in parts what they find in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import etl_quality
import pytest
from etl_quality import freshness
from etl_quality.column_settings import ColumnSettings
from etl_quality.sections import MODULES
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import MOST_SAMPLES, Analysis, Column, ColumnType, Period, Previous, Validator
from etl_framework.testing import check_rows, literal_job

TYPES = {"n": "integer", "d": "decimal(6,2)", "s": "varchar", "x": "double", "day": "date"}
COLUMNS = tuple(Column(name=name, type=ColumnType.parse(type_), declared=True) for name, type_ in TYPES.items())
FIGURES = {f"{name}.{figure}": 1 for name in TYPES for figure in ("nulls", "distinct", "mean", "deviation")}
EVERY_CHECK: dict[str, Any] = {
    "dates": "complete",
    "daily_rows": {"iqr": 0.5, "tolerance": 0},
    "freshness": "1 hour",
    "drift": {"rows": 0.01, "nulls": 0.01, "distinct": 0.01, "mean": 0.01},
    "duplicates": {"keys": ["s", "day"]},
    "schema": "strict",
    "columns": {
        "n": {
            "not_null": True,
            "unique": True,
            "min": 0,
            "allowed": [0, 1, 2],
            "references": "numbers.csv",
            "monotonic": "increasing",
        },
        "d": {"max": 0, "unique": True, "monotonic": "strictly decreasing"},
        "s": {"length": 1, "regex": "[a-c]*", "unique": True, "references": "texts.csv"},
        "x": {"max": 1, "unique": True},
    },
}
RULES = [{"name": "row", "sql": "n > 0 OR s = 'a'"}, {"name": "figure", "sql": "sum(x) + avg(d) > 1e9"}]
JOB = literal_job(
    sections={"checks": EVERY_CHECK, "rules": RULES},
    columns=COLUMNS[::-1],
    date_column="day",
    period=Period.parse("2024-01"),
    previous={
        "drift": Previous(run="before", finished=datetime(2024, 1, 1, tzinfo=UTC), measures={"rows": 7, **FIGURES})
    },
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-2, 5),
            "d": st.none() | st.decimals(-2, 2, places=2),
            "s": st.none() | st.text("abcü\n", max_size=2),
            "x": st.none() | st.floats(-1e9, 1e9) | st.just(float("nan")),
            "day": st.none() | st.dates(date(2023, 12, 30), date(2024, 1, 10)),
        }
    ),
    max_size=30,
)


@pytest.fixture(autouse=True, scope="module")
def now() -> Iterator[None]:
    """The same for all, so that data are as old each time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(freshness, "now", lambda: datetime(2024, 2, 1, tzinfo=UTC))
        yield


@pytest.fixture(autouse=True, scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Few that are known of one column, and very many of the other."""
    folder = tmp_path_factory.mktemp("references")
    (folder / "numbers.csv").write_text("n\n" + "".join(f"{number}\n" for number in range(1, 1500)))
    (folder / "texts.csv").write_text("s\na\nab\nü\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        yield


def every_check() -> Iterable[Validator]:
    analysis: Any = Analysis(source=None, format=None, columns=COLUMNS, rows=0)  # type: ignore[arg-type]
    return etl_quality.etl_validate(JOB, analysis)


def test_every_check_finds_something_and_says_what_to_do() -> None:
    assert EVERY_CHECK.keys() == MODULES.keys()
    asked = {rule for said in EVERY_CHECK["columns"].values() for rule in said}
    assert asked == ColumnSettings.model_fields.keys() - {"severity"}
    bad = {"n": -1, "d": Decimal("1.00"), "s": "zz", "x": 2.0, "day": date(2023, 12, 31)}
    few = {"n": -2, "d": None, "s": None, "x": None, "day": date(2024, 1, 5)}
    rows = [bad, bad, few, *[{**bad, "n": None, "day": date(2024, 1, 7)}] * 12]
    found = check_rows(every_check, {name: [row[name] for row in rows] for name in TYPES}, types=TYPES)
    assert {finding.rule for finding in found} == {*MODULES, "row", "figure"} - {"columns"} | {
        "not_null", "unique", "min", "max", "allowed", "length", "regex", "references", "monotonic",
    }  # fmt: skip
    for finding in found:
        assert "\n" not in finding.message
        assert finding.advice.endswith((".", "?")), finding
        assert len(finding.samples) <= MOST_SAMPLES
        assert finding.samples or not finding.count or finding.rule in ("drift", "figure")


@settings(deadline=None, max_examples=40)
@given(
    rows=ROWS,
    cuts=st.lists(st.integers(1, 29), max_size=6),
    blocks=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_any_split_in_any_order_finds_what_one_pass_finds(
    in_parts: Any, rows: list[Any], cuts: list[int], blocks: int, seed: int
) -> None:
    assert in_parts(every_check, rows, COLUMNS, cuts, blocks, seed) == in_parts(every_check, rows, COLUMNS)
