"""Periods: the days that a run covers."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from etl_framework.errors import UsageError

_ADVICE = "Write 2024-01, 2024-01-15, 2024-01..2024-03 or 2024-01-10..2024-02-09."


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A range of days.

    :param first: first day.
    :param last: last day, included.
    :raises UsageError: the last day is before the first.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise UsageError(f"period ends ({self.last}) before it begins ({self.first})", advice="Swap the two ends.")

    @classmethod
    def between(cls, first: date | None, last: date | None) -> Period | None:
        """The period of two days as a ledger holds them; None when one is missing, or they are the wrong way round."""
        return None if first is None or last is None or last < first else cls(first, last)

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read a month, a day, or a range of either, ends included.

        :raises UsageError: the text is no period.
        """
        first, dots, last = text.strip().partition("..")
        if dots and ".." not in last:
            return cls(cls.parse(first).first, cls.parse(last).last)
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?", text.strip())
        if not match:
            raise UsageError(f"{text!r} is not a period", advice=_ADVICE)
        year, month, day = int(match[1]), int(match[2]), match[3]
        try:
            if day:
                return cls(date(year, month, int(day)), date(year, month, int(day)))
            return cls(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))
        except ValueError as error:
            raise UsageError(f"{text!r} is not in the calendar", advice=_ADVICE) from error

    def overlaps(self, other: Period) -> bool:
        """Whether the two share a day."""
        return self.first <= other.last and other.first <= self.last

    def days(self) -> Iterator[date]:
        """Every day, in order."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)

    def months(self) -> Iterator[date]:
        """The first day of every month that the period touches, in order."""
        for number in range(self.first.year * 12 + self.first.month, self.last.year * 12 + self.last.month + 1):
            yield date((number - 1) // 12, (number - 1) % 12 + 1, 1)

    def __str__(self) -> str:
        whole_months = self.first.day == 1 and self.last.day == calendar.monthrange(self.last.year, self.last.month)[1]
        first, last = (day.isoformat()[: len("2024-01") if whole_months else None] for day in (self.first, self.last))
        return first if first == last else f"{first}..{last}"
