"""The check ``freshness``: the newest value of a column is not too old."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from pydantic import field_validator

from etl_framework import NO_ROWS, RELATION, Finding, Kind, Sample, Severity, Statement, no_date
from etl_quality.day_checks import DayChecks
from etl_quality.day_figures import DayColumn, in_utc
from etl_quality.dialects import statement
from etl_quality.sections import Settings, settings

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import Block, Job, Rows

NAME = "freshness"
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(minute|hour|day|week)s?")
_DAY = 86_400
_AHEAD = timedelta(days=1)
"""How far in the future a value may be: clocks differ, and so do days in the time zones of the world."""


def now() -> datetime:
    """The time that ages are counted to."""
    return datetime.now(UTC)


class FreshnessSettings(Settings):
    """What can be said under ``checks.freshness``.

    :param max_age: how old the newest value may be: ``2 days``, ``36 hours``, ``90 minutes``, ``1 week``.
    :param column: of dates or timestamps; None for the job's date column.
    """

    max_age: timedelta
    column: str | None = None
    severity: Severity = Severity.ERROR

    @field_validator("max_age", mode="before")
    @classmethod
    def _in_words(cls, said: object) -> timedelta:
        found = _AGE.fullmatch(said.strip().lower()) if isinstance(said, str) else None
        if found is None:
            raise ValueError(f'{said!r} is no age: write "2 days", "36 hours", "90 minutes" or "1 week"')
        return timedelta(**{f"{found[2]}s": float(found[1])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the newest value of a column, wherever it is.

    :param whole_days: whether the column holds dates: a date is as new as its last moment.
    """

    column: str
    whole_days: bool
    max_age: timedelta
    severity: Severity


def read(value: object, job: Job) -> DayChecks[Question]:  # noqa: ARG001 - every check is read alike
    """The check, as an age or a table asks for it.

    :raises UsageError: a setting is wrong.
    """
    table = {"max_age": value} if isinstance(value, str) else value
    said = settings(FreshnessSettings, f"checks.{NAME}", table)
    return DayChecks(
        name=NAME,
        column=said.column,
        question=lambda days, job: Question(  # noqa: ARG005 - an age is that of all rows, whatever the job's period
            column=days.name,
            whole_days=days.column.type.kind is Kind.DATE,
            max_age=said.max_age,
            severity=said.severity,
        ),
        in_files=Freshness,
        in_table=FreshnessOfTable,
    )


class Freshness:
    """Finds the newest value in files."""

    name = NAME

    def __init__(self, at: int, question: Question) -> None:
        self._at = at
        self._question = question
        self._newest: int | None = None
        self._rows = 0

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        import pyarrow.compute as pc

        self._rows += block.batch.num_rows
        self._take(_seconds(pc.max(block.batch.column(self._at))))

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._rows += other._rows
        self._take(other._newest)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from findings(self._question, self._newest, rows=self._rows)

    def _take(self, seconds: int | None) -> None:
        if seconds is not None and (self._newest is None or seconds > self._newest):
            self._newest = seconds


class FreshnessOfTable:
    """Asks for the newest value of a table."""

    name = NAME

    def __init__(self, days: DayColumn, question: Question) -> None:
        self._days = days
        self._question = question

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        [(newest, number)] = rows.query(self._statement(rows.dialect)).rows
        yield from findings(self._question, None if newest is None else int(newest), rows=int(number))

    def _statement(self, dialect: str) -> Statement:
        newest = f"CAST(max({in_utc(self._days.column)}) AS TIMESTAMP)"
        seconds = f"datediff('second', TIMESTAMP '1970-01-01 00:00:00', {newest})"
        return statement(f"SELECT {seconds}, count(*) FROM {RELATION}", (), dialect)  # noqa: S608 - quoted names


def findings(asked: Question, newest: int | None, *, rows: int) -> Iterator[Finding]:
    """What the newest value means, in the same words wherever it is.

    :param newest: seconds since 1970, in UTC; of a date, its first one. None where there is no value.
    :param rows: how many there are, with a value or without.
    """
    if newest is None:
        yield Finding(
            rule=NAME,
            severity=Severity.ERROR,
            count=1,
            message=f"no row has a value in column {asked.column!r}: how old the data are cannot be told",
            advice="Is it the right column, and was the source written to its end?",
            cause=no_date(asked.column) if rows else NO_ROWS,
        )
        return
    age = now().timestamp() - newest
    old = age - _DAY if asked.whole_days else age
    if old <= asked.max_age.total_seconds() and age >= -_AHEAD.total_seconds():
        return
    shown = _moment(newest, asked.whole_days)
    told = f"{_span(old)} old, which is more than {_span(asked.max_age.total_seconds())}"
    future = age < 0
    yield Finding(
        rule=NAME,
        severity=asked.severity,
        count=1,
        message=f"the newest value of column {asked.column!r} is {shown}, "
        + (f"{_span(-age)} in the future: how old the data are cannot be told" if future else told),
        advice="A wrong value hides how old the others are: correct it."
        if future
        else "Has the source stopped being written, or was an old file delivered again?",
        samples=(Sample(column=asked.column, value=shown, reason="in the future" if future else "too old"),),
    )


def _seconds(newest: pa.Scalar) -> int | None:
    import pyarrow as pa

    if not newest.is_valid:
        return None
    return int(newest.value * _DAY if pa.types.is_date(newest.type) else newest.value // 1_000_000)


def _moment(seconds: int, whole_day: bool) -> str:
    import numpy as np

    return str(np.datetime64(seconds, "s").astype(f"datetime64[{'D' if whole_day else 's'}]")).replace("T", " ")


def _span(seconds: float) -> str:
    """A length of time, in the unit that suits it: ``3.5 days``, ``36 hours``, ``20 minutes``."""
    unit, size = next((one for one in (("day", _DAY), ("hour", 3600)) if seconds >= 2 * one[1]), ("minute", 60))
    number = f"{seconds / size:,.1f}".removesuffix(".0")
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"
