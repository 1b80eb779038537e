"""The first step: what the sources are, how they are cut, and whether they are still as the run knows them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from etl_framework.logs import get_logger
from etl_framework.sources import look_again
from etl_framework.survey import adopt, plan_parts, survey_sources
from etl_framework.verdict import pass_gate

if TYPE_CHECKING:
    from etl_framework.pipeline.attempt import Attempt
    from etl_framework.protocols import Warehouse
    from etl_framework.survey import Survey

log = get_logger()


def analyze(attempt: Attempt, warehouse: Warehouse, workers: int) -> Survey:
    """Find out what the sources are, and cut them into parts.

    :param workers: how many parts are read at a time.
    :raises Refused: what was found forbids the load.
    """
    with attempt.step("analyze"):
        survey = survey_sources(attempt.job, attempt.plan.sources, attempt.plugins)
        if (table := warehouse.describe(attempt.job.table)) is not None:
            survey = survey.with_columns(adopt(survey.columns, table))
        pass_gate(survey.findings)
        return attempt.replan(plan_parts(survey, attempt.job, workers))


def insist_on_sources(attempt: Attempt, survey: Survey) -> Survey:
    """Insist on the sources that the run began with; forget what was read of those that were touched meanwhile.

    :raises SourceChanged: a source is not what it was.
    """
    sources = tuple(map(look_again, attempt.plan.sources))
    touched = {index for index, source in enumerate(sources) if source != attempt.plan.sources[index]}
    if touched:
        survey = survey.with_sources(sources, touched)
        attempt.plan = dataclasses.replace(attempt.plan, sources=sources, survey=survey)
        again = [part.number for part in survey.parts if part.source in touched]
        attempt.journal.look_again(attempt.id, attempt.plan, again)
        log.info("sources_read_again", run=attempt.id, sources=[sources[index].path for index in sorted(touched)])
    return survey
