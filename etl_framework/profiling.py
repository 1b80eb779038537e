"""Profiling sources: reading everything once to say what is in it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework.observing import Observers
from etl_framework.one_pass import pass_over
from etl_framework.profiles import sound_profile
from etl_framework.reading import blocks_of
from etl_framework.sources import check_unchanged
from etl_framework.state import new_run_id
from etl_framework.survey import Survey, survey_sources
from etl_framework.values import Event

if TYPE_CHECKING:
    from etl_framework.columns import Column
    from etl_framework.plugins import Plugins
    from etl_framework.profiles import Profile
    from etl_framework.protocols import Emit, Profiler
    from etl_framework.values import Finding, Job, Part, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiling:
    """What profiling sources gave.

    :param sources: the files.
    :param columns: with their final types.
    :param profile: None when an error among the findings kept the data from being read.
    :param findings: about the sources as such.
    :param bytes: size of the sources.
    :param seconds: wall time.
    """

    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    profile: Profile | None
    findings: tuple[Finding, ...]
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PartProfiler:
    """Profiles parts, in this process or, pickled, in another.

    :param run: id, for events.
    :param job: what is looked at.
    :param survey: what is known of the sources.
    :param plugins: pickled, they load again where they arrive.
    """

    run: str
    job: Job
    survey: Survey
    plugins: Plugins

    def __call__(self, part: Part, emit: Emit) -> Profiler:
        """Profile one part.

        :raises MisplacedCut: with the index of the source whose cuts must be made exactly.
        :raises TypesWidened: the profile must begin anew with other types.
        :raises SourceChanged: the source is not what it was.
        """
        analysis = self.survey.analyses[part.source]
        check_unchanged(analysis.source)
        profiler = self.plugins.profiler(self.job, analysis)
        rows = consumed = 0
        emit(self._event("part_started", part, 0, 0))
        for block in blocks_of(part, self.survey, self.job, self.plugins):
            with self.plugins.blaming(profiler, "etl_profile"):
                profiler.update(block)
            rows += block.batch.num_rows + len(block.bad_rows)
            consumed += block.consumed
            emit(self._event("part_progress", part, consumed, rows))
        check_unchanged(analysis.source)
        emit(self._event("part_packed", part, part.size, rows))
        return profiler

    def _event(self, name: str, part: Part, done: int, rows: int) -> Event:
        return Event(
            name=name, run=self.run, step="profile", part=part.number, bytes=done, total_bytes=part.size, rows=rows
        )


def profile_sources(
    job: Job, sources: tuple[Source, ...], plugins: Plugins, observers: tuple[Emit, ...] = ()
) -> Profiling:
    """Read everything and say what is in it; bad rows are counted, and forbid nothing.

    :raises NoPluginError: nobody makes profiles.
    :raises EtlError: a source cannot be read, or a plugin is broken.
    """
    began = time.perf_counter()
    run = new_run_id()
    executor = plugins.executor(job.executor)
    told = Observers(run, observers, plugins)

    def attempt(survey: Survey) -> Profile:
        reader = PartProfiler(run=run, job=job, survey=survey, plugins=plugins)
        # Without parts, the profile is that of no rows.
        whole = plugins.profiler(job, survey.analyses[0])
        for profiler in executor.run(reader, survey.parts, told.tell):
            with plugins.blaming(whole, "etl_profile"):
                whole.merge(profiler)
        with plugins.blaming(whole, "etl_profile"):
            return sound_profile(whole.finish())

    def look() -> Survey:
        return survey_sources(job, sources, plugins)

    survey, profile = pass_over(look, job, "profile", attempt, executor, told)
    return Profiling(
        sources=sources,
        columns=survey.columns,
        profile=profile,
        findings=survey.findings,
        bytes=survey.size,
        seconds=time.perf_counter() - began,
    )
