"""The course of a run: the steps in their order, and an end whatever happens."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from etl_framework.errors import EtlError, Interrupted, RunFailed
from etl_framework.logs import get_logger
from etl_framework.pipeline.analyzing import analyze, insist_on_sources
from etl_framework.pipeline.ending import end_at_once, end_badly, end_well, interrupted
from etl_framework.pipeline.loading import confirm, load, refuse_if_loaded
from etl_framework.pipeline.parts import stage_parts, weigh
from etl_framework.pipeline.plan import codec_for
from etl_framework.superseding import receipt_of
from etl_framework.verdict import pass_gate

if TYPE_CHECKING:
    from etl_framework.pipeline.attempt import Attempt
    from etl_framework.protocols import Executor, Warehouse
    from etl_framework.values import RunReport

log = get_logger()


def carry_out(attempt: Attempt) -> RunReport:
    """Bring a run to its end.

    :raises EtlError: it did not succeed; its ``report`` tells how far it came.
    """
    try:
        return _carry_out(attempt)
    except KeyboardInterrupt:
        # While the run was ending already.
        if not attempt.journal.record(attempt.id).resumable:
            raise
        raise end_at_once(attempt) from None


def _carry_out(attempt: Attempt) -> RunReport:
    job = attempt.job
    attempt.observers.happened("run_started")
    log.info("run_started", run=attempt.id, job=job.name, table=str(job.table), target=job.target)
    try:
        with attempt.connected() as warehouse, closing(attempt.plugins.executor(job.executor)) as executor:
            _steps(attempt, warehouse, executor)
    except KeyboardInterrupt:
        raise end_badly(attempt, interrupted(attempt)) from None
    except Interrupted as error:
        raise end_badly(attempt, error) from None
    except EtlError as error:
        raise end_badly(attempt, error) from error.__cause__
    except Exception as error:
        # Whatever broke, the run must not look as if it went on.
        failure = RunFailed(f"unexpected {type(error).__name__}: {error}", advice="Please report this defect.")
        raise end_badly(attempt, failure) from error
    return end_well(attempt)


def _steps(attempt: Attempt, warehouse: Warehouse, executor: Executor) -> None:
    codec = codec_for(attempt.job, warehouse, attempt.plugins)
    survey = attempt.plan.survey or analyze(attempt, warehouse, executor.workers)
    run = attempt.run(survey, codec, warehouse)
    if attempt.resumed and (done := receipt_of(run, attempt.journal, warehouse)) is not None:
        # Killed between the commit and what comes after it.
        weigh(attempt, survey, attempt.journal.outcomes(attempt.id))
        confirm(attempt, attempt.run(survey, codec, warehouse), done, warehouse)
        return
    survey = insist_on_sources(attempt, survey)
    pass_gate(survey.findings)
    refuse_if_loaded(attempt, warehouse)
    survey, staged = stage_parts(attempt, survey, codec, warehouse, executor)
    run = attempt.run(survey, codec, warehouse)
    receipt = load(attempt, run, staged, warehouse)
    confirm(attempt, run, receipt, warehouse)
