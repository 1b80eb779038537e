"""Load very large delimited files into a warehouse: checked, atomic, exactly once.

Everything that a plugin or a program needs is importable from here; nothing heavy is imported until it is used.
"""

from __future__ import annotations

# As in typing, whose import would be most of the time until the program `etl` can tell what Ctrl-C is to do.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    # `as` marks each name as exported for type checkers, which cannot see what __getattr__ gives.
    from etl_framework.api import analyze as analyze
    from etl_framework.api import load as load
    from etl_framework.api import profile as profile
    from etl_framework.api import resume as resume
    from etl_framework.api import validate as validate
    from etl_framework.auditing import TableVerdict as TableVerdict
    from etl_framework.bounds import extremes as extremes
    from etl_framework.bounds import few_distinct as few_distinct
    from etl_framework.bounds import float_bounds as float_bounds
    from etl_framework.causes import NO_ROWS as NO_ROWS
    from etl_framework.causes import no_date as no_date
    from etl_framework.causes import outside_period as outside_period
    from etl_framework.checks import MOST_SAMPLES as MOST_SAMPLES
    from etl_framework.checks import RowCheck as RowCheck
    from etl_framework.checks import first_samples as first_samples
    from etl_framework.checks import once_per_batch as once_per_batch
    from etl_framework.checks import row_check as row_check
    from etl_framework.checks import shown as shown
    from etl_framework.cli.options import date_column_option as date_column_option
    from etl_framework.cli.options import junit_option as junit_option
    from etl_framework.cli.options import period_options as period_options
    from etl_framework.cli.session import Session as Session
    from etl_framework.cli.session import json_option as json_option
    from etl_framework.columns import FLOATS as FLOATS
    from etl_framework.columns import INTEGERS as INTEGERS
    from etl_framework.columns import NUMBERS as NUMBERS
    from etl_framework.columns import Column as Column
    from etl_framework.columns import ColumnType as ColumnType
    from etl_framework.columns import Kind as Kind
    from etl_framework.columns import TableName as TableName
    from etl_framework.columns import quote as quote
    from etl_framework.errors import CommittedWrongly as CommittedWrongly
    from etl_framework.errors import ConfigError as ConfigError
    from etl_framework.errors import ConnectError as ConnectError
    from etl_framework.errors import EtlError as EtlError
    from etl_framework.errors import ExitCode as ExitCode
    from etl_framework.errors import HookFailed as HookFailed
    from etl_framework.errors import InputError as InputError
    from etl_framework.errors import Interrupted as Interrupted
    from etl_framework.errors import Locked as Locked
    from etl_framework.errors import NoPluginError as NoPluginError
    from etl_framework.errors import NoSuchColumn as NoSuchColumn
    from etl_framework.errors import PluginError as PluginError
    from etl_framework.errors import PluginLoadError as PluginLoadError
    from etl_framework.errors import QueryFailed as QueryFailed
    from etl_framework.errors import ReconciliationError as ReconciliationError
    from etl_framework.errors import Refused as Refused
    from etl_framework.errors import RunFailed as RunFailed
    from etl_framework.errors import SourceChanged as SourceChanged
    from etl_framework.errors import SourceDamaged as SourceDamaged
    from etl_framework.errors import UsageError as UsageError
    from etl_framework.executors import usable_cores as usable_cores
    from etl_framework.figures import Figures as Figures
    from etl_framework.fitting import TableColumn as TableColumn
    from etl_framework.fitting import holds_no_days as holds_no_days
    from etl_framework.fitting import merge_keys as merge_keys
    from etl_framework.fitting import misfits as misfits
    from etl_framework.fitting import no_such_column as no_such_column
    from etl_framework.fitting import no_such_table as no_such_table
    from etl_framework.fitting import period_column as period_column
    from etl_framework.fitting import refuse_shared_keys as refuse_shared_keys
    from etl_framework.fitting import refuse_strays as refuse_strays
    from etl_framework.fitting import refuse_without_key as refuse_without_key
    from etl_framework.fitting import same_names as same_names
    from etl_framework.hookspecs import hookimpl as hookimpl
    from etl_framework.jsonable import dumps as dumps
    from etl_framework.jsonable import report_from_json as report_from_json
    from etl_framework.jsonable import to_jsonable as to_jsonable
    from etl_framework.junit import junit_report as junit_report
    from etl_framework.junit import write_junit as write_junit
    from etl_framework.key_checks import KeyCheck as KeyCheck
    from etl_framework.key_checks import key_check as key_check
    from etl_framework.ledger import LedgerRow as LedgerRow
    from etl_framework.ledger import deletion_record as deletion_record
    from etl_framework.ledger import load_record as load_record
    from etl_framework.ledger import refuse_repeat as refuse_repeat
    from etl_framework.ledger import still_there as still_there
    from etl_framework.ledger import totals_from_json as totals_from_json
    from etl_framework.ledger import totals_to_json as totals_to_json
    from etl_framework.periods import Period as Period
    from etl_framework.plugins import PluginInfo as PluginInfo
    from etl_framework.plugins import Plugins as Plugins
    from etl_framework.plugins import PluginSettings as PluginSettings
    from etl_framework.plugins.blame import told as told
    from etl_framework.profiles import ColumnProfile as ColumnProfile
    from etl_framework.profiles import Lengths as Lengths
    from etl_framework.profiles import Pattern as Pattern
    from etl_framework.profiles import Profile as Profile
    from etl_framework.profiles import Quantile as Quantile
    from etl_framework.profiles import Score as Score
    from etl_framework.profiles import ScorePart as ScorePart
    from etl_framework.profiles import TopValue as TopValue
    from etl_framework.protocols import Asking as Asking
    from etl_framework.protocols import Block as Block
    from etl_framework.protocols import Capacity as Capacity
    from etl_framework.protocols import Codec as Codec
    from etl_framework.protocols import Compressor as Compressor
    from etl_framework.protocols import Emit as Emit
    from etl_framework.protocols import Executor as Executor
    from etl_framework.protocols import Format as Format
    from etl_framework.protocols import Lined as Lined
    from etl_framework.protocols import Located as Located
    from etl_framework.protocols import Measuring as Measuring
    from etl_framework.protocols import MisplacedCut as MisplacedCut
    from etl_framework.protocols import Naming as Naming
    from etl_framework.protocols import Profiler as Profiler
    from etl_framework.protocols import Run as Run
    from etl_framework.protocols import Spilling as Spilling
    from etl_framework.protocols import StagingArea as StagingArea
    from etl_framework.protocols import TableCheck as TableCheck
    from etl_framework.protocols import TypesWidened as TypesWidened
    from etl_framework.protocols import Validator as Validator
    from etl_framework.protocols import Warehouse as Warehouse
    from etl_framework.rows import RELATION as RELATION
    from etl_framework.rows import Rows as Rows
    from etl_framework.sealing import read_only as read_only
    from etl_framework.sql import EVERY_ROW as EVERY_ROW
    from etl_framework.sql import Condition as Condition
    from etl_framework.sql import Statement as Statement
    from etl_framework.sql import any_row as any_row
    from etl_framework.sql import both as both
    from etl_framework.sql import count_rows as count_rows
    from etl_framework.sql import definitions as definitions
    from etl_framework.sql import delete_matches as delete_matches
    from etl_framework.sql import delete_rows as delete_rows
    from etl_framework.sql import duplicates as duplicates
    from etl_framework.sql import insert_from as insert_from
    from etl_framework.sql import no as no
    from etl_framework.sql import without_key as without_key
    from etl_framework.state import new_run_id as new_run_id
    from etl_framework.tables import MOST_ROWS as MOST_ROWS
    from etl_framework.tables import Bound as Bound
    from etl_framework.tables import Deletion as Deletion
    from etl_framework.tables import PeriodCount as PeriodCount
    from etl_framework.tables import QueryResult as QueryResult
    from etl_framework.tables import RangeFilter as RangeFilter
    from etl_framework.tables import RowFilter as RowFilter
    from etl_framework.tables import TableSummary as TableSummary
    from etl_framework.tables import Unit as Unit
    from etl_framework.tables import comparisons as comparisons
    from etl_framework.tables import refuse_unexpected as refuse_unexpected
    from etl_framework.terminal import bytes_in_words as bytes_in_words
    from etl_framework.terminal import counted as counted
    from etl_framework.terminal import did_you_mean as did_you_mean
    from etl_framework.terminal import printable as printable
    from etl_framework.terminal import seconds_in_words as seconds_in_words
    from etl_framework.terminal import valid_text as valid_text
    from etl_framework.total_checks import TotalCheck as TotalCheck
    from etl_framework.total_checks import total_check as total_check
    from etl_framework.totals import ColumnTotals as ColumnTotals
    from etl_framework.totals import Difference as Difference
    from etl_framework.totals import Totals as Totals
    from etl_framework.totals import TotalsAccumulator as TotalsAccumulator
    from etl_framework.totals import compare as compare
    from etl_framework.totals import reconcile as reconcile
    from etl_framework.validating import Validation as Validation
    from etl_framework.values import Allowance as Allowance
    from etl_framework.values import Analysis as Analysis
    from etl_framework.values import BadRow as BadRow
    from etl_framework.values import Check as Check
    from etl_framework.values import Event as Event
    from etl_framework.values import Fact as Fact
    from etl_framework.values import Figure as Figure
    from etl_framework.values import Finding as Finding
    from etl_framework.values import Gate as Gate
    from etl_framework.values import Job as Job
    from etl_framework.values import LedgerEntry as LedgerEntry
    from etl_framework.values import Leftover as Leftover
    from etl_framework.values import Measures as Measures
    from etl_framework.values import Mode as Mode
    from etl_framework.values import OnBadRows as OnBadRows
    from etl_framework.values import PackedPart as PackedPart
    from etl_framework.values import Part as Part
    from etl_framework.values import PeriodFilter as PeriodFilter
    from etl_framework.values import Position as Position
    from etl_framework.values import Previous as Previous
    from etl_framework.values import Receipt as Receipt
    from etl_framework.values import RunReport as RunReport
    from etl_framework.values import Sample as Sample
    from etl_framework.values import Severity as Severity
    from etl_framework.values import Source as Source
    from etl_framework.values import StagedPart as StagedPart
    from etl_framework.values import Status as Status
    from etl_framework.values import StepTime as StepTime
    from etl_framework.values import TextLayout as TextLayout
    from etl_framework.waiting import first_completed as first_completed
    from etl_framework.waiting import in_background as in_background
    from etl_framework.waiting import interruptible as interruptible
    from etl_framework.workspace import Workspace as Workspace

