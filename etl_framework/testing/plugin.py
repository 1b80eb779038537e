"""The fixtures for plugins' tests. pytest loads this module at its start, so it imports nothing but pytest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl_framework.plugins import Plugins
    from etl_framework.testing.installed import FakePlugins
    from etl_framework.testing.runs import EtlRun

# What the contracts insist on is to be shown as in any other test.
pytest.register_assert_rewrite("etl_framework.testing.contracts")


@pytest.fixture
def fake_plugins(tmp_path: Path) -> Iterator[FakePlugins]:
    """Pretend that only the plugins which the test installs are there: ``fake_plugins(team="<Python source>")``.

    They are found through real entry points, in ``tmp_path / "installed"``.
    """
    from etl_framework.testing.installed import only_fake_plugins

    folder = tmp_path / "installed"
    folder.mkdir()
    with only_fake_plugins(folder) as install:
        yield install
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def etl_plugins() -> Plugins:
    """No plugins: register those that are to be asked, and ask them with the method of each hook."""
    from etl_framework.plugins import Plugins

    return Plugins()


@pytest.fixture
def etl_run(tmp_path: Path) -> EtlRun:
    """Load rows in ``tmp_path``: ``etl_run({"id": [1, 2]}, plugins=[my_plugin]).rows()``."""
    from etl_framework.testing.runs import EtlRun

    return EtlRun(tmp_path)
