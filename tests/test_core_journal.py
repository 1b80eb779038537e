"""The journal: what is written down stays, whatever happens to the process."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from etl_framework import EtlError, Job, PackedPart, Part, RunFailed, Status, TableName
from etl_framework.journal import Journal
from etl_framework.pipeline import Plan


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as journal:
        yield journal


def begin(journal: Journal, run: str = "r1", plan: object = "plan") -> None:
    journal.begin(run, job="sales", target="duckdb:w.duckdb", table="mart.sales", plan=plan)


def part(number: int) -> Part:
    return Part(source=0, number=number, start=100 * number, end=100 * number + 100)


def piece(number: int, index: int = 0) -> PackedPart:
    name = f"{number:06}-{index:04}"
    return PackedPart(part=number, piece=index, path=Path(name), name=name, size=1, digest="d", rows=5)


def test_a_new_journal_is_for_its_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with Journal(path) as journal:
            begin(journal)
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"journal.sqlite": 0o600, "journal.sqlite-wal": 0o600, "journal.sqlite-shm": 0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_new_journal_that_somebody_else_is_just_making_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    waited: list[str] = []
    connect = sqlite3.connect

    class Second(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            try:
                return super().execute(statement, *values)
            except sqlite3.OperationalError as error:
                waited.append(str(error))
                first.execute("COMMIT")
                raise

    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first:
        first.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Second))
        with Journal(path) as journal:
            begin(journal)
            assert [record.run for record in journal.runs()] == ["r1"]
    assert waited == ["database is locked"]


def test_a_run_is_written_down_with_all_that_is_needed_to_do_it_again(journal: Journal, path: Path) -> None:
    begin(journal, plan={"job": 1})
    with Journal(path) as again:
        (record,) = again.runs()
        assert again.plan("r1") == {"job": 1}
    assert (record.run, record.job, record.target, record.table) == ("r1", "sales", "duckdb:w.duckdb", "mart.sales")
    assert (record.status, record.attempts, record.error) == (Status.RUNNING, 1, "")
    assert record.started.tzinfo is not None
    assert abs((datetime.now(UTC) - record.started).total_seconds()) < 3600


def test_runs_are_listed_the_latest_first(journal: Journal) -> None:
    for run in ("b", "a", "c"):
        begin(journal, run)
    assert [record.run for record in journal.runs()] == ["c", "a", "b"]


def test_status_and_attempts_are_kept_and_resuming_forgets_the_error(journal: Journal) -> None:
    begin(journal)
    journal.set_status("r1", Status.FAILED, error="no room")
    assert [(record.status, record.error) for record in journal.runs()] == [(Status.FAILED, "no room")]
    journal.resumed("r1")
    (record,) = journal.runs()
    assert (record.status, record.error, record.attempts) == (Status.RUNNING, "", 2)
    assert record.updated >= record.started


def test_every_change_is_logged_in_order(journal: Journal) -> None:
    begin(journal)
    journal.replan("r1", "plan", [part(0)])
    journal.reading("r1", 0)
    journal.packed("r1", 0, "outcome", [piece(0)])
    journal.set_piece("r1", 0, 0, "uploading")
    journal.set_piece("r1", 0, 0, "staged")
    journal.note("r1", "loading")
    journal.set_receipt("r1", "receipt")
    journal.set_status("r1", Status.DONE)
    log = journal.log("r1")
    assert [event for _, event in log] == [
        "begun",
        "planned",
        "part 0 reading",
        "part 0 packed",
        "part 0 piece 0 uploading",
        "part 0 piece 0 staged",
        "loading",
        "loaded",
        "done",
    ]
    assert [at for at, _ in log] == sorted(at for at, _ in log)


def test_planning_anew_forgets_what_was_known_of_the_old_parts(journal: Journal) -> None:
    begin(journal)
    journal.replan("r1", "first", [part(0), part(1)])
    journal.packed("r1", 0, "outcome", [piece(0)])
    journal.replan("r1", "second", [part(2)])
    assert journal.plan("r1") == "second"
    assert journal.parts("r1") == (part(2),)
    assert (dict(journal.outcomes("r1")), journal.pieces("r1")) == ({}, ())


def test_parts_come_in_order_and_only_packed_ones_have_outcomes(journal: Journal) -> None:
    begin(journal)
    journal.replan("r1", "plan", [part(1), part(0), part(2)])
    journal.reading("r1", 0)
    journal.packed("r1", 2, {"rows": 5}, [piece(2, 1), piece(2, 0)])
    journal.packed("r1", 1, {"rows": 0}, [])
    assert journal.parts("r1") == (part(0), part(1), part(2))
    assert dict(journal.outcomes("r1")) == {1: {"rows": 0}, 2: {"rows": 5}}
    assert journal.pieces("r1") == ((piece(2, 0), "packed"), (piece(2, 1), "packed"))


def test_a_part_that_is_forgotten_or_read_again_has_no_outcome(journal: Journal) -> None:
    begin(journal)
    journal.replan("r1", "plan", [part(0), part(1)])
    for number in (0, 1):
        journal.packed("r1", number, "outcome", [piece(number, 0), piece(number, 1)])
    journal.forget_part("r1", 0)
    journal.reading("r1", 1)
    assert dict(journal.outcomes("r1")) == {}
    assert [packed.part for packed, _ in journal.pieces("r1")] == [1, 1]
    journal.packed("r1", 1, "other", [piece(1, 0)])
    assert journal.pieces("r1") == ((piece(1, 0), "packed"),)


@pytest.mark.parametrize("status", [Status.SUPERSEDED, Status.DONE, Status.FAILED])
def test_a_run_that_ended_for_good_cannot_be_resumed(journal: Journal, status: Status) -> None:
    begin(journal)
    journal.replan("r1", "plan", [part(0)])
    journal.packed("r1", 0, "outcome", [piece(0)])
    journal.set_status("r1", Status.FAILED, error="no room")
    assert journal.runs()[0].resumable
    journal.end("r1", status, error="why")
    assert journal.log("r1")[-1][1] == status
    (record,) = journal.runs()
    assert (record.status, record.error, record.resumable) == (status, "why", False)
    assert (journal.parts("r1"), journal.pieces("r1"), dict(journal.outcomes("r1"))) == ((), (), {})


def test_runs_do_not_mix(journal: Journal) -> None:
    for run in ("r1", "r2"):
        begin(journal, run, plan=run)
        journal.replan(run, run, [part(0)])
        journal.packed(run, 0, run, [piece(0)])
    journal.set_piece("r1", 0, 0, "staged")
    journal.set_receipt("r1", "receipt")
    journal.forget_part("r1", 0)
    assert (journal.plan("r2"), dict(journal.outcomes("r2"))) == ("r2", {0: "r2"})
    assert journal.pieces("r2") == ((piece(0), "packed"),)
    assert (journal.receipt("r1"), journal.receipt("r2")) == ("receipt", None)


def test_steps_report_and_receipt_are_given_back(journal: Journal) -> None:
    begin(journal)
    assert (journal.steps("r1"), journal.report("r1"), journal.receipt("r1")) == ("[]", None, None)
    journal.set_steps("r1", '[["load", 1.5]]')
    journal.set_report("r1", "{}")
    journal.set_receipt("r1", ("receipt", 3))
    assert (journal.steps("r1"), journal.report("r1"), journal.receipt("r1")) == (
        '[["load", 1.5]]',
        "{}",
        ("receipt", 3),
    )


def test_an_unknown_run_is_an_error_that_says_where_to_look(journal: Journal) -> None:
    with pytest.raises(EtlError, match="knows no run 'nope'") as caught:
        journal.plan("nope")
    assert "etl runs list" in caught.value.advice


def test_two_runs_of_one_name_are_impossible(journal: Journal) -> None:
    begin(journal)
    with pytest.raises(RunFailed, match="UNIQUE constraint"):
        begin(journal)
    assert len(journal.runs()) == 1


def test_a_journal_of_another_version_is_refused_and_left_as_it_is(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RunFailed, match="another version of etl") as caught:
        Journal(path)
    assert "--state-dir" in caught.value.advice
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    database.close()


def test_a_plan_that_was_written_down_before_it_had_a_module_of_its_own_is_read(journal: Journal, path: Path) -> None:
    job = Job(name="sales", patterns=("s.csv",), table=TableName.parse("sales"), target="duckdb:w.duckdb")
    plan = Plan(job=job, sources=(), plugins=("acme",))
    begin(journal, plan=plan)
    former = pickle.dumps(plan, protocol=0).replace(b"etl_framework.pipeline.plan", b"etl_framework.pipeline")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE runs SET plan = ?", (former,))
    assert journal.plan("r1") == plan


def test_what_another_version_pickled_is_an_error_that_says_so(journal: Journal, path: Path) -> None:
    begin(journal)
    moved = pickle.dumps(part(0)).replace(b"etl_framework.values", b"etl_framework.former")
    database = sqlite3.connect(path)
    database.execute("UPDATE runs SET plan = ?", (moved,))
    database.commit()
    database.close()
    with pytest.raises(RunFailed, match=r"r1 was written down by another version .*etl_framework\.former"):
        journal.plan("r1")


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"This is not a database. " * 100)
    with pytest.raises(RunFailed, match="cannot open the journal"):
        Journal(path)
    assert path.read_bytes().startswith(b"This is not")


def test_a_place_that_cannot_hold_a_journal_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match="cannot open the journal") as caught:
        Journal(tmp_path / "file" / "journal.sqlite")
    assert "--state-dir" in caught.value.advice


def test_a_full_disk_is_a_clear_error_and_takes_nothing_back(journal: Journal) -> None:
    begin(journal)
    ((pages,),) = journal._file.all("PRAGMA page_count")
    journal._file.all(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RunFailed, match="disk is full") as caught:
        journal.replan("r1", b"x" * 1_000_000, [part(0)])
    assert "Make room there" in caught.value.advice
    assert (journal.plan("r1"), journal.parts("r1")) == ("plan", ())
    journal._file.all(f"PRAGMA max_page_count = {pages + 1000}")
    journal.replan("r1", b"x" * 1_000_000, [part(0)])
    assert journal.parts("r1") == (part(0),)


def test_a_change_that_fails_half_way_is_taken_back_whole(journal: Journal) -> None:
    begin(journal)
    journal.replan("r1", "plan", [part(0)])
    with pytest.raises(RunFailed, match="UNIQUE constraint"):
        journal.packed("r1", 0, "outcome", [piece(0), piece(0)])
    assert (dict(journal.outcomes("r1")), journal.pieces("r1")) == ({}, ())
    assert "part 0 packed" not in [event for _, event in journal.log("r1")]
    journal.packed("r1", 0, "outcome", [piece(0)])
    assert dict(journal.outcomes("r1")) == {0: "outcome"}


def test_threads_and_connections_write_at_the_same_time(journal: Journal, path: Path) -> None:
    begin(journal)

    def write(through: Journal, name: str) -> None:
        for number in range(20):
            through.note("r1", f"{name} {number}")

    with Journal(path) as other:
        threads = [
            threading.Thread(target=write, args=(through, f"{index}"))
            for index, through in enumerate([journal, journal, other, other])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = [event for _, event in journal.log("r1")]
    assert sorted(events[1:]) == sorted(f"{index} {number}" for index in range(4) for number in range(20))
    for index in range(4):
        mine = [event for event in events if event.startswith(f"{index} ")]
        assert mine == [f"{index} {number}" for number in range(20)]


def test_a_closed_journal_can_be_closed_again(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    journal.close()


WRITER = """
import sys
from pathlib import Path
from etl_framework import PackedPart, Part
from etl_framework.journal import Journal

