"""What fits a table, and how a table is described."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from etl_duckdb.table import holds

from etl_framework import ColumnType, Period, Refused, TableName, UsageError


@pytest.mark.parametrize(
    ("definition", "sources", "complaint"),
    [
        ("a integer", {"a": "varchar"}, "'a' is varchar in the sources, but integer in the table"),
        ("a integer", {"a": "bigint"}, "cannot hold every bigint exactly"),
        ("a integer, b integer", {"a": "integer"}, "'b' of the table is not in the sources"),
        ("a integer", {"a": "integer", "b": "date"}, "'b' of the sources is not in the table"),
        ("a integer", {"a": "integer", "A": "integer"}, "'a' and 'A' of the sources are one name"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(bench, columns, definition, sources, complaint):
    warehouse = bench.connect()
    bench.query(f"create table t ({definition})")
    (reason,) = warehouse.differences(bench.run(columns(**sources)))
    assert complaint in reason
    with pytest.raises(Refused, match=complaint):
        bench.load(columns(**sources), [])


def test_every_difference_is_listed(bench, columns):
    warehouse = bench.connect()
    bench.query("create table t (a integer, b date, c time)")
    run = bench.run(columns(a="double", b="timestamp", d="date"))
    assert len(warehouse.differences(run)) == 4
    assert warehouse.statements(run), "a plan shows both"


def test_the_order_of_columns_and_columns_with_defaults_do_not_matter(bench, columns):
    warehouse = bench.connect()
    bench.query("create table t (a integer, extra varchar default 'd', made integer as (a + 1), b varchar)")
    shape = columns(B="varchar", a="smallint")
    assert warehouse.differences(bench.run(shape)) == ()
    bench.load(shape, [("x", 1)])
    assert bench.query("select a, extra, made, b from t") == [(1, "d", 2, "x")]


def test_missing_values_where_the_table_wants_some_are_told_beforehand(bench, columns, batch):
    warehouse = bench.connect()
    bench.query("create table t (a integer not null)")
    shape = columns(a="integer")
    run = bench.run(shape)
    assert warehouse.differences(run) == ()
    (reason,) = warehouse.differences(bench.with_totals(run, [batch(shape, [(None,), (1,)])]))
    assert "no value in 1 row " in reason


def test_a_missing_table_has_no_differences(bench, columns):
    assert bench.connect().differences(bench.run(columns(a="date"))) == ()


def test_a_view_is_not_loaded(bench, columns):
    warehouse = bench.connect()
    bench.query("create view t as select 1::integer as a")
    (reason,) = warehouse.differences(bench.run(columns(a="integer")))
    assert "is a view" in reason


@pytest.mark.parametrize(
    ("source", "wider", "narrower"),
    [
        (
            "smallint",
            "SMALLINT INTEGER BIGINT HUGEINT FLOAT DOUBLE DECIMAL(5,0)",
            "TINYINT VARCHAR DECIMAL(5,1)",
        ),
        ("integer", "INTEGER BIGINT DOUBLE DECIMAL(12,2)", "SMALLINT FLOAT DECIMAL(9,0) DATE"),
        ("bigint", "BIGINT HUGEINT DECIMAL(19,0)", "INTEGER DOUBLE DECIMAL(18,0) UBIGINT"),
        ("decimal(9,2)", "DECIMAL(9,2) DECIMAL(10,3)", "DECIMAL(9,3) DECIMAL(9,1) DOUBLE BIGINT"),
        ("decimal(9,0)", "INTEGER BIGINT HUGEINT DECIMAL(9,0)", "SMALLINT DOUBLE"),
        ("real", "FLOAT DOUBLE", "INTEGER DECIMAL(38,10)"),
        ("double", "DOUBLE", "FLOAT"),
        ("date", "DATE TIMESTAMP", "VARCHAR TIMESTAMP_NS"),
        ("timestamp", "TIMESTAMP", "DATE TIMESTAMP_S TIMESTAMP_NS"),
        ("varchar(5)", "VARCHAR", "BLOB UUID JSON"),
        ("boolean", "BOOLEAN", "INTEGER"),
    ],
)
def test_a_table_may_be_wider_but_never_lose_anything(source, wider, narrower):
    type_ = ColumnType.parse(source)
    assert [name for name in wider.split() if not holds(name, type_)] == []
    assert [name for name in narrower.split() if holds(name, type_)] == []


def test_a_wider_table_is_audited_as_the_sources_are_typed(bench, columns):
    bench.connect()
    bench.query("create table t (a double, b decimal(20,5), c timestamp, d double)")
    shape = columns(a="integer", b="decimal(9,2)", c="date", d="real")
    receipt = bench.load(shape, [(1, Decimal("1.25"), date(2024, 1, 1), 0.1), (None, None, None, None)])
    assert receipt.totals.columns[1].total == Decimal("1.25")
    assert bench.query("select a, c from t where a is not null") != []


def test_foreign_types_are_described_as_the_nearest(bench):
    warehouse = bench.connect()
    bench.query("create table t (a utinyint, b hugeint, c decimal(7,3) not null, d timestamp_ns, e integer[], f uuid)")
    described = [(str(c.type), c.required, c.declared) for c in warehouse.describe(TableName(("t",)))]
    texts = ["smallint", "decimal(38,0)", "decimal(7,3)", "timestamp", "varchar", "varchar"]
    assert described == [(text, text == "decimal(7,3)", True) for text in texts]


def test_looking_never_makes_a_database(bench, columns):
    warehouse = bench.connect()
    run = bench.run(columns(a="date"))
    assert warehouse.describe(run.job.table) is None
    assert warehouse.differences(run) == ()
    assert warehouse.find_load(run) is None
    assert warehouse.ledger(run.job.table) == ()
    assert warehouse.statements(run)
    facts = {fact.label: fact.value for fact in warehouse.check()}
    assert facts["size"].startswith("not there")
    assert re.fullmatch(r"[\d.]+ [kMGTPE]?B", facts["free disk space"])
    assert list(bench.folder.iterdir()) == []


def test_measuring_needs_the_table_and_the_column(bench, columns):
    warehouse = bench.connect()
    with pytest.raises(UsageError, match="no table"):
        warehouse.measure(TableName(("t",)), ())
    bench.load(columns(a="date"), [])
    with pytest.raises(UsageError, match="no column 'b'"):
        warehouse.measure(TableName(("t",)), columns(b="date"))
    with pytest.raises(UsageError, match="not in this database"):
        warehouse.describe(TableName(("other", "main", "t")))


def test_the_statements_shown_are_the_statements_sent(bench, columns):
    warehouse = bench.connect()
    shape = columns(d="date!", n="integer")
    job = {"mode": "replace-period", "period": Period.parse("2024-02"), "date_column": "d"}
    statements = warehouse.statements(bench.run(shape, **job))
    assert statements[0] == "BEGIN TRANSACTION"
    assert statements[-1] == "COMMIT"
    assert 'CREATE TABLE "main"."t" ("d" DATE NOT NULL, "n" INTEGER)' in statements
    (removal,) = (s for s in statements if s.startswith('DELETE FROM "main"."t" WHERE'))
    assert removal.endswith("-- 2024-02-01, 2024-02-29")
    bench.load(shape, [])
    assert not any('CREATE TABLE "w"."main"."t"' in s for s in warehouse.statements(bench.run(shape, **job)))


def test_every_statement_of_a_plan_is_told_once(bench, columns):
    told = bench.connect().statements(bench.run(columns(a="bigint")))
    assert [line for line in told if line.startswith("CREATE SCHEMA")] == ['CREATE SCHEMA IF NOT EXISTS "main"']
    elsewhere = bench.connect().statements(bench.run(columns(a="bigint"), table="other.t"))
    assert len([line for line in elsewhere if line.startswith("CREATE SCHEMA")]) == 2
