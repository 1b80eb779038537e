"""A real file into the emulated account, compared with an independent reading of it, cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from etl_framework import load


def test_every_cell_of_the_table_is_that_of_the_file(
    target: str,
    flights: Path,
    flights_rows: Counter[tuple[object, ...]],
    connect: Callable[..., Any],
    tmp_path: Path,
) -> None:
    report = load(flights, target=target, part_size="4MiB", state_dir=tmp_path / "state")
    assert report.reconciled
    cursor = connect().cursor()
    rows = cursor.execute("SELECT * FROM FLIGHTS").fetchall()
    assert Counter((*row[:-1], row[-1].astimezone(UTC)) for row in rows) == flights_rows
