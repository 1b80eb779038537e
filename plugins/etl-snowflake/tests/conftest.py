"""An emulator in a process of its own, one for the test session, emptied for each test; or a live account.

With ``ETL_LIVE`` set, as ``tox -e live`` does, tests that need nothing of the emulator's own run on the account that
``SNOWFLAKE_ACCOUNT``, ``SNOWFLAKE_USER``, ``SNOWFLAKE_PRIVATE_KEY_FILE`` and so on tell of, or the connection that
``SNOWFLAKE_DEFAULT_CONNECTION_NAME`` names; each in a schema of its own, which is dropped after it.
"""

import atexit
import json
import os
import re
import shutil
import tempfile
import tomllib
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

LIVE = bool(os.environ.get("ETL_LIVE"))
_SETTINGS = [
    "account",
    "user",
    "password",
    "authenticator",
    "token",
    "private_key_file",
    "private_key_file_pwd",
    "role",
    "warehouse",
    "database",
    "host",
    "port",
    "protocol",
]


def _live_settings() -> dict[str, Any]:
    """The settings of the live account's connection, empty when none is told."""
    if name := os.environ.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME"):
        home = Path(os.environ.get("SNOWFLAKE_HOME") or "~/.snowflake").expanduser()
        return dict(tomllib.loads((home / "connections.toml").read_text())[name])
    told = {name: os.environ.get(f"SNOWFLAKE_{name.upper()}") for name in _SETTINGS}
    return {name: value for name, value in told.items() if value} if told["account"] else {}


LIVE_ACCOUNT = _live_settings() if LIVE else {}
if LIVE:
    # The driver would take it for the one that the tests write.
    os.environ.pop("SNOWFLAKE_DEFAULT_CONNECTION_NAME", None)


def pytest_configure(config: pytest.Config) -> None:
    """Say that nothing is run where a live account is asked for and none is told of."""
    if LIVE and not LIVE_ACCOUNT:
        pytest.exit(
            "nothing was run: set SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_DATABASE, SNOWFLAKE_WAREHOUSE and how "
            "to authenticate (SNOWFLAKE_PRIVATE_KEY_FILE, SNOWFLAKE_TOKEN, …), or SNOWFLAKE_DEFAULT_CONNECTION_NAME",
            returncode=0,
        )


if LIVE:
    # The driver looks for its folder when it is imported.
    os.environ["SNOWFLAKE_HOME"] = tempfile.mkdtemp(prefix="etl-snowflake-home-")
    atexit.register(shutil.rmtree, os.environ["SNOWFLAKE_HOME"], ignore_errors=True)
HOME = Path(os.environ["SNOWFLAKE_HOME"])

connector = pytest.importorskip("snowflake.connector")


@pytest.fixture(scope="session")
def emulator_process(snowflake_emulator: EmulatorControl) -> EmulatorControl:
    """The running emulator; tests take `emulator` instead."""
    return snowflake_emulator


class WatchedEmulator(EmulatorControl):
    """An emulator whose faults have to happen: a rule that no request falls under would test nothing, and be green.

    Those of `throttle` are left to the test, since the log does not name them.
    """

    def __init__(self, control: EmulatorControl) -> None:
        super().__init__(control.url, control._authority)
        self._rules: tuple[dict[str, Any], ...] = ()
        self._passed = 0
        self.idle: list[dict[str, Any]] = []
        """The rules that never fired, of those that are in force no more."""

    def reset(self, **settings: Any) -> None:
        self._look()
        super().reset(**settings)
        self._rules, self._passed = (), 0

    def faults(self, *rules: dict[str, Any]) -> None:
        passed = self._look()
        super().faults(*rules)
        self._rules, self._passed = rules, passed

    def _look(self) -> int:
        """Tell the rules in force that never fired, and how many requests there were."""
        log = self.log()
        # Of several rules that differ in nothing but when they fire, each needs a request of its own.
        left = [(entry, action) for entry in log[self._passed :] for action in entry.get("faults", ())]
        for rule in self._rules:
            fired = next((one for one in left if _is_by(rule, *one)), None)
            if fired is not None:
                left.remove(fired)
            elif rule["action"] != "throttle":
                self.idle.append(rule)
        return len(log)


