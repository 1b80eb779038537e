"""Load very large delimited files into a warehouse: checked, atomic, exactly once.

Everything that a plugin or a program needs is importable from here; nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl_framework.hookspecs import hookimpl

if TYPE_CHECKING:
    from etl_framework.columns import Column, ColumnType, Kind, TableName, quote
    from etl_framework.periods import Period
    from etl_framework.totals import ColumnTotals, Difference, Totals, compare, reconcile
    from etl_framework.values import (
        Allowance,
        Analysis,
        BadRow,
        Check,
        Event,
        Fact,
        Finding,
        Gate,
        Job,
        LedgerEntry,
        Mode,
        OnBadRows,
        PackedPart,
        Part,
        PeriodFilter,
        Position,
        Receipt,
        RunReport,
        Sample,
        Severity,
        Source,
        StagedPart,
        Status,
        StepTime,
    )
    from etl_framework.protocols import (
        Block,
        Codec,
        Compressor,
        Emit,
        Executor,
        Format,
        MisplacedCut,
        Run,
        TypesWidened,
        Validator,
        Warehouse,
    )

_MODULES = {
    "columns": "Column ColumnType Kind TableName quote INTEGERS FLOATS NUMBERS",
    "periods": "Period",
    "totals": "ColumnTotals Difference Totals TotalsAccumulator compare reconcile",
    "values": (
        "Allowance Analysis BadRow Check Event Fact Finding Gate Job LedgerEntry Mode OnBadRows PackedPart Part "
        "PeriodFilter Position Receipt RunReport Sample Severity Source StagedPart Status StepTime"
    ),
    "protocols": (
        "Block Codec Compressor Emit Executor Format MisplacedCut Run TypesWidened Validator Warehouse"
    ),
    "errors": (
        "ConfigError ConnectError EtlError ExitCode HookFailed InputError Interrupted Locked NoPluginError PluginError "
        "PluginLoadError ReconciliationError Refused RunFailed SourceChanged UsageError"
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = ["hookimpl", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
