"""Definitions of databases and tables that fakesnow lacks or takes otherwise than Snowflake."""

import uuid
from typing import TYPE_CHECKING

import duckdb

from etl_snowflake.emulator import transactions
from etl_snowflake.emulator.conversion import quoted
from etl_snowflake.emulator.errors import not_emulated
from etl_snowflake.emulator.ordinary import run_ordinary, translate
from etl_snowflake.emulator.results import Result, status
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

Name = tuple[str, str, str]
_DONE = "Statement executed successfully."
_NOT_EMULATED = (
    "PIPE",
    "TASK",
    "STREAM",
    "PROCEDURE",
    "FUNCTION",
    "INTEGRATION",
    "SHARE",
    "EXTERNAL",
    "DYNAMIC",
    "ICEBERG",
    "HYBRID",
)


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a definition, or leave it to fakesnow."""
    if statement.starts_with("CREATE", "DATABASE") or statement.starts_with("USE", "DATABASE"):
        return _enter_database(account, query, statement)
    if statement.accept("TRUNCATE"):
        return _truncate(account, query, statement)
    if statement.starts_with("ALTER", "TABLE") and any(t.is_word("SWAP") for t in statement.tokens):
        return _swap(account, query, statement)
    if statement.peek().is_word("CREATE", "ALTER"):
        if any(t.is_word(*_NOT_EMULATED) for t in statement.tokens[:4]):
            raise not_emulated(f"the definition that begins with {query.sql[:40]!r}")
        if any(t.is_word("ERROR_LOGGING") for t in statement.tokens):
            raise not_emulated("error tables (ERROR_LOGGING)")
    return None


def _enter_database(account: "Account", query: "Query", statement: Statement) -> Result:
    """A database has a schema PUBLIC, which becomes the current one.

    https://docs.snowflake.com/en/sql-reference/sql/use-database
    """
    is_new = statement.starts_with("CREATE")
    result = run_ordinary(account, query, statement)
    cursor = query.session.connection.cursor()
    statement.position = 2
    statement.accept("IF", "NOT", "EXISTS")
    database = quoted(statement.identifier())
    if is_new:
        cursor.execute(f"USE DATABASE {database}")
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {database}.PUBLIC")
    found = query.session.duck.execute(
        "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = 'PUBLIC'", [query.session.database]
    ).fetchone()
    if found is not None:
        cursor.execute(f"USE SCHEMA {database}.PUBLIC")
    return result


def _sql(table: Name) -> str:
    return ".".join(quoted(part) for part in table)


def _exists(query: "Query", table: Name) -> bool:
    sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
    return query.session.duck.execute(sql, list(table)).fetchone() is not None


def _truncate(account: "Account", query: "Query", statement: Statement) -> Result:
    statement.accept("TABLE")
    if_exists = statement.accept("IF", "EXISTS")
    table = query.session.qualify(statement.name())
    statement.end()
    if if_exists and not _exists(query, table):
        return status(_DONE)
    transactions.lock_table(account, query, table)
    try:
        query.session.duck.execute(f"DELETE FROM {_sql(table)}")  # noqa: S608 - the name is quoted
    except duckdb.Error as error:
        raise translate(error) from error
    finally:
        transactions.after_statement(account, query.session)
    account.load_metadata.forget(table)
    return status(_DONE)


def _swap(account: "Account", query: "Query", statement: Statement) -> Result:
    """https://docs.snowflake.com/en/sql-reference/sql/alter-table: both renamed in one transaction."""
    statement.accept("ALTER", "TABLE")
    statement.accept("IF", "EXISTS")
    one = query.session.qualify(statement.name())
    if not statement.accept("SWAP", "WITH"):
        raise statement.unexpected()
    other = query.session.qualify(statement.name())
    statement.end()
    if one[:2] != other[:2]:
        raise not_emulated("SWAP WITH of tables in different schemas")
    duck = query.session.duck
    between = (*one[:2], f"_SWAP_{uuid.uuid4().hex}")
    duck.begin()
    try:
        for old, new in ((one, between), (other, one), (between, other)):
            duck.execute(f"ALTER TABLE {_sql(old)} RENAME TO {quoted(new[2])}")
        duck.commit()
    except duckdb.Error as error:
        duck.rollback()
        raise translate(error) from error
    account.load_metadata.swap(one, other)
    return status(_DONE)