_MODULES = {
    "api": "analyze load profile resume validate",
    "workspace": "Workspace",
    "cli.options": "date_column_option junit_option period_options",
    "cli.session": "Session json_option",
    "junit": "junit_report write_junit",
    "validating": "Validation",
    "auditing": "TableVerdict",
    "hookspecs": "hookimpl",
    "sealing": "read_only",
    "executors": "usable_cores",
    "bounds": "extremes few_distinct float_bounds",
    "causes": "NO_ROWS no_date outside_period",
    "checks": "MOST_SAMPLES RowCheck first_samples once_per_batch row_check shown",
    "figures": "Figures",
    "total_checks": "TotalCheck total_check",
    "key_checks": "KeyCheck key_check",
    "plugins": "Plugins PluginInfo PluginSettings",
    "plugins.blame": "told",
    "jsonable": "dumps report_from_json to_jsonable",
    "terminal": "bytes_in_words counted did_you_mean printable seconds_in_words valid_text",
    "columns": "Column ColumnType Kind TableName quote INTEGERS FLOATS NUMBERS",
    "ledger": "LedgerRow deletion_record load_record refuse_repeat still_there totals_from_json totals_to_json",
    "fitting": (
        "TableColumn holds_no_days merge_keys misfits no_such_column no_such_table period_column "
        "refuse_shared_keys refuse_strays refuse_without_key same_names"
    ),
    "sql": (
        "EVERY_ROW Condition Statement any_row both count_rows definitions delete_matches delete_rows duplicates "
        "insert_from no without_key"
    ),
    "tables": (
        "Bound Deletion MOST_ROWS PeriodCount QueryResult RangeFilter RowFilter TableSummary Unit comparisons "
        "refuse_unexpected"
    ),
    "rows": "RELATION Rows",
    "state": "new_run_id",
    "periods": "Period",
    "totals": "ColumnTotals Difference Totals TotalsAccumulator compare reconcile",
    "values": (
        "Allowance Analysis BadRow Check Event Fact Figure Finding Gate Job LedgerEntry Leftover Measures Mode "
        "OnBadRows PackedPart Part PeriodFilter Position Previous Receipt RunReport Sample Severity Source StagedPart "
        "Status StepTime TextLayout"
    ),
    "profiles": "ColumnProfile Lengths Pattern Profile Quantile Score ScorePart TopValue",
    "protocols": (
        "Asking Block Capacity Codec Compressor Emit Executor Format Lined Located Measuring MisplacedCut Naming "
        "Profiler Run Spilling StagingArea TableCheck TypesWidened Validator Warehouse"
    ),
    "waiting": "first_completed in_background interruptible",
    "errors": (
        "CommittedWrongly ConfigError ConnectError EtlError ExitCode HookFailed InputError Interrupted Locked "
        "NoPluginError NoSuchColumn PluginError PluginLoadError QueryFailed ReconciliationError Refused RunFailed "
        "SourceChanged SourceDamaged UsageError"
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [*_HOME]  # noqa: PLE0604 - they are strings


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
