"""What the warehouse's load ledger says against a load: its sources are in the table already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_framework.errors import Refused
from etl_framework.values import Mode

if TYPE_CHECKING:
    from etl_framework.values import Job, LedgerEntry, Source

_SHOWN = 3


def already_loaded(job: Job, sources: Iterable[Source], entries: Iterable[LedgerEntry]) -> tuple[str, ...]:
    """Why appending would double rows: a sentence for each earlier load of the same sources, for the first of many.

    :param entries: the loads that are still in the table; see :meth:`~etl_framework.protocols.Warehouse.ledger`.
    """
    if job.mode is not Mode.APPEND or job.again:
        return ()
    mine = {source.digest: source.name for source in sources}
    sentences = []
    for entry in entries:
        if there := [mine[digest] for digest in entry.sources if digest in mine]:
            shown = ", ".join(there[:_SHOWN]) + (" …" if len(there) > _SHOWN else "")
            when = f"{entry.loaded_at:%Y-%m-%d %H:%M} UTC"
            sentences.append(f"{job.table} already holds {shown}: loaded by run {entry.run} on {when}")
    more = len(sentences) - _SHOWN
    return (*sentences[:_SHOWN], *([f"and {more:,} more such loads"] if more > 0 else ()))


def refuse_repeat(job: Job, sources: Iterable[Source], entries: Iterable[LedgerEntry]) -> None:
    """Insist that the table does not hold the sources already, unless the job means to load them again.

    Called before anything is read, to refuse early, and by the warehouse's plugin inside the load's transaction, where
    nobody else can come in between.

    :param entries: the loads that are still in the table; see :meth:`~etl_framework.protocols.Warehouse.ledger`.
    :raises Refused: it does; the message names sources and runs.
    """
    if sentences := already_loaded(job, sources, entries):
        raise Refused(
            "; ".join(sentences),
            advice="Loading again would double the rows. If that is meant, say --again; "
            "to replace what is there, say --mode replace or replace-period. A file is known by its size, beginning "
            "and end: one that was corrected in between counts as the same, and replacing is what it needs.",
        )
