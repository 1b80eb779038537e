"""One pass over sources that are not loaded: what checking them and profiling them have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

from etl_framework.survey import plan_parts, settle
from etl_framework.values import Severity

if TYPE_CHECKING:
    from etl_framework.observing import Observers
    from etl_framework.protocols import Executor
    from etl_framework.survey import Survey
    from etl_framework.values import Job

T = TypeVar("T")


def pass_over(
    survey: Survey, job: Job, step: str, attempt: Callable[[Survey], T], executor: Executor, observers: Observers
) -> tuple[Survey, T | None]:
    """Read all parts of the sources, unless an error among the survey's findings forbids it.

    :param step: its name, for events.
    :param attempt: reads all parts of a survey.
    :param executor: closed in the end.
    :returns: the survey that held, and what its attempt gave; None where nothing was read.
    """

    def changed(_: Survey, message: str) -> None:
        observers.happened("survey_changed", step=step, message=message)

    with ExitStack() as stack:
        stack.callback(observers.happened, "run_finished")
        stack.callback(executor.close)
        if any(finding.severity is Severity.ERROR for finding in survey.findings):
            return survey, None
        observers.happened("step_started", step=step, total_bytes=survey.size)
        try:
            return settle(plan_parts(survey, job, executor.workers), job, executor.workers, attempt, changed)
        finally:
            observers.happened("step_finished", step=step, total_bytes=survey.size)
