"""The report file, and when the plugin prints."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from etl_reports import etl_report

from etl_framework import Column, ColumnTotals, ColumnType, Mode, RunReport, Status, Totals, report_from_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    when = datetime(2024, 2, 1, 12, tzinfo=UTC)
    price = ColumnTotals(
        name="price", nulls=0, minimum=Decimal("-0.10"), maximum=Decimal("9.90"), total=Decimal("4321.50")
    )
    return RunReport(
        run="r1",
        job="sales",
        table="SALES",
        target="duckdb:w.duckdb",
        mode=Mode.APPEND,
        period=None,
        status=Status.DONE,
        started=when,
        finished=when,
        sources=(),
        columns=(Column(name="price", type=ColumnType.parse("decimal(18,4)")),),
        parts=1,
        rows_read=3,
        rows_staged=3,
        rows_quarantined=0,
        rows_bad=0,
        rows_loaded=3,
        rows_deleted=0,
        bytes_read=30,
        bytes_staged=20,
        totals=Totals(rows=3, columns=(price,)),
        differences=(),
        findings=(),
        steps=(),
        rejects=(),
        query_id="q",
        folder=tmp_path / "runs" / "r1",
    )


def test_a_new_run_leaves_its_whole_report_in_its_folder(report: RunReport) -> None:
    etl_report(report)
    text = (report.folder / "report.json").read_text()
    assert report_from_json(text) == report
    document = json.loads(text)
    assert (document["schema_version"], document["kind"]) == (1, "run_report")
    assert document["started"] == "2024-02-01T12:00:00+00:00"
    assert document["totals"]["columns"][0]["total"] == "4321.50"
    assert document["reconciled"] is True


def test_a_later_report_replaces_the_earlier_and_leaves_nothing_beside_it(report: RunReport) -> None:
    etl_report(replace(report, status=Status.INTERRUPTED))
    etl_report(report)
    assert [path.name for path in report.folder.iterdir()] == ["report.json"]
    assert report_from_json((report.folder / "report.json").read_text()).status is Status.DONE


def test_a_reader_that_has_the_file_open_keeps_a_whole_report(report: RunReport) -> None:
    etl_report(replace(report, status=Status.INTERRUPTED))
    with (report.folder / "report.json").open() as reader:
        etl_report(report)
        assert report_from_json(reader.read()).status is Status.INTERRUPTED


def test_an_old_report_that_is_shown_again_is_not_written_again(report: RunReport) -> None:
    etl_report(replace(report, replayed=True))
    assert not report.folder.exists()


@pytest.mark.parametrize("console", [True, False])
def test_only_a_report_that_asks_for_it_is_printed(
    report: RunReport, console: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    etl_report(replace(report, console=console, replayed=True))
    assert capsys.readouterr().out.startswith("DONE  3 rows loaded into SALES") is console


def test_a_report_that_cannot_be_written_is_still_printed(
    report: RunReport, capsys: pytest.CaptureFixture[str]
) -> None:
    report.folder.parent.mkdir()
    report.folder.write_text("a file is in the way")
    with pytest.raises(OSError, match="exists"):
        etl_report(replace(report, console=True))
    assert capsys.readouterr().out.startswith("DONE")
