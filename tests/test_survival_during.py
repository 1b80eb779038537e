"""What happens to a run while it is under way: sources that change, a disk that fills up, a gate that says no."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from etl_framework import Event, InputError, Interrupted, Refused, SourceChanged, Status, Workspace, load, resume

ROWS = 20_000
SETTINGS = {
    "table": "sales",
    "target": "duckdb:w.duckdb",
    "executor": "threads:1",
    "part_size": "64KiB",
    "block_size": "16KiB",
    "columns": {"id": "bigint", "price": "double"},
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of several parts of several blocks each."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sales.csv"
    path.write_text("id,price\n" + "".join(f"{number},{number}.5\n" for number in range(ROWS)))
    os.utime(path, (1, 1))
    return path


def no_table() -> bool:
    with duckdb.connect("w.duckdb") as connection:
        return not connection.execute("FROM duckdb_tables() WHERE table_name = 'sales'").fetchall()


def ids() -> list[int]:
    with duckdb.connect("w.duckdb") as connection:
        return [number for (number,) in connection.execute("SELECT id FROM sales ORDER BY id").fetchall()]


def loaded() -> list[tuple[int, float]]:
    with duckdb.connect("w.duckdb") as connection:
        return connection.execute("SELECT id, price FROM sales ORDER BY id").fetchall()


def once(when: Callable[[Event], bool], do: Callable[[], object]) -> Callable[[Event], None]:
    """An observer that does something the first time."""
    happened: list[Event] = []

    def observe(event: Event) -> None:
        if not happened and when(event):
            happened.append(event)
            do()

    return observe


# Sources that change

INSTANTS = {
    "within a part": lambda event: event.name == "part_progress" and event.part == 1,
    "between parts": lambda event: event.name == "part_packed" and event.part == 1,
    "before the load": lambda event: (event.name, event.step) == ("step_started", "load"),
}


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def grown(path: Path) -> None:
    with path.open("a") as file:
        file.write("7,7.5\n")


def written_over(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, (1, 1))
    other.replace(path)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [cut_short, emptied, grown, written_over, replaced, removed])
@pytest.mark.parametrize("instant", INSTANTS)
def test_a_source_that_changes_meanwhile_is_named_and_nothing_is_loaded(
    source: Path, instant: str, change: Callable[[Path], None]
) -> None:
    meddler = once(INSTANTS[instant], lambda: change(source))
    with pytest.raises(SourceChanged, match=r"sales\.csv changed after the run began") as caught:
        load(source, **SETTINGS, observers=(meddler,))
    assert "etl resume" in caught.value.advice
    assert no_table()


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_source_that_is_brought_back_as_it_was_is_loaded_by_resume(source: Path, instant: str) -> None:
    before = source.read_bytes()
    with pytest.raises(SourceChanged):
        load(source, **SETTINGS, observers=(once(INSTANTS[instant], lambda: cut_short(source)),))
    source.write_bytes(before)
    os.utime(source, (1, 1))
    report = resume()
    assert report is not None
    assert (report.status, report.rows_loaded) == (Status.DONE, ROWS)
    assert ids() == list(range(ROWS))


def corrected_within(path: Path) -> None:
    """One price, beyond the beginning that identifies a file and long read, with the time put back."""
    at = path.read_bytes().index(b".5", 70_000)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b".7")
    os.utime(path, (1, 1))


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_change_within_that_puts_the_time_back_is_noticed_and_resume_loads_what_is_there(
    source: Path, instant: str
) -> None:
    with pytest.raises(SourceChanged, match="was touched") as caught:
        load(source, **SETTINGS, observers=(once(INSTANTS[instant], lambda: corrected_within(source)),))
    assert "reads it again" in caught.value.advice
    assert no_table()
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    lines = source.read_text().splitlines()[1:]
    assert loaded() == [(int(number), float(price)) for number, price in (line.split(",") for line in lines)]


def test_a_source_restored_from_a_backup_is_loaded_by_resume(source: Path) -> None:
    backup = source.with_name("backup")
    shutil.copy2(source, backup)

    def lose() -> None:
        source.unlink()
        shutil.copy2(backup, source)

    with pytest.raises(SourceChanged):
        load(source, **SETTINGS, observers=(once(INSTANTS["between parts"], lose),))
    report = resume()
    assert report is not None
    assert (report.status, report.rows_loaded) == (Status.DONE, ROWS)
    assert ids() == list(range(ROWS))


@pytest.mark.parametrize("change", [cut_short, emptied, written_over, removed])
def test_a_compressed_source_that_changes_while_it_is_read_is_named_and_nothing_is_loaded(
    source: Path, change: Callable[[Path], None]
) -> None:
    packed = source.with_name("sales.csv.gz")
    packed.write_bytes(gzip.compress(source.read_bytes(), 0))
    os.utime(packed, (1, 1))
    meddler = once(lambda event: event.name == "part_progress", lambda: change(packed))
    with pytest.raises(InputError, match=r"sales\.csv\.gz"):
        load(packed, **SETTINGS, observers=(meddler,))
    assert no_table()


# A disk that fills up

FILLS_UP = """
import resource
from pathlib import Path

