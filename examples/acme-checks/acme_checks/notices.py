"""A notice of each run, for whoever watches the file that ``ACME_NOTICES`` names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_framework import RunReport


def leave_notice(report: RunReport) -> None:
    """Add a line of JSON to the file; without ``ACME_NOTICES``, nobody is told.

    :raises OSError: the file cannot be written. The run's report then says so, and the run goes on.
    """
    if path := os.environ.get("ACME_NOTICES"):
        notice = {
            "run": report.run,
            "table": report.table,
            "status": report.status,
            "rows": report.rows_loaded,
            "failed": [finding.rule for finding in report.findings if finding.severity == "error"],
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(notice) + "\n")
