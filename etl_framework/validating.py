"""Checking sources without loading them."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from etl_framework.asking import ask_first
from etl_framework.observing import Observers
from etl_framework.one_pass import pass_over
from etl_framework.reading import PartReader
from etl_framework.state import new_run_id
from etl_framework.survey import Survey, survey_sources
from etl_framework.values import Check, Severity
from etl_framework.verdict import Verdict, judge

if TYPE_CHECKING:
    from etl_framework.columns import Column
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Emit
    from etl_framework.totals import Totals
    from etl_framework.values import Finding, Job, Measures, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What checking sources gave.

    :param sources: the files.
    :param columns: with their final types.
    :param rows: good records.
    :param bad_rows: the others.
    :param totals: control totals of the good records.
    :param checks: names of the rules that were made, beside those of the structure.
    :param findings: the gravest first.
    :param bytes: size of the sources.
    :param seconds: wall time.
    :param measures: what the checks measured.
    """

    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    rows: int
    bad_rows: int
    totals: Totals | None
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    bytes: int
    seconds: float
    measures: Measures = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing forbids a load."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def validate_sources(
    job: Job,
    sources: tuple[Source, ...],
    plugins: Plugins,
    observers: tuple[Emit, ...] = (),
    *,
    columns: Collection[str] | None = None,
) -> Validation:
    """Read and check everything, pack and load nothing.

    What a load would check in the warehouse is checked here, too: there is nothing but the files.

    :param columns: names of those to read as what they are; of the others only the structure is checked. None for all.
    :raises UsageError: a source has no such column.
    :raises EtlError: a source cannot be read, or a plugin is broken.
    """
    if job.check is Check.WAREHOUSE:
        # What can be asked of a warehouse alone is still asked there, once the files are loaded.
        job = replace(job, check=Check.BOTH)
    began = time.perf_counter()
    run = new_run_id()
    executor = plugins.executor(job.executor)
    told = Observers(run, observers, plugins)

    def look() -> Survey:
        survey = survey_sources(job, sources, plugins)
        return survey if columns is None else survey.only(columns)

    with TemporaryDirectory(prefix="etl-validate-") as spilled:

        def attempt(survey: Survey) -> Verdict:
            reader = _reader(run, job, survey, plugins, Path(spilled))
            outcomes = {outcome.part: outcome for outcome in executor.run(reader, survey.parts, told.tell)}
            return judge(job, survey, outcomes, plugins)

        survey, verdict = pass_over(look, job, "validate", attempt, executor, told)
    return Validation(
        sources=sources,
        columns=survey.columns,
        rows=verdict.rows if verdict else 0,
        bad_rows=verdict.bad if verdict else 0,
        totals=verdict.totals if verdict else None,
        checks=verdict.checks if verdict else (),
        findings=verdict.findings if verdict else survey.findings,
        bytes=survey.size,
        seconds=time.perf_counter() - began,
        measures=verdict.measures if verdict else {},
    )


def _reader(run: str, job: Job, survey: Survey, plugins: Plugins, spilled: Path) -> PartReader:
    """What checks the parts of a survey, once the warehouse told the checks what they have to know."""
    with ExitStack() as connected:
        answers = ask_first(job, survey, plugins, lambda: connected.enter_context(closing(plugins.connect(job.target))))
    return PartReader(
        run=run,
        job=job,
        survey=survey,
        packing=None,
        rejects=None,
        spilled=spilled,
        plugins=plugins,
        answers=answers,
    )
