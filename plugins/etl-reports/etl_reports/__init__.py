"""The outcome of a run, for people on the console and for programs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import RunReport


@hookimpl
def etl_report(report: RunReport) -> None:
    """Write ``report.json`` into the run's folder when the run is new, and print the report when it asks for that."""
    import sys

    from etl_reports.console import print_report
    from etl_reports.json_file import write_json

    try:
        if not report.replayed:
            write_json(report)
    finally:
        # A full disk is no reason to keep the outcome from whoever waits for it.
        if report.console:
            print_report(report, sys.stdout)
