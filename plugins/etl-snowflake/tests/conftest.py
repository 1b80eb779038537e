"""An emulator in a process of its own, one for the test session, emptied for each test."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl, running_emulator

# The driver looks for its folder when it is imported.
HOME = Path(tempfile.mkdtemp(prefix="etl-snowflake-home-"))
os.environ["SNOWFLAKE_HOME"] = str(HOME)

connector = pytest.importorskip("snowflake.connector")


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[EmulatorControl]:
    """The running emulator; tests take `emulator` instead."""
    with running_emulator() as control:
        yield control


@pytest.fixture
def emulator(emulator_process: EmulatorControl) -> EmulatorControl:
    """An emulator with an empty account."""
    emulator_process.reset()
    return emulator_process


@pytest.fixture
def connect(emulator: EmulatorControl) -> Iterator[Callable[..., Any]]:
    """Opens connections of the real driver to the emulator, and closes them."""
    opened: list[Any] = []

    def open_connection(**more: Any) -> Any:
        if not connector.__version__.startswith("4."):
            more.setdefault("enable_server_session_keep_alive_auto_detection", False)
        connection = connector.connect(**emulator.connection(**more))
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        connection.close()


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
def target(emulator: EmulatorControl, write_connections: Callable[..., None]) -> str:
    """The URL of a target: a connection of Snowflake's own connections.toml that leads to the emulator."""
    write_connections(test=emulator.connection())
    return "snowflake:test"


@pytest.fixture
def write_connections() -> Callable[..., None]:
    """Writes the file that the driver reads connections from, each given by its settings."""
    return _write_connections


def _write_connections(**connections: dict[str, object]) -> None:
    path = HOME / "connections.toml"
    path.touch(0o600)
    path.write_text(
        "".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
            for name, settings in connections.items()
        )
    )
