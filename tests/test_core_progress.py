"""Progress on standard error."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etl_framework import Event
from etl_framework.cli import progress as module
from etl_framework.cli.progress import Bars, Lines, Tally, progress

EVENT = Event(name="part_progress", run="r1", step="validate", total_bytes=1000)
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def event(name: str, **what: object) -> Event:
    return replace(EVENT, name=name, **what)  # type: ignore[arg-type]


def far(part: int, done: int, rows: int) -> Event:
    return event("part_progress", part=part, bytes=done, rows=rows, total_bytes=500)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def set_time(seconds: float) -> None:
        now[0] = 100.0 + seconds

    return set_time


def test_a_tally_adds_up_what_the_parts_last_said(clock: Callable[[float], None]) -> None:
    tally = Tally()
    tally.begin(4_000_000)
    for part, done in [(0, 500_000), (1, 500_000), (0, 1_500_000)]:
        tally.add(far(part, done, done // 100))
    clock(2.0)
    assert (tally.bytes, tally.rows) == (2_000_000, 20_000)
    assert tally.words() == "2.00 MB of 4.00 MB, 20,000 rows, 1.00 MB/s, 10,000 rows/s, 2.00 s left"


def test_a_tally_without_anything_done_promises_nothing(clock: Callable[[float], None]) -> None:
    tally = Tally()
    tally.begin(0)
    assert tally.words() == "0 B of 0 B, 0 rows, 0 B/s, 0 rows/s"


def test_a_step_that_begins_forgets_the_one_before() -> None:
    tally = Tally()
    tally.add(far(0, 10, 10))
    tally.begin(5)
    assert (tally.bytes, tally.rows, tally.total) == (0, 0, 5)


def test_lines_say_when_steps_begin_and_end(capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]) -> None:
    lines = Lines()
    lines(event("run_started"))
    lines(event("step_started"))
    clock(1.5)
    lines(event("step_finished"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "validate: begun\nvalidate: done in 1.50 s\n"


def test_a_line_now_and_then_says_how_far_the_step_is(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    lines = Lines()
    lines(event("step_started"))
    for second in range(12):
        clock(second)
        lines(far(0, 50 * second, second))
    assert capsys.readouterr().err.splitlines() == [
        "validate: begun",
        "validate: 250 B of 1.00 kB, 5 rows, 50 B/s, 1 rows/s, 15.0 s left",
        "validate: 500 B of 1.00 kB, 10 rows, 50 B/s, 1 rows/s, 10.0 s left",
    ]


def test_a_run_that_begins_anew_says_why_and_counts_from_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINE_EVERY", 0.0)
    lines = Lines()
    lines(event("step_started"))
    lines(far(0, 500, 5))
    lines(event("survey_changed", message="n is no bigint: '\x1b[31m'"))
    lines(far(1, 100, 1))
    err = capsys.readouterr().err.splitlines()
    assert err[2] == r"validate: begun anew: n is no bigint: '\x1b[31m'"
    assert err[3].startswith("validate: 100 B of 1.00 kB, 1 row,")


def test_lines_say_what_a_load_waits_for_and_why_it_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines(event("load_waits", step="load", message="another load goes first"))
    lines(event("load_proceeds", step="load", message="it has ended"))
    lines(event("load_again", step="load", message="more memory \x1b[31m"))
    assert capsys.readouterr().err.splitlines() == [
        "load: another load goes first",
        "load: it has ended",
        r"load: more memory \x1b[31m",
    ]


def test_lines_say_now_and_then_how_far_a_copy_is(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    lines = Lines()
    lines(event("step_started", step="load"))
    for second in range(12):
        clock(second)
        lines(event("load_progress", step="load", message=f"Snowflake copies 2 parts since {second} s"))
    assert capsys.readouterr().err.splitlines() == [
        "load: begun",
        "load: Snowflake copies 2 parts since 5 s",
        "load: Snowflake copies 2 parts since 10 s",
    ]


def test_without_a_terminal_progress_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(progress(), Lines)


class Terminal:
    """A real terminal as standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w")
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 65536):
                self._shown += chunk
        except OSError:
            return  # nobody has the terminal open any more

    def bars(self) -> Bars:
        """What observes a run on this terminal. For the test itself: pytest sets standard error anew after fixtures."""
        self._monkeypatch.setattr(sys, "stderr", self.stream)
        bars = progress()
        assert isinstance(bars, Bars)
        return bars

    def close(self) -> str:
        """Everything that was written."""
        self.stream.close()
        self._reader.join()
        os.close(self._master)
        return self._shown.decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    for variable in ("NO_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal(monkeypatch)
    yield terminal
    if not terminal.stream.closed:
        terminal.close()


def test_a_terminal_shows_a_bar_for_the_step_and_for_each_part_in_flight(terminal: Terminal) -> None:
    bars = terminal.bars()
    bars(event("step_started"))
    bars(event("part_started", part=0, bytes=0, rows=0, total_bytes=500))
    bars(far(0, 250, 1234))
    bars(far(1, 100, 5))
    bars._progress.refresh()
    bars(event("part_packed", part=0, bytes=500, rows=2000, total_bytes=500))
    assert [task.description for task in bars._progress.tasks] == ["validate", "  part 1"]
    assert [task.completed for task in bars._progress.tasks] == [600, 100]
    bars(event("step_finished"))
    shown = ANSI.sub("", terminal.close())
    assert re.search(r"validate .* 35%.*rows/s", shown)
    assert re.search(r"part 0 .* 50% +1,234 rows", shown)
    assert re.search(r"part 1 .* 20% +5 rows", shown)
    assert re.search(r"validate: done in \d", shown)


@pytest.mark.parametrize("last", ["step_finished", "run_finished"])
def test_the_terminal_is_left_as_it_was_after_every_step(terminal: Terminal, last: str) -> None:
    bars = terminal.bars()
    bars(event("run_started"))
    for step in ("analyze", "validate"):
        bars(event("step_started", step=step))
        bars(far(0, 1, 1))
        bars(event("step_finished", step=step))
    if last == "run_finished":
        bars(event("run_finished"))
    shown = terminal.close()
    assert shown.count(HIDE) == shown.count(SHOW) == 2
    assert shown.rindex(SHOW) > shown.rindex(HIDE)


def test_results_on_standard_output_are_not_caught_by_the_bars(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = terminal.bars()
    bars(event("step_started"))
    print("a result")
    bars(event("step_finished"))
    assert "a result" not in terminal.close()
    assert capsys.readouterr().out == "a result\n"


def test_beginning_anew_takes_the_bars_of_the_parts_away(terminal: Terminal) -> None:
    bars = terminal.bars()
    bars(event("step_started"))
    bars(far(0, 250, 10))
    bars(event("survey_changed", message="[red]cut anew[/nonsense] \x1b]0;title\x07"))
    assert [task.description for task in bars._progress.tasks] == ["validate"]
    bars(event("step_finished"))
    shown = terminal.close()
    assert r"validate: begun anew: [red]cut anew[/nonsense] \x1b]0;title\x07" in ANSI.sub("", shown)


def test_the_bar_of_a_load_says_what_it_waits_for_until_it_proceeds(terminal: Terminal) -> None:
    bars = terminal.bars()
    bars(event("step_started", step="load"))
    said = []
    for name, message in (("load_waits", "another goes first"), ("load_proceeds", "it ended"), ("load_again", "\x1b")):
        bars(event(name, step="load", message=message))
        bars._progress.refresh()
        said += [task.fields["words"] for task in bars._progress.tasks]
    bars(event("step_finished", step="load"))
    assert said == ["another goes first", "", r"\x1b"]
    assert "another goes first" in ANSI.sub("", terminal.close())


def test_the_bar_of_a_load_says_how_far_a_copy_is(terminal: Terminal) -> None:
    bars = terminal.bars()
    bars(event("step_started", step="load"))
    bars(event("load_progress", step="load", message="Snowflake copies 2 parts"))
    bars._progress.refresh()
    assert [task.fields["words"] for task in bars._progress.tasks] == ["Snowflake copies 2 parts"]
    bars(event("step_finished", step="load"))
    assert "Snowflake copies 2 parts" in ANSI.sub("", terminal.close())


def test_every_event_is_told_of_where_events_are_described() -> None:
    root = Path(__file__).parents[1]
    sources = [*root.glob("etl_framework/**/*.py"), *root.glob("plugins/*/etl_*/**/*.py")]
    told = re.compile(r"""(?:Event\(\s*name=|happened\(\s*|_event\(\s*)"(\w+)["]""")
    emitted = {name for path in sources for name in told.findall(path.read_text(encoding="utf-8"))}
    assert {"run_started", "load_waits", "part_packed"} <= emitted
    assert emitted == set(re.findall(r"``([a-z]+_[a-z]+)``", (Event.__doc__ or "").partition(":param run:")[0]))


def test_many_threads_may_report_at_once(terminal: Terminal) -> None:
    bars = terminal.bars()
    bars(event("step_started", total_bytes=8 * 500))

    def report(part: int) -> None:
        for done in range(0, 501, 100):
            bars(far(part, done, done))
        bars(event("part_packed", part=part, bytes=500, rows=500, total_bytes=500))

    threads = [threading.Thread(target=report, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(task.description, task.completed) for task in bars._progress.tasks] == [("validate", 4000)]
    bars(event("step_finished"))
