"""The load ledger: what every warehouse's plugin writes down of a load, and what that says against another one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from etl_framework.errors import Refused
from etl_framework.source_patterns import follows_period
from etl_framework.tables import deleted_bounds, filter_in_words, within_bounds
from etl_framework.terminal import valid_text
from etl_framework.values import Mode, PeriodFilter

if TYPE_CHECKING:
    from etl_framework.protocols import Run
    from etl_framework.tables import Deletion, RowFilter
    from etl_framework.totals import Totals
    from etl_framework.values import Job, LedgerEntry, Receipt, Source

DELETION = "delete"
"""What stands in a ledger in the place of a mode where rows were deleted."""

MEANT_AGAIN = (
    "Loading again would double the rows. If that is meant, say --again; to replace what is there, say --mode replace "
    "or replace-period. A file is known by its size, beginning and end: one that was corrected in between counts as "
    "the same, and replacing is what it needs."
)
"""The advice of a load that the table holds already."""

_SHOWN = 3


def already_loaded(job: Job, sources: Iterable[Source], entries: Iterable[LedgerEntry]) -> tuple[str, ...]:
    """Why appending would double rows: a sentence for each earlier load of the same sources, for the first of many.

    A job whose files its period chooses has loaded the same when it has loaded the period, or some of its days: files
    that were delivered anew, corrected say, hold rows that are there already.

    :param entries: the loads that are still in the table; see :meth:`~etl_framework.protocols.Warehouse.ledger`.
    """
    if job.mode is not Mode.APPEND or job.again:
        return ()
    mine = {source.digest: source.name for source in sources}
    chosen = job.period if job.configured and any(map(follows_period, job.patterns)) else None
    sentences = []
    for entry in entries:
        there = [mine[digest] for digest in entry.sources if digest in mine]
        if not there and chosen and entry.period and entry.job == job.name and entry.period.overlaps(chosen):
            there = [f"{entry.period} of job {job.name}"]
        if there:
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
        raise Refused("; ".join(sentences), advice=MEANT_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One change of one table, a load or a deletion, as a warehouse's ledger holds it.

    :param mode: of the load, or :data:`DELETION`.
    :param created: whether it made the table, or found it empty.
    :param entry: what the core is told of it.
    :param totals: as :func:`totals_to_json` wrote them: the load's control totals, or the deletion's bounds.
    """

    mode: str
    created: bool
    entry: LedgerEntry
    totals: str


def still_there(rows: Iterable[LedgerRow]) -> tuple[LedgerEntry, ...]:
    """The loads of a table that no later load replaced and no later deletion took away as a whole.

    :param rows: every change of the table, oldest first.
    """
    kept: list[LedgerRow] = []
    for row in rows:
        if row.mode == DELETION:
            deleted = totals_from_json(row.totals)
            kept = [load for load in kept if not within_bounds(totals_from_json(load.totals), deleted)]
            continue
        if row.mode == Mode.REPLACE or row.created:
            kept = []
        elif row.mode == Mode.REPLACE_PERIOD:
            kept = [load for load in kept if not _within(load, row)]
        kept.append(row)
    return tuple(load.entry for load in kept)


def _within(load: LedgerRow, later: LedgerRow) -> bool:
    earlier, replaced = load.entry.period, later.entry.period
    if earlier is None or replaced is None:
        return False
    return replaced.first <= earlier.first and earlier.last <= replaced.last


def load_record(run: Run, table: str, receipt: Receipt, parts: int) -> dict[str, Any]:
    """What a ledger holds of a load: every value by the name of its field, in order.

    :param table: the loaded table, by the name that the ledger knows it by.
    :param parts: how many staged parts were loaded.
    :returns: texts, numbers, dates or None; ``sources`` (digests, sorted) and ``files`` (paths) are lists of texts;
        ``totals`` is a text; ``loaded_at`` is the present in UTC, without a time zone.
    """
    period = run.job.period
    return {
        "run": run.id,
        "job": run.job.name,
        "table_name": table,
        "mode": str(run.job.mode),
        "first_day": period.first if period else None,
        "last_day": period.last if period else None,
        "sources": sorted(source.digest for source in run.sources),
        "files": [valid_text(source.path) for source in run.sources],
        "parts": parts,
        "rows_loaded": receipt.rows,
        "rows_deleted": receipt.deleted,
        "created": receipt.created,
        "query_id": receipt.query_id,
        "totals": totals_to_json(receipt.totals),
        "loaded_at": datetime.now(UTC).replace(tzinfo=None),
        "etl_version": version("etl-framework"),
    }


def deletion_record(table: str, deletion: Deletion, where: RowFilter | None) -> dict[str, Any]:
    """What a ledger holds of a deletion: every value by the name of its field, as of a load.

    :param table: by the name that the ledger knows it by.
    """
    period = where if isinstance(where, PeriodFilter) else None
    return {
        "run": deletion.id,
        "job": valid_text(f"delete {filter_in_words(where)}"),
        "table_name": table,
        "mode": DELETION,
        "first_day": period.first if period else None,
        "last_day": period.last if period else None,
        "sources": [],
        "files": [],
        "parts": 0,
        "rows_loaded": 0,
        "rows_deleted": deletion.rows,
        "created": False,
        "query_id": deletion.query_id,
        "totals": totals_to_json(deleted_bounds(where, deletion.rows)),
        "loaded_at": datetime.now(UTC).replace(tzinfo=None),
        "etl_version": version("etl-framework"),
    }


def totals_to_json(totals: Totals) -> str:
    """Control totals as a text that a ledger can hold; every value keeps its type."""
    columns = [
        [column.name, column.nulls, *map(_tagged, (column.minimum, column.maximum, column.total))]
        for column in totals.columns
    ]
    stored = {"rows": totals.rows, "columns": columns, "counted_only": totals.counted_only}
    return json.dumps(stored, ensure_ascii=False)


def totals_from_json(text: str) -> Totals:
    """What :func:`totals_to_json` wrote."""
    from etl_framework.totals import ColumnTotals, Totals

    stored = json.loads(text)
    columns = []
    for name, nulls, *figures in stored["columns"]:
        minimum, maximum, total = map(_plain, figures)
        columns.append(ColumnTotals(name=name, nulls=nulls, minimum=minimum, maximum=maximum, total=total))
    return Totals(rows=stored["rows"], columns=tuple(columns), counted_only=stored["counted_only"])


_READ: Mapping[str, Any] = {
    "bool": lambda text: text == "True",
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "str": str,
}


def _tagged(scalar: object) -> list[str] | None:
    return None if scalar is None else [type(scalar).__name__, str(scalar)]


def _plain(tagged: list[str] | None) -> Any:
    return None if tagged is None else _READ[tagged[0]](tagged[1])
