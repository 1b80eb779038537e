# ruff: noqa: SLF001 - fakesnow offers its parts only under private names
"""Ordinary SQL, executed by fakesnow over DuckDB."""

import re
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import snowflake.connector.errors
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.converter import from_binding
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.statement_type import DML_TYPE_IDS, statement_type_id

from etl_snowflake.emulator import transactions
from etl_snowflake.emulator.dialect import as_meant, refusing_losses
from etl_snowflake.emulator.errors import SnowflakeError, does_not_exist, not_emulated
from etl_snowflake.emulator.history import with_histories
from etl_snowflake.emulator.results import Result, rows
from etl_snowflake.emulator.statements import Statement
from etl_snowflake.emulator.timestamps import with_missing

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

_OCTET_LENGTH = re.compile(r"\bOCTET_LENGTH\s*\(", re.IGNORECASE)
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE")
_KEPT_RESULTS = 50
_ATTEMPTS = 100
_MISSING = (
    ("Database", re.compile(r'"([^"]+)" is not a catalog or schema')),
    ("Database", re.compile(r'because schema "([^".]+)\.[^"]+" does not exist')),
    ("Schema", re.compile(r'because schema "([^"]+)" does not exist')),
)
"""What DuckDB says of a table whose database or schema is missing."""


def run_ordinary(account: "Account", query: "Query", statement: Statement) -> Result:
    """Run a statement in fakesnow.

    :raises SnowflakeError: it failed.
    """
    session = query.session
    is_writing = statement.peek().is_word(*_WRITING)
    table = _written_table(session, statement) if is_writing else None
    if table is not None and not statement.starts_with("INSERT", "INTO"):
        transactions.lock_table(account, query, table)
    if is_writing or (
        statement.peek().is_word("SELECT", "WITH", "CREATE") and any(t.is_word("FROM") for t in statement.tokens)
    ):
        account.warehouses.require_running(session.warehouse)
    if any(t.kind == "stage" for t in statement.tokens):
        raise not_emulated("queries over staged files")
    cursor = session.connection.cursor()
    try:
        with refusing_losses(), with_histories(account, query) as sql:
            result = _repeat(cursor, query, as_meant(sql))
    except (snowflake.connector.errors.Error, duckdb.Error) as error:
        query.check()
        transactions.note_aborted(session)
        raise translate(error) from error
    finally:
        transactions.after_statement(account, session)
    session.has_written = session.has_written or (session.in_transaction and is_writing)
    _forget_loads(account, session, statement)
    _keep_result(session, cursor, query.query_id)
    return result


def _repeat(cursor: FakeSnowflakeCursor, query: "Query", sql: str) -> Result:
    """Run a statement, again when DuckDB met another's change of its catalog, for which Snowflake would wait."""
    for attempt in range(_ATTEMPTS):
        try:
            return _run(cursor, query, sql)
        except (duckdb.TransactionException, duckdb.ConstraintException) as error:
            # fakesnow notes lengths of columns in a table whose keys two statements that make one table share
            is_own = not isinstance(error, duckdb.ConstraintException) or "ext_table_catalog" in str(error)
            if not is_own or query.session.in_transaction or attempt == _ATTEMPTS - 1:
                raise
            query.check()
            time.sleep(0.02)
    raise AssertionError


def _run(cursor: FakeSnowflakeCursor, query: "Query", sql: str) -> Result:
    expression = parse_one(sql)
    kind = statement_type_id(expression)
    if query.describe_only and (described := cursor._describe_only(sql)) is not None:
        rowtype = describe_as_rowtype(described)
        return Result(
            {
                "rowtype": rowtype,
                "rowset": [],
                "total": 0,
                "returned": 0,
                "queryResultFormat": "json",
                "statementTypeId": kind,
            }
        )
    single, batch = bound_values(query)
    affected = 0
    for binds in [single] if batch is None else batch:
        # DuckDB's function of that name takes only binary values.
        cursor.execute(_OCTET_LENGTH.sub("STRLEN(", sql), binding_params=binds, server=True)
        affected += cursor.rowcount or 0
    if batch is not None and kind in DML_TYPE_IDS:
        return rows([("number of rows inserted", "fixed")], [[affected]], kind)
    rowtype = describe_as_rowtype(cursor._describe_last_sql())
    table: pa.Table = cursor._arrow_table
    if kind not in DML_TYPE_IDS:
        encoded = b64encode(to_ipc(with_missing(to_sf(table, rowtype), table))).decode()
        data: dict[str, Any] = {"queryResultFormat": "arrow", "rowsetBase64": encoded}
    else:
        columns = [(c["name"], c["type"]) for c in rowtype]
        data = rows(columns, zip(*[c.to_pylist() for c in table.columns], strict=True), kind).data
    data |= {"rowtype": rowtype, "total": table.num_rows, "returned": table.num_rows, "statementTypeId": kind}
    return Result(data, rows=table.num_rows)


