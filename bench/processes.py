"""Whole processes, measured from outside: wall time and peak memory as the operating system accounts for them."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ETL = str(Path(sys.executable).with_name("etl"))


@dataclass(frozen=True)
class Measured:
    """One run of a program.

    :param seconds: wall time.
    :param peak: largest resident memory of the process, bytes.
    """

    seconds: float
    peak: int


def measure(command: Sequence[str | Path], *, cwd: Path, most_seconds: float | None = None) -> Measured:
    """Run a program to its end, as an installed one runs: it may keep its modules compiled.

    :param most_seconds: when it is killed; None waits for it.
    :raises RuntimeError: it failed; holds the end of what it said.
    :raises TimeoutError: it was killed.
    """
    log = cwd / "output.txt"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        alarm = threading.Timer(most_seconds or 0, process.kill)
        if most_seconds is not None:
            alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        alarm.cancel()
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if most_seconds is not None and seconds >= most_seconds:
        raise TimeoutError(f"{command[0]} did not end within {most_seconds} s")
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
    return Measured(seconds=seconds, peak=usage.ru_maxrss * 1024)


def in_turn(
    ours: Callable[[], Measured], theirs: Callable[[], Measured], runs: int, *, long: float = math.inf
) -> list[tuple[Measured, Measured]]:
    """Measure two programs in turn, so that a machine that drifts drifts for both.

    :param runs: how many pairs, after one that only warms up.
    :param long: seconds; where theirs takes longer, the first pair is the only one.
    """
    first = ours(), theirs()
    return [first] if first[1].seconds > long else [(ours(), theirs()) for _ in range(runs)]


def paired(ours: Callable[[], float], theirs: Callable[[], float], runs: int) -> tuple[float, float, list[float]]:
    """Measure two things in turn, as :func:`in_turn` does, of which only the seconds count.

    :returns: median of ours, median of theirs, and the ratio theirs / ours of each pair (above 1: ours is faster).
    """
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(runs)]
    mine, other = zip(*pairs, strict=True)
    return statistics.median(mine), statistics.median(other), [b / a for a, b in pairs]
