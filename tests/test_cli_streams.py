"""What a command does when whoever reads its output has left, has no room, or was never there."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from etl_framework import Status, Workspace

PROGRAM = [sys.executable, "-c", "from etl_framework.cli import main; main()"]
ANSWERS = (
    ["--help"],
    ["--version"],
    ["load", "--help"],
    ["plugins", "list"],
    ["plugins", "list", "--json"],
    ["analyze", "t.csv"],
    ["runs", "list"],
    ["load", "t.csv"],
    ["load", "t.csv", "--json"],
)
CHATTY = """
import ctypes
import subprocess
import sys

import pyarrow as pa

from etl_framework import hookimpl, row_check

print("from the module")
sys.__stdout__.write("past sys.stdout\\n")

def look(batch):
    print("a part")
    subprocess.run(["echo", "a process of a part"], check=True)
    return pa.array([True] * batch.num_rows)

@hookimpl
def etl_validate(job, analysis):
    print("Python")
    subprocess.run(["echo", "a process"], check=True)
    ctypes.CDLL(None).puts(b"C")
    yield row_check("looked_at", look)
"""
FULL = "cannot write to stdout: No space left on device"

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Run the command line as a process of its own in a folder that holds ``t.csv``."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,b\n1,x\n2,y\n")

    def run(words: list[str], **streams: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*PROGRAM, *words], text=True, check=False, **streams)

    return run


def assert_loaded() -> None:
    [record] = Workspace.open().runs()
    assert record.status is Status.DONE


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_failure(program: Program, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = program(["-q", *words] if "--json" in words else words, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 0
    assert not [line for line in done.stderr.splitlines() if not line.startswith(("analyze:", "validate:", "load:"))]
    if words[0] == "load" and "--help" not in words:
        assert_loaded()


def test_an_error_stands_behind_what_was_printed_before_it(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    # With it, nothing that is printed waits to be written.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    Path("etl.toml").write_text('plugins = ["mine.py"]\n')
    Path("mine.py").write_text(
        "from etl_framework import hookimpl\n@hookimpl\ndef etl_report(report):\n    print('mine:', report.status)\n"
    )
    Path("bad.csv").write_text("a,b\n" + "1,x\n" * 50 + "2\n")
    done = program(["-q", "load", "bad.csv"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 3
    assert done.stdout.startswith("mine: refused\nerror: ")


def test_a_reader_that_has_seen_enough_does_not_make_a_failure_good(program: Program) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = program(["load", "nope.csv", "--json"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr.startswith("error: nothing matches ")


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_output_that_has_no_room_is_told_once(program: Program, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = program(words, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert f"error: {FULL}\n" in done.stderr
    assert "Traceback" not in done.stderr
    if words[0] == "load" and "--help" not in words:
        assert_loaded()


def test_output_that_has_no_room_is_told_to_programs_as_json(program: Program) -> None:
    with Path("/dev/full").open("w") as full:
        done = program(["--log-format", "json", "load", "t.csv"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    [told] = map(json.loads, done.stderr.splitlines())
    assert told["message"] == FULL


def test_a_failure_keeps_its_exit_code_although_the_output_has_no_room(program: Program) -> None:
    with Path("/dev/full").open("w") as full:
        done = program(["load", "nope.csv", "--json"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert "nothing matches" in done.stderr
    assert FULL in done.stderr


@pytest.mark.parametrize("closed", [1, 2])
def test_a_stream_that_was_closed_is_written_to_no_file(program: Program, closed: int) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *PROGRAM, "load", "t.csv"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "problem" not in done.stderr
    assert_loaded()


def test_a_full_stream_that_does_not_block_is_waited_for(program: Program) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Filled to the brim, so that the very first write finds no room.
    held = 0
    with suppress(BlockingIOError):
        while True:
            held += os.write(writer, bytes(4096))
    with ThreadPoolExecutor(1) as pool:
        # Standard error goes there too: it is what the program writes first.
        running = pool.submit(program, ["load", "t.csv"], stdout=writer, stderr=writer)
        shown = b""
        while not running.done() or select.select([reader], [], [], 0)[0]:
            if select.select([reader], [], [], 0.1)[0]:
                shown += os.read(reader, 1 << 16)
        done = running.result()
    os.close(reader)
    os.close(writer)
    assert done.returncode == 0
    assert b"2 rows" in shown[held:]
    assert_loaded()


def test_standard_error_without_room_stops_no_load(program: Program) -> None:
    with Path("/dev/full").open("w") as full:
        done = program(["-v", "load", "t.csv"], stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 0
    assert "2 rows loaded into t" in done.stdout


@pytest.mark.parametrize("executor", ["threads:2", "processes:2"])
@pytest.mark.parametrize("words", [["validate"], ["load"], ["plan"], ["load", "--part-size", "nonsense"]], ids=" ".join)
def test_what_a_plugin_prints_does_not_get_into_a_document(
    program: Program, monkeypatch: pytest.MonkeyPatch, words: list[str], executor: str
) -> None:
    # With it, nothing that is printed waits to be written.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    Path("etl.toml").write_text('plugins = ["mine.py"]\n')
    Path("mine.py").write_text(CHATTY)
    done = program([*words, "t.csv", "--executor", executor, "--json"], capture_output=True)
    assert json.loads(done.stdout)["schema_version"] == 1
    if words in (["validate"], ["load"]):
        assert done.returncode == 0
        assert all(f"{who}\n" in done.stderr for who in ("Python", "a process", "C", "a part", "a process of a part"))


def test_what_a_plugin_prints_while_commands_are_looked_for_does_not_get_into_a_document(program: Program) -> None:
    Path("etl.toml").write_text('plugins = ["mine.py"]\n')
    Path("mine.py").write_text(CHATTY)
    done = program(["duplicates", "t.csv", "--keys", "a", "--json"], capture_output=True)
    assert json.loads(done.stdout)["kind"] == "duplicates"
    assert "from the module\n" in done.stderr
    assert "past sys.stdout\n" in done.stderr


def test_nothing_but_the_document_is_printed_where_standard_error_was_closed(program: Program) -> None:
    Path("etl.toml").write_text('plugins = ["mine.py"]\n')
    Path("mine.py").write_text(CHATTY)
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh", *PROGRAM, "validate", "t.csv", "--json"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["kind"] == "validation"
    assert done.returncode == 0


def test_without_json_a_plugin_prints_where_it_wants_to(program: Program) -> None:
    Path("etl.toml").write_text('plugins = ["mine.py"]\n')
    Path("mine.py").write_text(CHATTY)
    done = program(["validate", "t.csv"], capture_output=True)
    assert "a process\n" in done.stdout
    assert "a process\n" not in done.stderr
