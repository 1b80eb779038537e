"""Measure every figure that this project promises, beside its limit.

python bench/run.py                    all figures, scale factors 1 and 10
python bench/run.py --large 2 --runs 3 smaller and quicker
python bench/run.py startup one-pass   only some
python bench/run.py --write            also into docs/performance.md, each section by itself
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from data import lineitem
from duplicates import duplicates
from figures import Figure, Options, listed
from into_snowflake import snowflake
from passing import WORKERS, up_to_the_gate
from processes import ETL, Measured, measure, paired
from quality import quality

from etl_framework import Format, Source

DOCS = Path(__file__).parent.parent / "docs" / "performance.md"
MARK = "<!-- figures: written by `tox -e bench -- --write` -->"

HEAD = ["| figure | measured | limit | | from |", "|---|---|---|---|---|"]


def startup(options: Options) -> Iterator[Figure]:
    """Start and end of the program, and what it imports for that."""
    for option in ("--version", "--help"):
        times = [measure([ETL, option], cwd=options.work).seconds for _ in range(2 * options.runs)]
        yield Figure(f"`etl {option}`", statistics.median(times), 0.25, False, "s", f"median of {len(times)}")
    code = "import sys; from etl_framework.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    heavy = [
        name for name in ("pyarrow", "duckdb", "numpy", "pydantic", "rich", "zstandard", "isal") if name in modules
    ]
    yield Figure("heavy modules that `etl --help` imports", len(heavy), 0, False, "", ", ".join(heavy) or "none")


def scaffolds(options: Options) -> Iterator[Figure]:
    """A new plugin: written, installed by pip, and its tests passed."""
    for kind in ("validator", "warehouse"):
        folder, site = options.work / f"acme-{kind}", options.work / "site"
        pip = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", site, folder]
        # Where it is installed goes first on the path; the environment of the benchmarks has all that it needs.
        tests = f"import sys, pytest; sys.path.insert(0, {str(site)!r}); sys.exit(pytest.main([{str(folder)!r}]))"
        seconds = 0.0
        for command in (
            [ETL, "plugins", "new", folder.name, "--kind", kind],
            [sys.executable, "-m", *pip],
            [sys.executable, "-c", tests],
        ):
            seconds += measure(command, cwd=options.work).seconds
        yield Figure(f"`etl plugins new --kind {kind}` → install → tests green", seconds, 60, False, "s", "one run")
        shutil.rmtree(folder)
        shutil.rmtree(site)


def one_pass(options: Options) -> Iterator[Figure]:
    """Validate and compress in one pass, against one after the other."""
    from serial import compress_alone, parse_alone

    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        path = lineitem(1, form)
        ratios, speeds = [], []
        for number in range(options.runs + 1):
            passed = up_to_the_gate(path, options.work)
            block_bytes = passed.run.job.block_bytes
            parsing = parse_alone(path, delimiter, passed.columns, passed.ranges, block_bytes, WORKERS)
            serial = parsing + compress_alone(path, passed.ranges, block_bytes, WORKERS)
            if number:  # the first round only warms up
                ratios.append(serial / passed.seconds)
                speeds.append(path.stat().st_size / passed.seconds / 1e6)
        yield Figure(
            f"validate + compress {form} in one pass / one after the other",
            statistics.median(ratios),
            1.0,
            True,
            "×",
            f"lineitem SF 1, {statistics.median(speeds):.0f} MB/s, runs: {listed(ratios)}",
        )


def counting(options: Options) -> Iterator[Figure]:
    """Exact row counts, against counting newline bytes."""
    import numpy as np

    from etl_framework import Workspace
    from etl_framework.sources import find_sources

    workspace = Workspace.open(state_dir=options.work / "state")
    plugins = workspace.plugins()
    for form, limit in (("plain", 0.8), ("csv", 0.5)):
        path = lineitem(1, form)
        size = path.stat().st_size
        job = workspace.job(None, [path], {})
        [source] = find_sources(job)
        # What analyzing takes besides does not grow with the file.
        kind = plugins.analyze(source, job).format

        def newlines(path: Path = path) -> float:
            buffer = bytearray(8 << 20)
            view = np.frombuffer(buffer, np.uint8)
            began = time.perf_counter()
            with path.open("rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    np.count_nonzero(view[:count] == 10)
            return time.perf_counter() - began

        def exact(kind: Format = kind, source: Source = source) -> float:
            began = time.perf_counter()
            kind.count_rows(source, WORKERS)
            return time.perf_counter() - began

        ours, theirs, ratios = paired(exact, newlines, options.runs)
        quoting = "unquoted" if form == "plain" else "quoted"
        detail = f"{size / ours / 1e9:.1f} against {size / theirs / 1e9:.1f} GB/s, runs: {listed(ratios)}"
        yield Figure(
            f"exact row count, {quoting} / numpy newlines", statistics.median(ratios), limit, True, "×", detail
        )


def loading(options: Options) -> Iterator[Figure]:
    """A whole load with all checks, against DuckDB alone."""
    for form in ("csv", "tsv"):
        path = lineitem(1, form)
        ours, theirs, ratios = paired(
            lambda path=path: _load(path, options.work).seconds,
            lambda path=path: _bare_duckdb(path, options.work),
            options.runs,
        )
        inverse = [1 / ratio for ratio in ratios]
        detail = f"SF 1: {ours:.1f} s against {theirs:.1f} s, runs: {listed(inverse)}"
        yield Figure(f"`etl load` of {form} / bare DuckDB", statistics.median(inverse), 1.25, False, "×", detail)


def growing(options: Options) -> Iterator[Figure]:
    """Memory and speed as the file grows."""
    small, large = lineitem(1, "csv"), lineitem(options.large, "csv")
    # In turn, since a machine drifts; the first one only warms up.
    _load(small, options.work)
    pairs = [(_load(small, options.work), _load(large, options.work)) for _ in range(options.runs)]
    first, second = zip(*pairs, strict=True)
    mib = [statistics.median(run.peak for run in runs) / 2**20 for runs in (first, second)]
    name = f"SF {options.large:g}"
    yield Figure("peak memory, SF 1", mib[0], 512, False, "MiB", f"{WORKERS} workers")
    yield Figure(f"peak memory, {name}", mib[1], 512, False, "MiB", f"{WORKERS} workers")
    yield Figure(f"peak memory, {name} / SF 1", mib[1] / mib[0], 1.1, False, "×", "")
    growth = large.stat().st_size / small.stat().st_size
    ratios = [growth * one.seconds / other.seconds for one, other in pairs]
    speed = large.stat().st_size / statistics.median(run.seconds for run in second) / 1e6
    detail = f"{speed:.0f} MB/s, runs: {listed(ratios)}"
    yield Figure(f"throughput, {name} / SF 1", statistics.median(ratios), 0.95, True, "×", detail)


def peers(options: Options) -> Iterator[Figure]:
    """Other programs on the same file and work; compressors alone, while ours also parses and checks every row."""
    path, part, work = lineitem(1, "csv"), lineitem(0.1, "csv"), options.work
    for name, command, file, ours in (
        ("`gzip -1` alone / validate + compress", ["sh", "-c", f"gzip -1 -c '{path}' > peer.gz"], path, _compress),
        ("dlt to DuckDB / ours", _dlt(path), path, lambda file, work: _load(file, work).seconds),
        ("sling file to zstd file / ours", _sling(part, work), part, _compress),
    ):
        if command is None:
            print(f"{name}: not installed here", file=sys.stderr)
            continue
        own, theirs, ratios = paired(
            lambda file=file, ours=ours: ours(file, work),
            lambda command=command: _peer(command, work),
            min(options.runs, 3),
        )
        detail = f"{theirs:.1f} s against {own:.1f} s for {file.stat().st_size / 1e6:.0f} MB, runs: {listed(ratios)}"
        yield Figure(name, statistics.median(ratios), 1, True, "×", detail)


def _peer(command: Sequence[str], work: Path) -> float:
    for left in ("peer.gz", "peer.duckdb", "peer.csv.zst"):
        (work / left).unlink(missing_ok=True)
    return measure(command, cwd=work).seconds


def _compress(path: Path, work: Path) -> float:
    return up_to_the_gate(path, work).seconds


def _load(path: Path, work: Path) -> Measured:
    for left in (work / "out.duckdb", work / "out.duckdb.wal"):
        left.unlink(missing_ok=True)
    shutil.rmtree(work / ".etl", ignore_errors=True)
    command = [ETL, "-q", "load", path, "--target", "duckdb:out.duckdb", "--table", "lineitem"]
    return measure([*command, "--executor", f"threads:{WORKERS}"], cwd=work)


def _bare_duckdb(path: Path, work: Path) -> float:
    (work / "bare.duckdb").unlink(missing_ok=True)
    code = (
        f"import duckdb; c = duckdb.connect('bare.duckdb', config={{'threads': {WORKERS}}}); "
        f"c.execute(\"CREATE TABLE lineitem AS FROM read_csv('{path}')\"); c.close()"
    )
    return measure([sys.executable, "-c", code], cwd=work).seconds


def _dlt(path: Path) -> list[str] | None:
    python = os.environ.get("ETL_BENCH_PEERS", sys.executable)
    if subprocess.run([python, "-c", "import dlt, duckdb"], capture_output=True, check=False).returncode:
        return None
    code = (
        "import dlt, pyarrow.csv as csv\n"
        f"@dlt.resource(name='lineitem')\ndef rows():\n    yield from csv.open_csv('{path}')\n"
        "p = dlt.pipeline('peer', destination=dlt.destinations.duckdb('peer.duckdb'), pipelines_dir='dlt')\n"
        "p.run(rows(), loader_file_format='parquet', write_disposition='replace')\n"
    )
    return [python, "-c", code]


def _sling(path: Path, work: Path) -> list[str] | None:
    python = os.environ.get("ETL_BENCH_PEERS", sys.executable)
    sling = Path(python).with_name("sling")
    if not sling.exists() or subprocess.run([sling, "--version"], capture_output=True, check=False).returncode:
        # The package from PyPI fetches its program when it is first used, which a closed network forbids.
        return None
    return [str(sling), "run", "--src-stream", f"file://{path}", "--tgt-object", f"file://{work}/peer.csv.zst"]


SECTIONS: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "startup": startup,
    "scaffolds": scaffolds,
    "one-pass": one_pass,
    "counting": counting,
    "loading": loading,
    "growing": growing,
    "peers": peers,
    "snowflake": snowflake,
    "duplicates": duplicates,
    "quality": quality,
}


def main() -> int:
    """Measure, print, and say whether every limit was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each figure (default 5)")
    parser.add_argument("--large", type=float, default=10, help="the large scale factor (default 10)")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    given = parser.parse_args()
    if unknown := set(given.sections) - SECTIONS.keys():
        parser.error(f"no section {', '.join(sorted(unknown))}")
    missed = 0
    machine = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python {platform.python_version()}"
    print("\n".join(HEAD), flush=True)
    for name in SECTIONS:
        if given.sections and name not in given.sections:
            continue
        # In a process of its own: what one section's took would be counted into the peaks of what the next one starts.
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            figures = process.submit(measured, name, given.runs, given.large).result()
        missed += sum(not figure.reached for figure in figures)
        if given.write:
            write(name, [figure.row() for figure in figures], machine)
    print(f"\n{machine}; {missed} missed")
    return 1 if missed else 0


def measured(section: str, runs: int, large: float) -> list[Figure]:
    """Measure the figures of one section, and print each as soon as it is there."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="etl-bench-") as work:
        for figure in SECTIONS[section](Options(runs=runs, large=large, work=Path(work))):
            figures.append(figure)
            print(figure.row(), flush=True)
    return figures


def write(section: str, rows: list[str], machine: str) -> None:
    """Replace a section's figures in the documentation; those of the others stay, with their own dates."""
    text, _, figures = DOCS.read_text(encoding="utf-8").partition(MARK)
    tables = {part.partition("\n")[0].strip(): part for part in figures.split("\n### ")[1:]}
    today = f"Measured on {datetime.now(UTC):%Y-%m-%d} on {machine}."
    tables[section] = "\n".join([section, "", today, "", *HEAD, *rows, ""])
    written = [f"\n### {tables[name].strip()}\n" for name in SECTIONS if name in tables]
    DOCS.write_text(f"{text}{MARK}\n{''.join(written)}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
