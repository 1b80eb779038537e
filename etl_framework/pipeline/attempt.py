"""An attempt at a run: what its steps share, and what they leave for the report."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl_framework.auditing import audit, refuse_without_sql
from etl_framework.journal import STAGED_PARTS_LEFT
from etl_framework.locating import locate
from etl_framework.logs import get_logger
from etl_framework.observing import Observers
from etl_framework.protocols import Run
from etl_framework.rewriting import staged_layouts

if TYPE_CHECKING:
    from etl_framework.errors import EtlError
    from etl_framework.journal import Journal
    from etl_framework.pipeline.plan import Plan
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Codec, Emit, Warehouse
    from etl_framework.state import State
    from etl_framework.survey import Survey
    from etl_framework.values import Job, Receipt, RunReport, Sample
    from etl_framework.verdict import Verdict

log = get_logger()


class Attempt:
    """One attempt at a run: the first, or one after a crash. What the journal is certain of is not done again.

    :ivar id: of the run.
    :ivar plan: what the run needs to begin anew, by now.
    :ivar resumed: whether an earlier attempt may have done some of it.
    :ivar folder: the run's own.
    :ivar steps: name and seconds of those that ended, in earlier attempts, too.
    :ivar verdict: what all parts together say; None before all were read.
    :ivar receipt: of the load; None before this attempt wrote it down.
    :ivar report: that was written down last by this attempt.
    :ivar rejects: paths of the files of bad rows.
    :ivar problems: what went wrong without failing the run, a sentence each.
    """

    def __init__(
        self,
        run: str,
        plan: Plan,
        plugins: Plugins,
        state: State,
        journal: Journal,
        observers: Iterable[Emit],
        *,
        console: bool,
        resumed: bool,
    ) -> None:
        self.id = run
        self.plan = plan
        self.resumed = resumed
        self.plugins = plugins
        self.journal = journal
        self.observers = Observers(run, observers, plugins)
        self.console = console
        self.folder = state.run_folder(run)
        self.program = state.program
        self.steps: list[tuple[str, float]] = [tuple(step) for step in json.loads(journal.steps(run))]
        self.verdict: Verdict | None = None
        self.receipt: Receipt | None = None
        self.report: RunReport | None = None
        self.rejects: tuple[str, ...] = ()
        self.problems: list[str] = []

    @property
    def job(self) -> Job:
        """What is loaded."""
        return self.plan.job

    def replan(self, survey: Survey) -> Survey:
        """Write down what is known of the sources by now, and forget what was read of their parts."""
        self.plan = dataclasses.replace(self.plan, survey=survey)
        self.journal.replan(self.id, self.plan, survey.parts)
        return survey

    def run(self, survey: Survey, codec: Codec, warehouse: Warehouse) -> Run:
        """The run as plugins see it, with all that is known by now."""
        return Run(
            id=self.id,
            job=self.job,
            sources=self.plan.sources,
            columns=survey.columns,
            folder=self.folder,
            codec=codec,
            emit=self.observers.tell,
            totals=self.verdict.totals if self.verdict else None,
            layouts=staged_layouts(survey, warehouse),
            parts=survey.parts,
            audit=lambda rows: audit(self.job, rows, self.plugins, self.folder),
            locate=lambda part, row: self._locate(survey, part, row),
        )

    def _locate(self, survey: Survey, part: int, row: int) -> Sample | None:
        assert self.verdict is not None, "rows are found fault with once all were read"
        return locate(survey, self.verdict.lines_before, part, row, block_bytes=self.job.block_bytes)

    @contextmanager
    def connected(self) -> Iterator[Warehouse]:
        """The run's warehouse, connected to until the block ends."""
        warehouse = self.plugins.connect(self.job.target)
        try:
            refuse_without_sql(self.job, warehouse)
            yield warehouse
        finally:
            warehouse.close()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell of a step, and write down how long it took."""
        total = sum(source.size for source in self.plan.sources)
        self.observers.happened("step_started", step=name, total_bytes=total)
        log.info("step_started", run=self.id, step=name)
        began = time.perf_counter()
        try:
            yield
        except GeneratorExit:
            # A signal struck on the way into the step or out of it; by now, the run's end is written down.
            return
        except BaseException:
            self._step_ended(name, time.perf_counter() - began, total)
            raise
        self._step_ended(name, time.perf_counter() - began, total)

    def _step_ended(self, name: str, seconds: float, total: int) -> None:
        self.steps.append((name, seconds))
        self.journal.set_steps(self.id, json.dumps(self.steps))
        self.observers.happened("step_finished", step=name, total_bytes=total)
        log.info("step_finished", run=self.id, step=name, seconds=round(seconds, 3))

    def left_behind(self, error: EtlError) -> None:
        """Write down that staged parts could not be removed, which fails nothing: pruning does it."""
        log.warning("staged_parts_left", run=self.id, error=error.message)
        self.journal.note(self.id, STAGED_PARTS_LEFT)
        self.problems.append(f"staged parts are left behind: {error.message}; `etl runs prune` removes them")
