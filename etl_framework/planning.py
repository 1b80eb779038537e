"""What a load would do: parts, SQL and estimates, with nothing changed."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.auditing import refuse_without_sql
from etl_framework.causes import NO_ROWS
from etl_framework.checks import insist_on_settings
from etl_framework.ledger import MEANT_AGAIN, already_loaded
from etl_framework.packing import Packer
from etl_framework.protocols import Capacity, MisplacedCut, Run, TypesWidened
from etl_framework.reading import blocks_of
from etl_framework.rewriting import staged_layouts
from etl_framework.survey import adopt, plan_parts, survey_sources
from etl_framework.values import Severity

if TYPE_CHECKING:
    from etl_framework.columns import Column
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Codec, Warehouse
    from etl_framework.survey import Survey
    from etl_framework.values import Fact, Finding, Job, Mode, Part, Source

_PROBED_BLOCKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What a load would do.

    :param job: the job's name.
    :param target: URL of the warehouse.
    :param table: where the rows would go.
    :param mode: how the table would change.
    :param period: which days, or None.
    :param executor: what would run the parts.
    :param workers: how many parts at a time.
    :param codec: what would compress them.
    :param sources: the files.
    :param columns: names and types, of which the inferred ones may still widen.
    :param parts: how the sources would be cut.
    :param rows: records, mostly estimated.
    :param bytes: size of the sources.
    :param staged_bytes: estimated size of what would be staged.
    :param seconds: estimated time up to the gate, from a probe of the first blocks; None for empty sources.
    :param table_exists: whether the load would create the table.
    :param statements: the SQL.
    :param checks: names of the rules that would be made, beside those of the structure; none where it is odd already.
    :param findings: what is odd already.
    :param objections: why the load would be refused as things stand.
    :param capacity: what the warehouse says to so much at once.
    :param advice: what to do where the sources are in the table already.
    """

    job: str
    target: str
    table: str
    mode: Mode
    period: str | None
    executor: str
    workers: int
    codec: str
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    rows: int
    bytes: int
    staged_bytes: int
    seconds: float | None
    table_exists: bool
    statements: tuple[str, ...]
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    objections: tuple[str, ...]
    capacity: tuple[Fact, ...] = ()
    advice: str = ""


def plan_load(job: Job, sources: tuple[Source, ...], plugins: Plugins) -> LoadPlan:
    """Find out what a load would do.

    :raises UsageError: the settings of its checks cannot be understood.
    :raises EtlError: a source cannot be read, the warehouse not be reached, or a plugin is broken.
    """
    with closing(plugins.executor(job.executor)) as executor, closing(plugins.connect(job.target)) as warehouse:
        refuse_without_sql(job, warehouse)
        job = dataclasses.replace(job, compress=job.compress or warehouse.default_codec)
        codec = plugins.codec(job, job.target)
        survey = survey_sources(job, sources, plugins)
        table = warehouse.describe(job.table)
        survey = plan_parts(survey.with_columns(adopt(survey.columns, table or ())), job, executor.workers)
        errors = [finding.message for finding in survey.findings if finding.severity is Severity.ERROR]
        checks = () if errors else insist_on_settings(job, survey.analyses[:1], survey.columns, plugins)
        run = _run(job, sources, survey, codec, warehouse)
        repeated = already_loaded(job, sources, warehouse.ledger(job.table))
        speed, ratio = _probe(job, survey, warehouse, codec, plugins)
        return LoadPlan(
            job=job.name,
            target=job.target,
            table=str(job.table),
            mode=job.mode,
            period=str(job.period) if job.period else None,
            executor=job.executor,
            workers=executor.workers,
            codec=codec.name,
            sources=sources,
            columns=survey.columns,
            parts=survey.parts,
            rows=survey.rows,
            bytes=survey.size,
            staged_bytes=round(survey.size * ratio),
            seconds=survey.size / speed / min(executor.workers, len(survey.parts)) if speed else None,
            table_exists=table is not None,
            statements=warehouse.statements(run),
            checks=checks,
            findings=survey.findings,
            objections=(*(errors or _no_rows(survey)), *warehouse.differences(run), *repeated),
            capacity=warehouse.capacity(survey.size) if isinstance(warehouse, Capacity) else (),
            advice=MEANT_AGAIN if repeated else "",
        )


def _no_rows(survey: Survey) -> list[str]:
    """That no source holds rows, where all say so: other numbers of rows are estimates."""
    known = all(any(finding.cause == NO_ROWS for finding in analysis.findings) for analysis in survey.analyses)
    return ["the sources hold no rows"] if known else []


def _run(job: Job, sources: tuple[Source, ...], survey: Survey, codec: Codec, warehouse: Warehouse) -> Run:
    """The run that the load would be, which has no folder and tells nobody."""
    return Run(
        id="plan",
        job=job,
        sources=sources,
        columns=survey.columns,
        folder=Path(),
        codec=codec,
        emit=lambda _: None,
        layouts=staged_layouts(survey, warehouse),
        parts=survey.parts,
    )


def _probe(job: Job, survey: Survey, warehouse: Warehouse, codec: Codec, plugins: Plugins) -> tuple[float, float]:
    """Read and pack the first blocks: bytes per second of one worker, and staged bytes per byte read."""
    part = next((part for part in survey.parts if part.size), None)
    if part is None:
        return 0.0, 0.0
    consumed = 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="etl-plan-") as folder:
        packer = Packer(Path(folder), part, survey.columns, codec, warehouse.content, part.size)
        try:
            for block in islice(blocks_of(part, survey, job, plugins), _PROBED_BLOCKS):
                packer.write(block)
                consumed += block.consumed
        except (MisplacedCut, TypesWidened):
            # The run will settle it; an estimate does without.
            packer.discard()
            return 0.0, 1.0
        packed = sum(piece.size for piece in packer.finish())
    if not consumed:
        return 0.0, 0.0
    return consumed / max(time.perf_counter() - began, 1e-9), packed / consumed
