"""The frame of the checks that look at the column which tells the day of a row: in files, and in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from etl_quality.day_figures import DayColumn, DayFigures, ask_days, day_column

if TYPE_CHECKING:
    from etl_framework import Analysis, Column, Finding, Job, Rows, TableCheck, Validator

Question = TypeVar("Question")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayChecks(Generic[Question]):
    """See :class:`etl_quality.sections.Checks`.

    :param name: of the check.
    :param column: the one that its settings name; None for the job's date column.
    :param question: what is asked of a column for a job.
    :param in_files: makes the accumulator, of the column's index and the question.
    :param in_table: makes the check of a table.
    """

    name: str
    column: str | None
    question: Callable[[DayColumn, Job], Question]
    in_files: Callable[[int, Question], Validator]
    in_table: Callable[[DayColumn, Question], TableCheck]

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:
        """See :meth:`etl_quality.sections.Checks.validators`."""
        days = day_column(analysis.columns, self.column, job, self.name)
        yield self.in_files(days.at, self.question(days, job))

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:
        """See :meth:`etl_quality.sections.Checks.table_checks`."""
        days = day_column(columns, self.column, job, self.name)
        yield self.in_table(days, self.question(days, job))


class RowsPerDay(Generic[Question]):
    """Asks for the rows of each day of a table.

    :param findings: what the figures mean.
    """

    def __init__(
        self,
        name: str,
        findings: Callable[[Question, DayFigures], Iterator[Finding]],
        days: DayColumn,
        question: Question,
    ) -> None:
        self.name = name
        self._findings = findings
        self._days = days
        self._question = question
        self._found: DayFigures | None = None

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        self._found = ask_days(rows, self._days)
        yield from self._findings(self._question, self._found)
