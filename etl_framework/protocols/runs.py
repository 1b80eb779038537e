"""A run, as plugins see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.values import PeriodFilter

if TYPE_CHECKING:
    from etl_framework.columns import Column
    from etl_framework.protocols.codecs import Codec
    from etl_framework.protocols.executors import Emit
    from etl_framework.rows import Rows
    from etl_framework.totals import Totals
    from etl_framework.values import Finding, Job, Part, Sample, Source, TextLayout


def _nowhere(part: int, row: int) -> None:  # noqa: ARG001 - stands in for what finds rows
    return None


def _unaudited(rows: Rows) -> tuple[Finding, ...]:  # noqa: ARG001 - stands in for the checks of a run
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job, as plugins see it.

    :param id: sortable, unique.
    :param job: what to load.
    :param sources: the files.
    :param columns: in the order of the table's load, final when loading.
    :param folder: the run's own folder for files that must survive a crash.
    :param codec: the codec of the staged parts.
    :param emit: reports progress; cheap.
    :param totals: control totals of the sources; None before they are known.
    :param layouts: of each source, how the bytes of its staged parts are to be read; None where they are no text.
    :param parts: of all sources, in the order of the data.
    :param locate: where the good row of a part lies, given the part's number and the row's index within it, from 0;
        reads the part anew. For messages of a warehouse that found fault with a row.
    :param audit: makes the job's checks of the rows that are about to be published, raises
        :class:`~etl_framework.errors.Refused` when they must not be, and else gives the findings for the receipt.
        To be called before the load's transaction commits; it asks queries only.
    """

    id: str
    job: Job
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    folder: Path
    codec: Codec
    emit: Emit
    totals: Totals | None = None
    layouts: tuple[TextLayout | None, ...] = ()
    parts: tuple[Part, ...] = ()
    locate: Callable[[int, int], Sample | None] = field(default=_nowhere, compare=False)
    audit: Callable[[Rows], tuple[Finding, ...]] = field(default=_unaudited, compare=False)

    def layout(self, part: int) -> TextLayout | None:
        """How the bytes of a staged part are to be read."""
        return self.layouts[self.parts[part].source]

    @property
    def period_filter(self) -> PeriodFilter | None:
        """The rows that the run's period covers, when the job has both a period and a date column."""
        if self.job.period is None or self.job.date_column is None:
            return None
        return PeriodFilter(column=self.job.date_column, first=self.job.period.first, last=self.job.period.last)
