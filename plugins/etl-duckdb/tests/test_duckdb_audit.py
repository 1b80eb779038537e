"""A load is proven before it is committed, and recorded with it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime

import etl_duckdb
import pytest
from etl_duckdb.ledger import NAME

from etl_framework import (
    ColumnTotals,
    Period,
    ReconciliationError,
    RunFailed,
    TableName,
    Totals,
    UsageError,
)

T = TableName(("t",))
JANUARY, FIRST = Period.parse("2024-01"), Period.parse("2024-01-01..2024-02-29")


@pytest.fixture
def loaded(bench, columns):
    """A warehouse whose table holds two rows, loaded in a run of its own."""
    warehouse = bench.connect()
    bench.load(columns(n="integer", s="varchar"), [(1, "old"), (2, None)])
    return warehouse


def staged_run(bench, warehouse, columns, batch, rows=((10, "x"), (20, "yy"), (None, "z")), **job):
    """A run of three rows with their control totals, and its staged part."""
    shape = columns(n="integer", s="varchar")
    batches = [batch(shape, rows)]
    run = bench.with_totals(bench.run(shape, **job), batches)
    return run, bench.stage(warehouse, run, batches)


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@pytest.mark.parametrize(
    ("column", "figure", "value"),
    [(0, "nulls", 0), (0, "minimum", 9), (0, "maximum", 21), (0, "total", 31), (1, "minimum", "a"), (1, "total", 5)],
)
def test_any_total_that_differs_leaves_the_table_as_it_was(loaded, bench, columns, batch, mode, column, figure, value):
    run, parts = staged_run(bench, loaded, columns, batch, mode=mode, keys=("s",))
    wrong = list(run.totals.columns)
    wrong[column] = dataclasses.replace(wrong[column], **{figure: value})
    claimed = dataclasses.replace(run, totals=dataclasses.replace(run.totals, columns=tuple(wrong)))
    with pytest.raises(ReconciliationError, match=f"{figure} of column"):
        etl_duckdb.etl_load(parts, loaded, claimed)
    assert bench.query("from t order by n") == [(1, "old"), (2, None)]
    assert loaded.find_load(run) is None
    assert etl_duckdb.etl_load(parts, loaded, run).totals == run.totals


def test_a_failed_first_load_leaves_no_table(bench, columns, batch):
    warehouse = bench.connect()
    run, parts = staged_run(bench, warehouse, columns, batch)
    nothing = Totals(rows=3, columns=())
    with pytest.raises(ReconciliationError):
        etl_duckdb.etl_load(parts, warehouse, dataclasses.replace(run, totals=dataclasses.replace(nothing, rows=4)))
    assert warehouse.describe(T) is None
    assert warehouse.ledger(T) == ()
    assert bench.query("select count(*) from duckdb_tables()") == [(0,)]


def test_a_part_with_other_rows_than_were_staged_is_refused(loaded, bench, columns, batch):
    run, (part,) = staged_run(bench, loaded, columns, batch)
    unknown = dataclasses.replace(run, totals=None)
    short = dataclasses.replace(part, rows=4)
    with pytest.raises(RunFailed, match="it holds 3 rows instead of 4"):
        etl_duckdb.etl_load((short,), loaded, unknown)
    assert bench.query("select count(*) from t") == [(2,)]
    assert etl_duckdb.etl_load((part,), loaded, unknown).rows == 3


def test_a_constraint_of_the_table_refuses_the_load_as_a_whole(bench, columns, batch):
    warehouse = bench.connect()
    bench.query("create table t (n integer, s varchar unique)")
    run, parts = staged_run(bench, warehouse, columns, batch, rows=[(1, "a"), (2, "a")])
    with pytest.raises(RunFailed, match=r"cannot load into table main\.t: Constraint Error") as caught:
        etl_duckdb.etl_load(parts, warehouse, run)
    assert "drop the constraint" in caught.value.advice
    assert bench.query("from t") == []


def test_the_audit_measures_new_rows_only_even_after_deletions_in_the_same_transaction(bench, columns):
    warehouse = bench.connect()
    shape = columns(d="date", n="integer")
    bench.load(shape, [(date(2024, 1, 1), 1000), (date(2023, 1, 1), 5000), (date(2024, 1, 2), 3000)])
    bench.query("delete from t where n = 3000")
    receipt = bench.load(shape, [(date(2024, 1, 3), 7)], mode="replace-period", period=JANUARY, date_column="d")
    assert (receipt.deleted, receipt.totals.rows, receipt.totals.columns[1].maximum) == (1, 1, 7)
    assert warehouse.measure(T, shape).columns[1].total == 5007
    inside = bench.run(shape, period=JANUARY, date_column="d").period_filter
    assert warehouse.measure(T, shape, inside).rows == 1


def test_a_run_is_never_loaded_twice(loaded, bench, columns, batch):
    run, parts = staged_run(bench, loaded, columns, batch)
    first = etl_duckdb.etl_load(parts, loaded, run)
    assert etl_duckdb.etl_load(parts, loaded, run) == first
    assert loaded.find_load(run) == first
    assert bench.query("select count(*) from t") == [(5,)]


def test_the_ledger_says_what_was_loaded(bench, columns):
    bench.connect()
    before = datetime.now(UTC).replace(tzinfo=None)
    job = {"mode": "replace-period", "period": JANUARY, "date_column": "d"}
    bench.load(columns(d="date"), [(date(2024, 1, 1),)], table="s.t", **job)
    ((run, name, table, mode, first, last, files, parts, rows, created, totals, at),) = bench.query(
        "select run, job, table_name, mode, first_day, last_day, files, parts, rows_loaded, created, totals, loaded_at "
        f"from {NAME}"
    )
    assert (run, name, table, mode, parts, rows, created) == ("run-0000", "job", "s.t", "replace-period", 2, 1, True)
    assert (first, last, files) == (JANUARY.first, JANUARY.last, ["/data/0.csv"])
    assert json.loads(totals)["rows"] == 1
    assert before <= at <= datetime.now(UTC).replace(tzinfo=None)


def test_the_ledger_forgets_what_a_later_load_replaced(bench, columns):
    warehouse = bench.connect()
    shape = columns(d="date")
    row = [(date(2024, 1, 1),)]
    period = {"mode": "replace-period", "date_column": "d"}

    def runs():
        return [entry.run[-1] for entry in warehouse.ledger(T)]

    bench.load(shape, row)
    bench.load(shape, row, period=JANUARY, **period)
    bench.load(shape, row, table="other", mode="replace")
    assert runs() == ["0", "1"]
    bench.load(shape, row, period=JANUARY, **period)
    assert runs() == ["0", "3"]
    bench.load(shape, row, period=FIRST, **period)
    assert runs() == ["0", "4"]
    bench.load(shape, row, period=JANUARY, **period)
    assert runs() == ["0", "4", "5"], "a smaller period replaces only a share of what the larger one loaded"
    bench.load(shape, row, mode="replace", table="T")
    assert runs() == ["6"]
    (entry,) = warehouse.ledger(T)
    assert entry.sources == (f"{6:032x}",)
    assert entry.loaded_at.tzinfo is UTC


def test_a_table_that_was_dropped_or_emptied_holds_no_load(bench, columns):
    warehouse = bench.connect()
    bench.load(columns(a="integer"), [(1,)])
    bench.query("delete from t")
    assert warehouse.ledger(T) == ()
    bench.query("drop table t")
    assert warehouse.ledger(T) == ()
    bench.load(columns(a="integer"), [(1,)])
    assert [entry.run for entry in warehouse.ledger(T)] == ["run-0001"]


def test_the_ledger_itself_is_no_target(bench, columns):
    bench.connect()
    with pytest.raises(UsageError, match="is the load ledger"):
        bench.load(columns(a="integer"), [(1,)], table=NAME.upper())


def test_two_connections_of_one_program_see_each_other(bench, columns):
    one, other = bench.connect(), bench.connect("?memory_limit=300MB&threads=1")
    shape = columns(a="integer")
    bench.load(shape, [(1,)], warehouse=one)
    bench.load(shape, [(2,)], warehouse=other)
    bench.load(shape, [(3,)], warehouse=one)
    assert [len(warehouse.ledger(T)) for warehouse in (one, other)] == [3, 3]
    one.close()
    one.close()
    assert other.measure(T, shape).columns == (ColumnTotals(name="a", nulls=0, minimum=1, maximum=3, total=6),)
