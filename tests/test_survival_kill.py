"""SIGKILL at any instant: whatever was interrupted, `etl resume` ends with the table exactly the file, once."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import pytest

from etl_framework import RunReport, Status, Workspace, load, resume

ROWS = 60_000
VICTIM = r"""
import itertools, json, os, re, signal, sys, threading
from etl_framework import Workspace, load
from etl_framework.journal_file import JournalFile

action, instant = sys.argv[1], json.loads(sys.argv[2])
write, seen = JournalFile.write, itertools.count(1)
alone = threading.Lock()  # no other thread writes between an entry and its kill

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def write_or_die(self, run, event, *statements, **how):
    with alone:
        doomed = re.sub(r"\d+", "N", event) == instant["entry"] and next(seen) == instant["nth"]
        if doomed and instant["before"]:
            kill()
        write(self, run, event, *statements, **how)
        if doomed and not instant["seconds"]:
            kill()
    if doomed:
        threading.Timer(instant["seconds"], kill).start()

JournalFile.write = write_or_die
if action == "load":
    load("data.csv", target="duckdb:w.duckdb", part_size="256KiB", jobs=2, state_dir="state")
else:
    Workspace.open(state_dir="state").resume()
os._exit(0)
"""


@dataclass(frozen=True, kw_only=True)
class Instant:
    """When to kill: at the n-th entry of its kind in the journal.

    :ivar entry: with N for every number.
    :ivar before: just before the entry is written, when what it tells of has happened; else after it.
    :ivar seconds: so much later.
    """

    entry: str
    nth: int = 1
    before: bool = False
    seconds: float = 0.0


STEPS = {
    "analyze": ["begun"],
    "read and upload": [
        "part N reading",
        "part N packed",
        "part N piece N uploading",
        "part N piece N staged",
    ],
    "load": ["loading"],
    "clean up": ["loaded", "reported", "done"],
}
"""What a killed run was at, by the last entries that its journal may have."""


def make_data(folder: Path) -> Counter[tuple[object, ...]]:
    choose = random.Random(7)
    rows = [
        (number, choose.randrange(10**6) / 100, choose.choice(["plain", "with, comma", "with\nline break", ""]))
        for number in range(ROWS)
    ]
    with (folder / "data.csv").open("w", newline="") as file:
        file.write("id,price,note\n")
        for number, price, note in rows:
            quoted = f'"{note}"'
            file.write(f"{number},{price},{quoted}\n")
    return Counter(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[tuple[object, ...]]]:
    """The file that every victim loads, and its rows."""
    folder = tmp_path_factory.mktemp("data")
    return folder / "data.csv", make_data(folder)


@pytest.fixture
def folder(tmp_path: Path, data: tuple[Path, object], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a victim works."""
    (tmp_path / "data.csv").symlink_to(data[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def killed(action: str, instant: Instant) -> bool:
    """Let a process load or resume until it is killed; False when it came to its end before."""
    command = [sys.executable, "-c", VICTIM, action, json.dumps(asdict(instant))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode == -signal.SIGKILL


def table() -> Counter[tuple[object, ...]]:
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        return Counter(connection.execute("SELECT id, price, note FROM data").fetchall())


def entries() -> list[str]:
    """The journal's, in order, with N for every number."""
    workspace = Workspace.open(state_dir="state")
    [record] = workspace.runs()
    with workspace.state.journal() as journal:
        return [re.sub(r"\d+", "N", event) for _, event in journal.log(record.run)]


def interrupted_step() -> str:
    """Which of :data:`STEPS` the killed run was at."""
    steps = {entry: step for step, names in STEPS.items() for entry in names}
    return next((steps[entry] for entry in reversed(entries()) if entry in steps), "analyze")


def assert_all_there_once(rows: Counter[tuple[object, ...]]) -> None:
    assert table() == rows
    [record] = Workspace.open(state_dir="state").runs()
    assert record.status is Status.DONE
    left = [path for path in Path("state/runs").rglob("*") if ".arrow" in path.name or ".packing" in path.name]
    assert left == []


def resumed() -> RunReport:
    report = resume(state_dir="state")
    assert report is not None
    return report


@pytest.mark.soak
@pytest.mark.parametrize("entry", [entry for names in STEPS.values() for entry in names if entry != "begun"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_beside_any_entry_of_the_journal_a_resumed_load_is_exactly_the_file_once(
    folder: Path, data: tuple[Path, Counter[tuple[object, ...]]], entry: str, before: bool
) -> None:
    assert killed("load", Instant(entry=entry, before=before))
    assert entries().count(entry) == (0 if before else 1)
    if (entry, before) == ("done", False):
        assert resume(state_dir="state") is None
    else:
        report = resumed()
        assert (report.status, report.rows_loaded, report.reconciled, report.attempts) == (Status.DONE, ROWS, True, 2)
    assert_all_there_once(data[1])


def test_killed_between_the_commit_and_its_entry_in_the_journal_a_resumed_run_loads_nothing(
    folder: Path, data: tuple[Path, Counter[tuple[object, ...]]]
) -> None:
    assert killed("load", Instant(entry="loaded", before=True))
    assert table() == data[1]
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        committed = connection.execute("SELECT run, query_id FROM _etl_loads").fetchall()
    report = resumed()
    assert [(report.run, report.query_id)] == committed
    assert_all_there_once(data[1])


def test_killed_between_staging_a_part_and_its_entry_a_resumed_run_uploads_it_no_second_time(
    folder: Path, data: tuple[Path, Counter[tuple[object, ...]]]
) -> None:
    assert killed("load", Instant(entry="part N piece N staged", before=True))
    [staged] = Path("state/runs").rglob("staged")
    there = {path.name: path.stat().st_ino for path in staged.iterdir()}
    assert there
    again = {}

    def look(event: object) -> None:
        if (event.name, event.step) == ("step_started", "load"):
            again.update({path.name: path.stat().st_ino for path in staged.iterdir()})

    Workspace.open(state_dir="state").resume(observers=(look,))
    assert there.items() <= again.items()
    assert_all_there_once(data[1])


@pytest.mark.soak
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_while_the_run_begins_anew_with_wider_types_a_resumed_load_is_exactly_the_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{number},{number}\n" for number in range(2_000_000)]
    lines[1_094_321] = "1094321,not a number\n"
    Path("data.csv").write_text("id,price\n" + "".join(lines))
    assert killed("load", Instant(entry="planned", nth=2, before=before))
    assert entries().count("planned") == (1 if before else 2)
    assert "part N piece N staged" in entries()
    assert resumed().rows_loaded == len(lines)
    with duckdb.connect("w.duckdb", read_only=True) as connection:
        counted = connection.execute("SELECT count(*), count(DISTINCT id), sum(id) FROM data").fetchall()
        strange = connection.execute("SELECT id FROM data WHERE id::VARCHAR <> price").fetchall()
    assert counted == [(len(lines), len(lines), sum(range(len(lines))))]
    assert strange == [(1_094_321,)]


@pytest.mark.soak
def test_killed_at_any_instant_a_resumed_load_is_exactly_the_file_once(
    tmp_path: Path,
    data: tuple[Path, Counter[tuple[object, ...]]],
    full_campaign: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, expected = data
    undisturbed = load(path, target=f"duckdb:{tmp_path}/u.duckdb", state_dir=tmp_path / "u", jobs=2)
    seconds = {step.step: step.seconds for step in undisturbed.steps}
    lasting = {"analyze": seconds["analyze"], "read and upload": 0.02, "load": seconds["load"], "clean up": 0.02}
    seed = random.SystemRandom().randrange(2**32)
    choose = random.Random(seed)

    def instant(step: str) -> Instant:
        later = choose.random() < 0.6
        return Instant(
            entry=choose.choice(STEPS[step]),
            nth=choose.randint(1, 6) if step == "read and upload" else 1,
            before=step in ("read and upload", "clean up") and choose.random() < 0.5,
            seconds=choose.uniform(0, lasting[step]) if later else 0.0,
        )

    hit: Counter[str] = Counter()
    rounds = ["read and upload", "load", "clean up", "load", "read and upload", "analyze"]
    for trial in range(54 if full_campaign else 6):
        folder = tmp_path / f"trial-{trial}"
        folder.mkdir()
        (folder / "data.csv").symlink_to(path)
        monkeypatch.chdir(folder)
        step = rounds[trial % len(rounds)]
        if killed("load", instant(step)):
            hit[interrupted_step()] += 1
        # Whoever is killed may be killed again.
        if choose.random() < 0.4 and killed("resume", instant(choose.choice(rounds))):
            hit[f"{interrupted_step()}, resumed"] += 1
        resume(state_dir="state")
        try:
            assert_all_there_once(expected)
        except AssertionError as error:
            error.add_note(f"seed {seed}, trial {trial}, {entries()}")
            raise
    print(f"seed {seed}, killed in: {dict(hit)}")
    assert sum(hit.values()) > 3, "hardly any trial was interrupted: the instants are chosen too late"
