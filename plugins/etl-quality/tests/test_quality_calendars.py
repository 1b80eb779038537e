"""Calendars: by the code of a country or a market, and by a file."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from etl_quality.calendars import _known, read_calendar

from etl_framework import Job, TableName, UsageError

JOB = Job(name="j", patterns=(), table=TableName(("t",)), target="duckdb:")
KEY = "checks.dates.calendar"


def is_off(name: str, day: str, job: Job = JOB) -> bool:
    return bool(np.isin(np.datetime64(day, "D"), read_calendar(name, job, KEY).holidays))


@pytest.mark.parametrize(
    ("name", "day", "off"),
    [
        ("US", "2024-07-04", True),
        ("US", "2024-07-05", False),
        ("DE", "2024-08-15", False),
        ("DE-BY", "2024-01-06", True),
        ("US-NY", "2024-02-12", True),
        ("NYSE", "2024-03-29", True),
        ("NYSE", "2024-11-11", False),
    ],
)
def test_a_code_is_a_country_a_part_of_one_or_a_market(name, day, off):
    assert is_off(name, day) is off


def test_a_file_has_a_day_a_line_and_counts_from_the_folder_of_the_job(tmp_path):
    (tmp_path / "off.txt").write_text("# company holidays\n\n2024-12-24   # half a day\n2024-12-31\n")
    job = replace(JOB, folder=tmp_path)
    assert is_off("off.txt", "2024-12-24", job)
    assert not is_off("off.txt", "2024-12-25", job)
    assert (
        read_calendar(str(tmp_path / "off.txt"), JOB, KEY).holidays.tolist()
        == read_calendar("off.txt", job, KEY).holidays.tolist()
    )


@pytest.mark.parametrize(
    ("name", "said", "advice"),
    [
        ("UX", "no calendar of a country or a market has the code 'UX'", "Did you mean "),
        ("DE-BX", "the calendar 'DE' has no part 'BX'", "It has BB, BE, BW, BY"),
        ("US-NYC", "the calendar 'US' has no part 'NYC'", "Did you mean 'NY'?"),
        ("missing.txt", "missing.txt cannot be read", "Paths count from the folder of etl.toml"),
        ("wrong.txt", "wrong.txt:2: '24.12.2024' is no day", "2024-12-25"),
        ("empty.txt", "empty.txt holds no days", "Write one day a line"),
    ],
)
def test_what_is_no_calendar_is_refused_and_named(tmp_path: Path, name, said, advice):
    (tmp_path / "wrong.txt").write_text("2024-12-25\n24.12.2024\n")
    (tmp_path / "empty.txt").write_text("# nothing yet\n")
    with pytest.raises(UsageError) as caught:
        read_calendar(name, replace(JOB, folder=tmp_path), KEY)
    assert caught.value.message.startswith(f"{KEY}: ")
    assert said in caught.value.message
    assert advice in caught.value.advice
    assert caught.value.key == KEY


def test_without_the_library_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    _known.cache_clear()
    with pytest.raises(UsageError, match="needs the library holidays") as caught:
        read_calendar("US", JOB, KEY)
    assert "pip install 'etl-quality[calendars]'" in caught.value.advice


def test_a_file_needs_no_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "holidays", None)
    (tmp_path / "off.txt").write_text("2024-12-24\n")
    assert is_off("off.txt", "2024-12-24", replace(JOB, folder=tmp_path))
