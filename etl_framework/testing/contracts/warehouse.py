"""The contract of warehouses, second part: loads and deletions are whole, once, and of no other rows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from etl_framework.columns import TableName
from etl_framework.errors import EtlError, Interrupted, Refused
from etl_framework.hookspecs import hookimpl
from etl_framework.periods import Period
from etl_framework.rows import RELATION
from etl_framework.sql import Statement
from etl_framework.tables import RangeFilter, RowFilter
from etl_framework.testing.contracts.base import HOSTILE_NAMES
from etl_framework.testing.contracts.warehouse_asking import FILTERS, WarehouseAsking, in_words
from etl_framework.testing.contracts.warehouse_scratch import IDS, JANUARY, ROWS, Scratch
from etl_framework.totals import compare
from etl_framework.values import Finding, PeriodFilter, Severity, Status

if TYPE_CHECKING:
    from etl_framework.protocols import TableCheck, Validator
    from etl_framework.rows import Rows
    from etl_framework.values import Event

JANUARY_ROWS, FEBRUARY_ROWS = ROWS[:3], ROWS[3:5]


@dataclass
class _Says:
    """A plugin whose check, of files or of rows in the warehouse, finds something."""

    severity: Severity
    in_files: bool = False
    name: str = "contract"
    saw: int | None = None

    @hookimpl
    def etl_validate(self) -> Iterator[Validator]:
        from etl_framework.checks import row_check

        if self.in_files:
            import pyarrow.compute as pc

            yield row_check(self.name, lambda batch: pc.less(batch["id"], 0), severity=self.severity)

    @hookimpl
    def etl_check(self) -> Iterator[TableCheck]:
        yield self

    def run(self, rows: Rows) -> Iterator[Finding]:
        """Count the rows, and object."""
        self.saw = rows.query(Statement(f"SELECT count(*) FROM {RELATION}")).rows[0][0]  # noqa: S608
        yield Finding(rule=self.name, severity=self.severity, count=1, message="the contract says so")


class WarehouseContract(WarehouseAsking):
    """A warehouse loads all or nothing, once, tells what it holds, and deletes what it is told to.

    >>> class TestOurWarehouse(WarehouseContract):
    ...     def url(self, folder):
    ...         return f"ours:{folder / 'w.db'}"

    The plugin must be installed, as for any load, and so must one that reads CSV.

    :cvar odd_names: of columns; leave out those that the warehouse cannot name.
    :cvar odd_ending: of a table's name.
    """

    odd_names: ClassVar[tuple[str, ...]] = HOSTILE_NAMES
    odd_ending: ClassVar[str] = ' "odd" ;\''

    def test_a_load_brings_every_value_and_reconciles(self, empty: Scratch) -> None:
        """The report, the table and the control totals tell the same."""
        report = empty.load(*ROWS).report
        assert (report.rows_loaded, report.reconciled, report.differences) == (6, True, ())
        assert empty.ids() == IDS
        assert report.totals is not None
        assert compare(report.totals, empty.warehouse.measure(empty.table, report.columns)) == ()

    def test_many_parts_arrive_once_each(self, empty: Scratch) -> None:
        """A load of several files in small parts is one load."""
        rows = [f"{number},,,,,name {number}," for number in range(3_000)]
        report = empty.load(*rows, part_size="16KiB").report
        assert report.parts > 1
        assert empty.query("SELECT count(*), count(DISTINCT id), sum(id) FROM {t}") == ((3000, 3000, 4498500),)

    def test_what_is_in_the_table_is_not_loaded_again(self, scratch: Scratch) -> None:
        """Unless somebody insists."""
        with pytest.raises(Refused):
            scratch.load(*ROWS)
        assert scratch.ids() == IDS
        scratch.load(*ROWS, again=True)
        assert scratch.ids() == sorted(IDS * 2)

    def test_the_ledger_knows_every_load(self, empty: Scratch) -> None:
        """Oldest first, with its run, its job, its period, its rows and its time."""
        assert empty.warehouse.ledger(empty.table) == ()
        first = empty.load(*JANUARY_ROWS, file="january.csv").report
        second = empty.load(*FEBRUARY_ROWS, file="february.csv", period="2024-02").report
        entries = empty.warehouse.ledger(empty.table)
        assert [(entry.run, entry.rows) for entry in entries] == [(first.run, 3), (second.run, 2)]
        assert [(entry.job, entry.period) for entry in entries] == [
            (first.job, None),
            (second.job, Period.parse("2024-02")),
        ]
        assert all(entry.loaded_at.tzinfo is UTC for entry in entries)
        assert [entry.sources for entry in entries] == [
            tuple(source.digest for source in report.sources) for report in (first, second)
        ]

    def test_every_mode_changes_the_rows_that_it_means(self, scratch: Scratch) -> None:
        """Append, merge, replace the rows of a period, replace all."""
        scratch.load("7,2024-01-31,,,,,", file="append.csv")
        assert scratch.ids() == [*IDS, 7]
        scratch.load("2,2024-01-15,,,,new,", "8,2024-03-01,,,,,", file="merge.csv", mode="merge", keys=("id",))
        assert scratch.ids() == [*IDS, 7, 8]
        assert scratch.query("SELECT name FROM {t} WHERE id = ?", 2) == (("new",),)
        period = {"mode": "replace-period", "period": "2024-01", "date_column": "day"}
        scratch.load("9,2024-01-02,,,,,", file="period.csv", **period)
        assert scratch.ids() == [4, 5, 6, 8, 9]
        scratch.load("10,,,,,,", file="replace.csv", mode="replace")
        assert scratch.ids() == [10]

    def test_a_load_that_the_gate_refuses_changes_nothing(self, empty: Scratch) -> None:
        """No table, no entry in the ledger, and the same files can be loaded later."""
        outcome = empty.attempt(*ROWS, plugins=[_Says(Severity.ERROR, in_files=True)])
        assert outcome.report.status is Status.REFUSED
        assert empty.warehouse.describe(empty.table) is None
        assert empty.warehouse.ledger(empty.table) == ()
        empty.load(*ROWS)
        assert empty.ids() == IDS

    def test_rows_are_checked_before_they_are_published(self, scratch: Scratch) -> None:
        """An error keeps them out; the check sees the new rows and no others."""
        if not scratch.warehouse.dialect:
            pytest.skip("the warehouse understands no SQL")
        says = _Says(Severity.ERROR)
        outcome = scratch.attempt("7,,,,,,", file="more.csv", check="warehouse", plugins=[says])
        assert (outcome.report.status, says.saw) == (Status.REFUSED, 1)
        assert scratch.ids() == IDS
        assert len(scratch.warehouse.ledger(scratch.table)) == 1
        says = _Says(Severity.WARNING)
        report = scratch.load("7,,,,,,", file="more.csv", check="warehouse", plugins=[says]).report
        assert ("contract", says.saw) in [(finding.rule, 1) for finding in report.findings]
        assert scratch.ids() == [*IDS, 7]

    def test_a_load_that_was_interrupted_is_resumed_and_loaded_once(self, empty: Scratch) -> None:
        """Whatever had been staged by then."""

        def interrupt(event: Event) -> None:
            if event.name == "part_staged":
                raise KeyboardInterrupt

        rows = [f"{number},,,,,name {number}," for number in range(3_000)]
        outcome = empty.attempt(*rows, part_size="16KiB", observers=(interrupt,))
        assert isinstance(outcome.error, Interrupted)
        assert empty.warehouse.describe(empty.table) is None
        resumed = empty.run.workspace().resume()
        assert resumed is not None
        assert (resumed.status, resumed.rows_loaded) == (Status.DONE, 3_000)
        assert empty.query("SELECT count(*), count(DISTINCT id) FROM {t}") == ((3_000, 3_000),)
        assert empty.run.workspace().resume() is None

    def test_a_load_that_was_committed_is_not_made_again(self, empty: Scratch) -> None:
        """Although the program ended before it could write down that it was: the ledger knows the run."""

        def end(event: Event) -> None:
            if (event.name, event.step) == ("step_finished", "load"):
                raise KeyboardInterrupt

        outcome = empty.attempt(*ROWS, observers=(end,))
        assert isinstance(outcome.error, Interrupted)
        assert empty.ids() == IDS, "the load was not committed when it ended"
        try:
            resumed = empty.run.workspace().resume()
        except EtlError as error:
            pytest.fail(f"find_load() must know the run that was committed, but resuming it says: {error.message}")
        assert resumed is not None
        assert (resumed.status, resumed.rows_loaded, resumed.reconciled) == (Status.DONE, 6, True)
        assert empty.ids() == IDS
        assert len(empty.warehouse.ledger(empty.table)) == 1

    def test_any_name_is_quoted(self, empty: Scratch) -> None:
        """Of columns and of tables, in every statement."""
        import csv
        import io

        names = ["id", *self.odd_names]
        text = io.StringIO()
        csv.writer(text).writerows([names, [1, *("x" for _ in self.odd_names)]])
        table = TableName((empty.table.name + self.odd_ending,))
        types = {name: "bigint" if name == "id" else "varchar" for name in names}
        outcome = empty.run(text.getvalue(), target=empty.url, table=str(table), columns=types)
        assert outcome.error is None, str(outcome.error)
        described = empty.warehouse.describe(table)
        assert described is not None
        assert [column.name.casefold() for column in described] == [name.casefold() for name in names]
        assert empty.warehouse.measure(table, described).rows == 1
        last = described[-1].name
        assert empty.warehouse.delete(table, RangeFilter(column=last, first="x", last="x")).rows == 1

    @pytest.mark.parametrize(("where", "ids"), FILTERS, ids=in_words)
    def test_the_rows_of_a_filter_are_deleted_and_no_others(
        self, scratch: Scratch, where: RowFilter, ids: set[int]
    ) -> None:
        """As many as were seen there."""
        deletion = scratch.warehouse.delete(scratch.table, where, expect=len(ids))
        assert deletion.rows == len(ids)
        assert deletion.id
        assert deletion.query_id
        assert scratch.ids() == sorted(set(IDS) - ids)

    def test_nothing_is_deleted_where_the_count_is_not_the_expected_one(self, scratch: Scratch) -> None:
        """Somebody else was there in between."""
        with pytest.raises(Refused):
            scratch.warehouse.delete(scratch.table, RangeFilter(column="id", last=3), expect=2)
        assert scratch.ids() == IDS
        assert len(scratch.warehouse.ledger(scratch.table)) == 1

    def test_what_was_deleted_as_a_whole_counts_as_gone_and_may_be_loaded_again(self, empty: Scratch) -> None:
        """The rest stays known."""
        empty.load(*FEBRUARY_ROWS, file="february.csv")
        empty.load(*JANUARY_ROWS, file="january.csv")
        empty.warehouse.delete(empty.table, PeriodFilter(column="day", first=JANUARY[0], last=JANUARY[1]))
        assert len(empty.warehouse.ledger(empty.table)) == 1
        empty.load(*JANUARY_ROWS, file="january.csv")
        assert empty.ids() == [1, 2, 3, 4, 5]
        with pytest.raises(Refused):
            empty.load(*FEBRUARY_ROWS, file="february.csv")

    def test_a_whole_table_can_be_emptied(self, scratch: Scratch) -> None:
        """And its loads are forgotten."""
        assert scratch.warehouse.delete(scratch.table, None, expect=6).rows == 6
        assert (scratch.ids(), scratch.warehouse.ledger(scratch.table)) == ([], ())

    def test_changes_take_turns(self, scratch: Scratch) -> None:
        """Of two deletions at once, one finds nothing more to delete."""

        def delete(warehouse: Any) -> int:
            return int(warehouse.delete(scratch.table, RangeFilter(column="id", last=3)).rows)

        with closing(scratch.connect()) as other, ThreadPoolExecutor(2) as pool:
            deleted = sorted(pool.map(delete, [scratch.warehouse, other]))
        assert deleted == [0, 3]
        assert scratch.ids() == [4, 5, 6]
