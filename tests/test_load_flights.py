"""A real file into the embedded warehouse, compared with an independent reading of it, cell by cell."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from etl_framework import RunReport, Status, load

ROWS = 336_776


def in_the_table(path: Path, table: str) -> Counter[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        # Instants travel as microseconds: what a session's time zone makes of them is not at issue.
        cursor = connection.execute(f"SELECT * REPLACE (epoch_us(time_hour) AS time_hour) FROM {table}")
        return Counter((*row[:-1], datetime.fromtimestamp(row[-1] / 1e6, UTC)) for row in cursor.fetchall())


@pytest.fixture(scope="module")
def loaded(flights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunReport, Path]:
    folder = tmp_path_factory.mktemp("loaded")
    report = load(flights, target=f"duckdb:{folder}/w.duckdb", state_dir=folder / "state", part_size="4MiB")
    return report, folder / "w.duckdb"


def test_every_cell_of_the_table_is_that_of_the_file(
    flights_rows: Counter[tuple[object, ...]], loaded: tuple[RunReport, Path]
) -> None:
    assert in_the_table(loaded[1], "flights") == flights_rows


def test_the_report_accounts_for_every_row(loaded: tuple[RunReport, Path]) -> None:
    report, _ = loaded
    assert report.status is Status.DONE
    assert report.reconciled
    assert report.rows_read == report.rows_staged == report.rows_loaded == ROWS
    assert report.rows_bad == report.rows_quarantined == 0
    assert report.totals is not None
    assert report.totals.rows == ROWS


def test_missing_numbers_are_null_and_counted(loaded: tuple[RunReport, Path]) -> None:
    report, _ = loaded
    assert report.totals is not None
    nulls = {column.name: column.nulls for column in report.totals.columns}
    # Published with the data set: 8,255 flights never left, 9,430 have no arrival delay.
    assert nulls["dep_time"] == 8255
    assert nulls["arr_delay"] == 9430
    assert nulls["tailnum"] == 0


def test_processes_load_the_same_table_as_threads(
    flights: Path, loaded: tuple[RunReport, Path], tmp_path: Path
) -> None:
    report = load(
        flights,
        target=f"duckdb:{tmp_path}/w.duckdb",
        state_dir=tmp_path / "state",
        executor="processes:2",
        part_size="8MiB",
        compress="zstd",
    )
    assert report.totals == loaded[0].totals
    assert in_the_table(tmp_path / "w.duckdb", "flights") == in_the_table(loaded[1], "flights")
