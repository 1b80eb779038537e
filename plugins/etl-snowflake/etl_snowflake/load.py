"""The load: write into a landing table, audit it, publish it in one transaction with the ledger's row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from etl_framework import (
    Event,
    Interrupted,
    Mode,
    Receipt,
    ReconciliationError,
    RunFailed,
    count_rows,
    counted,
    duplicates,
    no,
    quote,
    reconcile,
    refuse_shared_keys,
    refuse_strays,
    refuse_without_key,
    without_key,
)
from etl_snowflake import asking
from etl_snowflake.copying import check_answer, copies, located, told_by_history
from etl_snowflake.failing import CANCELED, TOO_LONG, ConnectionLost, StatementFailed
from etl_snowflake.making import prepare
from etl_snowflake.measure import measure
from etl_snowflake.publishing import number, publish, receipt, removed
from etl_snowflake.stage import verify

if TYPE_CHECKING:
    from etl_framework import StagedPart, Totals
    from etl_snowflake.copying import Copy, MarkedCopy
    from etl_snowflake.plan import Plan
    from etl_snowflake.pool import Pool
    from etl_snowflake.session import Session
    from etl_snowflake.stage import Stage

_SAMPLES = 3


class Load:
    """One attempt to load the staged parts of a run.

    :param pool: lends sessions.
    :param stage: where the parts lie.
    :param plan: what the load does to its table.
    """

    def __init__(self, pool: Pool, stage: Stage, plan: Plan, parts: Sequence[StagedPart]) -> None:
        self._pool, self._stage, self._plan, self._parts = pool, stage, plan, tuple(parts)
        self._run = plan.run

    def carry_out(self) -> Receipt:
        """Everything from the landing table to the commit; the table is as it was when anything fails.

        :raises Refused: the table holds the sources already, the columns do not fit it, or the rows break what the
            mode needs.
        :raises ReconciliationError: the landed rows are not those of the sources.
        :raises RunFailed: anything else went wrong.
        """
        self._pool.do(self._prepare)
        rows = self._copy()
        totals = self._pool.do(lambda session: self._audit(session, rows))
        self._pool.do(self._check_rows)
        findings = self._run.audit(asking.landed(self._pool, self._plan))
        # The landing table goes with the staged parts: the load is done, whatever becomes of them.
        return publish(
            self._pool,
            self._plan,
            len(self._parts),
            lambda session: replace(self._changed(session, totals), findings=findings),
        )

    def _prepare(self, session: Session) -> None:
        verify(session, self._stage, self._parts, self._run)
        prepare(session, self._plan)
        # What an earlier attempt copied is worth nothing: whether it was all of it is not known.
        session.rows(self._plan.create_landing())

    # Copy

    def _copy(self) -> int:
        landing, names = self._plan.landing.sql, self._plan.names
        return sum(self._copied(copy) for copy in copies(landing, names, self._parts, self._stage, self._run))

    def _copied(self, copy: Copy) -> int:
        """Send a COPY, and when its answer does not come ask what became of it: by its query, or by its text.

        It is never sent again blindly: the landing table's load metadata would skip what is there already, and what
        is still under way would be doubled. Among the last 10,000 queries of a busy user it may not be found any more;
        what it loaded, the landing table's own history knows. One that was cancelled together with its session, which
        was given up since an answer broke off, is sent again, under a new mark.
        """
        marked = copy.marked(uuid4().hex)
        sent: float | None = None
        query: str | None = None

        def once(session: Session) -> int:
            nonlocal marked, sent, query
            is_lost = sent is not None
            if sent is not None and query is None:
                query = self._query_of(session, marked)
                if query is None and (
                    told := told_by_history(session, self._plan.landing, copy, time.monotonic() - sent)
                ):
                    return check_answer(copy, told)
            if query is None:
                is_lost, sent = False, time.monotonic()
                try:
                    if copy.bytes < self._plan.settings.async_above_mb * 1e6:
                        return check_answer(copy, session.table(marked.sql))
                    query = session.submit(marked.sql)
                except ConnectionLost as error:
                    query = error.query
                    raise
            try:
                return self._waited(session, query, copy)
            except StatementFailed as error:
                if not is_lost or error.number != CANCELED:
                    raise
            self._pool.go_on()
            marked, sent, query = copy.marked(uuid4().hex), None, None
            return once(session)

        try:
            return self._pool.do(once)
        except StatementFailed as error:
            raise located(error, self._parts, self._run) from error

    def _waited(self, session: Session, query: str, copy: Copy) -> int:
        def between(seconds: float) -> None:
            self._pool.go_on()
            message = f"Snowflake copies {counted(len(copy.parts), 'part')} since {seconds:.0f} s (query {query})"
            self._run.emit(Event(name="load_progress", run=self._run.id, step="load", message=message))

        try:
            return check_answer(copy, session.wait_for(query, between))
        except Interrupted:
            session.cancel(query)
            raise

    def _query_of(self, session: Session, copy: MarkedCopy) -> str | None:
        """The query that a COPY became, None when Snowflake tells of none."""
        found = session.rows(
            f"SELECT QUERY_ID FROM TABLE({quote(self._plan.place.database)}.INFORMATION_SCHEMA."  # noqa: S608
            "QUERY_HISTORY_BY_USER(RESULT_LIMIT => 10000)) WHERE STARTSWITH(QUERY_TEXT, ?)",
            copy.beginning,
        )
        return str(found[0][0]) if found else None

    # Audit

    def _audit(self, session: Session, rows: int) -> Totals:
        """Measure the landed rows against the sources."""
        found = measure(session, self._plan.landing.sql, self._plan.measured())
        staged = sum(part.rows for part in self._parts)
        if not staged == rows == found.rows:
            raise ReconciliationError(
                f"{counted(staged, 'row was', 'rows were')} staged, {rows:,} copied and {found.rows:,} found "
                f"in the landing table {self._plan.landing}",
                advice="Nothing was published. If it happens again, please report this as a defect.",
            )
        if self._run.totals is not None:
            reconcile(self._run.totals, found)
        return found

    def _check_rows(self, session: Session) -> None:
        """Insist on what the mode needs of the rows.

        :raises Refused: rows lie outside of the period, have no key, or share one.
        """
        job, landing = self._run.job, self._plan.landing.sql
        if job.mode is Mode.REPLACE_PERIOD:
            [(strays,)] = session.rows(count_rows(landing, no(self._plan.period(landing=True))))
            refuse_strays(job, int(strays))
        if job.mode is Mode.MERGE:
            [(missing,)] = session.rows(without_key(landing, self._plan.keys()))
            refuse_without_key(job, int(missing))
            refuse_shared_keys(job, session.rows(duplicates(landing, self._plan.keys(), _SAMPLES)))

    def _changed(self, session: Session, totals: Totals) -> Receipt:
        deleted = removed(session, self._plan)
        rows = self._put(session)
        if rows != totals.rows:
            raise ReconciliationError(
                f"{totals.rows:,} rows were landed, but {rows:,} were inserted into {self._plan.place}",
                advice="Nothing was published. If it happens again, please report this as a defect.",
            )
        return receipt(session, totals, deleted)

    def _put(self, session: Session) -> int:
        try:
            return number(session.rows(self._plan.put()))
        except StatementFailed as error:
            if error.number not in TOO_LONG:
                raise
            raise RunFailed(
                f"table {self._plan.place} was changed while the rows were landed, and takes shorter texts now: "
                f"{error.message}",
                advice="The table is as it was. A resumed run tells the row.",
            ) from error
