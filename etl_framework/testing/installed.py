"""Plugins that are found through real entry points, without anything being installed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    """Installs plugins without pip: a module and a ``dist-info`` folder each, in a temporary folder.

    :param folder: which; whoever makes this puts it on ``sys.path``, as :func:`only_fake_plugins` does.
    """

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
            (self._folder / f"{prefix}_{plugin}.py").write_text(source, encoding="utf-8")
        info = self._folder / f"{prefix}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        entry_points = [f"{plugin} = {prefix}_{plugin}" for plugin in sources]
        (info / "entry_points.txt").write_text("\n".join(["[etl_framework]", *entry_points, ""]))
        importlib.invalidate_caches()


@contextmanager
def only_fake_plugins(folder: Path) -> Iterator[FakePlugins]:
    """Pretend, within the block, that only the plugins which are installed there are.

    :param folder: an empty folder for them.
    """
    path, finders = sys.path, sys.meta_path
    sys.meta_path = [*finders, _ModulesOnly(path)]
    sys.path = [str(folder)]
    try:
        yield FakePlugins(folder)
    finally:
        sys.path, sys.meta_path = path, finders
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]
