"""Roles and what they may do.

ACCOUNTADMIN and SYSADMIN may do everything. Another role, made by CREATE ROLE, may do what was granted to it and what
it owns.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_snowflake.emulator.errors import SnowflakeError, does_not_exist, not_emulated
from etl_snowflake.emulator.results import SHOW, Result, rows, status
from etl_snowflake.emulator.roles import ADMINS, Roles
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

_TABLE_VERBS = {
    "SELECT": "SELECT",
    "INSERT": "INSERT",
    "UPDATE": "UPDATE",
    "DELETE": "DELETE",
    "TRUNCATE": "TRUNCATE",
    "MERGE": "INSERT",
}
_GRANT_COLUMNS = (
    ("created_on", "timestamp_ltz"),
    "privilege",
    "granted_on",
    "name",
    "granted_to",
    "grantee_name",
    "grant_option",
    "granted_by",
)
_PLURALS = {"TABLES": "TABLE", "STAGES": "STAGE", "VIEWS": "VIEW", "SCHEMAS": "SCHEMA", "SEQUENCES": "SEQUENCE"}


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege of a role on an object; a future one is on every object of the kind below `name`."""

    role: str
    privilege: str
    kind: str
    name: tuple[str, ...]
    future: bool = False

    def covers(self, kind: str, name: tuple[str, ...]) -> bool:
        """Whether the grant is about this object."""
        if self.kind != kind:
            return False
        return name[: len(self.name)] == self.name if self.future else name == self.name