def bound_values(query: "Query") -> tuple[Any, list[tuple[Any, ...]] | None]:
    """The values of one execution, or the rows of a batch."""
    bindings = query.bindings or {}
    if not bindings:
        return None, None
    if not all(k.isdigit() for k in bindings):
        return {k: _value(b) for k, b in bindings.items()}, None
    ordered = [bindings[str(i)] for i in range(1, len(bindings) + 1)]
    if not any(isinstance(b["value"], list) for b in ordered):
        return tuple(_value(b) for b in ordered), None
    columns = [[_value({**b, "value": v}) for v in b["value"]] for b in ordered]
    return None, list(zip(*columns, strict=True))


def _value(binding: dict[str, Any]) -> Any:
    return None if binding["value"] is None else from_binding(binding)


def _written_table(session: "Session", statement: Statement) -> tuple[str, str, str] | None:
    start = statement.position
    try:
        statement.take()
        while statement.peek().is_word("INTO", "FROM", "OVERWRITE", "TABLE", "IF", "EXISTS"):
            statement.take()
        return session.qualify(statement.name())
    except SnowflakeError:
        return None
    finally:
        statement.position = start


def _forget_loads(account: "Account", session: "Session", statement: Statement) -> None:
    """A table that is truncated or created anew has no load history."""
    statement.position = 0
    if not statement.peek().is_word("TRUNCATE", "CREATE", "DROP"):
        return
    words = [t for t in statement.tokens[:6] if t.is_word("TABLE")]
    if not words and not statement.starts_with("TRUNCATE"):
        return
    while statement.peek().is_word(
        "TRUNCATE",
        "CREATE",
        "DROP",
        "OR",
        "REPLACE",
        "TRANSIENT",
        "TEMPORARY",
        "TEMP",
        "LOCAL",
        "GLOBAL",
        "VOLATILE",
        "TABLE",
        "IF",
        "NOT",
        "EXISTS",
    ):
        if_not_exists = statement.starts_with("NOT")
        statement.take()
        if if_not_exists:
            return
    account.load_metadata.forget(session.qualify(statement.name()))


def _keep_result(session: "Session", cursor: FakeSnowflakeCursor, query_id: str) -> None:
    """Let RESULT_SCAN find the result by the id that the driver knows."""
    cache = session.connection.results_cache
    own_id: Any = cursor._sfqid
    if own_id in cache:
        cache[query_id] = cache.pop(own_id)
    while len(cache) > _KEPT_RESULTS:
        cache.pop(next(iter(cache)), None)


def translate(error: Exception) -> SnowflakeError:
    """An error of fakesnow or DuckDB in Snowflake's numbering."""
    if isinstance(error, snowflake.connector.errors.Error):
        for kind, words in _MISSING:
            if missing := words.search(error.raw_msg or ""):
                return does_not_exist(kind, missing[1])
        errno = error.errno if error.errno and error.errno > 0 else 2003
        return SnowflakeError(error.raw_msg or str(error), errno, error.sqlstate or "42000")
    message = str(error).splitlines()[0]
    if isinstance(error, duckdb.ConstraintException):
        if "NOT NULL" in message:
            return SnowflakeError("NULL result in a non-nullable column", 100072, "22000")
        if "CHECK constraint failed" in message:
            return SnowflakeError("String is too long and would be truncated", 100078, "22000")
        return SnowflakeError(message, 200001, "22000")
    if isinstance(error, duckdb.InterruptException):
        return SnowflakeError("SQL execution canceled", 604, "57014")
    if isinstance(error, duckdb.TransactionException):
        return SnowflakeError(f"Statement was aborted: {message}", 625, "57014")
    if isinstance(error, duckdb.OutOfRangeException):
        return SnowflakeError(f"Number out of representable range: {message}", 100132, "22003")
    if isinstance(error, duckdb.InvalidInputException):
        return SnowflakeError(message, 100051, "22012")
    return not_emulated(f"this statement ({type(error).__name__}: {message})")
