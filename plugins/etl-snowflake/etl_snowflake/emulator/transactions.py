"""Transactions as Snowflake has them: explicit or by AUTOCOMMIT, ended by DDL, read committed, with locks on tables."""

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.results import Result, status
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

Name = tuple[str, str, str]
_DDL = ("CREATE", "DROP", "UNDROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE")
_DML = ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY")


@dataclass(frozen=True, slots=True)
class Lock:
    """Who changes a table, and the statement that began it."""

    owner: "Session"
    query_id: str
    since: float


class TableLocks:
    """Who changes which table: held from a DELETE, UPDATE, MERGE or TRUNCATE to the end of its transaction.

    A client that dies in a transaction leaves its session and locks behind, as at Snowflake: until the session or its
    transaction is aborted, or has been idle for `Settings.idle_transaction_seconds`.
    """

    def __init__(self, account: "Account") -> None:
        self._account = account
        self._changed = threading.Condition()
        self.held: dict[Name, Lock] = {}

    def acquire(self, table: Name, query: "Query") -> None:
        """Wait for a table.

        :raises SnowflakeError: the query was cancelled while it waited, or LOCK_TIMEOUT seconds passed.
        """
        timeout = float(query.session.parameters.get("LOCK_TIMEOUT", "43200"))
        deadline = time.monotonic() + timeout
        while not self._take(table, query):
            query.check()
            self._end_idle(table)
            if time.monotonic() > deadline:
                waited = f"it waited {timeout:g} seconds for the lock of table '{table[2]}'"
                message = f"Statement '{query.query_id}' was aborted: {waited}"
                raise SnowflakeError(message, 625, "57014")

    def _take(self, table: Name, query: "Query") -> bool:
        with self._changed:
            held = self.held.get(table)
            if held is not None and held.owner is not query.session:
                self._changed.wait(0.02)
                return False
            if held is None:
                self.held[table] = Lock(query.session, query.query_id, time.time())
            return True

    def _end_idle(self, table: Name) -> None:
        held = self.held.get(table)
        limit = self._account.settings.idle_transaction_seconds
        if held is not None and held.owner.in_transaction and time.time() - held.owner.last_active > limit:
            abort(self._account, held.owner)

    def release(self, session: "Session") -> None:
        """Give up a session's locks."""
        with self._changed:
            self.held = {t: lock for t, lock in self.held.items() if lock.owner is not session}
            self._changed.notify_all()


def abort(account: "Account", session: "Session") -> bool:
    """Roll another session's transaction back. False when it has none, or a statement of it runs."""
    if not session.in_transaction or not session.lock.acquire(blocking=False):
        return False
    try:
        rollback(account, session)
    finally:
        session.lock.release()
    return True


def begin(session: "Session") -> None:
    """Open a transaction."""
    session.duck.begin()
    session.in_transaction, session.has_written = True, False
    session.transaction_id, session.transaction_began = time.time_ns(), time.time()


def commit(account: "Account", session: "Session") -> None:
    """End the transaction and keep what it did.

    :raises SnowflakeError: it cannot be kept.
    """
    if not session.in_transaction:
        return
    try:
        session.duck.commit()
    except duckdb.Error as error:
        rollback(account, session)
        raise SnowflakeError(f"Transaction was aborted: {error}", 90151, "40001") from error
    account.load_metadata.record(session.pending_loads)
    _end(account, session)


def rollback(account: "Account", session: "Session") -> None:
    """End the transaction and undo what it did."""
    if not session.in_transaction:
        return
    session.duck.rollback()
    _end(account, session)


def _end(account: "Account", session: "Session") -> None:
    session.pending_loads = []
    session.in_transaction = session.has_written = session.is_aborted = False
    account.table_locks.release(session)


def is_data_definition(statement: Statement) -> bool:
    """Whether the statement commits the open transaction before it runs."""
    if statement.starts_with("ALTER", "SESSION"):
        return False
    return statement.peek().is_word(*_DDL, "ALTER")


def before_statement(account: "Account", query: "Query", statement: Statement) -> None:
    """Bring the session's transaction into the state that the statement expects.

    :raises SnowflakeError: an earlier statement of the transaction failed in a way that DuckDB cannot undo alone.
    """
    session = query.session
    session.last_active = time.time()
    if is_data_definition(statement):
        commit(account, session)
        return
    if session.is_aborted and not statement.peek().is_word("ROLLBACK", "COMMIT"):
        raise not_emulated("going on in a transaction after a failed statement (DuckDB aborts it); ROLLBACK first")
    autocommit = session.parameters.get("AUTOCOMMIT", "true").lower() != "false"
    if not autocommit and not session.in_transaction and statement.peek().is_word(*_DML):
        begin(session)
    if session.in_transaction and not session.has_written:
        # read committed: a statement sees what was committed when it began, not when its transaction did
        session.duck.rollback()
        session.duck.begin()


def lock_table(account: "Account", query: "Query", table: Name) -> None:
    """Lock a table for the statement or, in a transaction, until that ends."""
    session = query.session
    account.table_locks.acquire(table, query)
    if session.in_transaction and not session.has_written:
        session.duck.rollback()
        session.duck.begin()


def after_statement(account: "Account", session: "Session") -> None:
    """Release the locks of a statement that ran outside a transaction."""
    if not session.in_transaction:
        account.table_locks.release(session)


def note_aborted(session: "Session") -> None:
    """Look whether an error has aborted the open transaction, which Snowflake would let go on."""
    if not session.in_transaction:
        return
    try:
        session.duck.execute("SELECT 1")
    except duckdb.Error:
        session.is_aborted = True


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """BEGIN, START TRANSACTION, COMMIT, ROLLBACK.

    Outside a transaction COMMIT and ROLLBACK do nothing, inside one BEGIN does nothing
    (https://docs.snowflake.com/en/sql-reference/transactions).
    """
    session = query.session
    if statement.starts_with("START", "TRANSACTION") or (
        statement.starts_with("BEGIN")
        and (len(statement.tokens) == 1 or statement.peek(1).is_word("TRANSACTION", "WORK", "NAME"))
    ):
        if not session.in_transaction:
            begin(session)
            session.transaction_name = _name(statement) or f"tx_{session.transaction_id}"
    elif statement.starts_with("COMMIT"):
        if session.is_aborted:
            rollback(account, session)
            raise not_emulated("COMMIT of a transaction in which a statement failed; it was rolled back")
        commit(account, session)
    elif statement.starts_with("ROLLBACK"):
        rollback(account, session)
    else:
        return None
    return status("Statement executed successfully.", 0x5000)


def _name(statement: Statement) -> str | None:
    """The name that BEGIN gives the transaction."""
    words = statement.tokens
    at = next((at for at, word in enumerate(words) if word.is_word("NAME")), None)
    return None if at is None or at + 1 >= len(words) else words[at + 1].text
