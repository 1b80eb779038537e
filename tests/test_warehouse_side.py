"""What a DuckDB file and Snowflake's driver have in common beyond the contract of warehouses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl_framework import (
    EtlError,
    RangeFilter,
    RowFilter,
    Statement,
    TableName,
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


# Deleting


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
