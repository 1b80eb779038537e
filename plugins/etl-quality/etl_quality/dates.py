"""The check ``dates``: every day of the period is there, and no row is of another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from etl_framework import (
    MOST_SAMPLES,
    Finding,
    Sample,
    Severity,
    UsageError,
    counted,
    first_samples,
    no_date,
    outside_period,
    shown,
)
from etl_quality.calendars import read_calendar
from etl_quality.day_checks import DayChecks, RowsPerDay
from etl_quality.day_figures import (
    DayFigures,
    DayTally,
    day_numbers,
    ends,
    nothing_found,
)
from etl_quality.sections import Settings, settings
from etl_quality.steps import Every, Gap, Steps

if TYPE_CHECKING:
    from etl_framework import Block, Job, Period

NAME = "dates"
_LISTED = 3
"""Gaps and days that a message names; the samples name more."""


class DatesSettings(Settings):
    """What can be said under ``checks.dates``.

    :param every: what must not be missing.
    :param calendar: holidays, by a code or a file.
    :param column: of dates or timestamps; None for the job's date column.
    :param severity: of what is missing, outside, or undated.
    """

    every: Every = Every.DAY
    calendar: str | None = None
    column: str | None = None
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the days of a column, wherever they are.

    :param column: its name.
    :param period: that of the job; None for everything between the first and the last day that is found.
    """

    column: str
    period: Period | None
    steps: Steps
    severity: Severity


def read(value: object, job: Job) -> DayChecks[Question]:
    """The check, as ``"complete"`` or a table asks for it.

    :raises UsageError: a setting is wrong, or there is no such calendar.
    """
    key = f"checks.{NAME}"
    if isinstance(value, str) and value != "complete":
        raise UsageError(
            f"{key} must be 'complete' or a table, not {value!r}",
            advice='Write dates = "complete", or dates = { every = "week" }.',
            key=key,
        )
    said = settings(DatesSettings, key, {} if value in ("complete", True) else value)
    if said.calendar and said.every not in (Every.DAY, Every.BUSINESS_DAY):
        raise UsageError(
            f"{key}.calendar: holidays are days: they go with days and business days, not with every {said.every}",
            advice="Leave the calendar out.",
            key=f"{key}.calendar",
        )
    calendar = read_calendar(said.calendar, job, f"{key}.calendar") if said.calendar else None
    steps = Steps(every=said.every, calendar=calendar)
    return DayChecks(
        name=NAME,
        column=said.column,
        question=lambda days, job: Question(column=days.name, period=job.period, steps=steps, severity=said.severity),
        in_files=Dates,
        in_table=partial(RowsPerDay, NAME, findings),
    )


class Dates:
    """Counts the rows of each day of files, and keeps the places of those that are of none or of a wrong one."""

    name = NAME

    def __init__(self, at: int, question: Question) -> None:
        self._at = at
        self._question = question
        self._tally = DayTally()
        self._outside: list[Sample] = []
        self._undated: list[Sample] = []

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        values = block.batch.column(self._at)
        days = day_numbers(values)
        self._tally.update(days, values.null_count)
        if values.null_count and len(self._undated) < MOST_SAMPLES:
            nulls = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))
            self._undated += self._samples(block, nulls, len(self._undated), "no date")
        period = self._question.period
        if period is not None and len(days) and len(self._outside) < MOST_SAMPLES:
            first, last = ends(period)
            if days.min() < first or days.max() > last:
                strays = np.flatnonzero((days < first) | (days > last))
                if values.null_count:
                    strays = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))[strays]
                self._outside += self._samples(block, strays, len(self._outside), f"outside of the period {period}")

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._tally.merge(other._tally)
        self._outside = first_samples([*self._outside, *other._outside])
        self._undated = first_samples([*self._undated, *other._undated])

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from findings(self._question, self._tally.figures(), outside=self._outside, undated=self._undated)

    def _samples(self, block: Block, rows: Any, known: int, reason: str) -> Iterator[Sample]:
        values = block.batch.column(self._at)
        places = rows[: MOST_SAMPLES - known].tolist()
        for row, where in zip(places, block.positions(places), strict=True):
            yield Sample(
                file=block.source,
                line=where.line,
                offset=where.offset,
                part=where.part,
                column=self._question.column,
                value=shown(values[row].as_py()),
                reason=reason,
            )


