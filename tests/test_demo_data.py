"""The demo's data: the same for everybody, as its configuration says, and never in anybody's way."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from etl_framework import Mode, Plugins, UsageError
from etl_framework.config import load_config, resolve_job
from etl_framework.config_check import problems
from etl_framework.demo import write_demo
from etl_framework.sources import find_sources


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "new" / "folder").parent


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted((folder / "data").iterdir()):
        found.extend(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
    return found


def test_the_demos_configuration_names_all_of_its_data(demo: Path) -> None:
    config = load_config(demo / "etl.toml", environment={"HOME": str(demo)})
    assert problems(config, Plugins.load()) == ()
    job = resolve_job(config)
    assert (job.name, job.mode, str(job.period), job.target) == (
        "sales",
        Mode.REPLACE_PERIOD,
        "2026-01",
        f"duckdb:{demo}/demo.duckdb",
    )
    assert [source.path for source in find_sources(job)] == [str(path) for path in sorted((demo / "data").iterdir())]
    assert len(find_sources(job)) == 31


def test_every_value_of_the_demo_is_of_its_declared_type(demo: Path) -> None:
    sales = rows(demo)
    assert 50_000 < len(sales) < 70_000
    assert len({row["sale_id"] for row in sales}) == len(sales)
    columns = {column.name: column for column in resolve_job(load_config(demo / "etl.toml", environment={})).columns}
    assert list(columns) == list(sales[0])
    for row in sales:
        assert datetime.fromisoformat(row["sold_at"]).date() == date.fromisoformat(row["sale_date"])
        assert int(row["sale_id"]) > 0 < int(row["quantity"])
        assert Decimal(row["unit_price"]).as_tuple().exponent == -2
        assert len(row["currency"]) == 3
        assert all(value or not columns[name].required for name, value in row.items())


def test_the_demo_holds_what_makes_delimited_files_hard(demo: Path) -> None:
    notes = {row["note"] for row in rows(demo)}
    assert any("," in note for note in notes)
    assert any("\n" in note for note in notes)
    assert any('"' in note for note in notes)
    emails = [row["customer_email"] for row in rows(demo)]
    assert 0 < emails.count("") < len(emails)


def test_the_demo_is_the_same_for_everybody(demo: Path, tmp_path: Path) -> None:
    write_demo(tmp_path)
    assert contents(tmp_path) == contents(demo)


def test_writing_the_demo_again_changes_nothing_and_fills_gaps(tmp_path: Path) -> None:
    write_demo(tmp_path)
    before = contents(tmp_path)
    times = {path: (tmp_path / path).stat().st_mtime_ns for path in before}
    lost = Path("data/sales_2026-01-07.csv")
    (tmp_path / lost).unlink()
    (tmp_path / "demo.duckdb").write_bytes(b"loaded")
    write_demo(tmp_path)
    after = contents(tmp_path)
    assert after.pop(Path("demo.duckdb")) == b"loaded"
    assert after == before
    assert all((tmp_path / path).stat().st_mtime_ns == time for path, time in times.items() if path != lost)


def test_the_demo_is_not_written_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files that are not the demo's"):
        write_demo(tmp_path)
    assert contents(tmp_path) == {Path("mine.txt"): b"mine"}


def test_a_foreign_configuration_or_changed_data_is_kept(tmp_path: Path) -> None:
    config = tmp_path / "etl.toml"
    config.write_text("# mine")
    with pytest.raises(UsageError, match=r"etl\.toml was changed"):
        write_demo(tmp_path)
    assert contents(tmp_path) == {Path("etl.toml"): b"# mine"}
    config.unlink()
    write_demo(tmp_path)
    day = tmp_path / "data/sales_2026-01-07.csv"
    day.write_text("broken on purpose")
    with pytest.raises(UsageError, match=r"sales_2026-01-07\.csv was changed"):
        write_demo(tmp_path)
    assert day.read_text() == "broken on purpose"


def test_a_place_that_cannot_hold_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="demo"):
            write_demo(folder)
