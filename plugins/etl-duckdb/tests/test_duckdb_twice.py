"""The same sources are not appended twice, whoever loads them at the same time."""

from __future__ import annotations

import dataclasses
from threading import Event, Thread

import etl_duckdb
import pytest
from etl_duckdb.load import one_at_a_time

from etl_framework import Mode, Refused


class Meanwhile:
    """A codec that changes nothing; the first part that is read makes something happen in the midst of the load."""

    name = "meanwhile"
    suffix = ""

    def __init__(self, happens):
        self._happens = [happens]

    def compressor(self):
        return self

    def feed(self, data):
        return bytes(data)

    def finish(self):
        return b""

    def reader(self, raw):
        if self._happens:
            self._happens.pop()()
        return raw


@pytest.fixture
def staged(bench, columns, batch):
    """Stages three rows under a run of its own; says every time that these are the same sources."""
    shape = columns(a="bigint")
    rows = batch(shape, [(1,), (2,), (3,)])
    sources = bench.run(shape).sources

    def staged(**changes):
        job = {name: changes.pop(name) for name in ("mode", "again") if name in changes}
        run = dataclasses.replace(bench.run(shape, **job), sources=sources, **changes)
        warehouse = bench.connect()
        return bench.stage(warehouse, run, [rows]), warehouse, bench.with_totals(run, [rows])

    return staged


def test_the_ledger_is_asked_inside_of_the_load(bench, staged):
    assert etl_duckdb.etl_load(*staged()).rows == 3
    with pytest.raises(Refused, match=r"t already holds 0\.csv: loaded by run run-0001") as caught:
        etl_duckdb.etl_load(*staged())
    assert "--again" in caught.value.advice
    assert bench.query("select count(*) from t") == [(3,)]


@pytest.mark.parametrize("meant", [{"again": True}, {"mode": Mode.REPLACE}])
def test_loading_again_on_purpose_is_not_refused(bench, staged, meant):
    etl_duckdb.etl_load(*staged())
    assert etl_duckdb.etl_load(*staged(**meant)).rows == 3
    assert bench.query("select count(*) from t") == [(6 if "again" in meant else 3,)]


def test_sources_whose_rows_are_all_gone_may_be_loaded(bench, staged):
    etl_duckdb.etl_load(*staged())
    bench.query("truncate t")
    assert etl_duckdb.etl_load(*staged()).rows == 3


@pytest.mark.parametrize("there", [True, False])
def test_of_two_loads_of_one_process_at_the_same_time_the_second_is_refused(bench, columns, staged, there):
    bench.connect()
    if there:
        bench.load(columns(a="bigint"), [(0,)])
    under_way = Event()
    events, outcomes = [], []

    def second():
        try:
            outcomes.append(etl_duckdb.etl_load(*staged(emit=lambda event: (events.append(event), under_way.set()))))
        except Refused as error:
            outcomes.append(error)
        finally:
            under_way.set()

    rival = Thread(target=second)

    def begin_the_second():
        rival.start()
        under_way.wait()

    assert etl_duckdb.etl_load(*staged(codec=Meanwhile(begin_the_second))).rows == 3
    rival.join()
    assert [type(outcome) for outcome in outcomes] == [Refused]
    assert [event.name for event in events] == ["load_waits", "load_proceeds"]
    assert bench.query("select count(*) from t") == [(3 + there,)]


def test_loads_into_two_databases_of_one_process_do_not_wait_for_each_other(tmp_path, bench, columns, staged):
    bench.connect()
    (tmp_path / "other").mkdir()
    other = dataclasses.replace(bench, folder=tmp_path / "other")
    elsewhere = other.connect()
    outcomes = []

    def load_elsewhere():
        rival = Thread(
            target=lambda: outcomes.append(other.load(columns(a="bigint"), [(1,), (2,)], warehouse=elsewhere))
        )
        rival.start()
        # It would wait for ever for the load that waits for it.
        rival.join(timeout=20)

    assert etl_duckdb.etl_load(*staged(codec=Meanwhile(load_elsewhere))).rows == 3
    assert [receipt.rows for receipt in outcomes] == [2]


def test_an_observer_that_fails_leaves_the_way_free_for_the_next_load(bench, columns):
    database = bench.connect()._database
    waits = Event()
    errors = []

    def tell(event):
        waits.set()
        if event.name == "load_proceeds":
            raise LookupError("nobody listens")

    def second():
        try:
            with one_at_a_time(database, dataclasses.replace(bench.run(columns(a="bigint")), emit=tell)):
                pass
        except LookupError as error:
            errors.append(error)

    rival = Thread(target=second)
    with one_at_a_time(database):
        rival.start()
        waits.wait()
    rival.join()
    assert len(errors) == 1
    # It ends at once where it would wait for ever.
    database._stop()
    with one_at_a_time(database):
        pass


def test_a_database_is_one_whatever_it_is_called(tmp_path, bench, columns, staged):
    bench.connect()
    (tmp_path / "alias").symlink_to(bench.folder, target_is_directory=True)
    under_way = Event()
    events = []
    alias = dataclasses.replace(bench, folder=tmp_path / "alias")
    shape = columns(a="bigint")

    def second():
        warehouse = alias.connect()
        run = dataclasses.replace(alias.run(shape), emit=lambda event: (events.append(event.name), under_way.set()))
        try:
            with one_at_a_time(warehouse._database, run):
                pass
        finally:
            under_way.set()
            warehouse.close()

    rival = Thread(target=second)
    with one_at_a_time(bench.opened[0]._database, bench.run(shape)):
        rival.start()
        under_way.wait()
    rival.join()
    assert events == ["load_waits", "load_proceeds"]
