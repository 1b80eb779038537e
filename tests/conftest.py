"""Fixtures that more than one module of tests needs."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

AsInstalled: TypeAlias = Callable[[Path, Path], None]


@pytest.fixture
def as_installed() -> AsInstalled:
    """Makes Python find a project in a folder, which is made when missing, as if pip had installed it there."""

    def install(root: Path, site: Path) -> None:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        [(plugin, package)] = project["entry-points"]["etl_framework"].items()
        info = site / f"{package}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        version = f"Name: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{version}")
        (info / "entry_points.txt").write_text(f"[etl_framework]\n{plugin} = {package}\n")
        (site / package).symlink_to(root / package)

    return install


@pytest.fixture(params=["duckdb", "snowflake"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty warehouse."""
    monkeypatch.chdir(tmp_path)
    if request.param == "duckdb":
        pytest.importorskip("duckdb")
        return "duckdb:w.duckdb"
    pytest.importorskip("etl_snowflake")
    emulator = request.getfixturevalue("snowflake_emulator")
    emulator.reset()
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in emulator.connection().items())
    path = Path(os.environ["SNOWFLAKE_HOME"], "connections.toml")
    path.touch(0o600)
    path.write_text(f"[test]\n{settings}")
    return "snowflake:test"
