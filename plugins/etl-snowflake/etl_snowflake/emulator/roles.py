"""Which roles a session acts with: its own, those granted to it, and the secondary ones of its user.

https://docs.snowflake.com/en/user-guide/security-access-control-overview#role-hierarchy-and-privilege-inheritance
"""

import json
from typing import TYPE_CHECKING

from etl_snowflake.emulator.errors import does_not_exist
from etl_snowflake.emulator.results import Result, status
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.sessions import Session

ADMINS = ("ACCOUNTADMIN", "SYSADMIN")
_DONE = "Statement executed successfully."


class Roles:
    """The account's roles, and to whom they were granted."""

    def __init__(self) -> None:
        self.names = ["ACCOUNTADMIN", "SYSADMIN", "PUBLIC"]
        self._of_role: dict[str, list[str]] = {}
        self._of_user: dict[str, list[str]] = {}

    def granted(self, role: str) -> list[str]:
        """The roles that were granted to a role itself."""
        return self._of_role.get(role, [])

    def inherited(self, *roles: str) -> list[str]:
        """The roles with all below them, and PUBLIC, which everybody has."""
        found: list[str] = []
        waiting = [*roles, "PUBLIC"]
        while waiting:
            role = waiting.pop(0)
            if role not in found:
                found.append(role)
                waiting += self.granted(role)
        return found

    def secondary(self, session: "Session") -> list[str]:
        """The secondary roles of a session, without its own."""
        if session.secondary_roles == "NONE":
            return []
        mine = self._of_user.get(session.user, [])
        wanted = mine if session.secondary_roles == "ALL" else session.secondary_roles.split(",")
        return [role for role in wanted if role in mine and role != session.role]

    def active(self, session: "Session", privilege: str = "") -> list[str]:
        """The roles whose privileges count; creating objects takes the session's own role."""
        return self.inherited(session.role, *([] if privilege.startswith("CREATE") else self.secondary(session)))

    def is_admin(self, session: "Session", privilege: str = "") -> bool:
        """Whether the session may do everything."""
        return any(role in ADMINS for role in self.active(session, privilege))

    def describe_secondary(self, session: "Session") -> str:
        """What CURRENT_SECONDARY_ROLES() says.

        https://docs.snowflake.com/en/sql-reference/functions/current_secondary_roles
        """
        value = session.secondary_roles if session.secondary_roles in ("ALL", "NONE") else ""
        return json.dumps({"roles": ",".join(self.secondary(session)), "value": value})

    def use_secondary(self, session: "Session", statement: Statement) -> Result:
        """USE SECONDARY ROLES, the keywords taken already.

        https://docs.snowflake.com/en/sql-reference/sql/use-secondary-roles
        """
        if statement.peek().is_word("ALL", "NONE"):
            session.secondary_roles = statement.take().text.upper()
            return status(_DONE, 0x4300)
        roles = [statement.identifier()]
        while statement.accept_mark(","):
            roles.append(statement.identifier())
        for role in roles:
            if role not in self._of_user.get(session.user, []):
                raise does_not_exist("Role", role)
        session.secondary_roles = ",".join(roles)
        return status(_DONE, 0x4300)

    def change(self, statement: Statement, *, revoke: bool) -> Result:
        """GRANT and REVOKE of a role, the keywords taken already.

        https://docs.snowflake.com/en/sql-reference/sql/grant-role
        """
        role = statement.identifier()
        if role not in self.names:
            raise does_not_exist("Role", role)
        statement.take()
        is_user = statement.accept("USER")
        if not is_user:
            statement.accept("ROLE")
        name = statement.identifier()
        if not is_user and name not in self.names:
            raise does_not_exist("Role", name)
        holders = self._of_user if is_user else self._of_role
        held = [other for other in holders.get(name, []) if other != role]
        holders[name] = held if revoke else [*held, role]
        return status(_DONE)
