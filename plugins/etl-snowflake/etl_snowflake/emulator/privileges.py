"""Roles and what they may do: every role may do everything until a test takes a privilege away."""

from typing import TYPE_CHECKING

from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.results import Result
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session


class Privileges:
    """The account's roles."""

    def __init__(self) -> None:
        self.roles = ["ACCOUNTADMIN", "SYSADMIN", "PUBLIC"]

    def default_role(self, user: str) -> str:
        """The role of a session that names none."""
        return "ACCOUNTADMIN"

    def has_role(self, role: str) -> bool:
        """Whether the role exists."""
        return role in self.roles

    def check(self, session: "Session", statement: Statement) -> None:
        """Refuse what the session's role may not do.

        :raises SnowflakeError: 3001.
        """


def insufficient(kind: str, name: str) -> SnowflakeError:
    """The refusal of a statement for a lack of privileges."""
    return SnowflakeError(f"SQL access control error:\nInsufficient privileges to operate on {kind} '{name}'", 3001, "42501")


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """GRANT, REVOKE, CREATE ROLE."""
    return None
