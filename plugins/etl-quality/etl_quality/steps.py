"""The days, weeks, months or business days that rows are expected of, and where some are missing.

A day is its number since 1970-01-01, and so are steps: weeks and months are numbered from those of that day. Nothing
here grows with the length of a period but with the steps that were found in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from etl_framework import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from etl_quality.calendars import Calendar

_THURSDAY = 3
"""Days since the Monday before 1970-01-01."""
_EVERY_DAY, _MONDAY_TO_FRIDAY = "1111111", "1111100"
_ONE = np.timedelta64(1, "D")


class Every(StrEnum):
    """What of the calendar must not be missing; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    BUSINESS_DAY = "business-day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Steps that follow each other and are all missing.

    :param first: number of the first one.
    :param last: of the last one, included.
    :param missing: how many are missing; fewer than there are numbers where some are not expected.
    """

    first: int
    last: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What of the calendar is expected.

    :param every: which steps.
    :param calendar: holidays, which are not expected; of days and business days only.
    """

    every: Every
    calendar: Calendar | None = None

    def of_days(self, days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The step that each day is in."""
        if self.every is Every.WEEK:
            return np.floor_divide(days + _THURSDAY, 7)
        if self.every is Every.MONTH:
            return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        return days

    def of_day(self, day: int) -> int:
        """The step that a day is in."""
        return int(self.of_days(np.array([day], np.int64))[0])

    def are_expected(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each step is one that rows are expected of."""
        return np.is_busday(steps.astype("datetime64[D]"), busdaycal=self._expected())

    def count(self, first: int, last: int) -> int:
        """How many steps are expected from one to another, both included."""
        return int(np.busday_count(_day(first), _day(last + 1), busdaycal=self._expected()))

    def gaps(self, found: npt.NDArray[np.int64], first: int, last: int) -> list[Gap]:
        """Where expected steps are missing.

        :param found: the steps that are there, ascending, each once, from ``first`` to ``last``.
        """
        edges = np.concatenate([[first - 1], found, [last + 1]])
        lows, highs = edges[:-1] + 1, edges[1:] - 1
        empty = lows <= highs
        lows, highs = (ends[empty].astype("datetime64[D]") for ends in (lows, highs))
        expected = self._expected()
        missing = np.busday_count(lows, highs + _ONE, busdaycal=expected)
        some = missing > 0
        firsts = np.busday_offset(lows[some], 0, roll="forward", busdaycal=expected)
        lasts = np.busday_offset(highs[some], 0, roll="backward", busdaycal=expected)
        ends = (numbers.astype(np.int64).tolist() for numbers in (firsts, lasts))
        return [
            Gap(first=one, last=other, missing=number)
            for one, other, number in zip(*ends, missing[some].tolist(), strict=True)
        ]

    def label(self, step: int) -> str:
        """A step for people: ``2024-01-31``, ``2024-W05``, ``2024-01``."""
        if self.every is Every.WEEK:
            thursday = step * 7
            year = np.datetime64(thursday, "D").astype("datetime64[Y]")
            return f"{year}-W{(thursday - int(year.astype('datetime64[D]').astype(int))) // 7 + 1:02d}"
        return str(np.datetime64(step, "M" if self.every is Every.MONTH else "D"))

    def labels(self, first: int, last: int) -> str:
        """One step, or several that follow each other."""
        return self.label(first) if first == last else f"{self.label(first)} to {self.label(last)}"

    def words(self, number: int) -> str:
        """So many steps: ``1 day``, ``12 business days``."""
        return counted(number, self.every.replace("-", " "))

    def _expected(self) -> np.busdaycalendar:
        # NumPy counts business days without going through them. Steps of other kinds pass for days, all expected.
        mask = _MONDAY_TO_FRIDAY if self.every is Every.BUSINESS_DAY else _EVERY_DAY
        holidays: Any = self.calendar.holidays if self.calendar else []
        return np.busdaycalendar(weekmask=mask, holidays=holidays)


def _day(number: int) -> np.datetime64:
    return np.datetime64(number, "D")
