"""What is certain about a load after a deletion."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from etl_framework import ColumnTotals, PeriodFilter, RangeFilter, RowFilter, Totals
from etl_framework.tables import deleted_bounds, filter_in_words, within_bounds


def loaded(low: Any, high: Any, nulls: int = 0, name: str = "A") -> Totals:
    return Totals(rows=3, columns=(ColumnTotals(name=name, nulls=nulls, minimum=low, maximum=high, total=None),))


JANUARY = PeriodFilter(column="a", first=date(2024, 1, 1), last=date(2024, 1, 31))
UPTO = RangeFilter(column="a", last=5)
MOMENT = datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("where", "load", "gone"),
    [
        (None, loaded("x", "y", nulls=1), True),
        (UPTO, loaded(1, 5), True),
        (UPTO, loaded(1, 6), False),
        (UPTO, loaded(Decimal("1.5"), Decimal("5.0")), True),
        (RangeFilter(column="a", first=Decimal("1.5")), loaded(2, 9), True),
        (JANUARY, loaded(date(2024, 1, 1), date(2024, 1, 31)), True),
        (JANUARY, loaded(date(2023, 12, 31), date(2024, 1, 31)), False),
        (JANUARY, loaded(MOMENT, MOMENT), True),
        (JANUARY, loaded(MOMENT.replace(tzinfo=None), MOMENT.replace(tzinfo=None)), True),
        (RangeFilter(column="a", last=MOMENT), loaded(MOMENT, MOMENT.replace(tzinfo=None)), True),
        (RangeFilter(column="a", first="b", last="c"), loaded("b", "ba"), True),
    ],
)
def test_a_load_is_gone_when_its_control_totals_lie_within_the_bounds(
    where: RowFilter | None, load: Totals, gone: bool
) -> None:
    assert within_bounds(load, deleted_bounds(where, 3)) is gone


@pytest.mark.parametrize(
    "load",
    [
        loaded(1, 2, nulls=1),
        loaded(None, None),
        loaded(1.0, 2.0),
        loaded("1", "2"),
        loaded(1, 2, name="b"),
        Totals(rows=3, columns=loaded(1, 2).columns + loaded(1, 2, name="a").columns),
    ],
    ids=["without a value", "without any", "floats", "another type", "another column", "two columns of a name"],
)
def test_a_load_of_which_it_is_not_certain_is_still_there(load: Totals) -> None:
    assert not within_bounds(load, deleted_bounds(UPTO, 3))


def test_a_filter_is_told_in_words() -> None:
    assert filter_in_words(JANUARY) == "a from 2024-01-01 to 2024-01-31"
    assert filter_in_words(UPTO) == "a to 5"
    assert filter_in_words(None) == "every row"
