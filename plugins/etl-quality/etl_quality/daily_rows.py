"""The check ``daily_rows``: no day has far fewer or far more rows than the others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from etl_framework import MOST_SAMPLES, Finding, Sample, Severity, counted
from etl_quality.calendars import read_calendar
from etl_quality.day_checks import DayChecks, RowsPerDay
from etl_quality.day_figures import (
    DayFigures,
    DayTally,
    day_numbers,
    ends,
    nothing_found,
)
from etl_quality.distribution import Distribution
from etl_quality.sections import Flag, Number, Settings, settings
from etl_quality.steps import Every, Steps
from etl_quality.unusual_days import Days, Unusual

if TYPE_CHECKING:
    from etl_framework import Block, Figure, Job, Period

NAME = "daily_rows"
_LISTED = 3
"""Days that a message names; the samples name more."""


class DailyRowsSettings(Settings):
    """What can be said under ``checks.daily_rows``; a threshold of 0 is none.

    :param severe: a day is severely low below this share of the mean.
    :param drop: low below this share of the mean.
    :param spike: a spike above so many times the mean.
    :param iqr: an outlier so many interquartile ranges below the first quartile or above the third.
    :param tolerance: how far from the mean, as a share of it, a day may be without being an outlier.
    :param weekends: whether Saturdays and Sundays are days off.
    :param calendar: holidays, which are days off, by a code or a file.
    :param column: of dates or timestamps; None for the job's date column.
    """

    severe: Number = Field(default=0.1, ge=0, lt=1)
    drop: Number = Field(default=0.5, ge=0, lt=1)
    spike: Number = Field(default=3.0, ge=0)
    iqr: Number = Field(default=1.5, ge=0)
    tolerance: Number = Field(default=0.05, ge=0, lt=1)
    weekends: Flag = False
    calendar: str | None = None
    column: str | None = None
    severity: Severity = Severity.WARNING

    def bounds(self, spread: Distribution) -> tuple[Unusual, ...]:
        """Beyond what a number of rows is unusual, the gravest first; a day is what the first of them says."""
        spike = self.spike * spread.mean or math.inf
        return (
            Unusual("severely low", f"below {self.severe * 100:g} % of the mean", below=self.severe * spread.mean),
            Unusual("low", f"below {self.drop * 100:g} % of the mean", below=self.drop * spread.mean),
            self._outlier_low(spread),
            Unusual("spiking", f"above {self.spike:g} times the mean", above=spike),
            self._outlier_high(spread),
        )

    def _outlier_low(self, spread: Distribution) -> Unusual:
        low = spread.bounds(self.iqr)[0] if self.iqr else 0.0
        least = (1 - self.tolerance) * spread.mean if self.tolerance else math.inf
        words = f"below Q1 − {self.iqr:g} IQR = {low:,.1f}"
        if least < low:
            words += f", and below {(1 - self.tolerance) * 100:g} % of the mean"
        return Unusual("outlier low", words, below=min(low, least))

    def _outlier_high(self, spread: Distribution) -> Unusual:
        high = spread.bounds(self.iqr)[1] if self.iqr else math.inf
        most = (1 + self.tolerance) * spread.mean if self.tolerance else 0.0
        words = f"above Q3 + {self.iqr:g} IQR = {high:,.1f}"
        if most > high:
            words += f", and above {(1 + self.tolerance) * 100:g} % of the mean"
        return Unusual("outlier high", words, above=max(high, most))

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.severe > self.drop > 0:
            raise ValueError("severe must not be above drop: a severely low day is a low one, too")
        if 0 < self.spike <= 1:
            raise ValueError("spike is in times the mean: it must be above 1, or 0 for none")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the days of a column, wherever they are.

    :param column: its name.
    :param period: that of the job; None for everything between the first and the last day that is found.
    :param workdays: the days that are compared with each other; the others are days off.
    """

    column: str
    period: Period | None
    workdays: Steps
    said: DailyRowsSettings


def read(value: object, job: Job) -> DayChecks[Question]:
    """The check, as ``true``, a severity or a table asks for it.

    :raises UsageError: a setting is wrong, or there is no such calendar.
    """
    key = f"checks.{NAME}"
    table = {} if value is True else {"severity": value} if isinstance(value, str) else value
    said = settings(DailyRowsSettings, key, table)
    calendar = read_calendar(said.calendar, job, f"{key}.calendar") if said.calendar else None
    every = Every.BUSINESS_DAY if said.weekends else Every.DAY
    workdays = Steps(every=every, calendar=calendar)
    return DayChecks(
        name=NAME,
        column=said.column,
        question=lambda days, job: Question(column=days.name, period=job.period, workdays=workdays, said=said),
        in_files=DailyRows,
        in_table=partial(DailyRowsInTable, NAME, findings),
    )


class DailyRows:
    """Counts the rows of each day of files."""

    name = NAME

    def __init__(self, at: int, question: Question) -> None:
        self._at = at
        self._question = question
        self._tally = DayTally()

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        values = block.batch.column(self._at)
        self._tally.update(day_numbers(values), values.null_count)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._tally.merge(other._tally)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from findings(self._question, self._tally.figures())

    def measures(self) -> Mapping[str, Figure]:
        """See :meth:`etl_framework.Measuring.measures`."""
        return measures(self._question, self._tally.figures())