def piece(number, index):
    return PackedPart(part=number, piece=index, path=Path("p"), name=f"{number}-{index}", size=1, digest="d", rows=1)

journal = Journal(Path(sys.argv[1]))
journal.begin("r1", job="j", target="t", table="t", plan="plan")
journal.replan("r1", "plan", [Part(source=0, number=n, start=n, end=n + 1) for n in range(1000)])
for number in range(1000):
    journal.reading("r1", number)
    journal.packed("r1", number, f"outcome {number}", [piece(number, index) for index in range(3)])
    print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [0, 1, 7, 40])
def test_killed_at_any_instant_the_journal_holds_all_that_was_acknowledged_and_nothing_half(
    path: Path, acknowledged: int
) -> None:
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for number in range(acknowledged + 1):
            assert writer.stdout.readline() == f"{number}\n"
        writer.send_signal(signal.SIGKILL)
        told = acknowledged + len(writer.stdout.read().splitlines())
    with Journal(path) as journal:
        outcomes = journal.outcomes("r1")
        assert len(outcomes) > told
        assert dict(outcomes) == {number: f"outcome {number}" for number in range(len(outcomes))}
        assert [(packed.part, packed.piece) for packed, _ in journal.pieces("r1")] == [
            (number, index) for number in range(len(outcomes)) for index in range(3)
        ]
        assert journal.runs()[0].status is Status.RUNNING
        journal.resumed("r1")
        assert journal.runs()[0].attempts == 2


def test_an_entry_about_a_part_leaves_the_run_s_row_alone_which_holds_the_plan(journal: Journal, path: Path) -> None:
    begin(journal)
    journal.replan("r1", "plan", [part(0)])
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TRIGGER untouched BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'touched'); END")
    journal.reading("r1", 0)
    with pytest.raises(RunFailed, match="touched"):
        journal.set_status("r1", Status.DONE)
