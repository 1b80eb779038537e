"""The load ledger: a table in the schema of the loaded ones, written in the transaction that publishes a load."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from etl_framework import (
    LedgerEntry,
    LedgerRow,
    Period,
    Receipt,
    RunFailed,
    Statement,
    quote,
    still_there,
    totals_from_json,
)
from etl_snowflake.failing import MISSING, ConnectionLost, StatementFailed
from etl_snowflake.table import Place

if TYPE_CHECKING:
    from etl_snowflake.session import Session

NAME = "_ETL_LOADS"
_GUARD = "guard"
"""The run of the one row that every publishing transaction updates, so that they come one after the other."""

_FIELDS = {
    "RUN": "VARCHAR COLLATE 'utf8' NOT NULL",
    "JOB": "VARCHAR",
    "TABLE_NAME": "VARCHAR COLLATE 'utf8'",
    "MODE": "VARCHAR",
    "FIRST_DAY": "DATE",
    "LAST_DAY": "DATE",
    "SOURCES": "VARCHAR",
    "FILES": "VARCHAR",
    "PARTS": "NUMBER(19,0)",
    "ROWS_LOADED": "NUMBER(19,0)",
    "ROWS_DELETED": "NUMBER(19,0)",
    "CREATED": "BOOLEAN",
    "QUERY_ID": "VARCHAR",
    "TOTALS": "VARCHAR",
    "LOADED_AT": "TIMESTAMP_NTZ(6)",
    "ETL_VERSION": "VARCHAR",
}


def place_for(table: Place) -> Place:
    """Where the ledger of a table lies: beside it."""
    return table.sibling(NAME)


def create(place: Place) -> tuple[Statement, Statement]:
    """Make the ledger, and the row that publishing transactions meet at, unless they are there."""
    fields = ", ".join(f"{quote(name)} {type_}" for name, type_ in _FIELDS.items())
    return (
        Statement(f"CREATE TABLE IF NOT EXISTS {place.sql} ({fields})"),
        Statement(
            f'INSERT INTO {place.sql} ("RUN") SELECT ? WHERE NOT EXISTS (SELECT 1 FROM {place.sql} WHERE "RUN" = ?)',
            (_GUARD, _GUARD),
        ),
    )


def take_turn(place: Place, run: str) -> Statement:
    """Wait until no other transaction publishes through this ledger: an UPDATE holds its lock until the end."""
    return Statement(f'UPDATE {place.sql} SET "JOB" = ? WHERE "RUN" = ?', (run, _GUARD))


def transaction_of(id_: str) -> str:
    """The name of the transaction of a load or deletion, by which it is found when its process was killed."""
    return f"ETL_{id_}".upper().replace("-", "_")


def abort_abandoned(session: Session, id_: str) -> dict[str, str]:
    """End transactions that an earlier attempt at a load or deletion left open.

    Their locks would outlive its session: until they were idle for five minutes, if somebody waits for them, says
    https://docs.snowflake.com/en/sql-reference/transactions#aborting-transactions.

    :returns: the names of our user's other transactions, by their ids.
    """
    others = {}
    for row in session.table("SHOW TRANSACTIONS"):
        if str(row["name"]).upper() == transaction_of(id_):
            # One that has ended meanwhile holds no lock either.
            with suppress(StatementFailed):
                session.rows(_abort(row["id"]))
        else:
            others[str(row["id"])] = str(row["name"])
    return others


def _abort(transaction: object) -> str:
    return f"SELECT SYSTEM$ABORT_TRANSACTION({int(str(transaction))})"


def before_us(session: Session, place: Place, others: Mapping[str, str]) -> list[str]:
    """Which of other transactions :func:`turn` waits for, and how to end them: a sentence each.

    :param others: by their ids, their names.
    """
    named = f"{place.database}.{place.schema}.{place.name}".replace('"', "")
    held: set[str] = set()
    # Nothing depends on it: whoever cannot be told waits all the same.
    with suppress(StatementFailed):
        for lock in session.table("SHOW LOCKS") if others else ():
            if lock["status"] == "HOLDING" and str(lock["resource"]).replace('"', "") == named:
                held.add(str(lock["transaction"]))
    return [
        f"transaction {name} goes first; if its process is gone, Snowflake ends it after 5 minutes, and {_abort(id_)} "
        "at once"
        for id_, name in others.items()
        if id_ in held
    ]


@contextmanager
def turn(session: Session, place: Place, id_: str, waits: Callable[[str], None] | None = None) -> Iterator[None]:
    """One transaction that changes a table and writes the ledger, while no other one does: all or nothing.

    :param id_: of the load or deletion.
    :param waits: told a sentence when it has to wait for another one; None where nobody watches.
    """
    others = abort_abandoned(session, id_)
    if waits:
        for sentence in before_us(session, place, others):
            waits(sentence)
    session.rows(f"BEGIN NAME {transaction_of(id_)}")
    try:
        session.rows(take_turn(place, id_))
        yield
        session.rows("COMMIT")
    except ConnectionLost:
        raise
    except BaseException:
        try:
            session.rows("ROLLBACK")
        except RunFailed:
            # The next definition in this session would commit what is open in it.
            session.close()
        raise


def insert(place: Place, record: Mapping[str, Any] | None = None) -> Statement:
    """Add a load or a deletion.

    :param record: what :func:`~etl_framework.load_record` or ``deletion_record`` gave; None for people.
    """
    names = ", ".join(map(quote, _FIELDS))
    values = () if record is None else tuple(_stored(record[name.lower()]) for name in _FIELDS)
    return Statement(f"INSERT INTO {place.sql} ({names}) SELECT {', '.join('?' * len(_FIELDS))}", values)


def _stored(value: Any) -> Any:
    """A value as it is bound: lists as JSON; days and moments as texts, which both lines of the driver send alike."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value


