"""SHOW of what the emulator keeps itself: warehouses, stages, file formats, parameters, grants."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl_snowflake.emulator import external
from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.results import SHOW, Result, rows
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

_NUMBERS = (
    "min_cluster_count",
    "max_cluster_count",
    "started_clusters",
    "running",
    "queued",
    "auto_suspend",
    "transaction",
    "id",
    "session",
)


def _columns(names: str) -> list[tuple[str, str]]:
    """Columns by name: the listed numbers, moments where the name ends so, and text."""
    kinds = {n: "fixed" if n in _NUMBERS else "timestamp_ltz" if n.endswith("_on") else "text" for n in names.split()}
    return list(kinds.items())


_WAREHOUSE_COLUMNS = _columns(
    "name state type size min_cluster_count max_cluster_count started_clusters running queued is_default is_current "
    "auto_suspend auto_resume available provisioning quiescing other created_on resumed_on updated_on owner comment "
    "resource_monitor owner_role_type"
)
_STAGE_COLUMNS = _columns(
    "created_on name database_name schema_name url has_credentials has_encryption_key owner comment region type cloud "
    "notification_channel storage_integration endpoint owner_role_type directory_enabled"
)
_PARAMETERS = {
    "ABORT_DETACHED_QUERY": "false",
    "AUTOCOMMIT": "true",
    "DATE_INPUT_FORMAT": "AUTO",
    "LOCK_TIMEOUT": "43200",
    "QUERY_TAG": "",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": "0",
    "STATEMENT_TIMEOUT_IN_SECONDS": "172800",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMEZONE": "Etc/UTC",
}
_LEFT_TO_FAKESNOW = (
    "TABLES",
    "TERSE",
    "COLUMNS",
    "SCHEMAS",
    "DATABASES",
    "OBJECTS",
    "VIEWS",
    "PRIMARY",
    "UNIQUE",
    "IMPORTED",
    "SEQUENCES",
    "USERS",
)


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a SHOW.

    :raises SnowflakeError: 391999, a kind of SHOW that is not emulated.
    """
    if statement.peek().is_word("DESC", "DESCRIBE") and not statement.peek(1).is_word("TABLE", "VIEW", "STAGE"):
        raise not_emulated(f"DESCRIBE {statement.peek(1).text.upper()}")
    if not statement.accept("SHOW"):
        return None
    if statement.peek().is_word("TABLES", "STAGES"):
        _insist_on_schema(account, query.session, statement)
    if statement.peek().is_word("SCHEMAS"):
        _insist_on_database(account, query.session, statement)
    if statement.accept("WAREHOUSES"):
        return _warehouses(account, query.session, statement)
    if statement.accept("STAGES"):
        return _stages(account, query.session, statement)
    if statement.accept("FILE", "FORMATS"):
        values = [(n[2], n[0], n[1], str(o.get("TYPE", "CSV"))) for n, o in sorted(account.file_formats.items())]
        return rows(["name", "database_name", "schema_name", "type"], values, SHOW)
    if statement.accept("PARAMETERS"):
        return _parameters(query.session, statement)
    if statement.accept("TRANSACTIONS"):
        return _transactions(account)
    if statement.accept("LOCKS"):
        return _locks(account)
    if statement.accept("GRANTS"):
        return account.privileges.show(account, query.session, statement)
    if statement.accept("ROLES"):
        return rows(["name"], [(r,) for r in account.privileges.roles.names], SHOW)
    if not statement.peek().is_word(*_LEFT_TO_FAKESNOW):
        raise not_emulated(f"SHOW {statement.peek().text.upper()}")
    return None


def _insist_on_schema(account: "Account", session: "Session", statement: Statement) -> None:
    """Refuse to show what is in a schema that is not there, or that the session may not see."""
    begin = statement.position
    while statement.peek().kind != "end" and not statement.accept("IN", "SCHEMA"):
        statement.take()
    if statement.peek().kind in ("word", "quoted"):
        name = statement.name()
        name = name if len(name) == 2 else (str(session.database), *name)
        found = session.duck.execute(
            "SELECT 1 FROM information_schema.schemata WHERE catalog_name = ? AND schema_name = ?", list(name)
        )
        if found.fetchone() is None or not account.privileges.sees(session, "SCHEMA", name):
            raise _not_there()
    statement.position = begin


def _insist_on_database(account: "Account", session: "Session", statement: Statement) -> None:
    """The same of a database."""
    begin = statement.position
    while statement.peek().kind != "end" and not statement.accept("IN", "DATABASE"):
        statement.take()
    if statement.peek().kind in ("word", "quoted"):
        name = statement.name()
        found = session.duck.execute("SELECT 1 FROM information_schema.schemata WHERE catalog_name = ?", list(name))
        if found.fetchone() is None or not account.privileges.sees(session, "DATABASE", name):
            raise _not_there()
    statement.position = begin


