"""Loading into Snowflake, against the emulator: what the network, the driver and Snowflake's own program take."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import lineitem
from etl_snowflake.emulator.control import EmulatorControl, running_emulator
from figures import Figure, Options, listed
from passing import up_to_the_gate
from processes import ETL, Measured, measure, paired

LINK = 2_000_000
"""Bytes per second of the throttled link: 16 Mbit/s."""

SMALL_PARTS = "12MiB"
"""Of the source, for the throttled link: line 4 of the driver gives up a plain HTTP request whose body takes 10 s."""

UPLOADS_AT_A_TIME = 4

_WAYS = (("--auto-compress", 15.0), ("--no-auto-compress", 1.0))
"""How `snow stage copy` sends a file, and how many times as long as ours it must take."""


@dataclass(frozen=True)
class Loaded:
    """One load.

    :param staged: bytes of the staged parts.
    :param load: seconds of the load step, which is the emulator's work.
    """

    process: Measured
    staged: int
    load: float

    @property
    def until_staged(self) -> float:
        """Seconds until every part was checked, compressed, uploaded and verified, the start of the program with it."""
        return self.process.seconds - self.load


def snowflake(options: Options) -> Iterator[Figure]:
    """Every figure of the plugin `etl-snowflake`."""
    path = lineitem(1, "csv")
    with _emulator(options.work) as emulator:
        # First, while this process is small: the system counts its memory into the peak of what it starts.
        yield from _peaks(path, emulator, options)
        yield _throttled(path, emulator, options)
        yield _uploaded(path, options)
        yield from _snow(emulator, options)


@contextmanager
def _emulator(work: Path) -> Iterator[EmulatorControl]:
    home = work / "snowflake"
    home.mkdir()
    os.environ["SNOWFLAKE_HOME"] = str(home)
    with running_emulator() as emulator:
        settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in emulator.connection().items())
        connections = home / "connections.toml"
        connections.touch(0o600)
        connections.write_text(f"[bench]\n{settings}")
        yield emulator


def _load(path: Path, emulator: EmulatorControl, work: Path, part_size: str = "128MiB") -> Loaded:
    shutil.rmtree(work / ".etl", ignore_errors=True)
    (work / "etl.toml").write_text(f'[defaults]\npart_size = "{part_size}"\n')
    command = [ETL, "-q", "load", path, "--target", "snowflake:bench", "--table", "lineitem", "--jobs", "2"]
    process = measure(command, cwd=work)
    answer = subprocess.run([ETL, "runs", "show", "--json"], cwd=work, capture_output=True, check=True).stdout
    report = json.loads(answer)["report"]
    assert report["reconciled"], report
    [load] = [step["seconds"] for step in report["steps"] if step["step"] == "load"]
    emulator.reset()
    return Loaded(process, report["bytes_staged"], load)


def _throttled(path: Path, emulator: EmulatorControl, options: Options) -> Figure:
    _load(path, emulator, options.work)
    emulator.faults({"endpoint": "put", "action": "throttle", "bytes_per_second": LINK, "count": None})
    loaded = _load(path, emulator, options.work, SMALL_PARTS)
    least = loaded.staged / LINK
    limit = 1.10 * least + 5
    detail = (
        f"SF 1: {loaded.staged / 1e6:.0f} MB take {least:.1f} s at {LINK / 1e6:g} MB/s; "
        f"{loaded.until_staged:.1f} s until staged, {loaded.load:.1f} s COPY, audit and publication"
    )
    return Figure("whole load over a throttled link", loaded.process.seconds, limit, False, "s", detail)


def _uploaded(path: Path, options: Options) -> Figure:
    """The parts that a load made, uploaded by the plugin and by the driver's own PUT."""
    import snowflake.connector
    from etl_snowflake.warehouse import SnowflakeWarehouse

    passed = up_to_the_gate(path, options.work)
    run, pieces = passed.run, passed.pieces
    size = sum(piece.size for piece in pieces)
    warehouse = SnowflakeWarehouse("snowflake:bench")

    def ours() -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as threads:
            for _ in threads.map(lambda piece: warehouse.upload(piece, run), pieces):
                pass
        seconds = time.perf_counter() - began
        warehouse.discard_staged(run)
        return seconds

    def theirs() -> float:
        with snowflake.connector.connect(connection_name="bench") as connection, connection.cursor() as cursor:
            began = time.perf_counter()
            answer = cursor.execute(
                f"PUT 'file://{pieces[0].path.parent}/*' @~/peer AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE "
                f"PARALLEL={UPLOADS_AT_A_TIME}"
            ).fetchall()
            seconds = time.perf_counter() - began
            assert len(answer) == len(pieces)
            cursor.execute("REMOVE @~/peer")
            return seconds

    mine, others, ratios = paired(ours, theirs, options.runs)
    warehouse.close()
    inverse = [1 / ratio for ratio in ratios]
    detail = f"{size / mine / 1e6:.0f} against {size / others / 1e6:.0f} MB/s, runs: {listed(inverse)}"
    return Figure(
        "upload of ready parts, verified / the driver's own PUT", statistics.median(inverse), 1.15, False, "×", detail
    )


def _snow(emulator: EmulatorControl, options: Options) -> Iterator[Figure]:
    """Snowflake's own command line, which compresses to gzip or not at all."""
    snow = shutil.which(os.environ.get("ETL_BENCH_SNOW", "snow"))
    if snow is None:
        print("snow stage copy: snowflake-cli is not installed here")
        return
    for scale, ways in ((1, _WAYS), (options.large, _WAYS[:1])):
        path = lineitem(scale, "csv")
        mine = statistics.median(_load(path, emulator, options.work).until_staged for _ in range(3))
        for option, limit in ways:
            command: list[Any] = [snow, "stage", "copy", path, "@~/peer", option, "--connection", "bench"]
            theirs = measure(command, cwd=options.work).seconds
            emulator.reset()
            name = f"`snow stage copy {option}` / ours with all checks, SF {scale:g}"
            detail = f"{theirs:.1f} s against {mine:.1f} s for {path.stat().st_size / 1e6:.0f} MB, until it is staged"
            yield Figure(name, theirs / mine, limit, True, "×", detail)


def _peaks(path: Path, emulator: EmulatorControl, options: Options) -> Iterator[Figure]:
    large = lineitem(options.large, "csv")
    peaks = [_load(file, emulator, options.work).process.peak / 2**20 for file in (path, large)]
    detail = f"{UPLOADS_AT_A_TIME} uploads at a time"
    yield Figure("peak memory into Snowflake, SF 1", peaks[0], 900, False, "MiB", detail)
    yield Figure(f"peak memory into Snowflake, SF {options.large:g}", peaks[1], 900, False, "MiB", detail)
    yield Figure(f"peak memory into Snowflake, SF {options.large:g} / SF 1", peaks[1] / peaks[0], 1.1, False, "×", "")
