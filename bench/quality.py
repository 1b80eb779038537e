"""What checks of quality cost: beside reading alone, and beside other tools that make the same checks."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from data import lineitem
from figures import Figure, Options, listed
from passing import COLUMNS, WORKERS
from processes import ETL, Measured, in_turn, measure, paired

_PEERS = Path(__file__).with_name("quality_peers.py")
_MOST_SECONDS = 120
_LONG = 30
"""Seconds from which on another tool is run only once."""

_OTHERS = {
    "pandera on polars": ("pandera.polars", "polars"),
    "pandera on pandas": ("pandera.pandas, pyarrow", "pandas"),
    "Great Expectations": ("great_expectations, pyarrow", "great_expectations"),
    "frictionless": ("frictionless", "frictionless"),
}
"""By name, the modules that they need, and what ``quality_peers.py`` calls them."""


_JOB = """
[jobs.lineitem]
source = {path}
table = "lineitem"
target = "duckdb:unused.duckdb"
executor = "threads:{workers}"
date_column = "l_shipdate"
columns = {{ {columns} }}
"""

SAME = """
[jobs.lineitem.checks.columns]
l_orderkey = { not_null = true, min = 1 }
l_partkey = { not_null = true, min = 1 }
l_suppkey = { not_null = true, min = 1 }
l_linenumber = { not_null = true, min = 1, max = 7 }
l_quantity = { not_null = true, min = 1, max = 50 }
l_extendedprice = { not_null = true, min = 900 }
l_discount = { not_null = true, min = 0, max = 0.1 }
l_tax = { not_null = true, min = 0, max = 0.08 }
l_returnflag = { allowed = ["A", "N", "R"] }
l_linestatus = { allowed = ["F", "O"] }
l_shipdate = { not_null = true, min = 1992-01-01, max = 1998-12-31 }
l_commitdate = { not_null = true, min = 1992-01-01, max = 1998-12-31 }
l_receiptdate = { not_null = true, min = 1992-01-01, max = 1998-12-31 }
l_shipinstruct = { regex = "[A-Z ]+" }
l_shipmode = { allowed = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"] }

[[jobs.lineitem.rules]]
name = "received_after_shipped"
sql = "l_receiptdate > l_shipdate"

[[jobs.lineitem.rules]]
name = "price_of_a_part"
sql = "l_extendedprice >= 900 * l_quantity"
"""
"""The checks that the other tools make too, in ``quality_peers.py``."""

_BY_DAY = """
[jobs.lineitem.checks]
dates = "complete"
daily_rows = true
"""


def quality(options: Options) -> Iterator[Figure]:
    """All checks that apply to lineitem, beside none; and the same checks by others."""
    large = lineitem(options.large, "csv")
    for name, checks in (("values and rules", SAME), ("all checks", _BY_DAY + SAME)):
        checked, bare, ratios = paired(
            lambda checks=checks: _validate(large, checks, options.work).seconds,
            lambda: _validate(large, "", options.work).seconds,
            options.runs,
        )
        costs = [1 / ratio for ratio in ratios]
        detail = f"SF {options.large:g}: {checked:.1f} s against {bare:.1f} s, runs: {listed(costs)}"
        yield Figure(f"`etl validate`, {name} / structure only", statistics.median(costs), 1.5, False, "×", detail)
    yield from _beside_others(options)


def _beside_others(options: Options) -> Iterator[Figure]:
    small = lineitem(1, "csv")
    python = os.environ.get("ETL_BENCH_QUALITY", sys.executable)
    for name, (needed, how) in _OTHERS.items():
        if subprocess.run([python, "-c", f"import {needed}"], capture_output=True, check=False).returncode:
            print(f"{name}: not installed here", file=sys.stderr)
            continue
        pairs = in_turn(
            lambda: _validate(small, SAME, options.work),
            lambda how=how: _other(python, how, small, options.work),
            options.runs,
            long=_LONG,
        )
        mine, others = zip(*pairs, strict=True)
        ratios = [other.seconds / own.seconds for own, other in pairs]
        detail = f"SF 1: {_said(others)} against {_said(mine)}, runs: {listed(ratios)}"
        yield Figure(f"{name} / `etl validate`, same checks", statistics.median(ratios), 1, True, "×", detail)


def _other(python: str, how: str, path: Path, work: Path) -> Measured:
    try:
        return measure([python, _PEERS, how, path], cwd=work, most_seconds=_MOST_SECONDS)
    except TimeoutError:
        return Measured(seconds=_MOST_SECONDS, peak=0)


def _said(runs: Sequence[Measured]) -> str:
    peak = max(run.peak for run in runs)
    seconds = statistics.median(run.seconds for run in runs)
    return f"{seconds:.1f} s, {peak / 2**20:,.0f} MiB" if peak else f"stopped after {seconds:.0f} s"


def _validate(path: Path, checks: str, work: Path) -> Measured:
    columns = ", ".join(f'{name} = "{kind}"' for name, kind in COLUMNS.items())
    job = _JOB.format(path=json.dumps(str(path)), workers=WORKERS, columns=columns)
    (work / "etl.toml").write_text(job + checks, encoding="utf-8")
    return measure([ETL, "-q", "validate", "lineitem"], cwd=work)