def receipt_of(session: Session, place: Place, run: str) -> Receipt | None:
    """What a committed load returned; None when the ledger does not know the run, or is not there."""
    statement = Statement(
        f'SELECT "ROWS_LOADED", "ROWS_DELETED", "QUERY_ID", "TOTALS", "CREATED" FROM {place.sql} WHERE "RUN" = ?',
        (run,),
    )
    found = _rows(session, statement)
    if not found:
        return None
    rows, deleted, query_id, totals, created = found[0]
    return Receipt(
        rows=int(rows), deleted=int(deleted), query_id=query_id, totals=totals_from_json(totals), created=bool(created)
    )


def entries(session: Session, place: Place, table: Place) -> tuple[LedgerEntry, ...]:
    """The loads of a table that no later load replaced, oldest first."""
    statement = Statement(
        'SELECT "MODE", "CREATED", "JOB", "FIRST_DAY", "LAST_DAY", "RUN", "SOURCES", "ROWS_LOADED", "LOADED_AT", '
        f'"TOTALS" FROM {place.sql} WHERE "TABLE_NAME" = ? ORDER BY "LOADED_AT", "RUN"',
        (table.name,),
    )
    return still_there(
        LedgerRow(
            mode=mode,
            created=bool(created),
            entry=LedgerEntry(
                run=run,
                sources=tuple(json.loads(sources)),
                rows=int(rows),
                loaded_at=loaded_at.replace(tzinfo=UTC),
                job=job,
                period=Period.between(first, last),
            ),
            totals=totals,
        )
        for mode, created, job, first, last, run, sources, rows, loaded_at, totals in _rows(session, statement)
    )


def deletion_of(session: Session, place: Place, id_: str) -> tuple[int, str] | None:
    """How many rows a committed deletion took away, and its query; None when the ledger does not know it."""
    statement = Statement(f'SELECT "ROWS_DELETED", "QUERY_ID" FROM {place.sql} WHERE "RUN" = ?', (id_,))
    found = _rows(session, statement)
    return (int(found[0][0]), str(found[0][1])) if found else None


def _rows(session: Session, statement: Statement) -> list[tuple[Any, ...]]:
    try:
        return session.rows(statement)
    except StatementFailed as error:
        if error.number in MISSING:
            return []
        raise
