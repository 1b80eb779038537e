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
    look: Callable[[], Survey],
    job: Job,
    step: str,
    attempt: Callable[[Survey], T],
    executor: Executor,
    observers: Observers,
) -> tuple[Survey, T | None]:
    """Read all parts of the sources, unless an error among the findings about them forbids it.

    :param look: makes the survey of the sources.
    :param step: its name, for events.
    :param attempt: reads all parts of a survey.
    :param executor: closed in the end, whatever happens.
    :returns: the survey that held, and what its attempt gave; None where nothing was read.
    """

    def changed(_: Survey, message: str) -> None:
        observers.happened("survey_changed", step=step, message=message)

    with ExitStack() as stack:
        stack.callback(observers.happened, "run_finished")
        stack.callback(executor.close)
        survey = look()
        if any(finding.severity is Severity.ERROR for finding in survey.findings):
            return survey, None
        observers.happened("step_started", step=step, total_bytes=survey.size)
        try:
            return settle(plan_parts(survey, job, executor.workers), job, executor.workers, attempt, changed)
        finally:
            observers.happened("step_finished", step=step, total_bytes=survey.size)
