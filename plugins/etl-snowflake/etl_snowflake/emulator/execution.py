"""Decides who executes a statement: this package for what a loader stands on, fakesnow for ordinary SQL."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from etl_snowflake.emulator import (
    copying,
    definitions,
    file_formats,
    merging,
    privileges,
    session_statements,
    show,
    stage_statements,
    transactions,
    users,
)
from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.ordinary import run_ordinary
from etl_snowflake.emulator.results import Result
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

Executor = Callable[["Account", "Query", Statement], Result | None]

# asked in this order; one that answers None leaves the statement to the next
_OWN: tuple[Executor, ...] = (
    session_statements.run,
    transactions.run,
    stage_statements.run,
    file_formats.run,
    copying.run,
    merging.run,
    definitions.run,
    show.run,
    privileges.run,
    users.run,
)


def execute(account: "Account", query: "Query") -> Result:
    """Run a statement to its end.

    :raises SnowflakeError: it failed.
    """
    statement = Statement(query.sql)
    count = 1 + sum(t.text == ";" for t in statement.tokens)
    if count > 1 and not statement.starts_with("BEGIN"):
        message = f"Actual statement count {count} did not match the desired statement count 1."
        raise SnowflakeError(message, 8, "0A000")
    if not statement.tokens:
        raise SnowflakeError("SQL compilation error:\nEmpty SQL statement.", 900, "42601")
    transactions.before_statement(account, query, statement)
    account.privileges.check(account, query.session, statement)
    for run in _OWN:
        statement.position = 0
        result = run(account, query, statement)
        if result is not None:
            return result
    return run_ordinary(account, query, statement)
