"""Names and values of every kind arrive as they are, and their control totals agree."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal

import duckdb
import etl_duckdb
import pyarrow as pa
import pytest
from etl_duckdb.measure import Measured, measure
from etl_duckdb.sql import type_name
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import Column, ColumnType, Refused, TableName, TotalsAccumulator, compare, quote

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOSTILE = [
    'a "quoted" name',
    "it's; DROP TABLE t; --",
    " ",
    "a.b",
    "select",
    "order",
    "Straße ✓ 列",
    "line\nbreak\ttab",
    "?",
    "$1",
    "{x}",
    "%s",
    "\\",
    "c0",
    "c1",
    "x" * 5000,
    "_etl_staged",
]


def named(*names: str) -> tuple[Column, ...]:
    """Required integers of these names."""
    return tuple(Column(name=name, type=ColumnType.parse("bigint"), required=True) for name in names)


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_hostile_column_names_are_names_and_nothing_else(bench, mode):
    warehouse = bench.connect()
    columns = named(*HOSTILE)
    for start in (0, 100):
        rows = [[start + number for number in range(len(columns))]]
        bench.load(columns, rows, mode=mode, keys=(HOSTILE[1], HOSTILE[0]))
    described = warehouse.describe(TableName(("t",)))
    assert [column.name for column in described] == HOSTILE
    assert warehouse.differences(bench.run(columns)) == ()
    expected = [tuple(rows[0])] if mode == "replace" else [tuple(range(len(columns))), tuple(rows[0])]
    assert bench.query("from t order by 1") == expected


@pytest.mark.parametrize("name", HOSTILE[:8])
def test_hostile_table_and_schema_names_are_names_and_nothing_else(bench, name):
    warehouse = bench.connect("?schema=main")
    columns = named("a")
    for table in (quote(name), f"{quote(name)}.{quote(name)}"):
        bench.load(columns, [(1,)], table=table)
        receipt = bench.load(columns, [(2,)], table=table)
        assert not receipt.created
        assert [entry.rows for entry in warehouse.ledger(TableName.parse(table))] == [1, 1]
    assert warehouse.measure(TableName.parse(table), columns).rows == 2


def test_a_schema_named_like_the_database_is_not_taken_for_it(bench):
    bench.connect()
    bench.load(named("a"), [(1,)], table="w.t")
    bench.load(named("a"), [(2,)], table="t")
    bench.load(named("a"), [(3,)], table="w.main.t")
    assert bench.query("select a from w.main.t order by a") == [(2,), (3,)]
    assert bench.query("select a from w.w.t") == [(1,)]


def test_names_differ_by_the_case_of_ascii_letters_no_more_than_duckdb_lets_them(bench):
    warehouse = bench.connect()
    bench.load(named("É", "é", "A"), [(1, 2, 3)])
    bench.load(named("a", "é", "É"), [(6, 5, 4)], table="T")
    assert bench.query("from t order by 1") == [(1, 2, 3), (4, 5, 6)]
    assert warehouse.describe(TableName(("T",))) is not None
    with pytest.raises(Refused, match="'b' and 'B' of the sources are one name"):
        bench.load(named("b", "B"), [(1, 2)], table="other")


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_column_called_rowid_does_not_mislead_the_audit(bench, mode):
    bench.connect()
    columns = named("rowid", "b")
    bench.load(columns, [(5, 1), (99, 2)], mode=mode, keys=("RowId",))
    receipt = bench.load(columns, [(5, 3), (-7, 4)], mode=mode, keys=("RowId",))
    assert receipt.totals.columns[0].minimum == -7
    kept = [(99, 2)] if mode == "merge" else [(5, 1), (99, 2)]
    assert sorted(bench.query('select "rowid", b from t')) == sorted([*kept, (5, 3), (-7, 4)])


EVERY_TYPE = {
    "boolean": [True, False],
    "smallint": [-(1 << 15), (1 << 15) - 1],
    "integer": [-(1 << 31), (1 << 31) - 1],
    "bigint": [(1 << 63) - 1, (1 << 63) - 2, -(1 << 63)],
    "decimal(4,2)": [Decimal("-99.99"), Decimal("0.01")],
    "decimal(18,4)": [Decimal("99999999999999.9999"), Decimal("-0.0001")],
    "decimal(38,0)": [Decimal("9" * 38), Decimal("9" * 38), Decimal(1)],
    "decimal(38,38)": [Decimal("0." + "9" * 38), Decimal("0." + "9" * 38), Decimal("-1e-38")],
    "real": [1.5, -0.0, float("inf"), float("nan")],
    "double": [1e300, -1e300, float("-inf"), float("nan"), 0.1],
    "date": [date(1, 1, 1), date(9999, 12, 31)],
    "time": [time(0, 0), time(23, 59, 59, 999999)],
    "timestamp": [datetime.fromisoformat("0001-01-01 00:00"), datetime.fromisoformat("9999-12-31 23:59:59.999999")],
    "timestamptz": [datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)],
    "varchar": ["", "a\0b", "Z", "z", "é", "\U0001f600", "\uffff", "line\nbreak", "\\xFF"],
    "varchar(3)": ["abc"],
}


@pytest.mark.parametrize("text", EVERY_TYPE)
def test_every_type_arrives_with_its_extremes_and_nulls(bench, columns, text):
    warehouse = bench.connect()
    shape = columns(n="integer", v=text)
    values = [None, *EVERY_TYPE[text], None]
    receipt = bench.load(shape, list(enumerate(values)))
    assert receipt.totals.columns[1].nulls == 2
    run = dataclasses.replace(bench.run(shape), id="run-0000")
    assert warehouse.find_load(run) == receipt
    read = "epoch_us(v)" if text == "timestamptz" else "v"
    found = [value for (value,) in bench.query(f"select {read} from t order by n")]
    if text == "timestamptz":
        values = [None if value is None else (value - EPOCH) // timedelta(microseconds=1) for value in values]
    assert list(map(repr, found)) == list(map(repr, values))
    assert warehouse.describe(TableName(("t",)))[1].type.kind == shape[1].type.kind


ANY_VALUE = {
    "boolean": st.booleans(),
    "smallint": st.integers(-(1 << 15), (1 << 15) - 1),
    "bigint": st.integers(-(1 << 63), (1 << 63) - 1),
    "decimal(9,2)": st.decimals(-9999999, 9999999, places=2),
    "decimal(38,10)": st.integers(1 - 10**38, 10**38 - 1).map(lambda n: Decimal(n).scaleb(-10, Context(prec=38))),
    "real": st.floats(width=32),
    "double": st.floats(-1e200, 1e200) | st.sampled_from([float("nan"), float("inf"), -float("inf")]),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "varchar": st.text(max_size=20),
}


@pytest.mark.parametrize("text", ANY_VALUE)
def test_measured_totals_are_the_totals_of_the_batches(text):
    column = Column(name="v", type=ColumnType.parse(text))

    @settings(max_examples=25, deadline=None, database=None)
    @given(st.lists(st.none() | ANY_VALUE[text], max_size=12))
    def agree(values):
        table = pa.table({"v": pa.array(values, column.type.arrow())})
        totals = TotalsAccumulator([column])
        for batch in table.to_batches():
            totals.update(batch)
        connection.register("rows", table)
        found = measure(connection, "rows", [Measured(expression="v", type=type_name(column.type), column=column)])
        assert compare(totals.finish(), found) == ()

    with duckdb.connect() as connection:
        agree()


def test_a_table_that_compares_text_in_its_own_way_is_measured_by_bytes(bench, columns):
    bench.connect()
    bench.query("create table t (v varchar collate nocase)")
    receipt = bench.load(columns(v="varchar"), [("b",), ("C",), ("a",)])
    assert (receipt.totals.columns[0].minimum, receipt.totals.columns[0].maximum) == ("C", "b")


def test_two_thousand_columns_are_columns_like_any_others(bench, columns):
    warehouse = bench.connect()
    shape = columns(**{f"column {n}": "varchar" if n % 2 else "double" for n in range(2000)})
    row = tuple(f"v{n}" if n % 2 else n / 7 for n in range(2000))
    receipt = bench.load(shape, [row, row])
    assert (receipt.rows, len(receipt.totals.columns)) == (2, 2000)
    assert warehouse.differences(bench.run(shape)) == ()
    assert bench.query("from t limit 1") == [row]


def test_values_too_large_for_the_usual_memory_are_loaded_with_more(bench, columns, batch, monkeypatch):
    for limit in ("_MEMORY_MB", "_LEAST_MB"):
        monkeypatch.setattr(f"etl_duckdb.database.{limit}", 40)
    warehouse = bench.connect()
    shape = columns(v="varchar")
    run = bench.run(shape)
    events = []
    run = dataclasses.replace(run, emit=events.append)
    batches = [batch(shape, [("é" * (4 << 20),)]), batch(shape, [("z" * (12 << 20),)])]
    run = bench.with_totals(run, batches)
    receipt = etl_duckdb.etl_load(bench.stage(warehouse, run, batches), warehouse, run)
    assert receipt.totals == run.totals
    assert [event.name for event in events] == ["load_again"]
    assert warehouse.find_load(dataclasses.replace(run, totals=None)) == receipt
