"""The test kit for plugins: literal rows, whole loads, plugins that are not installed, and the contracts of all hooks.

pytest finds the fixtures by itself. The contracts need pytest; nothing is imported until it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    # `as` marks each name as exported for type checkers, which cannot see what __getattr__ gives.
    from etl_framework.testing.checking import check_rows as check_rows
    from etl_framework.testing.checking import literal_job as literal_job
    from etl_framework.testing.contracts.base import PluginContract as PluginContract
    from etl_framework.testing.contracts.validator import ValidatorContract as ValidatorContract
    from etl_framework.testing.installed import FakePlugins as FakePlugins
    from etl_framework.testing.installed import only_fake_plugins as only_fake_plugins
    from etl_framework.testing.literal import Cutting as Cutting
    from etl_framework.testing.literal import LiteralBlock as LiteralBlock
    from etl_framework.testing.literal import LiteralRows as LiteralRows
    from etl_framework.testing.runs import EtlRun as EtlRun
    from etl_framework.testing.runs import LoadOutcome as LoadOutcome

_MODULES = {
    "checking": "check_rows literal_job",
    "literal": "Cutting LiteralBlock LiteralRows",
    "installed": "FakePlugins only_fake_plugins",
    "runs": "EtlRun LoadOutcome",
    "contracts.base": "PluginContract",
    "contracts.validator": "ValidatorContract",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [*_HOME]  # noqa: PLE0604 - they are strings


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
