"""The load: write into a landing table, audit it, publish it in one transaction with the ledger's row."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from etl_framework import (
    Event,
    Mode,
    Receipt,
    ReconciliationError,
    Refused,
    any_row,
    count_rows,
    counted,
    duplicates,
    load_record,
    no,
    reconcile,
    refuse_repeat,
    without_key,
)
from etl_snowflake import ledger
from etl_snowflake.copying import check_answer, copies, located
from etl_snowflake.measure import measure
from etl_snowflake.session import ConnectionLost, StatementFailed
from etl_snowflake.stage import verify

if TYPE_CHECKING:
    from etl_framework import StagedPart, Totals
    from etl_snowflake.copying import Copy
    from etl_snowflake.plan import Plan
    from etl_snowflake.session import Pool, Session
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

        :raises Refused: the table holds the sources already, or the rows break what the mode needs.
        :raises ReconciliationError: the landed rows are not those of the sources.
        :raises RunFailed: anything else went wrong.
        """
        self._pool.do(self._prepare)
        rows = self._copy()
        totals = self._pool.do(lambda session: self._audit(session, rows))
        self._pool.do(self._check_rows)
        # Each attempt asks the ledger first: the one before may have committed although its answer did not come.
        receipt = self._pool.do(lambda session: self._publish(session, totals))
        self._pool.do(lambda session: session.rows(self._plan.drop_landing()))
        return receipt

    def _prepare(self, session: Session) -> None:
        verify(session, self._stage, self._parts, self._run)
        for statement in self._plan.prepare():
            session.rows(statement)
        # What an earlier attempt copied is worth nothing: whether it was all of it is not known.
        session.rows(self._plan.create_landing())

    # Copy

    def _copy(self) -> int:
        landing, names = self._plan.landing.sql, self._plan.names
        return sum(self._copied(copy) for copy in copies(landing, names, self._parts, self._stage, self._run))

    def _copied(self, copy: Copy) -> int:
        try:
            with self._pool.session() as session:
                if copy.bytes < self._plan.settings.async_above_mb * 1e6:
                    return check_answer(copy, session.table(copy.sql))
                query = session.submit(copy.sql)
                return self._waited(session, query, copy)
        except StatementFailed as error:
            raise located(error, self._parts, self._run) from error
        except ConnectionLost as error:
            return self._settled(copy, error.query)

    def _waited(self, session: Session, query: str, copy: Copy) -> int:
        def between(seconds: float) -> None:
            message = f"Snowflake copies {counted(len(copy.parts), 'part')} since {seconds:.0f} s (query {query})"
            self._run.emit(Event(name="load_progress", run=self._run.id, step="load", message=message))

        try:
            return check_answer(copy, session.wait_for(query, between))
        except KeyboardInterrupt:
            session.cancel(query)
            raise

    def _settled(self, copy: Copy, query: str | None) -> int:
        """What became of a COPY whose answer did not come: asked by its query, then by what was loaded.

        It is never sent again blindly: the landing table's load metadata would skip what is there already, and what
        is still under way would be waited for.
        """
        known = query or self._pool.do(lambda session: self._query_of(session, copy))
        if known is None:
            # Snowflake never saw it.
            return self._pool.do(lambda session: check_answer(copy, session.table(copy.sql)))
        return self._pool.do(lambda session: self._waited(session, known, copy))

    def _query_of(self, session: Session, copy: Copy) -> str | None:
        """The query of a COPY by its text, which names a landing table of its own."""
        found = session.rows(
            "SELECT QUERY_ID FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 1000)) "
            "WHERE QUERY_TEXT = ? ORDER BY START_TIME DESC LIMIT 1",
            copy.sql,
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
            outside = no(self._plan.period(landing=True))
            [(strays,)] = session.rows(count_rows(landing, outside))
            if strays:
                raise Refused(
                    f"{counted(int(strays), 'row of the sources lies', 'rows of the sources lie')} outside of the "
                    f"period {job.period} by column {job.date_column!r}, or without a date",
                    advice="Nothing was published. Widen the period, correct the dates, or choose another mode.",
                )
        if job.mode is Mode.MERGE:
            names = ", ".join(job.keys)
            [(missing,)] = session.rows(without_key(landing, self._plan.keys()))
            if missing:
                raise Refused(
                    f"{counted(int(missing), 'row of the sources has', 'rows of the sources have')} no value in a key "
                    f"column ({names})",
                    advice="Nothing was published. Give every row its keys, or choose other keys.",
                )
            if found := session.rows(duplicates(landing, self._plan.keys(), _SAMPLES)):
                shown = "; ".join(f"{', '.join(map(str, key))} in {counted(int(n), 'row')}" for *key, n in found)
                raise Refused(
                    f"rows of the sources share a key ({names}): {shown}",
                    advice="Nothing was published. Remove the duplicates, or choose keys that tell the rows apart.",
                )

    # Publish

    def _publish(self, session: Session, totals: Totals) -> Receipt:
        self._abort_abandoned(session)
        session.rows(f"BEGIN NAME {self._plan.transaction}")
        try:
            session.rows(ledger.take_turn(self._plan.ledger, self._run.id))
            if (receipt := ledger.receipt_of(session, self._plan.ledger, self._run.id)) is not None:
                session.rows("ROLLBACK")
                return receipt
            entries = ledger.entries(session, self._plan.ledger, self._plan.place)
            refuse_repeat(self._run.job, self._run.sources, entries if self._holds_rows(session) else ())
            receipt = self._changed(session, totals)
            record = load_record(self._run, self._plan.place.name, receipt, len(self._parts))
            session.rows(ledger.insert(self._plan.ledger, record))
            session.rows("COMMIT")
        except ConnectionLost:
            raise
        except BaseException:
            session.rows("ROLLBACK")
            raise
        return receipt

    def _abort_abandoned(self, session: Session) -> None:
        """End transactions that an earlier attempt of this run left open: their locks would outlive its process."""
        for row in session.table("SHOW TRANSACTIONS"):
            if str(row["name"]).upper() == self._plan.transaction:
                # One that has ended meanwhile holds no lock either.
                with suppress(StatementFailed):
                    session.rows(f"SELECT SYSTEM$ABORT_TRANSACTION({int(row['id'])})")

    def _holds_rows(self, session: Session) -> bool:
        return bool(session.rows(any_row(self._plan.place.sql)))

    def _changed(self, session: Session, totals: Totals) -> Receipt:
        removal = self._plan.remove()
        deleted = 0 if removal is None else _number(session.rows(removal))
        rows = _number(session.rows(self._plan.put()))
        if rows != totals.rows:
            raise ReconciliationError(
                f"{totals.rows:,} rows were landed, but {rows:,} were inserted into {self._plan.place}",
                advice="Nothing was published. If it happens again, please report this as a defect.",
            )
        [(transaction,)] = session.rows("SELECT LAST_QUERY_ID()")
        return Receipt(rows=rows, deleted=deleted, query_id=str(transaction), totals=totals, created=self._plan.created)


def _number(answer: Sequence[tuple[object, ...]]) -> int:
    return int(str(answer[0][0]))
