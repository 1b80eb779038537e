"""What only a DuckDB file answers about its tables."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import duckdb
import pytest

from etl_framework import RangeFilter, RunFailed, Statement, TableName, Unit, UsageError

T = TableName(("t",))


def make(bench, *statements):
    """A database that others made."""
    with duckdb.connect(str(bench.path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return bench.connect()


def test_tables_of_other_schemas_are_named_with_theirs(bench):
    warehouse = make(bench, "CREATE SCHEMA s", 'CREATE TABLE s."T 1" (a INT)', "CREATE TABLE t (a INT)")
    assert [str(table.name) for table in warehouse.tables()] == ["t", 's."T 1"']


def test_moments_with_time_zones_need_no_further_library(bench, monkeypatch):
    warehouse = make(bench, "CREATE TABLE t AS SELECT TIMESTAMPTZ '2024-01-01 00:00:00+02' AS a")
    monkeypatch.setitem(sys.modules, "pytz", None)
    assert warehouse.query(Statement("FROM t")).rows == ((datetime(2023, 12, 31, 22, tzinfo=UTC),),)


@pytest.mark.parametrize(
    ("moment", "given"),
    [
        ("infinity", datetime.max.replace(tzinfo=UTC)),
        ("20000-01-01 00:00:00+00", "20000-01-01 00:00:00+00"),
        ("0044-03-15 (BC) 12:00:00+00", "0044-03-15 (BC) 12:00:00+00"),
    ],
)
def test_moments_that_python_does_not_know_are_given_all_the_same(bench, moment, given):
    warehouse = make(bench, f"CREATE TABLE t AS SELECT TIMESTAMPTZ '{moment}' AS a")
    assert warehouse.query(Statement("FROM t")).rows == ((given,),)
    [totals] = warehouse.measure(T, warehouse.describe(T)).columns
    assert (totals.nulls, totals.maximum) == (0, given)


def test_a_moment_without_end_has_a_day_as_one_without_a_time_zone_has(bench):
    warehouse = make(bench, "CREATE TABLE t AS SELECT TIMESTAMPTZ 'infinity' AS a, TIMESTAMP 'infinity' AS b")
    assert warehouse.count_by(T, "a", Unit.YEAR) == warehouse.count_by(T, "b", Unit.YEAR)
    assert warehouse.count_by(T, "a", Unit.YEAR)[0].first is not None


def test_a_query_cannot_even_advance_a_sequence(bench):
    warehouse = make(bench, "CREATE SEQUENCE s")
    with pytest.raises(RunFailed, match="read-only mode"):
        warehouse.query(Statement("SELECT nextval('s')"))
    warehouse.close()
    assert bench.query("SELECT nextval('s')") == [(1,)]


@pytest.mark.parametrize("sql", ["DELETE FROM t", "SELECT 1; SELECT 2", "EXPLAIN SELECT 1", "CALL range(3)", ""])
def test_what_is_no_query_is_told_as_such(bench, sql):
    warehouse = make(bench, "CREATE TABLE t (a INT)")
    with pytest.raises(UsageError, match="not one query"):
        warehouse.query(Statement(sql))


def test_a_query_without_end_is_cut_off(bench):
    warehouse = make(bench, "CREATE TABLE t (a INT)")
    answer = warehouse.query(Statement("SELECT * FROM range(1000000000000)"), limit=3)
    assert (answer.rows, answer.complete) == (((0,), (1,), (2,)), False)


def test_while_there_is_no_database_nothing_can_be_asked_of_it(bench):
    warehouse = bench.connect()
    with pytest.raises(UsageError, match="no database"):
        warehouse.query(Statement("SELECT 1"))
    assert not bench.path.exists()


def test_of_a_view_nothing_is_deleted(bench):
    warehouse = make(bench, "CREATE VIEW t AS SELECT 1 AS a")
    with pytest.raises(UsageError, match="is a view, of which nothing can be deleted"):
        warehouse.delete(T, None)


def test_rows_that_nobody_loaded_are_deleted_too_and_the_ledger_is_made_for_it(bench):
    warehouse = make(bench, "CREATE TABLE t AS FROM range(5) AS r(a)")
    deletion = warehouse.delete(T, RangeFilter(column="a", first=2, last=3))
    warehouse.close()
    assert bench.query("SELECT a FROM t ORDER BY a") == [(0,), (1,), (4,)]
    noted = bench.query("SELECT run, job, rows_deleted, query_id FROM _etl_loads WHERE mode = 'delete'")
    assert noted == [(deletion.id, "delete a from 2 to 3", 2, deletion.query_id)]
    assert deletion.undo == ""


def test_a_deletion_that_fails_leaves_everything_as_it_was(bench):
    warehouse = make(
        bench,
        "CREATE TABLE t (a INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "CREATE TABLE u (a INT REFERENCES t)",
        "INSERT INTO u VALUES (1)",
    )
    with pytest.raises(RunFailed, match="delete rows of table t"):
        warehouse.delete(T, None)
    warehouse.close()
    assert bench.query("SELECT count(*) FROM t") == [(1,)]
    with pytest.raises(duckdb.CatalogException):
        bench.query("FROM _etl_loads")
