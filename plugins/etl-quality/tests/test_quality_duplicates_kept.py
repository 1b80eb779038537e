"""Duplicates keep to the contracts, and all checks to what they saw and spilled when a run is killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import duckdb
import pytest
from etl_quality import freshness
from etl_quality.duplicates import Duplicates, DuplicatesInTable, DuplicatesSettings

from etl_framework import RunReport, Workspace, load
from etl_framework.testing import TableCheckContract, ValidatorContract

ROWS = {"a": [1, 2, 1, None, None, 3, 1], "b": ["x", "y", "x", None, None, "x", "X"]}
SETTINGS = DuplicatesSettings(keys=("a", "b"))


class TestDuplicates(ValidatorContract):
    rows = ROWS
    expected = {"duplicates": 2}

    def validator(self) -> Any:
        return Duplicates(SETTINGS)


class TestDuplicatesInTable(TableCheckContract):
    rows = ROWS
    expected = {"duplicates": 2}

    def check(self) -> Any:
        return DuplicatesInTable(SETTINGS)

    def twin(self) -> Any:
        return Duplicates(SETTINGS)


VICTIM = """
import os, re, signal, sys
from etl_framework import load
from etl_framework.journal_file import JournalFile

write, left = JournalFile.write, int(sys.argv[1])

def write_or_die(self, run, event, *statements, **how):
    global left
    write(self, run, event, *statements, **how)
    left -= bool(re.fullmatch(r"part \\d+ packed", event))
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

