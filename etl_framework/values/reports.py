"""What is told of a run: its events while it is under way, and its report in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from etl_framework.columns import Column
from etl_framework.totals import Difference, Totals
from etl_framework.values.findings import Finding
from etl_framework.values.jobs import Measures, Mode
from etl_framework.values.sources import Source


class Status(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """How long a step took.

    :param step: ``analyze``, ``validate``, ``load``.
    :param seconds: wall time.
    """

    step: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """The outcome of a run, whole: what reporters and notifiers receive and ``load`` returns.

    :param rows_read: records in the sources; of a run that ended early, those in the parts that were read by then.
    :param rows_staged: records in the staged parts; ``rows_read - rows_quarantined`` when all of them were staged.
    :param rows_quarantined: bad rows that were set aside so that the others could be loaded.
    :param rows_bad: bad rows, whether or not they were set aside.
    :param rows_loaded: what the warehouse says that it loaded.
    :param bytes_read: bytes of the sources that were read and checked; all of them unless the run ended early.
    :param bytes_staged: size of the staged parts.
    :param totals: control totals of the sources.
    :param differences: control totals in which the table differs; empty when reconciled.
    :param counted_only: whether the rows alone were compared, and no column was.
    :param measures: what the checks measured, for the next run to compare with.
    :param steps: wall time of each step, over every attempt of the run.
    :param rejects: reject files written, original bytes and reasons.
    :param problems: what went wrong without failing the run, such as a notifier that raised.
    :param attempts: how often the run was begun: 1, and one more for each resume.
    :param error: why the run failed; empty otherwise.
    :param advice: what to do about it.
    :param resumable: whether ``etl resume`` can carry the run on.
    :param program: how ``etl`` is called for the run's project, quoted for a shell: ``etl -c sub/etl.toml``; a command
        such as ``resume`` comes after it.
    :param replayed: True when an old report is shown again; notifiers ignore it.
    :param folder: the run's own folder below the state folder, for reporters that write files.
    :param console: whether to print the report to standard output; set by the command line.
    """

    run: str
    job: str
    table: str
    target: str
    mode: Mode
    period: str | None
    status: Status
    started: datetime
    finished: datetime
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    parts: int
    rows_read: int
    rows_staged: int
    rows_quarantined: int
    rows_bad: int
    rows_loaded: int
    rows_deleted: int
    bytes_read: int
    bytes_staged: int
    totals: Totals | None
    differences: tuple[Difference, ...]
    counted_only: bool = False
    findings: tuple[Finding, ...]
    steps: tuple[StepTime, ...]
    rejects: tuple[str, ...]
    query_id: str
    folder: Path
    attempts: int = 1
    problems: tuple[str, ...] = ()
    error: str = ""
    advice: str = ""
    resumable: bool = False
    program: str = "etl"
    replayed: bool = False
    console: bool = False
    measures: Measures = field(default_factory=dict)

    @property
    def reconciled(self) -> bool:
        """Whether the table was proven to hold what the sources hold."""
        return self.status is Status.DONE and not self.differences

    @property
    def seconds(self) -> float:
        """Wall time of the run's steps."""
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run, for bars, logs and dashboards.

    :param name: a short constant: ``run_started``, ``step_started``, ``step_finished``, ``part_started``,
        ``part_progress``, ``part_packed``, ``part_staged``, ``survey_changed``, ``earlier_ended`` (whose
        place this one takes), ``load_waits`` (for another load), ``load_proceeds`` (after the wait), ``load_progress``
        (often, while the warehouse works), ``load_again`` (after an attempt that failed), ``run_finished``.
    :param run: id of the run.
    :param step: the step it belongs to.
    :param part: number of the part, or None.
    :param bytes: bytes done: of the part for part events, of everything for step events; None when it does not apply.
    :param total_bytes: of how many.
    :param rows: rows done.
    :param message: a sentence for people, often empty.
    """

    name: str
    run: str
    step: str = ""
    part: int | None = None
    bytes: int | None = None
    total_bytes: int | None = None
    rows: int | None = None
    message: str = ""
