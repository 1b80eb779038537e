"""A quality score, and how it comes about.

Its parts are named after dimensions of quality as the working group of DAMA UK defines them (The six primary
dimensions for data quality assessment, 2013). Two of the six, accuracy and timeliness, cannot be told from data alone:
they say how data agree with the world and with the calendar. How much each part weighs is this project's own choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from etl_framework import FLOATS, Score, ScorePart, counted

if TYPE_CHECKING:
    from etl_framework import ColumnProfile, ColumnType
    from etl_quality.sketches import DistinctCount

WEIGHTS = {"validity": 0.4, "completeness": 0.3, "uniqueness": 0.2, "consistency": 0.1}
"""Where a dimension cannot be judged, the others share its weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFigures:
    """What a column is judged by.

    :param distinct: different values of a column that is declared to identify a row; None of others.
    :param alike: share of texts that have one of the few usual shapes; None where there are no such.
    """

    rows: int
    nulls: int
    bad: int
    not_finite: int
    type: ColumnType
    distinct: int | None
    distinct_error: float
    alike: float | None


def score_of_column(of: ColumnFigures) -> Score:
    """How good the values of a column are."""
    if not of.rows + of.bad:
        return Score()
    complete = (of.rows - of.nulls) / of.rows if of.rows else 0.0
    unread = of.bad + of.not_finite
    no_number = f", {counted(of.not_finite, 'value')} infinite or no number" if of.type.kind in FLOATS else ""
    parts = [
        ("validity", 1 - unread / (of.rows + of.bad), f"{counted(of.bad, 'value')} not read as {of.type}{no_number}"),
        ("completeness", complete, f"{of.nulls:,} of {counted(of.rows, 'row')} without a value"),
    ]
    if of.distinct is not None and of.rows:
        parts.append(_uniqueness(of.distinct, of.rows, of.distinct_error))
    if of.alike is not None:
        parts.append(("consistency", of.alike, f"{of.alike:.1%} of the sampled values have one of the usual shapes"))
    return _weighed(parts)


def score_of_table(
    rows: int, bad: int, columns: Sequence[ColumnProfile], keys: Sequence[str], distinct_keys: DistinctCount
) -> Score:
    """How good the data are as a whole."""
    if not rows + bad:
        return Score()
    parts = [("validity", rows / (rows + bad), f"{bad:,} of {counted(rows + bad, 'row')} bad")]
    if complete := _of_columns(columns, "completeness"):
        empty = sum(column.nulls for column in columns)
        missing = f"{counted(empty, 'value')} missing in {counted(len(columns), 'column')}"
        parts.append(("completeness", complete[0], missing))
    if keys and rows:
        distinct = min(distinct_keys.distinct, rows)
        parts.append(_uniqueness(distinct, rows, distinct_keys.error, f" of the key {', '.join(keys)}"))
    if alike := _of_columns(columns, "consistency"):
        number = counted(alike[1], "column")
        parts.append(("consistency", alike[0], f"values of the usual shapes, in {number} whose texts have any"))
    return _weighed(parts)


def _uniqueness(distinct: int, rows: int, error: float, of: str = "") -> tuple[str, float, str]:
    # An estimate that is within its error of all rows contradicts nothing.
    share = 1.0 if error and distinct >= rows * (1 - 3 * error) else distinct / rows
    about = "about " if error else ""
    return "uniqueness", share, f"{about}{distinct:,} different values{of} in {counted(rows, 'row')}"


def _of_columns(columns: Iterable[ColumnProfile], dimension: str) -> tuple[float, int] | None:
    found = [part.value for column in columns for part in column.score.parts if part.dimension == dimension]
    return (fmean(found), len(found)) if found else None


def _weighed(parts: Sequence[tuple[str, float, str]]) -> Score:
    whole = sum(WEIGHTS[dimension] for dimension, _, _ in parts)
    weighed = tuple(
        ScorePart(dimension=dimension, value=value, weight=WEIGHTS[dimension] / whole, reason=reason)
        for dimension, value, reason in parts
    )
    # Divided once, at the end: rounded weights could add up to more than 1, and the score to more than 100.
    share = sum(WEIGHTS[part.dimension] * part.value for part in weighed) / whole
    return Score(value=100 * share, parts=weighed)
