# ruff: noqa: SLF001 - fakesnow offers its parts only under private names
"""Sessions: login, tokens, parameters, and the connection that each session's statements run on."""

import itertools
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.expr import normalise_ident

from etl_snowflake.emulator.errors import LoginRefusedError, SnowflakeError

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.load_metadata import LoadRecord

SERVER_VERSION = "9.38.0"
# one count for the process: a session that ends after a reset must not be taken for one that began since
_NUMBERS = itertools.count(17_592_186_044_417, 4)


@dataclass(eq=False)
class Session:
    """One login.

    :param lock: held by the statement that runs; a session runs one at a time.
    :param pending_loads: load metadata of the open transaction, kept when it commits.
    """

    number: int
    token: str
    master_token: str
    user: str
    role: str
    warehouse: str | None
    connection: FakeSnowflakeConnection
    parameters: dict[str, str] = field(default_factory=dict)
    secondary_roles: str = "ALL"
    lock: threading.Lock = field(default_factory=threading.Lock)
    in_transaction: bool = False
    has_written: bool = False
    is_aborted: bool = False
    is_closed: bool = False
    token_expired: bool = False
    master_expired: bool = False
    transaction_id: int = 0
    transaction_name: str = ""
    transaction_began: float = 0.0
    last_active: float = field(default_factory=time.time)
    last_query_id: str | None = None
    pending_loads: list["LoadRecord"] = field(default_factory=list)

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB connection under the session."""
        return self.connection._duck_conn

    @property
    def database(self) -> str | None:
        """The current database."""
        return self.connection.database

    @property
    def schema(self) -> str | None:
        """The current schema."""
        return self.connection.schema if self.connection.schema_set else None

    def qualify(self, name: tuple[str, ...]) -> tuple[str, str, str]:
        """Complete a name by the current database and schema.

        :raises SnowflakeError: 90105 or 90106, when there is none.
        """
        if len(name) == 3:
            return name[0], name[1], name[2]
        if self.database is None or (len(name) == 1 and self.schema is None):
            missing, number = ("database", 90105) if self.database is None else ("schema", 90106)
            raise SnowflakeError(
                f"Cannot perform operation. This session does not have a current {missing}. "
                f"Call 'USE {missing.upper()}', or use a qualified name.",
                number,
                "22000",
            )
        if len(name) == 2:
            return self.database, name[0], name[1]
        return self.database, str(self.schema), name[0]


class Sessions:
    """The sessions that are open."""

    def __init__(self, account: "Account") -> None:
        self._account = account
        self._lock = threading.Lock()
        self.by_token: dict[str, Session] = {}

    def login(self, data: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Open a session, and say what the driver needs to know of it.

        :raises LoginRefusedError: a user, role, key or token that the account does not have.
        """
        user = str(data.get("LOGIN_NAME") or "").upper()
        self._account.users.authenticate(data)
        database, schema = (_named(query, k) for k in ("databaseName", "schemaName"))
        role = _named(query, "roleName") or "ACCOUNTADMIN"
        if not self._account.privileges.has_role(role):
            raise LoginRefusedError(
                "390189",
                f"Role '{role}' specified in the connect string does not exist or not authorized. "
                "Contact your local system administrator, or attempt to login with another role.",
            )
        fakesnow = self._account.fakesnow
        with self._lock:
            # of any other that is not there, the session has none: the login itself does not fail
            is_given = database in self._account.settings.databases
            fakesnow.create_database_on_connect = is_given
            fakesnow.create_schema_on_connect = is_given and schema in (None, "PUBLIC")
            # a database has a schema PUBLIC, which is current unless another is named
            connection = fakesnow.connect(database, schema or ("PUBLIC" if database else None))
        if not connection.database_set:
            connection.database = connection._schema = None
        warehouse = _named(query, "warehouse") or self._account.warehouses.default
        parameters = {k.upper(): _parameter(v) for k, v in (data.get("SESSION_PARAMETERS") or {}).items()}
        session = Session(
            next(_NUMBERS),
            _token(),
            _token(),
            user,
            role,
            self._account.warehouses.known(warehouse),
            connection,
            parameters,
        )
        self._hide(session)
        with self._lock:
            self.by_token[session.token] = session
        return self._describe(session)

    def _hide(self, session: Session) -> None:
        """Leave the session without what its roles may not use, as an account does at login."""
        privileges, database = self._account.privileges, session.database
        if session.warehouse and not privileges.sees(session, "WAREHOUSE", (session.warehouse,)):
            session.warehouse = None
        if database is None:
            return
        if not privileges.sees(session, "DATABASE", (database,)):
            session.connection.database = session.connection._schema = None
            session.connection.database_set = session.connection.schema_set = False
        elif session.schema is None or not privileges.sees(session, "SCHEMA", (database, session.schema)):
            session.connection.schema_set = False

    def _describe(self, session: Session) -> dict[str, Any]:
        settings = self._account.settings
        return {
            "masterToken": session.master_token,
            "token": session.token,
            "validityInSeconds": settings.session_seconds,
            "masterValidityInSeconds": 14400,
            "displayUserName": session.user,
            "serverVersion": SERVER_VERSION,
            "firstLogin": False,
            "remMeToken": None,
            "remMeValidityInSeconds": 0,
            "healthCheckInterval": 45,
            "newClientForUpgrade": None,
            "sessionId": session.number,
            "parameters": login_parameters(session),
            "sessionInfo": {
                "databaseName": session.database,
                "schemaName": session.schema,
                "warehouseName": session.warehouse,
                "roleName": session.role,
            },
            "idToken": None,
            "idTokenValidityInSeconds": 0,
            "responseData": None,
            "mfaToken": None,
            "mfaTokenValidityInSeconds": 0,
        }

    def find(self, authorization: str | None) -> Session:
        """The session of a request's token.

        :raises LoginRefusedError: none, expired, or closed.
        """
        token = (authorization or "").removeprefix('Snowflake Token="').removesuffix('"')
        session = self.by_token.get(token)
        if session is None or session.is_closed:
            raise LoginRefusedError("390111", "Session no longer exists. New login required to access the service.")
        if session.token_expired:
            raise LoginRefusedError("390112", "Your session has expired. Please login again.")
        return session

    def renew(self, authorization: str | None, old: str) -> dict[str, Any]:
        """A new session token for a master token.

        :raises LoginRefusedError: the master token is unknown or expired.
        """
        master = (authorization or "").removeprefix('Snowflake Token="').removesuffix('"')
        session = self.by_token.get(old) or next((s for s in self.by_token.values() if s.master_token == master), None)
        if session is None or session.is_closed or session.master_token != master:
            raise LoginRefusedError("390115", "Master token is invalid. The user must authenticate again.")
        if session.master_expired:
            raise LoginRefusedError("390114", "Authentication token has expired.  The user must authenticate again.")
        with self._lock:
            session.token, session.token_expired = _token(), False
            self.by_token[session.token] = session
        return {
            "sessionToken": session.token,
            "validityInSecondsST": self._account.settings.session_seconds,
            "masterToken": master,
            "validityInSecondsMT": 14400,
            "sessionId": session.number,
        }

    def end(self, session: Session) -> None:
        """Close a session: its statement is interrupted, its transaction rolled back, its temporary objects dropped."""
        session.is_closed = True
        with suppress(duckdb.Error):
            session.duck.interrupt()
        threading.Thread(target=self._tear_down, args=(session,), daemon=True).start()

    def _tear_down(self, session: Session) -> None:
        with session.lock:
            with suppress(duckdb.Error):
                session.duck.close()
            session.in_transaction = False
            self._account.table_locks.release(session)
            self._account.stages.drop_temporary(session.number)

    def close(self) -> None:
        """Close every session."""
        for session in {id(s): s for s in self.by_token.values()}.values():
            session.is_closed = True
            with suppress(duckdb.Error):
                session.duck.interrupt()
                session.duck.close()
        self.by_token.clear()

    def open(self) -> list[Session]:
        """Sessions that are not closed, each once."""
        return [s for t, s in list(self.by_token.items()) if s.token == t and not s.is_closed]


