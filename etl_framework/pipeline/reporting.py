"""The report of a run, from what its steps left, and telling everybody of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from etl_framework.auditing import audited
from etl_framework.errors import Refused, RunFailed, UnreadableRun
from etl_framework.history import all_measures
from etl_framework.jsonable import dumps
from etl_framework.logs import get_logger
from etl_framework.totals import compare
from etl_framework.values import RunReport, Severity, Status, StepTime
from etl_framework.verdict import gravest_first

if TYPE_CHECKING:
    from etl_framework.errors import EtlError
    from etl_framework.pipeline.attempt import Attempt
    from etl_framework.reading import PartOutcome
    from etl_framework.survey import Survey
    from etl_framework.values import Finding, Measures, PackedPart, Part, Receipt
    from etl_framework.verdict import Verdict

T = TypeVar("T")

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """How far a run came, part of which is forgotten where it ends for good.

    :param outcomes: what was learned of the parts that were read, where there is no verdict on all of them.
    :param finished: those parts.
    :param staged: what lies in the staging area.
    :param receipt: of the load, where it was committed.
    :param measures: of the checks in the warehouse.
    """

    outcomes: Collection[PartOutcome]
    finished: tuple[Part, ...]
    staged: tuple[PackedPart, ...]
    receipt: Receipt | None
    measures: Measures

    @classmethod
    def of(cls, attempt: Attempt) -> SoFar:
        """Ask the journal, and the run's folder; what another version wrote down is not known."""
        journal, run = attempt.journal, attempt.id
        pieces = if_readable(lambda: journal.pieces(run)) or ()
        measures: Measures = {}
        with suppress(RunFailed):  # that it cannot be read may be why the run ends
            measures = audited(attempt.folder).measures
        return cls(
            outcomes=() if attempt.verdict else (if_readable(lambda: journal.outcomes(run)) or {}).values(),
            finished=if_readable(lambda: journal.finished(run)) or (),
            staged=tuple(piece for piece, state in pieces if state == "staged"),
            receipt=attempt.receipt or if_readable(lambda: journal.receipt(run)),
            measures=measures,
        )


def if_readable(ask: Callable[[], T]) -> T | None:
    """What the journal says; None where another version wrote it down."""
    with suppress(UnreadableRun):  # which may be why the run ends
        return ask()
    return None


def report(attempt: Attempt, status: Status, so_far: SoFar, *, error: EtlError | None = None) -> RunReport:
    """Tell every reporter how the run ended, and write it down with what went wrong in telling them."""
    told = put_together(attempt, status, so_far, error)
    problems = attempt.plugins.report(told)
    told = write_down(attempt, told, *problems)
    attempt.observers.happened("run_finished", message=str(status))
    log.info("run_finished", run=attempt.id, status=status, rows=told.rows_loaded)
    for problem in told.problems:
        log.warning("report_problem", run=attempt.id, problem=problem)
    return told


def write_down(attempt: Attempt, told: RunReport, *problems: str) -> RunReport:
    """Keep the report in the journal, with what went wrong beside the run."""
    told = dataclasses.replace(told, problems=(*attempt.problems, *problems, *attempt.plugins.problems))
    attempt.journal.set_report(attempt.id, dumps("run_report", told))
    attempt.report = told
    return told


def put_together(attempt: Attempt, status: Status, so_far: SoFar, error: EtlError | None) -> RunReport:
    """Everything that is known of a run as one value; what it did not come to is zero or empty."""
    job, survey, verdict = attempt.job, attempt.plan.survey, attempt.verdict
    receipt = so_far.receipt
    record = attempt.journal.record(attempt.id)
    totals = verdict.totals if verdict else None
    rows = verdict.rows if verdict else sum(outcome.rows for outcome in so_far.outcomes)
    bad = verdict.bad if verdict else sum(outcome.bad_rows.rows for outcome in so_far.outcomes)
    return RunReport(
        run=record.run,
        job=job.name,
        table=str(job.table),
        target=job.target,
        mode=job.mode,
        period=str(job.period) if job.period else None,
        status=status,
        started=record.started,
        finished=datetime.now(UTC),
        sources=attempt.plan.sources,
        columns=survey.columns if survey else job.columns,
        parts=len(survey.parts) if survey else 0,
        rows_read=rows + bad,
        rows_staged=sum(piece.rows for piece in so_far.staged),
        rows_quarantined=verdict.bad if verdict and status is Status.DONE else 0,
        rows_bad=bad,
        rows_loaded=receipt.rows if receipt else 0,
        rows_deleted=receipt.deleted if receipt else 0,
        bytes_read=sum(part.size for part in so_far.finished),
        bytes_staged=sum(piece.size for piece in so_far.staged),
        totals=totals,
        differences=compare(totals, receipt.totals) if totals and receipt else (),
        counted_only=receipt is not None and receipt.totals.counted_only,
        findings=_all_findings(_found(verdict, survey), receipt.findings if receipt else _found_by(error)),
        steps=tuple(StepTime(step=step, seconds=seconds) for step, seconds in attempt.steps),
        rejects=attempt.rejects,
        query_id=receipt.query_id if receipt else "",
        folder=attempt.folder,
        attempts=record.attempts,
        error=error.message if error else "",
        advice=error.advice if error else "",
        resumable=record.resumable and status is not Status.DONE,
        program=attempt.program,
        console=attempt.console,
        measures=all_measures(verdict.measures if verdict else {}, so_far.measures),
    )


def _all_findings(in_sources: tuple[Finding, ...], later: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What was found on both sides, each thing once; what both found is told with its places in the sources."""
    if any(finding.severity is Severity.ERROR for finding in in_sources):
        # What the gate refused for, it had from the verdict on the sources.
        return gravest_first((*in_sources, *(finding for finding in later if finding not in in_sources)))
    told, left = [], list(later)
    for one in in_sources:
        same = next((other for other in left if _alike(other) == _alike(one)), None)
        if same is not None:
            left.remove(same)
        told.append(_on_both_sides(one, same) if same else one)
    return gravest_first((*told, *left))


def _alike(finding: Finding) -> tuple[object, ...]:
    """What is equal where both sides found the same: only the places differ."""
    return finding.rule, finding.severity, finding.count, finding.message, finding.also


def _on_both_sides(finding: Finding, same: Finding) -> Finding:
    return dataclasses.replace(
        finding,
        message=f"{finding.message} (in the sources and in the warehouse)",
        samples=finding.samples or same.samples,
    )


def _found(verdict: Verdict | None, survey: Survey | None) -> tuple[Finding, ...]:
    if verdict is not None:
        return verdict.findings
    return survey.findings if survey is not None else ()


def _found_by(error: EtlError | None) -> tuple[Finding, ...]:
    """What the gate had found before there was a survey, or in the warehouse."""
    return error.findings if isinstance(error, Refused) else ()
