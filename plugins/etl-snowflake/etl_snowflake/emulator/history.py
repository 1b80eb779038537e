"""COPY_HISTORY, LOAD_HISTORY and QUERY_HISTORY of INFORMATION_SCHEMA, as tables that ordinary SQL reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl_snowflake.emulator import external
from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

_MOMENT = pa.timestamp("us", "UTC")
_NUMBERS = frozenset(
    (
        "ERROR_COUNT",
        "ERROR_LIMIT",
        "FILE_SIZE",
        "FIRST_ERROR_CHARACTER_POS",
        "FIRST_ERROR_CHARACTER_POSITION",
        "FIRST_ERROR_LINE_NUMBER",
        "ROWS_PRODUCED",
        "ROW_COUNT",
        "ROW_PARSED",
        "SESSION_ID",
        "TOTAL_ELAPSED_TIME",
    )
)


def _schema(names: str) -> pa.Schema:
    """Columns by name: the listed numbers, moments where the name ends so, and text."""
    kinds = {n: pa.int64() if n in _NUMBERS else _MOMENT if n.endswith("_TIME") else pa.string() for n in names.split()}
    return pa.schema(list(kinds.items()))


_COPY_HISTORY = _schema(
    "FILE_NAME STAGE_LOCATION LAST_LOAD_TIME ROW_COUNT ROW_PARSED FILE_SIZE FIRST_ERROR_MESSAGE "
    "FIRST_ERROR_LINE_NUMBER FIRST_ERROR_CHARACTER_POS FIRST_ERROR_COLUMN_NAME ERROR_COUNT ERROR_LIMIT STATUS "
    "TABLE_CATALOG_NAME TABLE_SCHEMA_NAME TABLE_NAME PIPE_CATALOG_NAME PIPE_SCHEMA_NAME PIPE_NAME PIPE_RECEIVED_TIME"
)
_LOAD_HISTORY = _schema(
    "SCHEMA_NAME FILE_NAME TABLE_NAME LAST_LOAD_TIME STATUS ROW_COUNT ROW_PARSED FIRST_ERROR_MESSAGE "
    "FIRST_ERROR_LINE_NUMBER FIRST_ERROR_CHARACTER_POSITION FIRST_ERROR_COL_NAME ERROR_COUNT ERROR_LIMIT"
)
_QUERY_HISTORY = _schema(
    "QUERY_ID QUERY_TEXT DATABASE_NAME SCHEMA_NAME QUERY_TYPE SESSION_ID USER_NAME ROLE_NAME WAREHOUSE_NAME QUERY_TAG "
    "EXECUTION_STATUS ERROR_CODE ERROR_MESSAGE START_TIME END_TIME TOTAL_ELAPSED_TIME ROWS_PRODUCED"
)
_QUERY_FUNCTIONS = ("QUERY_HISTORY", "QUERY_HISTORY_BY_SESSION", "QUERY_HISTORY_BY_USER", "QUERY_HISTORY_BY_WAREHOUSE")


@contextmanager
def with_histories(account: "Account", query: "Query") -> Iterator[str]:
    """The query's SQL with each history replaced by a table that exists inside the block.

    :raises SnowflakeError: a table function that is not emulated.
    """
    statement = Statement(query.sql)
    duck = query.session.duck
    replaced: list[tuple[int, int, str]] = []
    names: list[str] = []
    try:
        while statement.peek().kind != "end":
            start = statement.peek().start
            table = _history(account, query, statement)
            if table is None:
                statement.take()
                continue
            name = f"_EMULATED_HISTORY_{len(names)}"
            duck.register(name, table)
            names.append(name)
            replaced.append((start, statement.tokens[statement.position - 1].end, name))
        sql = query.sql
        for start, end, name in reversed(replaced):
            sql = f"{sql[:start]}{name}{sql[end:]}"
        yield sql
    finally:
        for name in names:
            duck.unregister(name)


def _history(account: "Account", query: "Query", statement: Statement) -> pa.Table | None:
    """The history that the next tokens name, consumed; None when they name none."""
    is_function = statement.peek().is_word("TABLE") and statement.peek(1).text == "("
    begin = statement.position
    statement.position += 2 if is_function else 0
    if statement.peek().kind not in ("word", "quoted"):
        statement.position = begin
        return None
    name = statement.name()
    if len(name) < 2 or name[-2] not in ("INFORMATION_SCHEMA", "ACCOUNT_USAGE"):
        statement.position = begin
        if is_function and name[-1] in ("VALIDATE", "GENERATOR", "INFER_SCHEMA", "ERROR_TABLE"):
            raise not_emulated(f"TABLE({name[-1]}(…))")
        return None
    if name[-2] == "ACCOUNT_USAGE":
        raise not_emulated("SNOWFLAKE.ACCOUNT_USAGE")
    if not is_function:
        if name[-1] == "LOAD_HISTORY":
            return _load_history(account, query)
        statement.position = begin
        return None
    arguments = _arguments(query, statement)
    if name[-1] == "COPY_HISTORY":
        return _copy_history(account, query, arguments)
    if name[-1] in _QUERY_FUNCTIONS:
        return _query_history(account, arguments)
    raise not_emulated(f"TABLE(INFORMATION_SCHEMA.{name[-1]}(…))")


def _arguments(query: "Query", statement: Statement) -> dict[str, Any]:
    """`NAME => expression, …` and both closing parentheses, the expressions evaluated."""
    statement.expect_mark("(")
    found: dict[str, Any] = {}
    while not statement.accept_mark(")"):
        name = statement.identifier()
        statement.expect_mark("=>")
        start, depth = statement.peek().start, 0
        while depth or statement.peek().text not in (",", ")"):
            depth += {"(": 1, ")": -1}.get(statement.take().text, 0)
            if statement.peek().kind == "end":
                raise statement.unexpected()
        expression = statement.sql[start : statement.peek().start]
        cursor = query.session.connection.cursor()
        cursor.execute(f"SELECT {expression}")
        value = cursor.fetchone()
        found[name] = next(iter(value.values() if isinstance(value, dict) else value or ()), None)
        statement.accept_mark(",")
    statement.expect_mark(")")
    return found


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _aware(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _copy_history(account: "Account", query: "Query", arguments: dict[str, Any]) -> pa.Table:
    """Completed loads of a table: https://docs.snowflake.com/en/sql-reference/functions/copy_history."""
    if "TABLE_NAME" not in arguments or "START_TIME" not in arguments:
        raise SnowflakeError(
            "SQL compilation error:\nTABLE_NAME and START_TIME are required for COPY_HISTORY", 1011, "22023"
        )
    table = query.session.qualify(Statement(str(arguments["TABLE_NAME"])).name())
    since, until = _aware(arguments["START_TIME"]), _aware(arguments.get("END_TIME"))
    found = []
    for r in account.load_metadata.history:
        at = datetime.fromtimestamp(r.loaded_at, UTC)
        if r.table != table or (since and at < since) or (until and at > until):
            continue
        found.append(
            (
                r.file,
                f"stages/{r.stage}/",
                at,
                r.rows_loaded,
                r.rows_parsed,
                r.size,
                r.first_error,
                r.first_error_line,
                r.first_error_character,
                r.first_error_column,
                r.errors_seen,
                r.error_limit,
                r.status,
                *r.table,
                None,
                None,
                None,
                None,
            )
        )
    return _table(_COPY_HISTORY, found)


