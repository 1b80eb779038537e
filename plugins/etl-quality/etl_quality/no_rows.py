"""Where something is to be checked, nothing is not good enough: data without rows are never valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from etl_framework import NO_ROWS, RELATION, Finding, Severity, Statement

if TYPE_CHECKING:
    from etl_framework import Analysis, Block, Column, Job, Rows, TableCheck, Validator

NAME = NO_ROWS


@dataclass(frozen=True, slots=True)
class Checks:
    """See :class:`etl_quality.sections.Checks`."""

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:  # noqa: ARG002 - the same for all
        yield AnyRows()

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:  # noqa: ARG002
        yield AnyRowsInTable()


def read(value: object, job: Job) -> Checks:  # noqa: ARG001 - nothing can be set
    """The check; it has no settings."""
    return Checks()


class AnyRows:
    """Counts the good rows of files."""

    name = NAME

    def __init__(self) -> None:
        self._rows = 0

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        self._rows += block.batch.num_rows

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._rows += other._rows

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from _findings(self._rows)


class AnyRowsInTable:
    """Counts the rows of a table."""

    name = NAME

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        counted = rows.query(Statement(f"SELECT count(*) FROM {RELATION}"))  # noqa: S608 - a constant
        yield from _findings(int(counted.rows[0][0]))


def _findings(rows: int) -> Iterator[Finding]:
    if not rows:
        yield Finding(
            rule=NAME,
            severity=Severity.ERROR,
            count=1,
            message="there are no good rows: nothing that could be checked",
            advice="Is it the right file, and was it written to its end? See `etl analyze`.",
            cause=NO_ROWS,
        )
