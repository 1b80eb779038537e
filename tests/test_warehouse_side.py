"""What every warehouse answers about its tables, and how it deletes: a DuckDB file, and Snowflake's driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl_framework import (
    Column,
    ColumnType,
    EtlError,
    PeriodCount,
    PeriodFilter,
    RangeFilter,
    Refused,
    RowFilter,
    RunFailed,
    Statement,
    TableName,
    Unit,
    UsageError,
    Warehouse,
    load,
)

COLUMNS = {
    "id": "bigint",
    "day": "date",
    "moment": "timestamp",
    "seen": "timestamptz",
    "amount": "decimal(10,2)",
    "name": "varchar",
    "x": "double",
}
T = TableName(("t",))
# Ids 1 to 3 in January, 4 and 5 in February, of which 5 just ends it; 6 has nothing but an id.
ROWS = (
    "1,2024-01-01,2024-01-01T00:00:00,2024-01-01T00:30:00+01:00,1.50,a,0.5",
    "2,2024-01-15,2024-01-15T12:00:00,2024-01-15T12:00:00Z,2.50,B,1.5",
    "3,2024-01-31,2024-01-31T23:59:59.999999,2024-01-31T23:59:59.999999Z,3.50,c,2.5",
    "4,2024-02-01,2024-02-01T00:00:00,2024-02-01T00:00:00Z,4.50,ü,3.5",
    "5,2024-02-29,2024-02-29T23:59:59,2024-02-29T23:59:59Z,5.50,z?',4.5",
    "6,,,,,,",
)
JANUARY = (date(2024, 1, 1), date(2024, 1, 31))


@dataclass
class Account:
    """A warehouse, and how to load into it."""

    target: str
    warehouse: Warehouse

    def load(self, *rows: str, name: str = "t.csv", **job: Any) -> None:
        Path(name).write_text(",".join(COLUMNS) + "\n" + "".join(row + "\n" for row in rows))
        load(name, **{"target": self.target, "table": "t", "columns": COLUMNS, **job})

    def ids(self) -> list[int]:
        table = self.warehouse.reference(T)
        return [row[0] for row in self.warehouse.query(Statement(f"SELECT id FROM {table} ORDER BY id")).rows]


@pytest.fixture
def account(target: str) -> Iterator[Account]:
    """A warehouse with the table ``t`` of :data:`ROWS`."""
    connected = connect(target)
    with closing(connected):
        account = Account(target, connected)
        account.load(*ROWS)
        yield account


def connect(target: str) -> Warehouse:
    if target.startswith("duckdb"):
        from etl_duckdb import etl_connect
    else:
        from etl_snowflake import etl_connect
    connected = etl_connect(target)
    assert isinstance(connected, Warehouse)
    return connected


def execute(account: Account, sql: str) -> None:
    """Run a statement as somebody else would."""
    if account.target.startswith("duckdb"):
        import duckdb

        with duckdb.connect("w.duckdb") as connection:
            connection.execute(sql)
        return
    import snowflake.connector

    line = (
        {}
        if snowflake.connector.__version__.startswith("4.")
        else {"enable_server_session_keep_alive_auto_detection": False}
    )
    with snowflake.connector.connect(connection_name="test", **line) as connection:
        connection.cursor().execute(sql)


# Tables


def test_tables_are_listed_without_the_ledger(account: Account) -> None:
    account.load(*ROWS[:2], name="other.csv", table='"odd ""name"', columns=COLUMNS)
    found = {str(summary.name).casefold(): summary for summary in account.warehouse.tables()}
    assert {name: (table.view, table.rows) for name, table in found.items()} == {
        "t": (False, 6),
        '"odd ""name"': (False, 2),
    }
    for summary in found.values():
        assert summary.changed_at is None or summary.changed_at.tzinfo is UTC
        assert account.warehouse.describe(summary.name) is not None


def test_a_view_is_listed_as_one_and_nothing_is_deleted_of_it(account: Account) -> None:
    execute(account, "CREATE VIEW v AS SELECT id FROM t")
    [view] = [summary for summary in account.warehouse.tables() if summary.view]
    assert (str(view.name).casefold(), view.rows, view.bytes) == ("v", None, None)
    assert account.warehouse.measure(view.name, ()).rows == 6
    with pytest.raises(EtlError):
        account.warehouse.delete(view.name, None)
    assert account.ids() == [1, 2, 3, 4, 5, 6]


def test_an_empty_warehouse_has_no_tables(target: str) -> None:
    with closing(connect(target)) as warehouse:
        assert warehouse.tables() == ()


def test_a_table_is_referred_to_by_its_quoted_name(account: Account) -> None:
    assert account.warehouse.reference(T).casefold().endswith('."t"')
    with pytest.raises(UsageError, match="there is no table missing in"):
        account.warehouse.reference(TableName(("missing",)))


# Queries


def test_a_query_answers_with_the_types_of_control_totals(account: Account) -> None:
    table = account.warehouse.reference(T)
    answer = account.warehouse.query(
        Statement(f"SELECT id, day, moment, seen, amount, name, x FROM {table} WHERE id = ? -- the first", (1,))
    )
    assert [name.casefold() for name in answer.columns] == list(COLUMNS)
    assert answer.rows == (
        (
            1,
            date(2024, 1, 1),
            datetime(2024, 1, 1),  # noqa: DTZ001 - the column has no time zone
            datetime(2023, 12, 31, 23, 30, tzinfo=UTC),
            Decimal("1.50"),
            "a",
            0.5,
        ),
    )
    assert [type(value) for value in answer.rows[0]] == [int, date, datetime, datetime, Decimal, str, float]
    assert answer.rows[0][3].utcoffset() == timedelta(0)


def test_what_is_missing_is_none_in_every_type(account: Account) -> None:
    table = account.warehouse.reference(T)
    assert account.warehouse.query(Statement(f"SELECT * FROM {table} WHERE id = ?", (6,))).rows == (
        (6, None, None, None, None, None, None),
    )


def test_a_query_is_cut_off_at_its_limit_and_says_so(account: Account) -> None:
    table = account.warehouse.reference(T)
    statement = Statement(f"SELECT id FROM {table} ORDER BY id DESC;")
    cut = account.warehouse.query(statement, limit=2)
    assert (cut.rows, cut.complete) == (((6,), (5,)), False)
    whole = account.warehouse.query(statement, limit=6)
    assert (len(whole.rows), whole.complete) == (6, True)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM {t}",
        "SELECT 1; DELETE FROM {t}",
        "DROP TABLE {t}",
        "INSERT INTO {t} SELECT * FROM {t}",
        "WITH x AS (SELECT 1) DELETE FROM {t}",
        "SELECT 1) -- \n; DELETE FROM {t} --",
        "COMMIT",
        "",
    ],
)
def test_nothing_but_one_query_is_run(account: Account, sql: str) -> None:
    table = account.warehouse.reference(T)
    with pytest.raises(EtlError):
        account.warehouse.query(Statement(sql.format(t=table)))
    assert account.ids() == [1, 2, 3, 4, 5, 6]


def test_a_query_that_cannot_be_run_is_named_with_the_reason(account: Account) -> None:
    with pytest.raises(RunFailed, match=r"(?i)nowhere[\s\S]*SELECT \* FROM nowhere"):
        account.warehouse.query(Statement("SELECT * FROM nowhere"))


# Counting


@pytest.mark.parametrize("column", ["day", "moment", "seen"])
def test_rows_are_counted_by_month_in_order_those_without_a_date_first(account: Account, column: str) -> None:
    december = [PeriodCount(first=date(2023, 12, 1), rows=1)] if column == "seen" else []
    assert account.warehouse.count_by(T, column, Unit.MONTH) == (
        PeriodCount(first=None, rows=1),
        *december,
        PeriodCount(first=date(2024, 1, 1), rows=3 - len(december)),
        PeriodCount(first=date(2024, 2, 1), rows=2),
    )


def test_days_weeks_and_years_are_counted_too(account: Account) -> None:
    january = PeriodFilter(column="day", first=JANUARY[0], last=JANUARY[1])
    count = account.warehouse.count_by
    assert [each.first for each in count(T, "day", Unit.DAY, january)] == [date(2024, 1, d) for d in (1, 15, 31)]
    assert [each.first for each in count(T, "day", Unit.WEEK, january)] == [date(2024, 1, d) for d in (1, 15, 29)]
    assert [(each.first, each.rows) for each in count(T, "moment", Unit.YEAR)] == [(None, 1), (date(2024, 1, 1), 5)]


def test_what_holds_no_days_cannot_be_counted_by_them(account: Account) -> None:
    with pytest.raises(UsageError, match="cannot tell which rows"):
        account.warehouse.count_by(T, "amount", Unit.DAY)
    with pytest.raises(UsageError, match="has no column 'missing'"):
        account.warehouse.count_by(T, "missing", Unit.DAY)


# Filters

CET = timezone(timedelta(hours=1))
FILTERS: list[tuple[RowFilter, set[int]]] = [
    (PeriodFilter(column="day", first=JANUARY[0], last=JANUARY[1]), {1, 2, 3}),
    (PeriodFilter(column="moment", first=JANUARY[0], last=JANUARY[1]), {1, 2, 3}),
    (PeriodFilter(column="seen", first=JANUARY[0], last=JANUARY[1]), {2, 3}),
    (RangeFilter(column="id", first=2, last=4), {2, 3, 4}),
    (RangeFilter(column="id", first=Decimal("2.5")), {3, 4, 5, 6}),
    (RangeFilter(column="amount", last=Decimal("2.50")), {1, 2}),
    (RangeFilter(column="amount", first=4, last=5), {4}),
    (RangeFilter(column="x", first=1.5, last=3), {2, 3}),
    (RangeFilter(column="name", first="a"), {1, 3, 4, 5}),
    (RangeFilter(column="name", first="z?'", last="z?'"), {5}),
    (RangeFilter(column="day", last=date(2024, 1, 15)), {1, 2}),
    (RangeFilter(column="moment", first=date(2024, 1, 31), last=date(2024, 1, 31)), {3}),
    (RangeFilter(column="moment", last=datetime(2024, 1, 15, 12)), {1, 2}),  # noqa: DTZ001 - as the column
    (RangeFilter(column="seen", last=date(2024, 1, 31)), {1, 2, 3}),
    (RangeFilter(column="seen", first=date(2024, 2, 1), last=date.max), {4, 5}),
    (
        RangeFilter(column="seen", first=datetime(2024, 1, 15, 13, tzinfo=CET), last=datetime(2024, 2, 1, tzinfo=UTC)),
        {2, 3, 4},
    ),
]


@pytest.mark.parametrize(("where", "ids"), FILTERS, ids=lambda value: str(value)[:60])
def test_a_filter_means_the_same_rows_everywhere(account: Account, where: RowFilter, ids: set[int]) -> None:
    column = Column(name="id", type=ColumnType.parse("bigint"))
    totals = account.warehouse.measure(T, (column,), where)
    assert (totals.rows, totals.columns[0].total) == (len(ids), sum(ids))
    assert account.warehouse.measure(T, (), where).rows == len(ids)


@pytest.mark.parametrize(
    "where",
    [
        RangeFilter(column="id", first="1"),
        RangeFilter(column="name", first=1),
        RangeFilter(column="day", first=datetime(2024, 1, 1, tzinfo=UTC)),
        RangeFilter(column="moment", first=1),
        RangeFilter(column="missing", first=1),
        PeriodFilter(column="id", first=JANUARY[0], last=JANUARY[1]),
    ],
)
def test_a_filter_that_does_not_suit_its_column_is_refused(account: Account, where: RowFilter) -> None:
    for ask in (account.warehouse.measure, account.warehouse.delete):
        with pytest.raises(UsageError, match=where.column):
            ask(T, (), where) if ask == account.warehouse.measure else account.warehouse.delete(T, where)


# Deleting


@pytest.mark.parametrize(("where", "ids"), FILTERS, ids=lambda value: str(value)[:60])
def test_the_rows_of_a_filter_are_deleted_and_no_others(account: Account, where: RowFilter, ids: set[int]) -> None:
    deletion = account.warehouse.delete(T, where, expect=len(ids))
    assert deletion.rows == len(ids)
    assert deletion.query_id
    assert account.ids() == sorted({1, 2, 3, 4, 5, 6} - ids)


def test_nothing_is_deleted_where_the_count_is_not_the_expected_one(account: Account) -> None:
    with pytest.raises(Refused, match=r"3 rows of .* would be deleted, but 2 were expected"):
        account.warehouse.delete(T, RangeFilter(column="id", last=3), expect=2)
    assert account.ids() == [1, 2, 3, 4, 5, 6]
    assert len(account.warehouse.ledger(T)) == 1


def test_what_was_deleted_as_a_whole_may_be_loaded_again(account: Account) -> None:
    account.load(ROWS[3], name="february.csv", again=True)
    january = PeriodFilter(column="day", first=JANUARY[0], last=JANUARY[1])
    account.load(*ROWS[:3], name="january.csv")
    account.warehouse.delete(T, january)
    account.load(*ROWS[:3], name="january.csv")
    assert account.ids() == [1, 2, 3, 4, 4, 5, 6]
    with pytest.raises(Refused, match=r"already holds february\.csv"):
        account.load(ROWS[3], name="february.csv")


@pytest.mark.parametrize(
    ("where", "gone"),
    [
        (RangeFilter(column="id", first=1, last=3), True),
        (RangeFilter(column="id", last=2), False),
        (RangeFilter(column="seen", last=date(2024, 1, 31)), True),
        (RangeFilter(column="name", first="B", last="c"), True),
        (RangeFilter(column="amount", first=Decimal("1.5"), last=Decimal("3.49")), False),
        (None, True),
    ],
)
def test_a_load_is_gone_when_certainly_all_of_its_rows_are(
    account: Account, where: RowFilter | None, gone: bool
) -> None:
    account.warehouse.delete(T, None)
    account.load(*ROWS[:3], name="january.csv")
    account.load(ROWS[5], name="nulls.csv")
    before = len(account.warehouse.ledger(T))
    account.warehouse.delete(T, where)
    left = 0 if where is None else before - gone
    assert (before, len(account.warehouse.ledger(T))) == (2, left)


def test_a_whole_table_can_be_emptied(account: Account) -> None:
    assert account.warehouse.delete(T, None, expect=6).rows == 6
    assert (account.ids(), account.warehouse.ledger(T)) == ([], ())


def test_a_deletion_takes_turns_with_those_of_others(account: Account) -> None:
    with closing(connect(account.target)) as other, ThreadPoolExecutor(2) as pool:
        warehouses = [account.warehouse, other]
        january = RangeFilter(column="id", last=3)
        deletions = list(pool.map(lambda warehouse: warehouse.delete(T, january), warehouses))
    assert sorted(deletion.rows for deletion in deletions) == [0, 3]
    assert account.ids() == [4, 5, 6]


def test_deletions_have_ids_of_their_own(account: Account) -> None:
    ids = {account.warehouse.delete(T, RangeFilter(column="id", first=at, last=at)).id for at in (1, 2)}
    assert len(ids) == 2


@pytest.mark.parametrize("name", ["missing", "_etl_loads"])
def test_of_no_other_table_anything_is_deleted(account: Account, name: str) -> None:
    with pytest.raises(UsageError, match=r"(?i)missing|is the load ledger"):
        account.warehouse.delete(TableName((name,)), None)


# Values

BAD_RANGES: dict[str, Callable[[], RangeFilter]] = {
    "has no bound": lambda: RangeFilter(column="a"),
    "before it begins": lambda: RangeFilter(column="a", first=2, last=1),
    "different types": lambda: RangeFilter(column="a", first=2, last="x"),
}


@pytest.mark.parametrize("reason", BAD_RANGES)
def test_a_range_that_means_nothing_is_refused(reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        BAD_RANGES[reason]()