class Privileges:
    """The account's roles and grants."""

    def __init__(self) -> None:
        self.roles = Roles()
        self.grants: list[Grant] = []

    def has_role(self, role: str) -> bool:
        """Whether the role exists."""
        return role in self.roles.names

    def held(self, session: "Session", kind: str, name: tuple[str, ...], privilege: str = "") -> set[str]:
        """The privileges on an object of the roles that a session acts with.

        :param privilege: the one that is asked for; one to create something counts only for the session's own role.
        """
        roles = self.roles.active(session, privilege)
        return {g.privilege for g in self.grants if g.role in roles and g.covers(kind, name)}

    def sees(self, session: "Session", kind: str, name: tuple[str, ...]) -> bool:
        """Whether a session may know of an object."""
        return self.roles.is_admin(session) or bool(self.held(session, kind, name))

    def require(self, session: "Session", privilege: str, kind: str, name: tuple[str, ...]) -> None:
        """Refuse when the session's role lacks a privilege.

        :param privilege: empty where any of them will do.
        :raises SnowflakeError: 2003, it may not know of the object; 3001, it may not do this to it.
        """
        if self.roles.is_admin(session, privilege):
            return
        for size, container in ((1, "DATABASE"), (2, "SCHEMA")):
            if len(name) > size and not self.held(session, container, name[:size]):
                raise does_not_exist(container.capitalize(), ".".join(name[:size]))
        held = self.held(session, kind, name, privilege)
        if held & {privilege, "OWNERSHIP", "ALL", "ALL PRIVILEGES"} or (held and not privilege):
            return
        if not self.sees(session, kind, name):
            raise does_not_exist(kind.capitalize(), ".".join(name))
        raise SnowflakeError(
            f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name[-1]}'",
            3001,
            "42501",
        )

    def own(self, session: "Session", kind: str, name: tuple[str, ...]) -> None:
        """Make the session's role the owner of what it created."""
        if session.role not in ADMINS:
            self.grants.append(Grant(session.role, "OWNERSHIP", kind, name))

    def check(self, account: "Account", session: "Session", statement: Statement) -> None:
        """Refuse what the session's role may not do.

        :raises SnowflakeError: 2003 or 3001.
        """
        statement.position = 0
        verb = statement.peek().text.upper()
        if self.roles.is_admin(session, verb):
            return
        if verb in ("CREATE", "DROP", "ALTER"):
            self._check_definition(account, session, statement, verb)
        elif verb in ("DESC", "DESCRIBE") and statement.peek(1).is_word("TABLE", "VIEW"):
            statement.position = 2
            self.require(session, "", "TABLE", session.qualify(statement.name()))
        elif verb in ("DESC", "DESCRIBE") and statement.peek(1).is_word("STAGE"):
            statement.position = 2
            self.require(session, "", "STAGE", session.qualify(statement.name()))
        elif verb in ("GRANT", "REVOKE"):
            raise SnowflakeError(
                "SQL access control error:\nInsufficient privileges to operate on account", 3001, "42501"
            )
        else:
            self._check_data(account, session, statement, verb)

    def _check_definition(self, account: "Account", session: "Session", statement: Statement, verb: str) -> None:
        words = (
            "CREATE",
            "DROP",
            "ALTER",
            "OR",
            "REPLACE",
            "TRANSIENT",
            "TEMPORARY",
            "TEMP",
            "LOCAL",
            "GLOBAL",
            "VOLATILE",
        )
        while statement.peek().is_word(*words):
            statement.take()
        kind = statement.take().text.upper()
        if kind in ("SESSION", "WAREHOUSE") or (kind == "FILE" and statement.accept("FORMAT")):
            if kind == "SESSION":
                return
            kind = "FILE FORMAT" if kind == "FILE" else kind
        while statement.peek().is_word("IF", "NOT", "EXISTS"):
            statement.take()
        if kind == "SCHEMA":
            self._check_schema(account, session, statement, verb)
        if kind not in ("TABLE", "STAGE", "VIEW", "FILE FORMAT", "SEQUENCE"):
            return
        name = session.qualify(statement.name())
        if verb == "CREATE":
            # also where it exists and IF NOT EXISTS is said
            self.require(session, f"CREATE {kind}", "SCHEMA", name[:2])
            if not _exists(account, session, kind, name):
                self.own(session, kind, name)
            elif not self.held(session, kind, name):
                raise SnowflakeError(
                    f"SQL compilation error:\n{kind.capitalize()} '{'.'.join(name)}' already exists, but current role "
                    "has no privileges on it. If this is unexpected and you cannot resolve this problem, contact your "
                    "system administrator. ACCOUNTADMIN role may be required to manage the privileges on the object.",
                    3041,
                    "42710",
                )
        elif kind not in ("TABLE", "STAGE") or _exists(account, session, kind, name):
            # what is not there is for the statement to say, unless it says IF EXISTS
            self.require(session, "OWNERSHIP", kind, name)

    def _check_schema(self, account: "Account", session: "Session", statement: Statement, verb: str) -> None:
        name = self._object(session, "SCHEMA", statement)
        if verb == "CREATE":
            self.require(session, "CREATE SCHEMA", "DATABASE", name[:1])
            if not self._is_there(account, session, "SCHEMA", name):
                self.own(session, "SCHEMA", name)
        else:
            self.require(session, "OWNERSHIP", "SCHEMA", name)

    def _check_data(self, account: "Account", session: "Session", statement: Statement, verb: str) -> None:
        if verb in ("PUT", "REMOVE", "RM", "LIST", "LS", "GET", "COPY"):
            for token in statement.tokens:
                if token.kind == "stage" or (token.kind == "string" and token.text.startswith("'@")):
                    statement.position = statement.tokens.index(token)
                    reference = statement.stage()
                    if reference.name[0] not in "~%":
                        whole = session.qualify((*reference.namespace, reference.name))
                        stage = account.stages.by_name.get((whole, None))
                        privilege = "WRITE" if verb in ("PUT", "REMOVE", "RM") else "READ"
                        self.require(session, "USAGE" if stage and stage.url else privilege, "STAGE", whole)
                    break
        privilege = "INSERT" if verb == "COPY" else _TABLE_VERBS.get(verb, "")
        previous = None
        for i, token in enumerate(statement.tokens):
            follows = previous is not None and previous.is_word("FROM", "JOIN", "INTO", "UPDATE", "USING", "TABLE")
            if follows and token.kind in ("word", "quoted") and privilege:
                statement.position = i
                name = statement.name()
                written = previous is not None and (
                    previous.is_word("INTO", "UPDATE") or (verb in ("DELETE", "TRUNCATE") and i <= 3)
                )
                if not token.is_word("TABLE", "IF", "EXISTS") and (len(name) < 2 or name[-2] != "INFORMATION_SCHEMA"):
                    self.require(session, privilege if written else "SELECT", "TABLE", session.qualify(name))
            previous = token

    def show(self, account: "Account", session: "Session", statement: Statement) -> Result:
        """SHOW GRANTS [TO ROLE r | ON kind name]; what no other role owns, ACCOUNTADMIN does."""
        found = self.grants + self._owned_by_admin(account, session)
        if statement.accept("TO", "ROLE"):
            role = statement.identifier()
            if not self.has_role(role) or not (self.roles.is_admin(session) or role in self.roles.active(session)):
                raise does_not_exist("Role", role)
            found = [g for g in found if g.role == role]
            found += [Grant(role, "USAGE", "ROLE", (below,)) for below in self.roles.granted(role)]
        elif statement.accept("ON"):
            kind = statement.take().text.upper()
            name = self._object(session, kind, statement)
            found = [g for g in found if g.covers(kind, name)]
        elif statement.peek().kind != "end":
            raise not_emulated("this form of SHOW GRANTS")
        values = [
            (None, g.privilege, g.kind, ".".join(g.name), "ROLE", g.role, "false", "ACCOUNTADMIN")
            for g in found
            if not g.future
        ]
        return rows(_GRANT_COLUMNS, values, SHOW)

    def _owned_by_admin(self, account: "Account", session: "Session") -> list[Grant]:
        owned = {(g.kind, g.name) for g in self.grants if g.privilege == "OWNERSHIP"}
        schemas = session.duck.execute(
            "SELECT database_name, schema_name FROM duckdb_schemas() "
            "WHERE NOT internal AND NOT starts_with(database_name, '_fs')"
        ).fetchall()
        tables = session.duck.execute(
            "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary"
        ).fetchall()
        visible = [s for s in schemas if not s[1].startswith("_fs") and s[1] != "main"]
        objects: list[tuple[str, tuple[str, ...]]] = [("DATABASE", (name,)) for name in sorted({s[0] for s in visible})]
        objects += [("SCHEMA", s) for s in visible]
        objects += [("TABLE", t) for t in tables if t[:2] in visible]
        objects += [("STAGE", s.name) for s in account.stages.by_name.values() if s.name[2][0] not in "~%"]
        objects += [("WAREHOUSE", (name,)) for name in account.warehouses.by_name]
        return [Grant("ACCOUNTADMIN", "OWNERSHIP", kind, name) for kind, name in objects if (kind, name) not in owned]

    def _object(self, session: "Session", kind: str, statement: Statement) -> tuple[str, ...]:
        name = statement.name()
        if kind in ("DATABASE", "WAREHOUSE", "ROLE", "USER", "ACCOUNT"):
            return name
        if kind == "SCHEMA":
            return name if len(name) == 2 else (str(session.database), *name)
        return session.qualify(name)

    def _is_there(self, account: "Account", session: "Session", kind: str, name: tuple[str, ...]) -> bool:
        """Whether an object exists that a privilege could be about; kinds that are not looked for count as there."""
        match kind:
            case "WAREHOUSE":
                return name[0] in account.warehouses.by_name
            case "TABLE" | "STAGE":
                return _exists(account, session, kind, session.qualify(name))
            case "DATABASE" | "SCHEMA":
                found = session.duck.execute("SELECT catalog_name, schema_name FROM information_schema.schemata")
                return any(row[: len(name)] == name for row in found.fetchall())
        return True

    def change(self, account: "Account", session: "Session", statement: Statement) -> Result:
        """GRANT and REVOKE of privileges on objects."""
        revoke = statement.take().is_word("REVOKE")
        if statement.accept("ROLE"):
            return self.roles.change(statement, revoke=revoke)
        privileges: list[str] = []
        words: list[str] = []
        while not statement.peek().is_word("ON"):
            token = statement.take()
            if token.text == ",":
                privileges.append(" ".join(words))
                words = []
            else:
                words.append(token.text.upper())
        privileges.append(" ".join(words))
        statement.accept("ON")
        future = statement.accept("FUTURE") or statement.accept("ALL")
        kind = statement.take().text.upper()
        kind = "FILE FORMAT" if kind == "FILE" and statement.accept("FORMAT") else _PLURALS.get(kind, kind)
        if future:
            statement.accept("IN")
            name = self._object(session, statement.take().text.upper(), statement)
        else:
            name = self._object(session, kind, statement)
        statement.take()
        statement.accept("ROLE")
        role = statement.identifier()
        if not self.has_role(role):
            raise does_not_exist("Role", role)
        if not (future or revoke or self._is_there(account, session, kind, name)):
            raise does_not_exist(kind.capitalize(), ".".join(name))
        wanted = [Grant(role, p, kind, name, future) for p in privileges]
        self.grants = [g for g in self.grants if g not in wanted] + ([] if revoke else wanted)
        return status("Statement executed successfully.")


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """GRANT, REVOKE, CREATE ROLE, DROP ROLE."""
    if statement.peek().is_word("GRANT", "REVOKE"):
        return account.privileges.change(account, query.session, statement)
    if statement.accept("CREATE", "ROLE"):
        statement.accept("IF", "NOT", "EXISTS")
        role = statement.identifier()
        if not account.privileges.has_role(role):
            account.privileges.roles.names.append(role)
        return status(f"Role {role} successfully created.")
    if statement.starts_with("DROP", "ROLE"):
        raise not_emulated("DROP ROLE")
    return None


def _exists(account: "Account", session: "Session", kind: str, name: tuple[str, str, str]) -> bool:
    if kind == "STAGE":
        return (name, None) in account.stages.by_name
    found = session.duck.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = ? AND table_schema = ? AND table_name = ?",
        list(name),
    )
    return found.fetchone() is not None
