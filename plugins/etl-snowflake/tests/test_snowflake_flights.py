"""A real file into the account by its job, checked on both sides, and compared with an independent reading of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from etl_framework import ExitCode
from etl_framework.cli import run

# Columns that are not declared are inferred. Days are those of UTC: the last night of 2013 ends in 2014.
CONFIG = """
[targets.prod]
url = "snowflake:test"

[jobs.flights]
source = "data/flights_{date_range}.csv"
table = "FLIGHTS"
target = "prod"
columns = { flight = "bigint", carrier = "varchar", distance = "integer", time_hour = "timestamptz" }
date_column = "time_hour"
period = "2013-01-01..2014-01-01"
keys = ["time_hour", "carrier", "flight"]
mode = "replace-period"
part_size = "4MiB"
check = "both"

[jobs.flights.checks]
dates = "complete"
duplicates = "error"
daily_rows = { drop = 0.5, spike = 3.0, severity = "warning" }

[jobs.flights.checks.columns]
carrier = { not_null = true, regex = "[A-Z0-9]{2}" }
origin = { allowed = ["EWR", "JFK", "LGA"] }
month = { min = 1, max = 12 }

[[jobs.flights.rules]]
name = "positive_distance"
sql = "distance > 0"

[[jobs.flights.rules]]
name = "leaves_by_day"
sql = "hour BETWEEN 5 AND 22"
severity = "warning"
"""
HOUR = -3


def test_every_cell_of_the_table_is_that_of_the_file(
    target: str,
    flights: Path,
    flights_rows: Counter[tuple[object, ...]],
    connect: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("etl.toml").write_text(CONFIG)
    Path("data").mkdir()
    shutil.copy(flights, "data/flights_20130101-20140101.csv")
    assert run(["load", "flights", "--yes", "--json"]) == ExitCode.DONE
    report = json.loads(capfd.readouterr().out)
    rows_of_file = flights_rows.total()
    assert (report["reconciled"], report["counted_only"], report["differences"]) == (True, False, [])
    assert [report[f"rows_{what}"] for what in ("read", "staged", "loaded")] == [rows_of_file] * 3
    assert report["parts"] > 2
    warnings = [found for found in report["findings"] if found["severity"] != "info"]
    by_night = sum(count for row, count in flights_rows.items() if row[HOUR] not in range(5, 23))
    assert [(found["rule"], found["severity"], found["count"]) for found in warnings] == [
        ("daily_rows", "warning", 1),
        ("daily_rows", "warning", 1),
        ("leaves_by_day", "warning", by_night),
    ]
    assert "severely low, below 10 % of the mean: 2014-01-01 (88 rows)" in warnings[0]["message"]
    assert "outlier low" in warnings[1]["message"]
    assert all("(in the sources and in the warehouse)" in found["message"] for found in warnings)
    rows = connect().cursor().execute("SELECT * FROM FLIGHTS").fetchall()
    assert Counter((*row[:-1], row[-1].astimezone(UTC)) for row in rows) == flights_rows