JournalFile.write = write_or_die
load(job="job", state_dir="state")
"""
ETL = """
[jobs.job]
source = "data.csv"
table = "t"
target = "duckdb:w.duckdb"
keys = ["id"]
part_size = "64KiB"
executor = "threads:1"
[jobs.job.checks]
duplicates = "warning"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, with a job whose file has keys of two rows far apart, and one of many."""
    monkeypatch.chdir(tmp_path)
    numbers = [*range(12_000), 5, 11_999, *[7] * 50]
    text = "".join(f"{number},{'x' * 20}\n" for number in numbers)
    (tmp_path / "data.csv").write_text(f"id,note\n{text}")
    (tmp_path / "etl.toml").write_text(ETL)
    return tmp_path


def survivors(folder: Path) -> list[Path]:
    """What the accumulators of each part left, by part."""
    return sorted(path for path in folder.glob("state/runs/*/spilled/*") if any(path.iterdir()))


def parts_read(folder: Path) -> list[str]:
    workspace = Workspace.open(state_dir="state")
    [record] = workspace.runs()
    with workspace.state.journal() as journal:
        return [event for _, event in journal.log(record.run) if re.fullmatch(r"part \d+ reading", event)]


def lose_nothing(spilled: list[Path]) -> None:
    pass


def lose_a_folder(spilled: list[Path]) -> None:
    rmtree(spilled[0])


def lose_the_end_of_a_file(spilled: list[Path]) -> None:
    path = spilled[0] / "keys.arrow"
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(("lose", "again"), [(lose_nothing, 0), (lose_a_folder, 1), (lose_the_end_of_a_file, 1)])
def test_a_run_that_was_killed_while_it_read_ends_with_the_findings_of_one_that_was_not(
    folder: Path, lose: Callable[[list[Path]], None], again: int
) -> None:
    killed = subprocess.run([sys.executable, "-c", VICTIM, "3"], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    spilled = survivors(folder)
    assert len(spilled) >= 3
    before = parts_read(folder)
    lose(spilled)
    report = Workspace.open(state_dir="state").resume()
    assert report is not None
    parts = set(parts_read(folder))
    assert len(parts_read(folder)) == len(parts) + len(before) - 3 + again
    undisturbed: RunReport = load(job="job", state_dir="undisturbed", target="duckdb:u.duckdb")
    assert report.findings == undisturbed.findings
    [found] = report.findings
    assert (found.count, [sample.line for sample in found.samples][:3]) == (52, [9, 12_004, 12_005])
    assert not survivors(folder)


ALL = """
columns = { id = "integer", day = "date", currency = "varchar", price = "decimal(9,2)", note = "varchar" }
date_column = "day"
[jobs.job.checks]
schema = { severity = "warning" }
drift = "warning"
freshness = { max_age = "1 day", severity = "warning" }
dates = { severity = "warning" }
daily_rows = { severity = "warning" }
duplicates = "warning"
[jobs.job.checks.columns]
id = { unique = true, monotonic = "increasing", severity = "warning" }
price = { min = 0, max = 100, severity = "warning" }
currency = { not_null = true, allowed = ["EUR", "USD"], references = { file = "codes.csv" }, severity = "warning" }
note = { regex = "x+", length = 20, references = { query = "SELECT repeat('x', 20)" }, severity = "warning" }
[[jobs.job.rules]]
name = "cheap"
sql = "price < 50 or currency = 'USD'"
severity = "warning"
[[jobs.job.rules]]
name = "worth"
sql = "sum(price) = 0"
severity = "warning"
"""
BROKEN = {"dates", "daily_rows", "duplicates", "unique", "monotonic", "min", "max", "not_null", "allowed", "regex"}
BROKEN |= {"length", "cheap", "worth", "schema", "drift", "freshness", "references"}


# How old the data are is told to the minute, and two runs do not end in the same one.
NOW = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def broken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a job of all checks, each of which finds something in its file."""
    monkeypatch.setattr(freshness, "now", lambda: NOW)
    rows = [[n, f"2024-01-{1 + n // 400:02}", f"{n % 40}.25", "EUR", "x" * 20] for n in range(12_000) if n // 400 != 9]
    for at in (0, 5_000, 10_000):
        rows[at + 1][2:] = ["-1", "", "x" * 21]
        rows[at + 2][2:] = ["101", "XXX", "y" * 20]
        rows[at + 4][0] = rows[at + 3][0]
        rows[at + 6][0], rows[at + 7][0] = rows[at + 7][0], rows[at + 6][0]
    del rows[2_000:2_395]
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (folder / "data.csv").write_text(f"id,day,price,currency,note\n{text}")
    (folder / "codes.csv").write_text("code\nEUR\nUSD\n")
    (folder / "etl.toml").write_text(ETL.partition("[jobs.job.checks]")[0] + ALL)
    return folder


@pytest.mark.parametrize("parts", [1, 4])
def test_every_check_finds_the_same_after_its_run_was_killed(broken: Path, parts: int) -> None:
    for name in "wu":
        duckdb.connect(broken / f"{name}.duckdb").close()
    killed = subprocess.run([sys.executable, "-c", VICTIM, str(parts)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    report = Workspace.open(state_dir="state").resume()
    assert report is not None
    undisturbed: RunReport = load(job="job", state_dir="undisturbed", target="duckdb:u.duckdb")
    assert report.findings == undisturbed.findings
    assert {finding.rule for finding in report.findings} == BROKEN


# It is asked after all other plugins, since they are asked by name, and strikes once, where the file "strike" says.
STRIKE = """
import os, signal
from pathlib import Path
from etl_framework import hookimpl

def strike(place):
    order = Path("strike")
    if order.exists() and order.read_text() == place:
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

class OfBlocks:
    name, seen = "strike", 0

    def update(self, block):
        self.seen += 1
        strike(f"part {block.part}, block {self.seen}")

    def merge(self, other):
        pass

    def finish(self):
        return ()

class OfTable:
    name = "strike"

    def run(self, rows):
        strike("table")
        return ()

@hookimpl
def etl_validate(job, analysis):
    return [OfBlocks()]

@hookimpl
def etl_check(job, columns):
    return [OfTable()]
"""
STRUCK = f"""
import datetime, sys
from etl_framework import load
from etl_quality import freshness

freshness.now = lambda: {NOW!r}
load(job="job", state_dir="state", target=sys.argv[1])
"""
EVERYWHERE = """
plugins = ["strike.py"]
[defaults]
check = "both"
block_size = "16KiB"
"""


@pytest.mark.parametrize("kind", ["duckdb", "snowflake"])
@pytest.mark.parametrize(
    ("place", "again"),
    # This block, of four, has rows that break rules: they were seen by then, and must not count twice.
    [("part 8, block 3", ["part 8 reading"]), ("table", [])],
    ids=["in_a_part", "in_the_warehouse"],
)
def test_every_check_of_file_and_table_finds_the_same_after_its_run_was_killed_while_it_checked(
    broken: Path, place: str, again: list[str], kind: str, request: pytest.FixtureRequest
) -> None:
    target = request.getfixturevalue(f"{kind}_side").target
    if kind == "duckdb":
        duckdb.connect(target.removeprefix("duckdb:")).close()
    (broken / "strike.py").write_text(STRIKE)
    (broken / "strike").write_text(place)
    (broken / "etl.toml").write_text(EVERYWHERE + (broken / "etl.toml").read_text())
    killed = subprocess.run([sys.executable, "-c", STRUCK, target], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    report = Workspace.open(state_dir="state").resume()
    assert report is not None
    times = Counter(parts_read(broken))
    assert [part for part in times if times[part] > 1] == again
    undisturbed: RunReport = load(job="job", state_dir="undisturbed", target=target, table="u")
    assert report.findings == undisturbed.findings
    assert {finding.rule for finding in report.findings} == BROKEN
