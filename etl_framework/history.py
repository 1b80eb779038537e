"""The history of runs: what earlier ones measured, for checks that compare, and what this one hands on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from etl_framework.values import Mode, Previous, Status

if TYPE_CHECKING:
    from etl_framework.journal import Journal
    from etl_framework.values import Job, Measures

_MOST_LOOKED_AT = 50
"""Runs of a job without any figures, after which there are none further back either."""


def previous(job: Job, journal: Journal, *, period: str | None = None) -> Previous | None:
    """The last run of the same job into the same table that ended well and measured anything.

    :param period: only of runs of this period.
    """
    for text in _reports(job, journal):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            # Only what is needed is read, so that a report of another version serves, too.
            report: dict[str, Any] = json.loads(text)
            if report["measures"] and (period is None or report["period"] == period):
                finished = datetime.fromisoformat(report["finished"])
                return Previous(run=report["run"], finished=finished, measures=report["measures"])
    return None


def previous_of_table(job: Job, journal: Journal) -> Previous | None:
    """What a table is to be compared with: the load that its rows came from, where they are those of one load.

    A table that holds several loads, and no period tells them apart, is to be compared with none of them.
    """
    if job.period is not None:
        return previous(job, journal, period=str(job.period))
    return previous(job, journal) if job.mode is Mode.REPLACE else None


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
