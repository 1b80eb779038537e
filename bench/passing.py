"""Everything that a load does up to the gate, in this process."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from etl_framework import Column, PackedPart, Run, Workspace
from etl_framework.reading import Packing, PartReader
from etl_framework.sources import find_sources
from etl_framework.state import new_run_id
from etl_framework.survey import plan_parts, survey_sources
from etl_framework.verdict import judge

WORKERS = 2
_KINDS = {"bigint": "orderkey partkey suppkey linenumber", "double": "quantity extendedprice discount tax"}
_KINDS |= {"varchar": "returnflag linestatus shipinstruct shipmode comment", "date": "shipdate commitdate receiptdate"}
COLUMNS = {f"l_{name}": kind for kind, names in _KINDS.items() for name in names.split()}
"""The columns as a job that is run again and again declares them."""


@dataclass(frozen=True)
class Passed:
    """A file that was read, checked and packed.

    :param seconds: what that took.
    :param ranges: (start, end) of each part, bytes.
    :param run: with what the upload of the parts needs.
    """

    seconds: float
    columns: tuple[Column, ...]
    ranges: list[tuple[int, int]]
    run: Run
    pieces: tuple[PackedPart, ...]


def up_to_the_gate(path: Path, work: Path) -> Passed:
    """Read, check and pack a file, with zstd parts in the source's format."""
    workspace = Workspace.open(state_dir=work / "state")
    options = {"compress": "zstd", "executor": f"threads:{WORKERS}", "target": "duckdb:unused.duckdb"}
    job = workspace.job(None, [path], {**options, "columns": COLUMNS})
    plugins = workspace.plugins()
    packed = work / "packed"
    shutil.rmtree(packed, ignore_errors=True)
    packed.mkdir()
    codec = plugins.codec(job, job.target)
    began = time.perf_counter()
    executor = plugins.executor(job.executor)
    sources = find_sources(job)
    survey = plan_parts(survey_sources(job, sources, plugins), job, executor.workers)
    packing = Packing(folder=packed, codec=codec, content="source")
    reader = PartReader(
        run="bench", job=job, survey=survey, packing=packing, rejects=None, spilled=work / "spilled", plugins=plugins
    )
    outcomes = {outcome.part: outcome for outcome in executor.run(reader, survey.parts, lambda _: None)}
    verdict = judge(job, survey, outcomes, plugins)
    seconds = time.perf_counter() - began
    assert not verdict.bad, verdict.findings
    run = Run(
        id=new_run_id(),
        job=job,
        sources=tuple(sources),
        columns=survey.columns,
        folder=work,
        codec=codec,
        emit=lambda _: None,
    )
    return Passed(
        seconds=seconds,
        columns=survey.columns,
        ranges=[(part.start, part.end) for part in survey.parts],
        run=run,
        pieces=tuple(piece for outcome in outcomes.values() for piece in outcome.pieces),
    )