def findings(
    asked: Question, figures: DayFigures, *, outside: Sequence[Sample] = (), undated: Sequence[Sample] = ()
) -> Iterator[Finding]:
    """What is wrong with the days, in the same words wherever the rows are.

    :param outside: places of rows outside of the period; without any, their days are shown instead.
    :param undated: places of rows without a date.
    """
    inside = figures.chosen(figures.within(asked.period))
    # Where there is no row of the period, nothing was looked at: that is an error, whoever tells it.
    severity = asked.severity if len(inside.days) else Severity.ERROR
    if len(inside.days):
        yield from _missing(asked, inside)
    elif not len(figures.days) and not figures.undated:
        yield nothing_found(NAME, asked.column, asked.period, figures)
    if len(inside.days) < len(figures.days):
        yield _outside(asked, figures.chosen(~figures.within(asked.period)), outside, none_inside=not len(inside.days))
    if figures.undated:
        yield Finding(
            rule=NAME,
            severity=severity,
            count=figures.undated,
            message=f"{counted(figures.undated, 'row has', 'rows have')} no date in column {asked.column!r}"
            + ("" if len(figures.days) else ", and none has one"),
            advice="They belong to no day. Supply the dates, or declare the column `not null` and quarantine the rows.",
            samples=tuple(undated),
            cause=no_date(asked.column),
        )


def _missing(asked: Question, figures: DayFigures) -> Iterator[Finding]:
    steps = asked.steps
    found = np.unique(steps.of_days(figures.days))
    first, last = ends(asked.period) if asked.period else (int(figures.days[0]), int(figures.days[-1]))
    first, last = steps.of_day(first), steps.of_day(last)
    gaps = steps.gaps(found, first, last)
    if not gaps:
        return
    missing = sum(gap.missing for gap in gaps)
    listed = ", ".join(_gap(steps, gap) for gap in gaps[:_LISTED])
    more = f" and {counted(len(gaps) - _LISTED, 'more gap')}" if len(gaps) > _LISTED else ""
    yield Finding(
        rule=NAME,
        severity=asked.severity,
        count=missing,
        message=f"{missing:,} of {steps.words(steps.count(first, last))} from {steps.label(first)} to "
        f"{steps.label(last)} {'is' if missing == 1 else 'are'} missing in column {asked.column!r}: {listed}{more}",
        advice=f"Was the source delivered whole? Rows that cannot be read are not counted. {_not_due(steps)}".rstrip(),
        samples=tuple(
            Sample(
                column=asked.column,
                value=steps.labels(gap.first, gap.last),
                reason=f"{steps.words(gap.missing)} missing",
            )
            for gap in gaps[:MOST_SAMPLES]
        ),
    )


def _not_due(steps: Steps) -> str:
    """What to do where nothing is due."""
    if steps.calendar:
        return f"Holidays that the calendar {steps.calendar.name} does not know can stand in a file."
    if steps.every is Every.BUSINESS_DAY:
        return 'Where they are holidays, name a calendar: calendar = "US", or a file.'
    if steps.every is Every.DAY:
        return 'Where nothing is due on such days, say so: every = "business-day", or a calendar.'
    return ""


def _gap(steps: Steps, gap: Gap) -> str:
    length = "" if gap.missing == 1 else f" ({steps.words(gap.missing)})"
    return f"{steps.labels(gap.first, gap.last)}{length}"


def _outside(asked: Question, strays: DayFigures, samples: Sequence[Sample], *, none_inside: bool) -> Finding:
    days = [np.datetime64(day, "D") for day in strays.days[:MOST_SAMPLES].tolist()]
    rows = [counted(number, "row") for number in strays.rows[:MOST_SAMPLES].tolist()]
    listed = ", ".join(f"{day} ({number})" for day, number in list(zip(days, rows, strict=True))[:_LISTED])
    more = f" and {counted(len(strays.days) - _LISTED, 'more day')}" if len(strays.days) > _LISTED else ""
    number = int(strays.rows.sum())
    return Finding(
        rule=NAME,
        severity=Severity.ERROR if none_inside else asked.severity,
        count=number,
        message=f"{counted(number, 'row is', 'rows are')} outside of the period {asked.period} by column "
        f"{asked.column!r}{', and none is of it' if none_inside else ''}: {listed}{more}",
        advice="Correct the period (--period), or the source: is a column of another meaning taken for the date?",
        samples=tuple(samples)
        or tuple(
            Sample(column=asked.column, value=str(day), reason=f"{number} outside of the period {asked.period}")
            for day, number in zip(days, rows, strict=True)
        ),
        cause=outside_period(asked.column),
    )