def fill():
    "From now on the journal cannot grow, as on a full disk; smaller files can."
    full = Path(".etl/journal.sqlite-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
"""
WHILE_READING = """
from etl_framework import hookimpl

@hookimpl
def etl_event(event):
    if event.name == "part_packed" and event.part == 3:
        fill()
"""
AFTER_THE_COMMIT = """
from etl_framework import hookimpl

@hookimpl
def etl_load(parts, warehouse, run):
    receipt = warehouse.load(parts, run)
    fill()
    return receipt
"""
ETL = [sys.executable, "-c", "from etl_framework.cli import main; main()"]


@pytest.mark.parametrize(
    ("plugin", "committed"),
    [(WHILE_READING, False), (AFTER_THE_COMMIT, True)],
    ids=["while reading", "after the commit"],
)
def test_a_journal_on_a_full_disk_is_named_and_the_run_is_resumed_when_there_is_room(
    source: Path, plugin: str, committed: bool
) -> None:
    Path("disk.py").write_text(FILLS_UP + plugin)
    Path("etl.toml").write_text(
        'plugins = ["disk.py"]\n[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "duckdb:w.duckdb"\n'
        'executor = "threads:1"\npart_size = "16KiB"\n'
    )
    use = ["--use=load=disk"] * committed
    ended = subprocess.run([*ETL, *use, "load", "sales"], capture_output=True, text=True, check=False)
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 1, said
    assert "cannot use the journal" in said
    assert ".etl/journal.sqlite: " in said
    assert "Make room there" in said
    assert "etl resume" in said
    assert "Traceback" not in said
    assert no_table() is not committed
    Path("disk.py").write_text(plugin.replace("fill()", "pass"))
    report = resume()
    assert report is not None
    assert (report.status, report.rows_loaded, report.reconciled) == (Status.DONE, ROWS, True)
    assert ids() == list(range(ROWS))
    assert [record.status for record in Workspace.open().runs()] == [Status.DONE]


# A gate that says no

SPY = """
from pathlib import Path
from etl_framework import hookimpl

@hookimpl
def etl_upload(part, run):
    from etl_duckdb.staging import stage

    Path("asked to upload").touch()
    return stage(part, run)
"""


def staged() -> list[Path]:
    return [path for folder in Path(".etl/runs").rglob("staged") for path in folder.rglob("*")]


def gated(source: Path) -> tuple[list[str], Refused | None]:
    """Load with the gate before the upload: the names of the events, and what the gate said.

    While parts are read, each event sees that nothing is staged and nobody was asked to.
    """
    Path("aaa_spy.py").write_text(SPY)
    Path("etl.toml").write_text('plugins = ["aaa_spy.py"]\n[defaults]\nuse = { upload = "aaa_spy" }\n')
    names: list[str] = []

    def observe(event: Event) -> None:
        if event.name in ("part_packed", "part_progress"):
            assert staged() == []
            assert not Path("asked to upload").exists()
        names.append(event.name)

    try:
        load(source, **SETTINGS, gate="before-upload", observers=(observe,))
    except Refused as refused:
        return names, refused
    return names, None


def test_with_the_gate_before_the_upload_a_refused_run_never_uploads_anything(source: Path) -> None:
    with source.open("a") as file:
        file.write("bad,bad\n")
    names, refused = gated(source)
    assert refused is not None
    assert names.count("part_packed") > 2
    assert "part_staged" not in names
    assert not Path("asked to upload").exists()
    assert staged() == []


def test_with_the_gate_before_the_upload_all_is_read_before_the_first_part_is_staged(source: Path) -> None:
    names, refused = gated(source)
    assert refused is None
    assert Path("asked to upload").exists()
    last_packed = len(names) - names[::-1].index("part_packed") - 1
    assert last_packed < names.index("part_staged")
    assert names.count("part_staged") == names.count("part_packed")
    assert ids() == list(range(ROWS))


def test_with_the_gate_before_the_upload_a_resumed_run_uploads_nothing_before_all_is_read(source: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        load(source, **SETTINGS, gate="before-upload", observers=(once(INSTANTS["between parts"], stop),))
    names: list[str] = []
    Workspace.open().resume(observers=(lambda event: names.append(event.name),))
    assert names.index("part_packed") < names.index("part_staged")
    assert "part_packed" not in names[names.index("part_staged") :]
    assert names.count("part_packed") < names.count("part_staged")
    assert ids() == list(range(ROWS))
