"""The load without a landing table: COPY straight into the target, within the publishing transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from etl_framework import EVERY_ROW, Check, Mode, Receipt, Refused, Totals, count_rows, reconcile, refuse_strays
from etl_snowflake import asking
from etl_snowflake.copying import check_answer, copies, located
from etl_snowflake.failing import StatementFailed
from etl_snowflake.making import prepare
from etl_snowflake.measure import measure
from etl_snowflake.publishing import holds_rows, publish, receipt, removed
from etl_snowflake.stage import verify

if TYPE_CHECKING:
    from etl_framework import Job, StagedPart
    from etl_snowflake.copying import Copy
    from etl_snowflake.plan import Plan
    from etl_snowflake.pool import Pool
    from etl_snowflake.session import Session
    from etl_snowflake.stage import Stage


class DirectLoad:
    """One attempt to load the staged parts of a run straight into its table.

    :param pool: lends sessions.
    :param stage: where the parts lie.
    :param plan: what the load does to its table; not a merge, which has to look at the rows before.
    """

    def __init__(self, pool: Pool, stage: Stage, plan: Plan, parts: Sequence[StagedPart]) -> None:
        self._pool, self._stage, self._plan, self._parts = pool, stage, plan, tuple(parts)

    def carry_out(self) -> Receipt:
        """Everything up to the commit; the table is as it was when anything fails.

        :raises Refused: the table holds the sources already, or rows lie outside of the period.
        :raises ReconciliationError: the copied rows are not those of the sources.
        :raises RunFailed: anything else went wrong.
        """
        self._pool.do(self._prepare)
        return publish(self._pool, self._plan, len(self._parts), self._changed)

    def _prepare(self, session: Session) -> None:
        verify(session, self._stage, self._parts, self._plan.run)
        prepare(session, self._plan)

    def _changed(self, session: Session) -> Receipt:
        plan = self._plan
        deleted = removed(session, plan)
        beside_others = plan.run.job.mode is Mode.APPEND and holds_rows(session, plan)
        statements = copies(plan.place.sql, plan.names, self._parts, self._stage, plan.run)
        rows = sum(self._copied(session, copy) for copy in statements)
        made = receipt(session, Totals(rows=rows, columns=(), counted_only=True), deleted)
        if beside_others:
            # The new rows cannot be told from the old ones: what COPY says of each part is all there is.
            _refuse_checks(plan.run.job)
            return made
        return self._audited(session, made)

    def _copied(self, session: Session, copy: Copy) -> int:
        try:
            return check_answer(copy, session.table(copy.sql))
        except StatementFailed as error:
            raise located(error, self._parts, self._plan.run) from error

    def _audited(self, session: Session, made: Receipt) -> Receipt:
        """Measure the new rows, which are all of the table's or of the period's.

        :raises Refused: rows lie outside of the period.
        """
        run, table = self._plan.run, self._plan.place.sql
        where = self._plan.period() if run.job.mode is Mode.REPLACE_PERIOD else EVERY_ROW
        if run.job.mode is Mode.REPLACE_PERIOD:
            [(inside,)] = session.rows(count_rows(table, where))
            refuse_strays(run.job, made.rows - int(inside))
        found = measure(session, table, self._plan.measured(), where)
        if run.totals is not None:
            reconcile(run.totals, found)
        return replace(made, totals=found, findings=run.audit(asking.copied(session, self._plan, where)))


def _refuse_checks(job: Job) -> None:
    """Insist on rows that can be checked in the warehouse where the job wants them checked there.

    :raises Refused: they cannot be told from the others.
    """
    if job.check in (Check.WAREHOUSE, Check.BOTH):
        raise Refused(
            f'check = {job.check}: publish = "direct" appends to a table that holds rows, from which the new ones '
            "cannot be told, so that they cannot be checked there",
            advice='Check the file (--check file), or load with publish = "landing".',
        )
