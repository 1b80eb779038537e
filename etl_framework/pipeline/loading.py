"""The last step: the staged parts are loaded into the table, once, and what was loaded is compared with the sources."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from etl_framework.auditing import audited
from etl_framework.errors import CommittedWrongly, EtlError, RunFailed
from etl_framework.ledger import refuse_repeat
from etl_framework.sources import check_unchanged
from etl_framework.superseding import committed_wrongly, supersede
from etl_framework.totals import compare

if TYPE_CHECKING:
    from etl_framework.pipeline.attempt import Attempt
    from etl_framework.protocols import Run, Warehouse
    from etl_framework.values import Receipt, StagedPart


def refuse_if_loaded(attempt: Attempt, warehouse: Warehouse) -> None:
    """Refuse to load what the table holds already.

    :raises Refused: it does.
    """
    refuse_repeat(attempt.job, attempt.plan.sources, warehouse.ledger(attempt.job.table))


def load(attempt: Attempt, run: Run, staged: tuple[StagedPart, ...], warehouse: Warehouse) -> Receipt:
    """Load what was staged, all or nothing, and end earlier runs of the same sources that did not.

    :raises Refused: the table holds the sources already.
    :raises EtlError: the load failed; the table is as it was.
    """
    with attempt.step("load"):
        for source in attempt.plan.sources:
            check_unchanged(source)
        assert attempt.verdict is not None
        supersede(run, attempt.journal, warehouse)
        # Again, since hours may have passed.
        refuse_if_loaded(attempt, warehouse)
        if (there := sum(part.rows for part in staged)) != attempt.verdict.rows:
            raise RunFailed(
                f"{there:,} rows are staged but {attempt.verdict.rows:,} were read",
                advice="Please report this as a defect; nothing was loaded.",
            )
        attempt.journal.note(attempt.id, "loading")
        return attempt.plugins.load_parts(staged, warehouse, run)


def confirm(attempt: Attempt, run: Run, receipt: Receipt, warehouse: Warehouse) -> None:
    """Write the receipt down, make sure that the table holds what the sources hold, and empty the staging area.

    :raises CommittedWrongly: it does not.
    """
    # What a ledger knows of a load, it knows without what was found in its rows.
    receipt = dataclasses.replace(receipt, findings=receipt.findings or audited(attempt.folder).findings)
    attempt.journal.set_receipt(attempt.id, receipt)
    attempt.receipt = receipt
    assert run.totals is not None
    if differences := compare(run.totals, receipt.totals):
        raise CommittedWrongly(
            committed_wrongly(differences),
            advice="Look into the table before anything else; please report this defect of the warehouse's plugin.",
        )
    try:
        warehouse.discard_staged(run)
    except EtlError as error:
        # The rows are committed: what is left beside them fails nothing.
        attempt.left_behind(error)
