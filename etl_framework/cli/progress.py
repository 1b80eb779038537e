"""Progress on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from etl_framework.terminal import bytes_in_words, counted, printable, seconds_in_words

if TYPE_CHECKING:
    from rich.progress import TaskID

    from etl_framework.protocols import Emit
    from etl_framework.values import Event

_LINE_EVERY = 5.0
"""Seconds between two lines of a step."""


def progress() -> Emit:
    """What observes a run for whoever watches it."""
    return Bars() if sys.stderr.isatty() else Lines()


class Tally:
    """Bytes and rows done, over all parts."""

    def __init__(self) -> None:
        self.total = 0
        self._bytes: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self._began = time.monotonic()

    def begin(self, total: int) -> None:
        """A step begins; ``total`` bytes are to be done."""
        self.total = total
        self._bytes.clear()
        self._rows.clear()
        self._began = time.monotonic()

    def add(self, event: Event) -> None:
        """A part came further."""
        if event.part is not None:
            self._bytes[event.part] = event.bytes or 0
            self._rows[event.part] = event.rows or 0

    @property
    def bytes(self) -> int:
        """Bytes of the sources done."""
        return sum(self._bytes.values())

    @property
    def rows(self) -> int:
        """Rows done."""
        return sum(self._rows.values())

    @property
    def seconds(self) -> float:
        """Since the step began."""
        return max(time.monotonic() - self._began, 1e-6)

    def words(self) -> str:
        """How far and how fast: ``1.20 GB of 2.40 GB, 9,000,000 rows, 240 MB/s, 1.8 M rows/s, 5.0 s left``."""
        done, speed = self.bytes, self.bytes / self.seconds
        left = f", {seconds_in_words((self.total - done) / speed)} left" if speed and done < self.total else ""
        return (
            f"{bytes_in_words(done)} of {bytes_in_words(self.total)}, {counted(self.rows, 'row')}, "
            f"{bytes_in_words(speed)}/s, {self.rows / self.seconds:,.0f} rows/s{left}"
        )


class Lines:
    """A line when a step begins and ends, and now and then in between."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._lock = threading.Lock()
        self._printed = 0.0

    def __call__(self, event: Event) -> None:
        """Observe an event."""
        with self._lock:
            match event.name:
                case "step_started":
                    self._tally.begin(event.total_bytes or 0)
                    self._print(f"{event.step}: begun")
                case "step_finished":
                    self._print(f"{event.step}: done in {seconds_in_words(self._tally.seconds)}")
                case "part_progress" | "part_packed":
                    self._tally.add(event)
                    if time.monotonic() - self._printed >= _LINE_EVERY:
                        self._print(f"{event.step}: {self._tally.words()}")
                case "survey_changed":
                    self._tally.begin(self._tally.total)
                    self._print(f"{event.step}: begun anew: {event.message}")
                case "earlier_ended" | "load_waits" | "load_proceeds" | "load_again":
                    self._print(f"{event.step}: {event.message}")
                case "load_progress":
                    if time.monotonic() - self._printed >= _LINE_EVERY:
                        self._print(f"{event.step}: {event.message}")

    def _print(self, line: str) -> None:
        self._printed = time.monotonic()
        print(printable(line), file=sys.stderr, flush=True)


class Bars:
    """One bar for the step, and one for each part in flight."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._tally = Tally()
        self._lock = threading.Lock()
        self._step: TaskID | None = None
        self._parts: dict[int, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn("{task.percentage:>3.0f}%", "", markup=False),
            TextColumn("{task.fields[words]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # Results go where standard output goes, not among the bars.
            redirect_stdout=False,
        )

    def __call__(self, event: Event) -> None:
        """Observe an event."""
        with self._lock:
            match event.name:
                case "step_started":
                    self._begin_step(event)
                case "step_finished":
                    self._end_step(event)
                case "part_started" | "part_progress":
                    self._advance(event)
                case "part_packed":
                    self._advance(event)
                    if (task := self._parts.pop(event.part if event.part is not None else -1, None)) is not None:
                        self._progress.remove_task(task)
                case "survey_changed":
                    self._clear_parts()
                    self._tally.begin(self._tally.total)
                    self._progress.console.print(printable(f"{event.step}: begun anew: {event.message}"), markup=False)
                case "earlier_ended":
                    self._progress.console.print(printable(f"{event.step}: {event.message}"), markup=False)
                case "load_waits" | "load_progress" | "load_again":
                    self._say(event.message)
                case "load_proceeds":
                    self._say("")

    def _say(self, words: str) -> None:
        if self._step is not None:
            self._progress.update(self._step, words=printable(words))

    def _begin_step(self, event: Event) -> None:
        self._progress.start()
        self._tally.begin(event.total_bytes or 0)
        known = event.step in ("validate", "profile")
        self._step = self._progress.add_task(event.step, total=event.total_bytes if known else None, words="")

    def _end_step(self, event: Event) -> None:
        self._clear_parts()
        if self._step is not None:
            self._progress.remove_task(self._step)
            self._step = None
        self._progress.console.print(
            f"{event.step}: done in {seconds_in_words(self._tally.seconds)}", markup=False, highlight=False
        )
        # The terminal is as it was between two steps and after the last one, however the run ends.
        self._progress.stop()

    def _advance(self, event: Event) -> None:
        if event.part is None:
            return
        self._tally.add(event)
        if event.part not in self._parts:
            self._parts[event.part] = self._progress.add_task(f"  part {event.part}", total=event.total_bytes, words="")
        self._progress.update(
            self._parts[event.part], completed=event.bytes or 0, words=counted(event.rows or 0, "row")
        )
        if self._step is not None:
            speed = f"{bytes_in_words(self._tally.bytes / self._tally.seconds)}/s"
            rows = f"{self._tally.rows / self._tally.seconds:,.0f} rows/s"
            self._progress.update(self._step, completed=self._tally.bytes, words=f"{speed}  {rows}")

    def _clear_parts(self) -> None:
        for task in self._parts.values():
            self._progress.remove_task(task)
        self._parts.clear()
