"""SIGKILL at any instant of a load into Snowflake: what is resumed ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Status, Workspace, load, resume

ROWS = 20_000
SETTINGS: dict[str, Any] = {"part_size": "64KiB", "block_size": "16KiB", "table": "t", "jobs": 2, "state_dir": "state"}
VICTIM = r"""
import itertools, os, re, signal, sys, threading
from etl_framework import Workspace, load
from etl_framework.journal_file import JournalFile

action, target, entry, nth, seconds = sys.argv[1:6]
write, seen = JournalFile.write, itertools.count(1)

def write_and_die(self, run, event, *statements, **how):
    write(self, run, event, *statements, **how)
    if re.sub(r"\d+", "N", event) == entry and next(seen) == int(nth):
        threading.Timer(float(seconds), os.kill, (os.getpid(), signal.SIGKILL)).start()

JournalFile.write = write_and_die
if action == "load":
    load("sales.csv", target=target, part_size="64KiB", block_size="16KiB", table="t", jobs=2, state_dir="state")
else:
    Workspace.open(state_dir="state").resume()
os._exit(0)
"""


@dataclass(frozen=True)
class Instant:
    """When to kill: so many seconds after the n-th entry of its kind in the journal, with N for every number."""

    entry: str
    nth: int
    seconds: float


ENTRIES = ["begun", "part N packed", "part N piece N uploading", "loading", "loading", "loading", "loaded"]


def write_source() -> None:
    Path("sales.csv").write_text("id,name\n" + "".join(f'{number},"n,{number}"\n' for number in range(ROWS)))


def killed(action: str, target: str, instant: Instant) -> bool:
    """Let a process load or resume until it is killed; False when it came to its end before."""
    words = [action, target, *map(str, (instant.entry, instant.nth, instant.seconds))]
    ended = subprocess.run([sys.executable, "-c", VICTIM, *words], capture_output=True, text=True, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode == -signal.SIGKILL


def state() -> str:
    """How far the killed run was, by the last entry of its journal."""
    workspace = Workspace.open(state_dir="state")
    if not workspace.state.exists or not workspace.runs():
        return "nothing begun"
    with workspace.state.journal() as journal:
        return journal.log(workspace.runs()[0].run)[-1][1].rstrip("0123456789 ")


@pytest.mark.soak
def test_killed_at_any_instant_a_resumed_load_is_exactly_the_file_once(
    target: str,
    emulator: EmulatorControl,
    connect: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    full_campaign: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_source()
    report = load("sales.csv", target=target, **{**SETTINGS, "state_dir": "undisturbed"})
    lasting = {step.step: step.seconds for step in report.steps}
    seed = random.SystemRandom().randrange(2**32)
    choose = random.Random(seed)

    def instant() -> Instant:
        entry = choose.choice(ENTRIES)
        # What is left to do after the load takes a few hundredths of a second.
        within = {"begun": lasting["analyze"], "loading": lasting["load"], "loaded": 0.01}.get(entry, 0.1)
        return Instant(entry, choose.randint(1, 4) if "part" in entry else 1, choose.uniform(0, within))

    wanted = 100 if full_campaign else 8
    hit: Counter[str] = Counter()
    after: Counter[str] = Counter()
    trial = 0
    while after.total() < wanted:
        assert trial < 2 * wanted, f"seed {seed}: most trials ended before they were killed, only these not: {hit}"
        trial += 1
        emulator.reset()
        folder = tmp_path / f"trial-{trial}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        write_source()
        how = choose.choice(["landing", "landing", "direct"])
        Path("etl.toml").write_text(f'[defaults]\nsnowflake = {{ publish = "{how}" }}\n')
        if killed("load", target, chosen := instant()):
            hit[f"{state()}, {how}"] += 1
            after[chosen.entry] += 1
        if choose.random() < 0.4 and killed("resume", target, chosen := instant()):
            hit[f"{state()}, {how}, resumed"] += 1
            after[chosen.entry] += 1
        resume(state_dir="state")
        [record] = Workspace.open(state_dir="state").runs()
        assert record.status is Status.DONE, f"seed {seed}, trial {trial}"
        connection = connect()
        cursor = connection.cursor()
        found = cursor.execute("SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID), COUNT(DISTINCT NAME) FROM T").fetchall()
        left = cursor.execute("LIST @_ETL_STAGE").fetchall()
        landed = cursor.execute(
            "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, '_ETL_LANDING')"
        ).fetchall()
        connection.close()
        assert (found, left, landed) == ([(ROWS, ROWS, sum(range(ROWS)), ROWS)], [], []), f"seed {seed}, trial {trial}"
    print(f"seed {seed}, {trial} trials, killed in: {dict(hit)}, after: {dict(after)}")
    if full_campaign:
        assert set(after) == set(ENTRIES), f"seed {seed}: no kill struck after one of the kinds of entries"
