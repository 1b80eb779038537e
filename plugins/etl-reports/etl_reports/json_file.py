"""The run report as a JSON file."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from etl_framework import dumps

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework import RunReport

FILE_NAME = "report.json"


def write_json(report: RunReport) -> Path:
    """Write ``report.json`` into the report's folder, which is made when missing; readers never see half a file.

    :returns: the file.
    :raises OSError: it cannot be written; an earlier one is as it was.
    """
    report.folder.mkdir(parents=True, exist_ok=True)
    path = report.folder / FILE_NAME
    temporary = path.with_name(f".{FILE_NAME}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="ascii") as file:
            file.write(dumps("run_report", report))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
