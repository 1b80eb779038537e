"""Staging areas: what runs left behind in them, which of it may go, and removing it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from etl_framework.columns import TableName
from etl_framework.errors import EtlError, ExitCode
from etl_framework.logs import get_logger
from etl_framework.protocols import StagingArea
from etl_framework.values import Leftover, Status

if TYPE_CHECKING:
    from etl_framework.journal import RunRecord
    from etl_framework.plugins import Plugins
    from etl_framework.state import State
    from etl_framework.targets import Target
    from etl_framework.values import Job

log = get_logger()

LEAST_AGE = timedelta(days=7)
"""What is younger may belong to a run that another state folder knows to be under way."""


class Known(StrEnum):
    """What the journal of this state folder says of the run that left something behind."""

    RUNNING = "running"
    RESUMABLE = "resumable"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRun:
    """What one run left behind.

    :param leftover: what it is.
    :param known: what the journal of this state folder says of the run.
    :param age: since it was last written to, in seconds; None when the warehouse does not tell.
    """

    leftover: Leftover
    known: Known
    age: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """The staging area of a target.

    :param name: of the target; empty where only its URL was named.
    :param url: of its warehouse.
    :param runs: what each run left behind, the oldest first.
    :param note: where its staged parts lie instead, when it has no staging area of its own.
    :param error: why it could not be looked at.
    :param advice: what to do about that.
    :param exit_code: of that error.
    """

    name: str
    url: str
    runs: tuple[StagedRun, ...] = ()
    note: str = ""
    error: str = ""
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What became of something that was to be removed.

    :param url: of the target.
    :param error: why it could not be removed.
    :param advice: what to do about that.
    :param exit_code: of that error.
    """

    url: str
    leftover: Leftover
    removed: bool
    error: str = ""
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE


def look(target: Target, jobs: Iterable[Job], records: Sequence[RunRecord], plugins: Plugins) -> Staging:
    """What runs left behind in a target's staging area; what is wrong is found, not raised.

    :param jobs: those that load into the target: their tables tell where to look.
    :param records: every run of this state folder; those into the target tell where to look, too.
    """
    theirs = [record for record in records if record.target == target.url]
    tables = dict.fromkeys([job.table for job in jobs] + [TableName.parse(record.table) for record in theirs])
    try:
        with closing(plugins.connect(target.url)) as warehouse:
            if not isinstance(warehouse, StagingArea):
                return Staging(
                    name=target.name,
                    url=target.url,
                    note="staged parts lie in the folders of their runs: `etl runs prune` removes them",
                )
            found = warehouse.leftovers(tuple(tables))
    except EtlError as error:
        return Staging(
            name=target.name, url=target.url, error=error.message, advice=error.advice, exit_code=error.exit_code
        )
    # Another URL may have led the run to the same warehouse.
    known = {record.run: record for record in records}
    runs = [_staged(leftover, known) for leftover in found]
    runs.sort(key=lambda run: (-(run.age or 0), run.leftover.run))
    return Staging(name=target.name, url=target.url, runs=tuple(runs))


def _staged(leftover: Leftover, records: Mapping[str, RunRecord]) -> StagedRun:
    written = leftover.written
    age = None if written is None else max((datetime.now(UTC) - written).total_seconds(), 0.0)
    return StagedRun(leftover=leftover, known=_known(records.get(leftover.run)), age=age)


def _known(record: RunRecord | None) -> Known:
    if record is None:
        return Known.UNKNOWN
    if record.status is Status.RUNNING:
        return Known.RUNNING
    return Known.RESUMABLE if record.resumable else Known.ENDED


def removable(staging: Staging, *, older_than: timedelta = LEAST_AGE, resumable: bool = False) -> Staging:
    """What of a staging area may be removed.

    :param older_than: least time since it was last written to.
    :param resumable: also what runs that could be resumed left there: they upload it again.
    """
    going = {Known.ENDED, Known.UNKNOWN} | ({Known.RESUMABLE} if resumable else set())
    least = older_than.total_seconds()
    runs = (run for run in staging.runs if run.known in going and run.age is not None and run.age >= least)
    return dataclasses.replace(staging, runs=tuple(runs))


def clean(
    staging: Staging, read_runs: Callable[[], tuple[RunRecord, ...]], state: State, plugins: Plugins
) -> Iterator[Removal]:
    """Remove what is in a staging area, as far as its runs are not under way by now.

    :param read_runs: asked for the runs of this state folder as they are now.
    """
    if not staging.runs:
        return
    records = {record.run: record for record in read_runs()}
    with closing(plugins.connect(staging.url)) as warehouse:
        if isinstance(warehouse, StagingArea):
            for run in staging.runs:
                yield _removed(staging.url, run.leftover, records.get(run.leftover.run), warehouse, state)


def _removed(url: str, leftover: Leftover, record: RunRecord | None, warehouse: StagingArea, state: State) -> Removal:
    # Whoever resumes the run meanwhile waits, or finds its staged parts gone and uploads them again.
    alone = nullcontext() if record is None else state.lock(record.job, record.target)
    try:
        with alone:
            warehouse.remove_leftover(leftover)
    except EtlError as error:
        log.warning("leftover_not_removed", run=leftover.run, error=error.message)
        return Removal(
            url=url,
            leftover=leftover,
            removed=False,
            error=error.message,
            advice=error.advice,
            exit_code=error.exit_code,
        )
    log.info("leftover_removed", run=leftover.run, place=leftover.place, files=leftover.files, bytes=leftover.bytes)
    return Removal(url=url, leftover=leftover, removed=True)
