"""USE, ALTER SESSION, functions of the session and the system, cancelling."""

import re
from typing import TYPE_CHECKING

from etl_snowflake.emulator.errors import SnowflakeError, does_not_exist, not_emulated
from etl_snowflake.emulator.results import Result, rows, status
from etl_snowflake.emulator.sessions import SERVER_VERSION, login_parameters
from etl_snowflake.emulator.statements import Statement
from etl_snowflake.emulator.transactions import abort

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

_DONE = "Statement executed successfully."


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a statement that reads or changes the session's own state."""
    session = query.session
    if statement.accept("USE"):
        return _use(account, session, statement)
    if statement.accept("ALTER", "SESSION"):
        return _alter_session(session, statement)
    if statement.starts_with("ALTER", "WAREHOUSE"):
        return _alter_warehouse(account, session, statement)
    if statement.starts_with("SELECT"):
        return _result_scan(account, query) or _functions(account, query)
    if statement.starts_with("CALL"):
        raise not_emulated("stored procedures")
    if statement.peek().is_word("EXPLAIN", "UNDROP"):
        raise not_emulated(statement.peek().text.upper())
    return None


def _use(account: "Account", session: "Session", statement: Statement) -> Result | None:
    if statement.accept("WAREHOUSE"):
        session.warehouse = account.warehouses.get(statement.identifier()).name
    elif statement.accept("ROLE"):
        role = statement.identifier()
        if not account.privileges.has_role(role):
            raise does_not_exist("Role", role)
        session.role = role
    elif statement.accept("SECONDARY", "ROLES"):
        pass
    else:
        return None
    return status(_DONE, 0x4300)


def _alter_session(session: "Session", statement: Statement) -> Result:
    if statement.accept("SET"):
        for name, value in statement.options().items():
            session.parameters[name] = str(value).lower() if isinstance(value, bool) else str(value)
    elif statement.accept("UNSET"):
        session.parameters.pop(statement.identifier(), None)
    else:
        raise statement.unexpected()
    result = status(_DONE, 0x4000)
    result.data["parameters"] = login_parameters(session)
    return result


def _alter_warehouse(account: "Account", session: "Session", statement: Statement) -> Result:
    statement.accept("ALTER", "WAREHOUSE")
    statement.accept("IF", "EXISTS")
    name = session.warehouse or ""
    if not statement.peek().is_word("SET", "SUSPEND", "RESUME") or statement.peek(1).is_word(
        "SET", "SUSPEND", "RESUME"
    ):
        name = statement.identifier()
    warehouse = account.warehouses.get(name)
    if statement.accept("SUSPEND"):
        if warehouse.state == "SUSPENDED":
            raise SnowflakeError(f"Invalid state. Warehouse '{name}' cannot be suspended.", 90064, "22000")
        warehouse.state = "SUSPENDED"
    elif statement.accept("RESUME"):
        statement.accept("IF", "SUSPENDED")
        warehouse.state = "STARTED"
    elif statement.accept("SET"):
        account.warehouses.alter(name, statement.options())
    else:
        raise not_emulated("this form of ALTER WAREHOUSE")
    return status(_DONE)


_CALL = re.compile(
    r"\b(CURRENT_(?:ROLE|WAREHOUSE|DATABASE|SCHEMA|ACCOUNT|VERSION|SESSION|USER|REGION|TRANSACTION|AVAILABLE_ROLES)|LAST_QUERY_ID"
    r"|SYSTEM\$CANCEL_QUERY|SYSTEM\$ABORT_SESSION|SYSTEM\$[A-Z_]+)\s*\(\s*(?:'([^']*)'|(\d+))?\s*\)(?:\s+AS\s+(\"[^\"]+\"|\w+))?",
    re.IGNORECASE,
)
_ONLY_CALLS = re.compile(rf"\s*SELECT\s+(?:{_CALL.pattern})(?:\s*,\s*(?:{_CALL.pattern}))*\s*;?\s*", re.IGNORECASE)


def _functions(account: "Account", query: "Query") -> Result | None:
    """A SELECT of nothing but functions of the session."""
    if not _ONLY_CALLS.fullmatch(query.sql):
        return None
    columns, values = [], []
    for match in _CALL.finditer(query.sql):
        name, argument, alias = match[1].upper(), match[2] or match[3], match[4]
        columns.append(
            alias.strip('"') if alias and alias.startswith('"') else (alias or f"{name}({argument or ''})").upper()
        )
        values.append(_call(account, query, name, argument))
    return rows(columns, [values])


_RESULT_SCAN = re.compile(
    r"\s*SELECT\s+\*\s+FROM\s+TABLE\s*\(\s*RESULT_SCAN\s*\(\s*(?:'([^']+)'|LAST_QUERY_ID\s*\(\s*\))\s*\)\s*\)\s*;?\s*",
    re.IGNORECASE,
)


def _result_scan(account: "Account", query: "Query") -> Result | None:
    """All rows of an earlier statement, which is how the drivers fetch an asynchronous one's."""
    match = _RESULT_SCAN.fullmatch(query.sql)
    if match is None:
        return None
    other = account.queries.by_id.get(match[1] or query.session.last_query_id or "")
    if other is None or other.result is None:
        raise SnowflakeError(f"Statement {match[1]} not found", 709, "02000")
    return other.result


def _call(account: "Account", query: "Query", name: str, argument: str | None) -> str | None:
    session = query.session
    simple = {
        "CURRENT_ROLE": session.role,
        "CURRENT_WAREHOUSE": session.warehouse,
        "CURRENT_DATABASE": session.database,
        "CURRENT_SCHEMA": session.schema,
        "CURRENT_ACCOUNT": "EMULATOR",
        "CURRENT_VERSION": SERVER_VERSION,
        "CURRENT_SESSION": str(session.number),
        "CURRENT_USER": session.user,
        "CURRENT_REGION": "EMULATOR_LOCAL",
        "CURRENT_TRANSACTION": str(session.transaction_id) if session.in_transaction else None,
        "LAST_QUERY_ID": session.last_query_id,
    }
    if name in simple:
        return simple[name]
    if name == "SYSTEM$CANCEL_QUERY":
        other = account.queries.by_id.get(argument or "")
        if other is None:
            return f"Identified SQL statement not found: {argument}"
        done = account.queries.cancel(other)
        return f"query [{argument}] terminated." if done else "Identified SQL statement is not currently executing."
    if name == "SYSTEM$CANCEL_ALL_QUERIES":
        cancelled = [q for q in account.queries.by_id.values() if str(q.session.number) == argument]
        return f"cancelled {sum(account.queries.cancel(other) for other in cancelled)} queries."
    if name == "SYSTEM$ABORT_SESSION":
        for other_session in account.sessions.open():
            if str(other_session.number) == argument:
                account.sessions.end(other_session)
                return "session terminated"
        return "session not found"
    if name == "SYSTEM$ABORT_TRANSACTION":
        owner = next(
            (s for s in account.sessions.open() if s.in_transaction and str(s.transaction_id) == argument), None
        )
        if owner is None or not abort(account, owner):
            raise SnowflakeError(f"Transaction {argument} is not running, or a statement of it is.", 90232, "22000")
        return f"{argument}"
    raise not_emulated(name)
