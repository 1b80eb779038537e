"""Exact duplicates by key, against DuckDB's own GROUP BY on the same file."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from data import lineitem
from figures import Figure, Options, listed
from passing import WORKERS
from processes import ETL, Measured, in_turn, measure

_MOST_RUNS = 3
_KEYS = ("l_orderkey", "l_linenumber")


def duplicates(options: Options) -> Iterator[Figure]:
    """`etl duplicates` of a large file without any."""
    path = lineitem(options.large, "csv")
    pairs = in_turn(
        lambda: _ours(path, options.work), lambda: _duckdb(path, options.work), min(options.runs, _MOST_RUNS)
    )
    ours, theirs = zip(*pairs, strict=True)
    ratios = [mine.seconds / other.seconds for mine, other in pairs]
    mib = [statistics.median(run.peak for run in runs) / 2**20 for runs in (ours, theirs)]
    seconds = [statistics.median(run.seconds for run in runs) for runs in (ours, theirs)]
    name = f"SF {options.large:g}"
    detail = f"{name}: {seconds[0]:.1f} s against {seconds[1]:.1f} s, runs: {listed(ratios)}"
    yield Figure("`etl duplicates` / DuckDB's GROUP BY of the CSV", statistics.median(ratios), 1.3, False, "×", detail)
    detail = f"{WORKERS} workers; DuckDB took {mib[1]:.0f} MiB"
    yield Figure(f"peak memory of `etl duplicates`, {name}", mib[0], 1024, False, "MiB", detail)


def _ours(path: Path, work: Path) -> Measured:
    return measure([ETL, "-q", "duplicates", path, "--keys", ",".join(_KEYS)], cwd=work)


def _duckdb(path: Path, work: Path) -> Measured:
    names = ", ".join(_KEYS)
    code = (
        f"import duckdb; c = duckdb.connect(config={{'threads': {WORKERS}}}); "
        f"print(c.execute(\"SELECT {names}, count(*) FROM read_csv('{path}') GROUP BY {names} HAVING count(*) > 1\")"
        ".fetchall())"
    )
    return measure([sys.executable, "-c", code], cwd=work)
