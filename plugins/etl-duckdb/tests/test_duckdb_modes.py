"""What each mode does to the table."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from etl_framework import Period, Refused, UsageError

JANUARY = Period.parse("2024-01")


def test_append_makes_a_missing_table_and_adds_to_it_afterwards(bench, columns):
    bench.connect()
    shape = columns(a="bigint!", b="varchar")
    first = bench.load(shape, [(1, "x"), (2, None)])
    second = bench.load(shape, [(3, "y")])
    assert (first.created, first.rows, first.deleted) == (True, 2, 0)
    assert (second.created, second.rows, second.deleted) == (False, 1, 0)
    assert bench.query("from t order by a") == [(1, "x"), (2, None), (3, "y")]
    assert bench.opened[0].describe(bench.run(shape).job.table) == shape


def test_replace_keeps_the_definition_and_nothing_else(bench, columns):
    bench.connect()
    bench.query("create table t (a bigint primary key, b varchar default 'none')")
    shape = columns(a="bigint")
    bench.load(shape, [(1,), (2,)])
    receipt = bench.load(shape, [(2,), (5,)], mode="replace")
    assert (receipt.rows, receipt.deleted, receipt.created) == (2, 2, False)
    assert bench.query("from t order by a") == [(2, "none"), (5, "none")]
    with pytest.raises(Refused, match="'c' of the sources is not in the table"):
        bench.load(columns(a="bigint", c="date"), [(1, None)], mode="replace")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("date", lambda day: day),
        ("timestamp", lambda day: datetime.fromisoformat(f"{day} 23:59:59.999999")),
        ("timestamptz", lambda day: datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_replace_period_takes_the_whole_last_day_and_no_other(bench, columns, type_, value):
    bench.connect()
    shape = columns(Day=type_, n="integer")
    old = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 31), date(2024, 2, 1)]
    bench.load(shape, [(value(day), number) for number, day in enumerate(old)])
    receipt = bench.load(
        shape, [(value(date(2024, 1, 15)), 9)], mode="replace-period", period=JANUARY, date_column="Day"
    )
    assert (receipt.rows, receipt.deleted) == (1, 2)
    assert bench.query("select n from t order by n") == [(0,), (3,), (9,)]


def test_replace_period_reaches_the_end_of_the_calendar(bench, columns):
    bench.connect()
    last = date(9999, 12, 31)
    bench.load(
        columns(d="timestamp"), [(datetime.fromisoformat("9999-12-31 23:00"),), (datetime.fromisoformat("2000-01-01"),)]
    )
    job = {"mode": "replace-period", "period": Period(last, last), "date_column": "d"}
    assert bench.load(columns(d="timestamp"), [], **job).deleted == 1


@pytest.mark.parametrize("stray", [date(2024, 2, 1), None])
def test_replace_period_refuses_rows_that_a_second_load_would_double(bench, columns, stray):
    bench.connect()
    shape = columns(d="date")
    bench.load(shape, [(date(2024, 1, 3),)])
    with pytest.raises(Refused, match="1 row of the sources lies outside of the period 2024-01"):
        bench.load(shape, [(date(2024, 1, 4),), (stray,)], mode="replace-period", period=JANUARY, date_column="d")
    assert bench.query("from t") == [(date(2024, 1, 3),)]


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ({"mode": "replace-period", "period": JANUARY}, "no date_column"),
        ({"mode": "replace-period", "date_column": "d"}, "no period"),
        ({"mode": "replace-period", "date_column": "x", "period": JANUARY}, "'x' is not among the columns"),
        ({"mode": "replace-period", "date_column": "n", "period": JANUARY}, "cannot tell which rows"),
        ({"mode": "merge"}, "without keys"),
        ({"mode": "merge", "keys": ("x",)}, "key 'x' is not among the columns"),
    ],
)
def test_a_mode_without_what_it_needs_changes_nothing(bench, columns, job, complaint):
    warehouse = bench.connect()
    shape = columns(d="date", n="integer")
    bench.load(shape, [(date(2024, 1, 3), 1)])
    with pytest.raises(UsageError, match=complaint):
        bench.load(shape, [(date(2024, 1, 4), 2)], **job)
    with pytest.raises(UsageError, match=complaint):
        warehouse.statements(bench.run(shape, **job))
    assert bench.query("select n from t") == [(1,)]


@pytest.mark.parametrize(
    "definition", ["k bigint, n varchar, v double", "k bigint, n varchar, v double, primary key (k, n)"]
)
def test_merge_replaces_rows_of_the_same_keys_and_adds_the_others(bench, columns, definition):
    bench.connect()
    bench.query(f"create table t ({definition})")
    shape = columns(v="double", K="bigint", n="varchar")
    bench.load(shape, [(1.0, 1, "a"), (2.0, 1, "b"), (3.0, 2, "a")])
    receipt = bench.load(shape, [(9.0, 1, "b"), (None, 3, "c")], mode="merge", keys=("k", "n"))
    assert (receipt.rows, receipt.deleted) == (2, 1)
    assert bench.query("from t order by k, n") == [(1, "a", 1.0), (1, "b", 9.0), (2, "a", 3.0), (3, "c", None)]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([(1, "a"), (2, "b"), (1, "c")], r"share a key \(k\): 1 in 2 rows"),
        ([(1, "a"), (None, "b")], r"1 row of the sources has no value in a key column \(k\)"),
    ],
)
def test_merge_refuses_keys_that_do_not_tell_rows_apart(bench, columns, rows, complaint):
    bench.connect()
    shape = columns(k="bigint", v="varchar")
    bench.load(shape, [(1, "old")])
    with pytest.raises(Refused, match=complaint):
        bench.load(shape, rows, mode="merge", keys=("k",))
    assert bench.query("from t") == [(1, "old")]
    # What the refused merge left behind does not stand in the way of the next one.
    bench.load(shape, rows[:1], mode="merge", keys=("k",))
    assert bench.query("from t") == [(1, "a")]


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "replace-period"])
def test_no_rows_at_all_are_loaded_like_any_others(bench, columns, mode):
    bench.connect()
    shape = columns(d="date", x="double", s="varchar", n="decimal(38,3)")
    job = {"mode": mode, "keys": ("s",), "period": JANUARY, "date_column": "d"}
    assert bench.load(shape, [], **job).created
    assert bench.load(shape, [], **job).rows == 0
    assert bench.query("select count(*) from t") == [(0,)]