def login_parameters(session: Session) -> list[dict[str, Any]]:
    """The session parameters that a driver acts on."""
    autocommit = session.parameters.get("AUTOCOMMIT", "true").lower() != "false"
    return [
        {"name": "AUTOCOMMIT", "value": autocommit},
        {
            "name": "CLIENT_SESSION_KEEP_ALIVE",
            "value": session.parameters.get("CLIENT_SESSION_KEEP_ALIVE", "") == "true",
        },
        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
        # 0 keeps array binds inline; the drivers would otherwise PUT them to a stage first
        {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
        {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
        {"name": "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED", "value": False},
        {"name": "TIMEZONE", "value": session.parameters.get("TIMEZONE", "Etc/UTC")},
        {"name": "DATE_OUTPUT_FORMAT", "value": "YYYY-MM-DD"},
        {"name": "TIMESTAMP_OUTPUT_FORMAT", "value": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"},
        {"name": "BINARY_OUTPUT_FORMAT", "value": "HEX"},
        {"name": "SERVICE_NAME", "value": ""},
    ]


def _parameter(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(query: dict[str, str], key: str) -> str | None:
    return normalise_ident(query[key]) if query.get(key) else None


def _token() -> str:
    return f"ver:3-hint:{int(time.time())}-ETMsDgAAAZ{secrets.token_urlsafe(48)}"