class DailyRowsInTable(RowsPerDay[Question]):
    """Asks for the rows of each day of a table."""

    def measures(self) -> Mapping[str, Figure]:
        """See :meth:`etl_framework.Measuring.measures`."""
        return {} if self._found is None else measures(self._question, self._found)


def measures(asked: Question, figures: DayFigures) -> Mapping[str, Figure]:
    """How the rows of days are spread, unusual days or none: of working days, where there are days off."""
    figures = figures.chosen(figures.within(asked.period))
    days = _working_days(asked, figures) if len(figures.days) else []
    if not any(some.rows for some in days):
        return {}
    spread = dataclasses.asdict(_spread(days))
    return {"days": spread.pop("size"), **spread}


def findings(asked: Question, figures: DayFigures) -> Iterator[Finding]:
    """What is unusual about the days, in the same words wherever the rows are."""
    everywhere = figures
    figures = figures.chosen(figures.within(asked.period))
    if not len(figures.days):
        yield nothing_found(NAME, asked.column, asked.period, everywhere)
        return
    apart = asked.said.weekends or asked.said.calendar is not None
    named = ("working day", "working days") if apart else ("day", "days")
    compared = [(named, _working_days(asked, figures))]
    due = asked.workdays.are_expected(figures.days)
    if not due.all():
        # On days off nothing is due: those without rows say nothing.
        compared.append((("day off", "days off"), _found(figures.chosen(~due))))
    for kind, days in compared:
        if any(some.rows for some in days):
            yield from _compared(asked, kind, sorted(days, key=lambda some: some.first))
        elif days:
            yield _none(asked, kind, _zeros(days))


def _working_days(asked: Question, figures: DayFigures) -> list[Days]:
    """The days that something is due on, those without rows included.

    :param figures: of the period; at least of one day.
    """
    first, last = ends(asked.period) if asked.period else (int(figures.days[0]), int(figures.days[-1]))
    missing = [
        Days(first=gap.first, last=gap.last, number=gap.missing, rows=0)
        for gap in asked.workdays.gaps(figures.days, first, last)
    ]
    return [*_found(figures.chosen(asked.workdays.are_expected(figures.days))), *missing]


def _found(figures: DayFigures) -> list[Days]:
    pairs = zip(figures.days.tolist(), figures.rows.tolist(), strict=True)
    return [Days(first=day, last=day, number=1, rows=rows) for day, rows in pairs]


def _compared(asked: Question, kind: tuple[str, str], days: list[Days]) -> Iterator[Finding]:
    """Compare days of one kind with each other.

    :param kind: what one of them is called, and several.
    :param days: in order.
    """
    if len(days) == 1 and days[0].number == 1:
        yield Finding(
            rule=NAME,
            severity=Severity.INFO,
            count=1,
            message=f"{days[0]} is the only {kind[0]} in column {asked.column!r}: there is nothing to compare its "
            f"{counted(days[0].rows, 'row')} with",
            advice="Several days tell what is usual: `etl check` looks at all that are in the table.",
        )
        return
    spread = _spread(days)
    unusual: dict[Unusual, list[Days]] = {}
    bounds = asked.said.bounds(spread)
    for some in days:
        if one := next((bound for bound in bounds if bound.holds(some.rows)), None):
            unusual.setdefault(one, []).append(some)
    for one in bounds:
        if one in unusual:
            yield _finding(asked, one, unusual[one], spread, kind)


def _none(asked: Question, kind: tuple[str, str], number: int) -> Finding:
    return Finding(
        rule=NAME,
        severity=asked.said.severity,
        count=number,
        message=f"there are rows on days off only: {counted(number, *kind)} in column {asked.column!r} without any",
        advice="Was the source delivered whole, and is it the right column?",
    )


def _spread(days: list[Days]) -> Distribution:
    return Distribution.of(np.array([some.rows for some in days if some.rows]), _zeros(days))


def _zeros(days: list[Days]) -> int:
    return sum(some.number for some in days if not some.rows)


def _finding(asked: Question, bound: Unusual, days: list[Days], spread: Distribution, kind: tuple[str, str]) -> Finding:
    number = sum(some.number for some in days)
    listed = ", ".join(f"{some} ({some.in_rows()})" for some in days[:_LISTED])
    more = f" and {len(days) - _LISTED:,} more" if len(days) > _LISTED else ""
    return Finding(
        rule=NAME,
        severity=asked.said.severity,
        count=number,
        message=f"{number:,} of {counted(spread.size, *kind)} in column {asked.column!r} "
        f"{'is' if number == 1 else 'are'} {bound.name}, {bound.words}: {listed}{more}; {spread}",
        advice=bound.advice,
        samples=tuple(
            Sample(
                column=asked.column,
                value=str(some),
                reason=f"{some.in_rows()}, {round(some.rows / spread.mean * 100, 1):,g} % of the mean, "
                f"z = {spread.z_score(some.rows):.1f}",
            )
            for some in days[:MOST_SAMPLES]
        ),
    )
