"""The protocols of objects that plugins hand to the core, by the side that they serve."""

from __future__ import annotations

from etl_framework.protocols.checks import Asking, Measuring, Naming, Profiler, Spilling, TableCheck, Validator
from etl_framework.protocols.codecs import Codec, Compressor
from etl_framework.protocols.executors import Emit, Executor
from etl_framework.protocols.formats import Block, Format, Lined, Located, MisplacedCut, TypesWidened
from etl_framework.protocols.runs import Run
from etl_framework.protocols.warehouses import Capacity, StagingArea, Warehouse

__all__ = [
    "Asking",
    "Block",
    "Capacity",
    "Codec",
    "Compressor",
    "Emit",
    "Executor",
    "Format",
    "Lined",
    "Located",
    "Measuring",
    "MisplacedCut",
    "Naming",
    "Profiler",
    "Run",
    "Spilling",
    "StagingArea",
    "TableCheck",
    "TypesWidened",
    "Validator",
    "Warehouse",
]
