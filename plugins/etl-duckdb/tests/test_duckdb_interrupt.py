"""Ctrl-C while DuckDB works in the main thread."""

from __future__ import annotations

import signal

import duckdb
import pytest
from etl_duckdb.database import interrupted_by_ctrl_c


def test_a_statement_that_ctrl_c_ends_raises_what_ctrl_c_raises() -> None:
    @interrupted_by_ctrl_c
    def count() -> object:
        with duckdb.connect() as connection:
            return connection.execute("SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 3").fetchall()

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            count()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_errors_pass_through() -> None:
    @interrupted_by_ctrl_c
    def fail() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        fail()
