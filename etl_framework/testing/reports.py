"""Reports of runs that never were, for those who tell of runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from etl_framework.columns import Column, ColumnType
from etl_framework.totals import ColumnTotals, Difference, Totals
from etl_framework.values import Finding, Mode, RunReport, Sample, Severity, Source, Status, StepTime

_SOURCE = Source(path="/data/sales.csv", size=40, modified_ns=0, changed_ns=0, inode=1, digest="0" * 32)
_COLUMNS = tuple(
    Column(name=name, type=ColumnType.parse(text)) for name, text in (("id", "bigint"), ("price", "decimal(18,2)"))
)
_TOTALS = Totals(
    rows=3,
    columns=(
        ColumnTotals(name="id", nulls=0, minimum=1, maximum=3, total=6),
        ColumnTotals(name="price", nulls=1, minimum=Decimal("1.50"), maximum=Decimal("2.25"), total=Decimal("3.75")),
    ),
)
_FINDING = Finding(
    rule="positive_price",
    severity=Severity.ERROR,
    count=2,
    message="2 rows: the price is not positive",
    advice="Ask whoever wrote the file.",
    samples=(Sample(file="/data/sales.csv", line=3, offset=12, column="price", value="-1", reason="not positive"),),
)


def literal_report(folder: Path, **changes: Any) -> RunReport:
    """The report of a load of three rows that went well.

    :param folder: the run's own folder; it is there.
    :param changes: fields of :class:`~etl_framework.values.RunReport`.
    """
    report = RunReport(
        run="20240131-120000-literal",
        job="sales",
        table="sales",
        target="literal:",
        mode=Mode.APPEND,
        period=None,
        status=Status.DONE,
        started=datetime(2024, 1, 31, 12, tzinfo=UTC),
        finished=datetime(2024, 1, 31, 12, 0, 1, tzinfo=UTC),
        sources=(_SOURCE,),
        columns=_COLUMNS,
        parts=1,
        rows_read=3,
        rows_staged=3,
        rows_quarantined=0,
        rows_bad=0,
        rows_loaded=3,
        rows_deleted=0,
        bytes_read=40,
        bytes_staged=40,
        totals=_TOTALS,
        differences=(),
        findings=(),
        steps=(StepTime(step="validate", seconds=0.5), StepTime(step="load", seconds=0.25)),
        rejects=(),
        query_id="q-1",
        folder=folder,
    )
    return dataclasses.replace(report, **changes)


def every_outcome(folder: Path) -> Mapping[str, RunReport]:
    """How runs end, in words, with the report of one that ended so.

    :param folder: as for :func:`literal_report`.
    """
    nothing_loaded: dict[str, Any] = {"rows_loaded": 0, "query_id": ""}
    hostile = 'a "quoted"\n\x1b[31mname\u2028 ☃ \udcff <b>&amp;</b> %s {0}'
    return {
        "done": literal_report(folder),
        "done with warnings": literal_report(
            folder, findings=(dataclasses.replace(_FINDING, severity=Severity.WARNING),)
        ),
        "done without rows": literal_report(
            folder, rows_read=0, rows_staged=0, rows_loaded=0, totals=Totals(rows=0, columns=()), sources=(), steps=()
        ),
        "refused": literal_report(
            folder,
            **nothing_loaded,
            status=Status.REFUSED,
            findings=(_FINDING,),
            error="refused at the gate: 2 rows: the price is not positive",
            advice="Mend the source.",
        ),
        "failed": literal_report(
            folder, **nothing_loaded, status=Status.FAILED, totals=None, error="the disk is full", resumable=True
        ),
        "interrupted": literal_report(
            folder, **nothing_loaded, status=Status.INTERRUPTED, totals=None, resumable=True, parts=0, columns=()
        ),
        "not reconciled": literal_report(
            folder,
            status=Status.FAILED,
            differences=(Difference(column="price", figure="total", expected="3.75", found="3.74"),),
        ),
        "with problems": literal_report(folder, problems=("a notifier failed",), attempts=2, rejects=("/data/r.csv",)),
        "with hostile names": literal_report(
            folder,
            job=hostile,
            table=hostile,
            findings=(dataclasses.replace(_FINDING, rule=hostile, message=hostile, advice=hostile),),
            sources=(dataclasses.replace(_SOURCE, path=f"/data/{hostile}"),),
            problems=(hostile,),
        ),
    }
