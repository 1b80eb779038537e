"""Ctrl-C while DuckDB works."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import current_thread, main_thread

import duckdb
import pytest
from etl_duckdb.address import Address
from etl_duckdb.database import Database

ENDLESS = "SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 3"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(Address(path=tmp_path / "w.duckdb"))


@pytest.mark.parametrize("attempt", range(3))
def test_ctrl_c_ends_a_statement_and_is_raised(database: Database, attempt: int) -> None:
    def work() -> object:
        connection = database.open()
        os.kill(os.getpid(), signal.SIGINT)
        return connection.execute(ENDLESS).fetchall()

    with pytest.raises(KeyboardInterrupt):
        database.interruptible(work)
    assert database.open().execute("SELECT 1").fetchall() == [(1,)]


def test_errors_and_answers_pass_through(database: Database) -> None:
    def fail() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        database.interruptible(fail)
    assert database.interruptible(lambda: 7) == 7


def test_an_interruption_ends_with_the_work_that_it_interrupted(database: Database) -> None:
    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        database.open().execute(ENDLESS).fetchall()

    with pytest.raises(KeyboardInterrupt):
        database.interruptible(work)
    # In another thread, whose work is not watched.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: database.interruptible(database.go_on)).result()


def test_a_database_is_opened_where_no_signal_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # DuckDB takes a signal during a statement for an error of its own.
    Database(Address(path=tmp_path / "w.duckdb")).open().close()
    threads = []
    connect = duckdb.connect

    def connect_and_tell(path: str) -> duckdb.DuckDBPyConnection:
        threads.append(current_thread())
        return connect(path)

    monkeypatch.setattr(duckdb, "connect", connect_and_tell)
    Database(Address(path=tmp_path / "w.duckdb"))
    assert len(threads) == 1
    assert threads[0] is not main_thread()
