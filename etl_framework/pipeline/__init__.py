"""A run from its first byte to its report, and what makes it end right after a crash.

Every step takes values and gives values; what changes lies in the journal and in the warehouse. The journal is written
before and after each side effect, so that :func:`resume` knows what is certain and does the rest again.

``course`` tells the whole run on one page. Its steps: ``analyzing`` (the sources, and how they are cut), ``parts``
(read, checked, packed, uploaded, up to the gate), ``loading``, and, well or not, ``ending`` and ``reporting``.
``attempt`` holds what they share, ``plan`` what a run needs to begin anew.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from etl_framework.errors import UsageError
from etl_framework.history import as_it_began
from etl_framework.pipeline.attempt import Attempt
from etl_framework.pipeline.course import carry_out
from etl_framework.pipeline.plan import Plan, codec_for, insist_on_same_plugins, names_of
from etl_framework.state import State, new_run_id
from etl_framework.terminal import valid_text

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Emit
    from etl_framework.values import Job, RunReport, Source

# Journals of earlier versions know the plan by its name here.
__all__ = ["Plan", "codec_for", "resume", "start"]


def start(
    job: Job,
    sources: tuple[Source, ...],
    plugins: Plugins,
    state: State,
    *,
    observers: tuple[Emit, ...] = (),
    console: bool = False,
) -> RunReport:
    """Load the sources.

    :param observers: called with every event, beside the plugins.
    :param console: whether reporters print to standard output.
    :raises EtlError: the run did not succeed; its ``report`` tells how far it came.
    """
    if (shown := valid_text(job.target)) != job.target:
        raise UsageError(
            f"target {shown} is no valid Unicode, which warehouses and the journal need",
            advice="Choose another one, such as --target duckdb:/tmp/warehouse.duckdb, or rename the folder.",
        )
    plan = Plan(job=job, sources=sources, plugins=names_of(plugins))
    with state.lock(job.name, job.target), state.journal() as journal:
        run = new_run_id()
        journal.begin(run, job=job.name, target=job.target, table=str(job.table), plan=plan)
        return carry_out(Attempt(run, plan, plugins, state, journal, observers, console=console, resumed=False))


def resume(
    run: str,
    plugins: Plugins,
    state: State,
    *,
    executor: str | None = None,
    observers: tuple[Emit, ...] = (),
    console: bool = False,
) -> RunReport:
    """Carry an interrupted, killed or failed run to its end.

    :param executor: runs what is left instead of the job's own executor.
    :raises UsageError: there is no such run, or it has ended.
    :raises EtlError: as :func:`start` does.
    """
    with state.journal() as journal:
        record = journal.record(run)
        with state.lock(record.job, record.target):
            if not record.resumable:
                why = f" ({record.error})" if record.error else ""
                raise UsageError(f"run {run} has ended: {record.status}{why}", advice="Begin anew with `etl load`.")
            plan: Plan = journal.plan(run)
            insist_on_same_plugins(run, plan, plugins)
            plugins.use(plan.job.use)
            plan = dataclasses.replace(plan, job=as_it_began(plan.job))
            if executor:
                plan = dataclasses.replace(plan, job=dataclasses.replace(plan.job, executor=executor))
            journal.resumed(run)
            return carry_out(Attempt(run, plan, plugins, state, journal, observers, console=console, resumed=True))