def _load_history(account: "Account", query: "Query") -> pa.Table:
    found = [
        (
            r.table[1],
            r.file,
            r.table[2],
            _moment(r.loaded_at),
            r.status.upper(),
            r.rows_loaded,
            r.rows_parsed,
            r.first_error,
            r.first_error_line,
            r.first_error_character,
            r.first_error_column,
            r.errors_seen,
            r.error_limit,
        )
        for r in account.load_metadata.history
        if r.table[0] == query.session.database
    ]
    return _table(_LOAD_HISTORY, found)


def _query_history(account: "Account", arguments: dict[str, Any]) -> pa.Table:
    session, user = arguments.get("SESSION_ID"), arguments.get("USER_NAME")
    since = _aware(arguments.get("END_TIME_RANGE_START"))
    found = []
    for q in reversed(list(account.queries.by_id.values())):
        if (session is not None and q.session.number != int(session)) or (
            user is not None and q.session.user != str(user).upper()
        ):
            continue
        if since is not None and q.ended is not None and datetime.fromtimestamp(q.ended, UTC) < since:
            continue
        verb = q.sql.split(maxsplit=1)[0].upper() if q.sql.split() else ""
        found.append(
            (
                q.query_id,
                external.masked(q.sql),
                q.session.database,
                q.session.schema,
                verb,
                q.session.number,
                q.session.user,
                q.session.role,
                q.session.warehouse,
                q.query_tag,
                q.status,
                f"{q.error.errno:06d}" if q.error else None,
                q.error.message if q.error else None,
                _moment(q.started),
                _moment(q.ended),
                int(((q.ended or q.started) - q.started) * 1000),
                q.result.rows if q.result else None,
            )
        )
    return _table(_QUERY_HISTORY, found[: int(arguments.get("RESULT_LIMIT") or 100)])


def _table(schema: pa.Schema, found: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*found, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
