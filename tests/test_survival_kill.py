"""SIGKILL at random instants: whatever was interrupted, `etl resume` ends with the table exactly the file, once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from etl_framework import Status, load, resume
from etl_framework.api import Workspace

ROWS = 60_000
VICTIM = """
import os, signal, sys, threading
from etl_framework import load, resume

seconds, action = float(sys.argv[1]), sys.argv[2]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def doom(event):
    if event.name == "run_started":
        threading.Timer(seconds, kill).start()

if action == "load":
    load("data.csv", target="duckdb:w.duckdb", part_size="256KiB", jobs=2, observers=(doom,), state_dir="state")
else:
    from etl_framework import Workspace
    Workspace.open(state_dir="state").resume(observers=(doom,))
os._exit(0)
"""


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


def table(folder: Path) -> Counter[tuple[object, ...]]:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as connection:
        return Counter(connection.execute("SELECT id, price, note FROM data").fetchall())


@pytest.mark.soak
def test_killed_at_any_instant_a_resumed_load_is_exactly_the_file_once(
    tmp_path: Path, full_campaign: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make_data(tmp_path)
    undisturbed = load(tmp_path / "data.csv", target=f"duckdb:{tmp_path}/u.duckdb", state_dir=tmp_path / "u", jobs=2)
    longest = 2.5 * undisturbed.seconds
    seed = random.SystemRandom().randrange(2**32)
    choose = random.Random(seed)
    killed = 0
    for trial in range(50 if full_campaign else 6):
        folder = tmp_path / f"trial-{trial}"
        folder.mkdir()
        (folder / "data.csv").symlink_to(tmp_path / "data.csv")
        monkeypatch.chdir(folder)
        for action in ("load", "resume") if choose.random() < 0.4 else ("load",):
            command = [sys.executable, "-c", VICTIM, str(choose.uniform(0, longest)), action]
            ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert ended.returncode in (0, -signal.SIGKILL), (seed, trial, ended.stderr)
            killed += ended.returncode == -signal.SIGKILL
        resume(state_dir="state")
        assert table(folder) == expected, f"seed {seed}, trial {trial}"
        workspace = Workspace.open(state_dir="state")
        assert [record.status for record in workspace.runs()] == [Status.DONE], f"seed {seed}, trial {trial}"
        left = [
            path for path in (folder / "state" / "runs").rglob("*") if ".arrow" in path.name or ".packing" in path.name
        ]
        assert left == [], f"seed {seed}, trial {trial}"
    assert killed, "no trial was interrupted: the instants are chosen too late"
