"""Ctrl-C and SIGTERM in every command that takes its time: what is said, what is left, which exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etl_framework import Status, Workspace

STOPPED = """
import os, sys
from etl_framework.cli import run
from etl_framework.cli.session import Session

number, instant = int(sys.argv[1]), sys.argv[2]

def strike():
    os.killpg(os.getpgid(0), number)

def observe(event):
    if event.name == instant:
        strike()

Session.observers = lambda self: (observe,)
if instant == "count":
    import etl_delimited.count
    class Endless:
        struck = False
        def __init__(self, *_):
            pass
        def fill(self, buffer):
            if not Endless.struck:
                Endless.struck = True
                strike()
            buffer[:] = b"some,rows\\n".ljust(len(buffer), b"x")
            return len(buffer)
    etl_delimited.count.LineReader = Endless
elif instant == "compress":
    import etl_compression.files
    create = etl_compression.files.Temporaries.create
    def create_and_strike(*arguments):
        path = create(*arguments)
        strike()
        return path
    etl_compression.files.Temporaries.create = create_and_strike
elif instant == "done":
    import etl_framework.pipeline.ending
    discard = etl_framework.pipeline.ending.discard_part_rejects
    struck = []
    def strike_and_discard(*arguments):
        if not struck:
            struck.append(True)
            strike()
        discard(*arguments)
    etl_framework.pipeline.ending.discard_part_rejects = strike_and_discard
elif instant == "answered":
    Session.answer = lambda *_: strike()
sys.exit(run(sys.argv[3:]))
"""
SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
COMMANDS = pytest.mark.parametrize(
    ("instant", "words"),
    [
        ("part_progress", ["validate", "big.csv"]),
        ("count", ["analyze", "--exact", "big.csv"]),
        ("compress", ["compress", "big.csv"]),
    ],
    ids=["validate", "analyze", "compress"],
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("big.csv").write_text("a,b\n" + "".join(f"{number},some text\n" for number in range(200_000)))
    return tmp_path


def stopped(number: int, instant: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STOPPED, str(int(number)), instant, *words]
    # A terminal, and what stops services, reach every process of the group.
    return subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)


@SIGNALS
@COMMANDS
def test_a_command_with_nothing_to_resume_says_so_and_leaves_nothing(
    folder: Path, number: int, code: int, instant: str, words: list[str]
) -> None:
    ended = stopped(number, instant, *words)
    assert ended.returncode == code, ended.stderr
    assert "error: stopped\n  Nothing is left half done" in ended.stderr
    assert "resume" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["big.csv"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "words",
    [
        ["load", "big.csv", "--part-size", "32KiB"],
        ["load", "big.csv", "--part-size", "32KiB", "--executor", "processes:2"],
        ["demo"],
    ],
    ids=["load", "load on processes", "demo"],
)
def test_a_run_that_a_signal_stops_is_resumable_and_told_how(folder: Path, number: int, words: list[str]) -> None:
    ended = stopped(number, "part_staged", *words)
    assert ended.returncode == 6, ended.stderr
    config = Path("etl-demo/etl.toml") if words == ["demo"] else None
    workspace = Workspace.open(config)
    [record] = workspace.to_resume()
    advised = f"etl -c {config} resume" if config else f"etl resume {record.run}"
    assert advised in ended.stderr
    report = workspace.resume()
    assert report is not None
    assert report.status is Status.DONE


@SIGNALS
@pytest.mark.parametrize("instant", ["done", "answered"])
def test_a_load_that_a_signal_strikes_when_it_is_done_is_not_said_to_have_come_to_nothing(
    folder: Path, number: int, code: int, instant: str
) -> None:
    ended = stopped(number, instant, "load", "big.csv")
    [record] = Workspace.open().runs()
    assert record.status is Status.DONE
    if instant == "done":
        assert ended.returncode == 0, ended.stderr
        assert "stopped" not in ended.stderr
        assert not (folder / ".etl/runs" / record.run / "packed").exists()
    else:
        assert ended.returncode == code, ended.stderr
        assert "where it loads, see first what `etl runs list` shows" in ended.stderr
