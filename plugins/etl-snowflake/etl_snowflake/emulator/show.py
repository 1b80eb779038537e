"""SHOW, DESCRIBE and the table functions of INFORMATION_SCHEMA that a loader reads."""

from typing import TYPE_CHECKING

from etl_snowflake.emulator.results import Result
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a statement that shows the account's state."""
    return None
