"""The test kit for plugins: literal rows, whole loads, plugins that are not installed, and the contracts of all hooks.

pytest finds the fixtures by itself. The contracts need pytest; nothing is imported until it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from etl_framework.testing.blocks import LiteralBlock as LiteralBlock
    from etl_framework.testing.blocks import PlainBlock as PlainBlock

    # `as` marks each name as exported for type checkers, which cannot see what __getattr__ gives.
    from etl_framework.testing.checking import check_rows as check_rows
    from etl_framework.testing.checking import literal_job as literal_job
    from etl_framework.testing.contracts.base import PluginContract as PluginContract
    from etl_framework.testing.contracts.codec import CodecContract as CodecContract
    from etl_framework.testing.contracts.commands import CommandsContract as CommandsContract
    from etl_framework.testing.contracts.executor import ExecutorContract as ExecutorContract
    from etl_framework.testing.contracts.format import FormatContract as FormatContract
    from etl_framework.testing.contracts.observers import ObserverContract as ObserverContract
    from etl_framework.testing.contracts.observers import ReporterContract as ReporterContract
    from etl_framework.testing.contracts.profiler import ProfilerContract as ProfilerContract
    from etl_framework.testing.contracts.questions import QuestionsContract as QuestionsContract
    from etl_framework.testing.contracts.settings import SettingsContract as SettingsContract
    from etl_framework.testing.contracts.table_check import TableCheckContract as TableCheckContract
    from etl_framework.testing.contracts.validator import ValidatorContract as ValidatorContract
    from etl_framework.testing.contracts.warehouse import WarehouseContract as WarehouseContract
    from etl_framework.testing.installed import FakePlugins as FakePlugins
    from etl_framework.testing.installed import only_fake_plugins as only_fake_plugins
    from etl_framework.testing.literal import Cutting as Cutting
    from etl_framework.testing.literal import LiteralRows as LiteralRows
    from etl_framework.testing.querying import check_table as check_table
    from etl_framework.testing.querying import queryable as queryable
    from etl_framework.testing.reports import every_outcome as every_outcome
    from etl_framework.testing.reports import literal_report as literal_report
    from etl_framework.testing.runs import EtlRun as EtlRun
    from etl_framework.testing.runs import LoadOutcome as LoadOutcome

_MODULES = {
    "checking": "check_rows literal_job",
    "blocks": "LiteralBlock PlainBlock",
    "literal": "Cutting LiteralRows",
    "installed": "FakePlugins only_fake_plugins",
    "runs": "EtlRun LoadOutcome",
    "reports": "every_outcome literal_report",
    "querying": "check_table queryable",
    "contracts.base": "PluginContract",
    "contracts.validator": "ValidatorContract",
    "contracts.table_check": "TableCheckContract",
    "contracts.codec": "CodecContract",
    "contracts.executor": "ExecutorContract",
    "contracts.format": "FormatContract",
    "contracts.observers": "ObserverContract ReporterContract",
    "contracts.commands": "CommandsContract",
    "contracts.profiler": "ProfilerContract",
    "contracts.questions": "QuestionsContract",
    "contracts.settings": "SettingsContract",
    "contracts.warehouse": "WarehouseContract",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [*_HOME]  # noqa: PLE0604 - they are strings


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
