"""The contract of warehouses, first part: what they answer, and that asking changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from etl_framework.columns import Column, ColumnType
from etl_framework.errors import EtlError, RunFailed, UsageError
from etl_framework.plugins import Plugins
from etl_framework.rows import RELATION
from etl_framework.sql import Statement
from etl_framework.tables import PeriodCount, RangeFilter, RowFilter, Unit
from etl_framework.testing.contracts.warehouse_scratch import COLUMNS, IDS, JANUARY, MISSING, Scratch, ScratchContract
from etl_framework.values import Fact, PeriodFilter

_CET = timezone(timedelta(hours=1))
_ID = Column(name="id", type=ColumnType.parse("bigint"))

FILTERS: Sequence[tuple[RowFilter, set[int]]] = [
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
        RangeFilter(column="seen", first=datetime(2024, 1, 15, 13, tzinfo=_CET), last=datetime(2024, 2, 1, tzinfo=UTC)),
        {2, 3, 4},
    ),
]
UNSUITABLE: Sequence[RowFilter] = [
    RangeFilter(column="id", first="1"),
    RangeFilter(column="name", first=1),
    RangeFilter(column="day", first=datetime(2024, 1, 1, tzinfo=UTC)),
    RangeFilter(column="moment", first=1),
    RangeFilter(column="missing", first=1),
    PeriodFilter(column="id", first=JANUARY[0], last=JANUARY[1]),
]
NO_QUERIES = [
    "DELETE FROM {t}",
    "SELECT 1; DELETE FROM {t}",
    "DROP TABLE {t}",
    "INSERT INTO {t} SELECT * FROM {t}",
    "WITH x AS (SELECT 1) DELETE FROM {t}",
    "SELECT 1) -- \n; DELETE FROM {t} --",
    "COMMIT",
    "",
]


def in_words(where: object) -> str | None:
    """The name of a test of a filter."""
    return f"{where.column} {where.first} {where.last}" if isinstance(where, PeriodFilter | RangeFilter) else None


class WarehouseAsking(ScratchContract):
    """What a warehouse answers."""

    def test_an_address_is_insisted_on_before_anything_is_connected_to(self, empty: Scratch) -> None:
        """So a configuration is checked without a connection."""
        Plugins.load(self.settings()).insist_on_target(empty.url)
        with pytest.raises(EtlError):
            Plugins.load(self.settings()).connect(empty.url.partition(":")[0] + ":")

    def test_it_tells_what_it_is_and_can_be_closed_twice(self, empty: Scratch) -> None:
        """`etl targets test` shows it."""
        with closing(empty.connect()) as warehouse:
            facts = warehouse.check()
            assert facts
            assert all(isinstance(fact, Fact) and fact.label and fact.value for fact in facts)
            assert warehouse.content in ("source", "arrow")
            assert warehouse.default_codec
            warehouse.close()

    def test_tables_are_listed_without_those_of_the_plugin(self, empty: Scratch) -> None:
        """The load ledger and landing tables are nobody's business."""
        before = list(empty.others())
        empty.load("1,,,,,,", "2,,,,,,")
        [mine] = [summary for summary in empty.warehouse.tables() if empty.is_mine(summary.name)]
        assert mine.view is False
        assert mine.rows in (2, None)
        assert mine.changed_at is None or mine.changed_at.tzinfo is UTC
        assert empty.warehouse.describe(mine.name) is not None
        assert list(empty.others()) == before

    def test_a_table_is_described_with_names_and_types(self, scratch: Scratch) -> None:
        """In order; what is not there is None."""
        described = scratch.warehouse.describe(scratch.table)
        assert described is not None
        assert [column.name.casefold() for column in described] == list(COLUMNS)
        kinds = [(column.type.is_number, column.type.kind) for column in described]
        assert [number for number, _ in kinds] == [True, False, False, False, True, False, True]
        assert scratch.warehouse.describe(MISSING) is None

    def test_a_missing_table_is_told_as_such(self, scratch: Scratch) -> None:
        """By every method that needs one."""
        warehouse = scratch.warehouse
        with pytest.raises(UsageError):
            warehouse.reference(MISSING)
        with pytest.raises(UsageError):
            warehouse.rows(MISSING)
        with pytest.raises(UsageError):
            warehouse.measure(MISSING, ())
        with pytest.raises(UsageError):
            warehouse.count_by(MISSING, "day", Unit.DAY)
        with pytest.raises(UsageError):
            warehouse.delete(MISSING, None)

    def test_a_query_answers_with_the_types_of_python(self, scratch: Scratch) -> None:
        """Exact decimals, moments in UTC."""
        [row] = scratch.query("SELECT id, day, moment, seen, amount, name, x FROM {t} WHERE id = ? -- the first", 1)
        moment = datetime(2024, 1, 1)  # noqa: DTZ001 - the column has no time zone
        seen = datetime(2023, 12, 31, 23, 30, tzinfo=UTC)
        assert row == (1, date(2024, 1, 1), moment, seen, Decimal("1.50"), "a", 0.5)
        assert [type(value) for value in row] == [int, date, datetime, datetime, Decimal, str, float]
        assert row[3].utcoffset() == timedelta(0)
        assert scratch.query("SELECT * FROM {t} WHERE id = ?", 6) == ((6, *[None] * 6),)

    def test_values_are_bound_and_never_read_as_sql(self, scratch: Scratch) -> None:
        """Whatever they hold."""
        hostile = "'; DROP TABLE x; -- ü ? \\ \" %s"
        assert scratch.query("SELECT count(*), ? FROM {t}", hostile) == ((6, hostile),)
        assert scratch.query("SELECT id FROM {t} WHERE name = ?", "z?'") == ((5,),)

    def test_a_query_is_cut_off_at_its_limit_and_says_so(self, scratch: Scratch) -> None:
        """A mistake fills no memory."""
        table = scratch.warehouse.reference(scratch.table)
        statement = Statement(f"SELECT id FROM {table} ORDER BY id DESC")  # noqa: S608 - quoted
        cut = scratch.warehouse.query(statement, limit=2)
        assert (cut.rows, cut.complete) == (((6,), (5,)), False)
        whole = scratch.warehouse.query(statement, limit=6)
        assert (len(whole.rows), whole.complete) == (6, True)

    def test_nothing_but_one_query_is_run(self, scratch: Scratch) -> None:
        """Asking changes nothing, whatever is asked."""
        for sql in NO_QUERIES:
            with pytest.raises(EtlError):
                scratch.query(sql)
            assert scratch.ids() == IDS, f"{sql!r} changed the table"

    def test_a_query_that_cannot_be_run_is_named_with_the_reason(self, scratch: Scratch) -> None:
        """It failed, and whoever sent it sees it."""
        with pytest.raises(RunFailed, match=r"(?i)nowhere[\s\S]*SELECT \* FROM nowhere"):
            scratch.warehouse.query(Statement("SELECT * FROM nowhere"))

    def test_a_filter_means_the_same_rows_everywhere(self, scratch: Scratch) -> None:
        """To totals, to counts, and to checks."""
        for where, ids in FILTERS:
            totals = scratch.warehouse.measure(scratch.table, (_ID,), where)
            assert (totals.rows, totals.columns[0].total) == (len(ids), sum(ids)), where
            assert scratch.warehouse.measure(scratch.table, (), where).rows == len(ids), where
            rows = scratch.warehouse.rows(scratch.table, where)
            column = rows.column("id")
            assert column is not None
            answer = rows.query(Statement(f'SELECT "{column.name}" FROM {RELATION} ORDER BY 1'))  # noqa: S608
            assert [row[0] for row in answer.rows] == sorted(ids), where

    def test_a_filter_that_does_not_suit_its_column_is_refused(self, scratch: Scratch) -> None:
        """And named, before anything is asked or deleted."""
        for where in UNSUITABLE:
            with pytest.raises(UsageError, match=where.column):
                scratch.warehouse.measure(scratch.table, (), where)
            with pytest.raises(UsageError, match=where.column):
                scratch.warehouse.delete(scratch.table, where)
        assert scratch.ids() == IDS

    def test_rows_are_counted_by_month_those_without_a_date_first(self, scratch: Scratch) -> None:
        """In order; days are days in UTC."""
        for column in ("day", "moment", "seen"):
            december = [PeriodCount(first=date(2023, 12, 1), rows=1)] if column == "seen" else []
            assert scratch.warehouse.count_by(scratch.table, column, Unit.MONTH) == (
                PeriodCount(first=None, rows=1),
                *december,
                PeriodCount(first=date(2024, 1, 1), rows=3 - len(december)),
                PeriodCount(first=date(2024, 2, 1), rows=2),
            ), column

    def test_days_weeks_and_years_are_counted_too(self, scratch: Scratch) -> None:
        """Weeks begin on Monday."""
        january = PeriodFilter(column="day", first=JANUARY[0], last=JANUARY[1])
        count, table = scratch.warehouse.count_by, scratch.table
        days = [each.first for each in count(table, "day", Unit.DAY, january)]
        assert days == [date(2024, 1, day) for day in (1, 15, 31)]
        weeks = [each.first for each in count(table, "day", Unit.WEEK, january)]
        assert weeks == [date(2024, 1, day) for day in (1, 15, 29)]
        years = [(each.first, each.rows) for each in count(table, "moment", Unit.YEAR)]
        assert years == [(None, 1), (date(2024, 1, 1), 5)]

    def test_what_holds_no_days_cannot_be_counted_by_them(self, scratch: Scratch) -> None:
        """Nor what is not there."""
        for column in ("amount", "missing"):
            with pytest.raises(UsageError, match=column):
                scratch.warehouse.count_by(scratch.table, column, Unit.DAY)
