"""Fixtures that more than one module of tests needs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def emulated() -> Iterator[Any]:
    """An emulated account of Snowflake."""
    pytest.importorskip("snowflake.connector")
    from etl_snowflake.emulator.control import running_emulator

    with running_emulator() as control:
        yield control


@pytest.fixture(params=["duckdb", "snowflake"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty warehouse."""
    monkeypatch.chdir(tmp_path)
    if request.param == "duckdb":
        pytest.importorskip("duckdb")
        return "duckdb:w.duckdb"
    emulator = request.getfixturevalue("emulated")
    emulator.reset()
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in emulator.connection().items())
    path = Path(os.environ["SNOWFLAKE_HOME"], "connections.toml")
    path.touch(0o600)
    path.write_text(f"[test]\n{settings}")
    return "snowflake:test"