def _is_by(rule: dict[str, Any], entry: dict[str, Any], action: str) -> bool:
    """Whether it may be this rule that an action is noted for in an entry of the emulator's log."""
    return (
        action == rule["action"]
        and rule["endpoint"] in (entry["endpoint"], "any")
        and bool(re.search(rule.get("sql", ""), entry.get("sql", ""), re.IGNORECASE | re.DOTALL))
        and bool(re.search(rule.get("path", ""), entry["path"]))
    )


@pytest.fixture
def emulator(emulator_process: EmulatorControl) -> Iterator[EmulatorControl]:
    """An emulator with an empty account; in the end, each fault that the test set has happened."""
    if LIVE:
        pytest.skip("it needs what only the emulator does")
    watched = WatchedEmulator(emulator_process)
    watched.reset()
    yield watched
    watched.faults()
    assert not watched.idle, "no request fell under these faults, or fewer than `nth`"


class LiveSchema:
    """A schema of one test in the live account."""

    def __init__(self) -> None:
        self.name = f"ETL_TEST_{uuid.uuid4().hex[:12].upper()}"

    def connection(self, **more: Any) -> dict[str, Any]:
        """Arguments for `snowflake.connector.connect`, as far as `more` does not override them."""
        return {**LIVE_ACCOUNT, "schema": self.name, **more}

    def change(self, verb: str) -> None:
        """CREATE or DROP it."""
        with closing(connector.connect(**LIVE_ACCOUNT)) as connection:
            connection.cursor().execute(f"{verb} SCHEMA {self.name}")


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Iterator[EmulatorControl | LiveSchema]:
    """What tests run on that need nothing of the emulator's own."""
    if not LIVE:
        yield request.getfixturevalue("emulator")
        return
    schema = LiveSchema()
    schema.change("CREATE")
    try:
        yield schema
    finally:
        schema.change("DROP")


@pytest.fixture
def connect(account: EmulatorControl | LiveSchema) -> Iterator[Callable[..., Any]]:
    """Opens connections of the real driver, and closes them."""
    opened: list[Any] = []

    def open_connection(**more: Any) -> Any:
        if not connector.__version__.startswith("4."):
            more.setdefault("enable_server_session_keep_alive_auto_detection", False)
        connection = connector.connect(**account.connection(**more))
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        connection.close()


Ask = Callable[..., list[tuple[Any, ...]]]
"""Sends a statement by a connection of the test's own, and gives its rows."""


@pytest.fixture
def ask(connect: Callable[..., Any]) -> Ask:
    """See `Ask`."""
    cursor = connect().cursor()
    return lambda sql: [tuple(row) for row in cursor.execute(sql).fetchall()]


@pytest.fixture
def cursor(connect: Callable[..., Any]) -> Iterator[Any]:
    """A cursor of a connection of its own."""
    with closing(connect().cursor()) as opened:
        yield opened


@pytest.fixture
def raises_snowflake() -> Callable[[int], Any]:
    """`with raises_snowflake(2003) as caught`: the driver raises Snowflake's error of this number."""

    @contextmanager
    def expect(errno: int) -> Iterator[Any]:
        with pytest.raises(connector.errors.Error) as caught:
            yield caught
        assert caught.value.errno == errno, str(caught.value)

    return expect


@pytest.fixture
def target(account: EmulatorControl | LiveSchema, write_connections: Callable[..., None]) -> str:
    """The URL of a target: a connection of Snowflake's own connections.toml."""
    write_connections(test=account.connection())
    return "snowflake:test"


@pytest.fixture
def write_connections() -> Callable[..., None]:
    """Writes the file that the driver reads connections from, each given by its settings."""
    return write_connections_file


def write_connections_file(**connections: dict[str, object]) -> None:
    """Write the file that the driver reads connections from, each given by its settings."""
    path = HOME / "connections.toml"
    path.touch(0o600)
    path.write_text(
        "".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
            for name, settings in connections.items()
        )
    )