def _not_there() -> SnowflakeError:
    message = "SQL compilation error:\nObject does not exist, or operation cannot be performed."
    return SnowflakeError(message, 2043, "02000")


def _like(statement: Statement) -> re.Pattern[str]:
    """The pattern of LIKE, which ignores case; everything when there is none."""
    pattern = statement.string() if statement.accept("LIKE") else "%"
    parts = re.split(r"(\\.|[%_])", pattern)
    regex = "".join(
        {"%": ".*", "_": "."}.get(p) or re.escape(p[1:] if len(p) == 2 and p[0] == "\\" else p) for p in parts
    )
    return re.compile(regex, re.IGNORECASE | re.DOTALL)


def _warehouses(account: "Account", session: "Session", statement: Statement) -> Result:
    pattern = _like(statement)
    values: list[list[object]] = []
    for w in account.warehouses.by_name.values():
        if not pattern.fullmatch(w.name) or not account.privileges.sees(session, "WAREHOUSE", (w.name,)):
            continue
        started = int(w.state == "STARTED")
        chosen = ["Y" if w.name == n else "N" for n in (account.warehouses.default, session.warehouse)]
        load = ["100" if started else "", "", "", ""]
        moments = [w.created_on] * 3
        facts = [
            w.name,
            w.state,
            "STANDARD",
            w.size,
            1,
            1,
            started,
            0,
            0,
            *chosen,
            w.auto_suspend,
            str(w.auto_resume).lower(),
        ]
        values.append([*facts, *load, *moments, "ACCOUNTADMIN", "", "null", "ROLE"])
    return rows(_WAREHOUSE_COLUMNS, values, SHOW)


def _stages(account: "Account", session: "Session", statement: Statement) -> Result:
    pattern = _like(statement)
    scope = _scope(session, statement)
    values = []
    for stage in sorted(account.stages.by_name.values(), key=lambda s: s.name):
        database, schema, name = stage.name
        if name.startswith(("~", "%")) or stage.session not in (None, session.number) or not pattern.fullmatch(name):
            continue
        if (database, schema)[: len(scope)] != scope:
            continue
        if stage.session is None and not account.privileges.sees(session, "STAGE", stage.name):
            continue
        kind = "INTERNAL NO CSE" if not stage.is_encrypted else "INTERNAL"
        kind = "EXTERNAL" if stage.url else kind
        kind = f"{kind} TEMPORARY" if stage.session is not None else kind
        values.append(
            (
                stage.created_on,
                name,
                database,
                schema,
                stage.url,
                "Y" if stage.has_credentials else "N",
                "N",
                stage.owner,
                stage.comment,
                None,
                kind,
                external.cloud(stage.url),
                None,
                stage.integration,
                None,
                "ROLE",
                "N",
            )
        )
    return rows(_STAGE_COLUMNS, values, SHOW)


def _scope(session: "Session", statement: Statement) -> tuple[str, ...]:
    if statement.accept("IN", "ACCOUNT"):
        return ()
    if statement.accept("IN", "DATABASE"):
        return (statement.identifier(),) if statement.peek().kind != "end" else (str(session.database),)
    if statement.accept("IN"):
        statement.accept("SCHEMA")
        name = statement.name()
        return name if len(name) == 2 else (str(session.database), *name)
    return (str(session.database), str(session.schema))


def _transactions(account: "Account") -> Result:
    """https://docs.snowflake.com/en/sql-reference/sql/show-transactions."""
    values = [
        (
            s.transaction_id,
            s.user,
            s.number,
            s.transaction_name,
            datetime.fromtimestamp(s.transaction_began, UTC),
            "running",
        )
        for s in account.sessions.open()
        if s.in_transaction
    ]
    return rows(_columns("id user session name started_on state"), values, SHOW)


def _locks(account: "Account") -> Result:
    """https://docs.snowflake.com/en/sql-reference/sql/show-locks."""
    values = []
    for table, lock in account.table_locks.held.items():
        began = datetime.fromtimestamp(lock.owner.transaction_began, UTC)
        since = datetime.fromtimestamp(lock.since, UTC)
        values.append(
            (".".join(table), "PARTITIONS", lock.owner.transaction_id, began, "HOLDING", since, lock.query_id)
        )
    names = "resource type transaction transaction_started_on status acquired_on query_id"
    return rows(_columns(names), values, SHOW)


def _parameters(session: "Session", statement: Statement) -> Result:
    pattern = _like(statement)
    if statement.accept("IN") and not statement.accept("SESSION"):
        raise not_emulated("SHOW PARAMETERS of another level than the session")
    values = []
    for key in sorted({*_PARAMETERS, *session.parameters}):
        if pattern.fullmatch(key):
            default = _PARAMETERS.get(key, "")
            level = "SESSION" if key in session.parameters else ""
            values.append((key, session.parameters.get(key, default), default, level, "", "STRING"))
    return rows(["key", "value", "default", "level", "description", "type"], values, SHOW)
