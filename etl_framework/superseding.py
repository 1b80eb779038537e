"""Settling earlier runs: a new run takes the place of unfinished ones of the same job, target and files."""

from __future__ import annotations

import dataclasses
from shutil import rmtree
from typing import TYPE_CHECKING

from etl_framework.errors import UnreadableRun
from etl_framework.keeping import discard_kept
from etl_framework.logs import get_logger
from etl_framework.totals import TotalsAccumulator, compare
from etl_framework.values import Event, Status

if TYPE_CHECKING:
    from etl_framework.journal import Journal
    from etl_framework.pipeline import Plan
    from etl_framework.protocols import Run, Warehouse
    from etl_framework.totals import Difference
    from etl_framework.values import Receipt

log = get_logger()

_HOW = {
    Status.SUPERSEDED: "did not load them; this run takes its place",
    Status.DONE: "turns out to have loaded them",
    Status.FAILED: "turns out to have committed what cannot be confirmed to be theirs: see `etl runs list`",
}
"""What is said of an earlier run, by how it ended."""


def supersede(run: Run, journal: Journal, warehouse: Warehouse) -> None:
    """End the unfinished runs whose place a run takes, and remove what they staged.

    One that had committed after all is done, or failed for good where the table does not hold what its sources held;
    any other is superseded.
    """
    for record in journal.runs():
        same = (record.job, record.target) == (run.job.name, run.job.target)
        if same and record.run != run.id and record.resumable and _shares_sources(record.run, run, journal):
            other = dataclasses.replace(run, id=record.run, folder=run.folder.parent / record.run)
            status = end_unfinished(other, journal, warehouse, why=f"superseded by run {run.id}")
            tell = log.warning if status is Status.FAILED else log.info
            tell("earlier_run_ended", run=record.run, by=run.id, status=status)
            message = f"earlier run {record.run} of these sources {_HOW[status]}"
            run.emit(Event(name="earlier_ended", run=run.id, step="load", message=message))


def end_unfinished(other: Run, journal: Journal, warehouse: Warehouse, *, why: str) -> Status:
    """End one unfinished run, as :func:`supersede` does, and remove what it staged.

    :param why: stands in the journal for a run that had not committed.
    """
    status, error = _ended(other, why, journal, warehouse)
    warehouse.discard_staged(other)
    for left in ("packed", "spilled"):
        rmtree(other.folder / left, ignore_errors=True)
    journal.end(other.id, status, error=error)
    # Until then, somebody may resume it, with what is known of the parts that were judged by what it keeps.
    discard_kept(other.folder)
    return status


def _ended(other: Run, why: str, journal: Journal, warehouse: Warehouse) -> tuple[Status, str]:
    """How an earlier run ended, and why."""
    receipt = receipt_of(other, journal, warehouse)
    if receipt is None:
        return Status.SUPERSEDED, why
    try:
        differences = _differences(other.id, receipt, journal)
    except (KeyError, UnreadableRun) as error:
        return Status.FAILED, f"the load was committed, but what the sources held is no longer known ({error})"
    return (Status.FAILED, committed_wrongly(differences)) if differences else (Status.DONE, "")


def receipt_of(run: Run, journal: Journal, warehouse: Warehouse) -> Receipt | None:
    """What a load that was committed gave, or None: the journal may not know of it yet, but the warehouse does."""
    try:
        receipt: Receipt | None = journal.receipt(run.id)
    except UnreadableRun:
        receipt = None  # another version wrote it down: the ledger knows
    return receipt or warehouse.find_load(run)


def committed_wrongly(differences: tuple[Difference, ...]) -> str:
    """The sentence for a load that its warehouse committed although the control totals differ."""
    return f"the load was committed, but the table does not hold what the sources hold: {differences[0]}"


def _differences(run: str, receipt: Receipt, journal: Journal) -> tuple[Difference, ...]:
    """Where the committed rows are not those of the run's sources.

    :raises KeyError: not every part is known.
    :raises UnreadableRun: another version wrote the run down.
    """
    plan: Plan = journal.plan(run)
    outcomes = journal.outcomes(run)
    totals = TotalsAccumulator(plan.survey.columns if plan.survey else ())
    for part in journal.parts(run):
        totals.merge(outcomes[part.number].totals)
    return compare(totals.finish(), receipt.totals)


def _shares_sources(other: str, run: Run, journal: Journal) -> bool:
    try:
        theirs: Plan = journal.plan(other)
    except UnreadableRun:
        return True  # another version wrote it down, so that it cannot be resumed anyway
    return not {source.path for source in theirs.sources}.isdisjoint(source.path for source in run.sources)
