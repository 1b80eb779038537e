"""Building the report of a run from what its steps gave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.errors import Refused
from etl_framework.totals import compare
from etl_framework.values import RunReport, Status, StepTime
from etl_framework.verdict import gravest_first

if TYPE_CHECKING:
    from etl_framework.errors import EtlError
    from etl_framework.journal import RunRecord
    from etl_framework.pipeline import Plan
    from etl_framework.reading import PartOutcome
    from etl_framework.survey import Survey
    from etl_framework.values import Finding, Measures, PackedPart, Part, Receipt
    from etl_framework.verdict import Verdict


def build_report(
    record: RunRecord,
    *,
    plan: Plan,
    status: Status,
    verdict: Verdict | None,
    receipt: Receipt | None,
    outcomes: Collection[PartOutcome],
    finished: Sequence[Part],
    staged: Sequence[PackedPart],
    steps: Sequence[tuple[str, float]],
    rejects: tuple[str, ...],
    measures: Measures,
    folder: Path,
    error: EtlError | None,
    program: str,
    console: bool,
) -> RunReport:
    """Put everything that is known of a run into one value; what it did not come to is zero or empty.

    :param outcomes: of the parts that were read to their end, which count where there is no verdict on all of them.
    :param finished: those parts.
    :param staged: what lies in the staging area.
    :param measures: of the checks, on both sides.
    :param program: how ``etl`` is called for the project.
    """
    job, survey = plan.job, plan.survey
    totals = verdict.totals if verdict else None
    rows = verdict.rows if verdict else sum(outcome.rows for outcome in outcomes)
    bad = verdict.bad if verdict else sum(outcome.bad_rows.rows for outcome in outcomes)
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
        sources=plan.sources,
        columns=survey.columns if survey else job.columns,
        parts=len(survey.parts) if survey else 0,
        rows_read=rows + bad,
        rows_staged=sum(piece.rows for piece in staged),
        rows_quarantined=verdict.bad if verdict and status is Status.DONE else 0,
        rows_bad=bad,
        rows_loaded=receipt.rows if receipt else 0,
        rows_deleted=receipt.deleted if receipt else 0,
        bytes_read=sum(part.size for part in finished),
        bytes_staged=sum(piece.size for piece in staged),
        totals=totals,
        differences=compare(totals, receipt.totals) if totals and receipt else (),
        counted_only=receipt is not None and receipt.totals.counted_only,
        findings=_all_findings(_found(verdict, survey), receipt.findings if receipt else _found_by(error)),
        steps=tuple(StepTime(step=step, seconds=seconds) for step, seconds in steps),
        rejects=rejects,
        query_id=receipt.query_id if receipt else "",
        folder=folder,
        attempts=record.attempts,
        error=error.message if error else "",
        advice=error.advice if error else "",
        resumable=record.resumable and status is not Status.DONE,
        program=program,
        console=console,
        measures=measures,
    )


def _all_findings(in_sources: tuple[Finding, ...], later: tuple[Finding, ...]) -> tuple[Finding, ...]:
    # What the gate refused for, it had from the verdict on the sources.
    return gravest_first((*in_sources, *(finding for finding in later if finding not in in_sources)))


def _found(verdict: Verdict | None, survey: Survey | None) -> tuple[Finding, ...]:
    if verdict is not None:
        return verdict.findings
    return survey.findings if survey is not None else ()


def _found_by(error: EtlError | None) -> tuple[Finding, ...]:
    """What the gate had found before there was a survey, or in the warehouse."""
    return error.findings if isinstance(error, Refused) else ()
