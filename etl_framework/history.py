"""The history of runs: what earlier ones measured, for checks that compare, and what this one hands on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from etl_framework.values import Mode, Previous, Status

if TYPE_CHECKING:
    from etl_framework.journal import Journal
    from etl_framework.values import Job, Measures

_MOST_LOOKED_AT = 50
"""Good runs of a job, of which the newest are looked at; what none of them measured is as good as never measured."""


def previous(job: Job, journal: Journal, *, period: str | None = None) -> Mapping[str, Previous]:
    """By the name of a check, the last good run of the same job into the same table in which it measured anything.

    :param period: only of runs of this period.
    """
    found: dict[str, Previous] = {}
    for text in _reports(job, journal):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            # Only what is needed is read, so that a report of another version serves, too.
            report: dict[str, Any] = json.loads(text)
            if period is None or report["period"] == period:
                found = _by_check(report["run"], datetime.fromisoformat(report["finished"]), report["measures"]) | found
    return found


def previous_of_table(job: Job, journal: Journal) -> Mapping[str, Previous]:
    """What a table is to be compared with: the last load in which a check measured, where a table holds one load.

    A table that holds several loads, and no period tells them apart, is to be compared with none of them.
    """
    if job.period is not None:
        return previous(job, journal, period=str(job.period))
    return previous(job, journal) if job.mode is Mode.REPLACE else {}


def as_it_began(job: Job) -> Job:
    """The job of a run that is resumed, with what it was to be compared with when it began.

    An earlier version, which may have begun it, knew one run for all checks, or none.
    """
    began: Any = job.previous
    if isinstance(began, Mapping):
        return job
    return replace(job, previous={} if began is None else _by_check(began.run, began.finished, began.measures))


def _by_check(run: str, finished: datetime, measures: Measures) -> dict[str, Previous]:
    return {
        name: Previous(run=run, finished=finished, measures=dict(figures))
        for name, figures in measures.items()
        if figures
    }


def _reports(job: Job, journal: Journal) -> Iterable[str]:
    wanted = (job.name, job.target, str(job.table))
    good = [
        record.run
        for record in journal.runs()
        if record.status is Status.DONE and (record.job, record.target, record.table) == wanted
    ]
    for run in good[:_MOST_LOOKED_AT]:
        if text := journal.report(run):
            yield text


def all_measures(of_sources: Measures, of_table: Mapping[str, Any]) -> Measures:
    """What a run measured on both sides; what the sources tell goes before what the warehouse tells of the same."""
    names = dict.fromkeys((*of_sources, *of_table))
    return {name: {**of_table.get(name, {}), **of_sources.get(name, {})} for name in names}
