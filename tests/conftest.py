"""Fixtures that more than one module of tests needs."""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _ModulesOnly:
    """Finds the modules in some folders, and hides that distributions are installed there."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path or self._folders, target)


class FakePlugins:
    """Installs plugins without pip: a module and a ``dist-info`` folder each, in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, distribution: str = "", version: str = "1.0", **sources: str) -> None:
        """Install a distribution for each plugin, or one that brings them all.

        :param distribution: its name; by default each plugin has its own, ``<plugin>-dist``.
        :param sources: Python source by plugin name.
        """
        if not distribution:
            for plugin, source in sources.items():
                self(f"{plugin}-dist", version, **{plugin: source})
            return
        prefix = distribution.replace("-", "_")
        for plugin, source in sources.items():
            (self._folder / f"{prefix}_{plugin}.py").write_text(source)
        info = self._folder / f"{prefix}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        entry_points = [f"{plugin} = {prefix}_{plugin}" for plugin in sources]
        (info / "entry_points.txt").write_text("\n".join(["[etl_framework]", *entry_points, ""]))
        importlib.invalidate_caches()


@pytest.fixture
def fake_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlugins]:
    """Pretend that only the plugins which the test installs are there."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, _ModulesOnly(sys.path)])
    monkeypatch.setattr(sys, "path", [str(folder)])
    yield FakePlugins(folder)
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


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
