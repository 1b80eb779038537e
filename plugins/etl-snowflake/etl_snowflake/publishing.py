"""Publishing: the one transaction in which a table changes, with the ledger's row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from etl_framework import Event, Receipt, Refused, any_row, load_record, refuse_repeat
from etl_snowflake import ledger
from etl_snowflake.table import differences, find

if TYPE_CHECKING:
    from etl_framework import Totals
    from etl_snowflake.plan import Plan
    from etl_snowflake.pool import Pool
    from etl_snowflake.session import Session
    from etl_snowflake.table import Table


def publish(pool: Pool, plan: Plan, parts: int, change: Callable[[Session], Receipt]) -> Receipt:
    """Change the table and write the load into the ledger, in one transaction: all or nothing, once.

    When the connection is lost, it is tried again in a new session. Each attempt asks the ledger first: the one before
    may have committed although its answer did not come.

    :param parts: how many staged parts are loaded.
    :param change: what is done to the table, within the transaction.
    :raises Refused: the table holds the sources already, or the columns do not fit it.
    """
    return pool.do(lambda session: _publish(session, plan, parts, change))


def _publish(session: Session, plan: Plan, parts: int, change: Callable[[Session], Receipt]) -> Receipt:
    waited = False

    def waits(message: str) -> None:
        nonlocal waited
        waited = True
        plan.run.emit(Event(name="load_waits", run=plan.run.id, step="load", message=message))

    with ledger.turn(session, plan.ledger, plan.run.id, waits):
        if waited:
            message = "the other transaction has ended"
            plan.run.emit(Event(name="load_proceeds", run=plan.run.id, step="load", message=message))
        if (published := ledger.receipt_of(session, plan.ledger, plan.run.id)) is not None:
            return published
        older = holds_rows(session, plan)
        entries = ledger.entries(session, plan.ledger, plan.place) if older else ()
        refuse_repeat(plan.run.job, plan.run.sources, entries)
        # Again, since INSERT would round what a table that was changed meanwhile cannot hold.
        refuse_misfit(plan, find(session, plan.place), evolving=False)
        # Making the table commits by itself, so that a resumed run finds the one that its first attempt made.
        published = replace(change(session), created=not older)
        session.rows(ledger.insert(plan.ledger, load_record(plan.run, plan.place.name, published, parts)))
    return published


def refuse_misfit(plan: Plan, table: Table | None, *, evolving: bool) -> None:
    """Insist that the table holds every value of the sources.

    :param table: as it is now.
    :param evolving: whether columns that the table lacks are added to it.
    :raises Refused: it does not.
    """
    unfit = differences(plan.run.columns, table, plan.run.totals, evolving=evolving)
    if reasons := tuple(unfit):
        raise Refused(
            f"the sources do not fit table {plan.place}: {' '.join(reasons)}",
            advice="Declare the columns as the table has them, change the table, or load into another one.",
        )


def holds_rows(session: Session, plan: Plan) -> bool:
    """Whether the table has any row."""
    return bool(session.rows(any_row(plan.place.sql)))


def removed(session: Session, plan: Plan) -> int:
    """Take old rows away as the mode says, and tell how many."""
    removal = plan.remove()
    return 0 if removal is None else number(session.rows(removal))


def receipt(session: Session, totals: Totals, deleted: int) -> Receipt:
    """What the load returns; the statement before is the one that brought the rows."""
    return Receipt(rows=totals.rows, deleted=deleted, query_id=session.last_query, totals=totals)


def number(answer: Sequence[tuple[object, ...]]) -> int:
    """The number of rows that a statement tells it changed."""
    return int(str(answer[0][0]))
