"""The state folder and its locks."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_framework import Locked, RunFailed
from etl_framework.state import State, new_run_id

HOLDER = """
import sys
from pathlib import Path
from etl_framework.state import State
with State(Path(sys.argv[1])).lock("sales", "duckdb:w.duckdb"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / ".etl")


def hold(state: State) -> subprocess.Popen[str]:
    """Another process that holds the lock until its standard input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    return holder


def take(state: State) -> None:
    with state.lock("sales", "duckdb:w.duckdb"):
        pass


def test_looking_creates_nothing(state: State) -> None:
    assert not state.exists
    assert not state.folder.exists()


def test_a_journal_makes_the_folder_for_its_owner_only(state: State) -> None:
    before = os.umask(0)
    try:
        state.journal().close()
        run_folder = state.run_folder("r1")
    finally:
        os.umask(before)
    assert state.exists
    assert state.folder.stat().st_mode & 0o777 == 0o700
    assert run_folder == state.folder / "runs" / "r1"
    assert run_folder.stat().st_mode & 0o777 == 0o700
    assert state.run_folder("r1") == run_folder


def test_the_folder_stays_where_it_was_when_the_current_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = State(Path(".etl"))
    monkeypatch.chdir("/")
    assert state.run_folder("r1") == tmp_path / ".etl" / "runs" / "r1"


def test_another_process_is_locked_out_until_the_first_ends(state: State) -> None:
    with hold(state) as holder:
        with pytest.raises(Locked, match="another run of job 'sales' into duckdb:") as caught:
            take(state)
        assert "etl runs list" in caught.value.advice
        assert state.is_locked("sales", "duckdb:w.duckdb")
        holder.communicate("")
    take(state)
    assert not state.is_locked("sales", "duckdb:w.duckdb")


@pytest.fixture
def looked_at(state: State) -> Iterator[int]:
    """The open lock file, as somebody holds it who looks whether a run is under way."""
    take(state)
    [path] = (state.folder / "locks").iterdir()
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file.fileno()


def test_those_who_look_whether_a_run_is_under_way_do_not_take_each_other_for_one(state: State, looked_at: int) -> None:
    assert not state.is_locked("sales", "duckdb:w.duckdb")


def test_a_run_begins_although_somebody_just_looks_whether_one_is_under_way(
    state: State, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        fcntl.flock(looked_at, fcntl.LOCK_UN)

    monkeypatch.setattr(time, "sleep", sleep)
    take(state)
    assert len(waited) == 1


def test_the_lock_of_a_killed_process_is_free(state: State) -> None:
    with hold(state) as holder:
        assert state.is_locked("sales", "duckdb:w.duckdb")
        holder.send_signal(signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
        take(state)


def test_a_thread_of_the_same_process_is_locked_out_too(state: State) -> None:
    outcomes: list[object] = []

    def other() -> None:
        try:
            take(state)
        except Locked as error:
            outcomes.append(error)

    with state.lock("sales", "duckdb:w.duckdb"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with pytest.raises(Locked):
            take(state)
    assert len(outcomes) == 1


@pytest.mark.parametrize(("job", "target"), [("other", "duckdb:w.duckdb"), ("sales", "duckdb:v.duckdb")])
def test_another_job_or_target_is_not_locked_out(state: State, job: str, target: str) -> None:
    with state.lock("sales", "duckdb:w.duckdb"):
        assert not state.is_locked(job, target)


def test_names_of_jobs_cannot_lead_out_of_the_folder(state: State) -> None:
    with state.lock("../../x/\0", "duckdb:/etc/passwd"):
        (lock,) = (state.folder / "locks").iterdir()
    assert re.fullmatch(r"[0-9a-f]{32}\.lock", lock.name)


def test_an_exception_releases_the_lock(state: State) -> None:
    with pytest.raises(ZeroDivisionError), state.lock("sales", "duckdb:w.duckdb"):
        raise ZeroDivisionError
    take(state)


def test_a_state_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for use in (lambda state: state.journal(), lambda state: state.run_folder("r1"), take):
        with pytest.raises(RunFailed, match="cannot write to the state folder") as caught:
            use(State(tmp_path / "file" / ".etl"))
        assert "--state-dir" in caught.value.advice


def test_a_lock_that_cannot_be_written_is_a_clear_error(state: State) -> None:
    with state.lock("sales", "duckdb:w.duckdb"):
        (lock,) = (state.folder / "locks").iterdir()
    lock.unlink(missing_ok=True)
    lock.mkdir()
    with pytest.raises(RunFailed, match="cannot write to the state folder"):
        take(state)


def test_a_lock_that_cannot_be_looked_at_is_a_clear_error(state: State) -> None:
    state.folder.mkdir()
    (state.folder / "locks").write_text("in the way")
    with pytest.raises(RunFailed, match=f"cannot read the state folder {state.folder}: ") as caught:
        state.is_locked("sales", "duckdb:w.duckdb")
    assert "--state-dir" in caught.value.advice


def test_run_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"\d{8}t\d{6}-[0-9a-f]{6}", run) for run in ids)
    seconds = [run.partition("-")[0] for run in ids]
    assert seconds == sorted(seconds)
