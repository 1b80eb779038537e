"""What rows are loaded into, and what a warehouse may offer beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from etl_framework.columns import Column, TableName
    from etl_framework.protocols.runs import Run
    from etl_framework.rows import Rows
    from etl_framework.sql import Statement
    from etl_framework.tables import Deletion, PeriodCount, QueryResult, RowFilter, TableSummary, Unit
    from etl_framework.totals import Totals
    from etl_framework.values import Fact, Job, LedgerEntry, Leftover, Receipt, StagedPart, TextLayout


@runtime_checkable
class Warehouse(Protocol):
    """A connection to a warehouse, owned by one run.

    :ivar url: as configured, without secrets.
    :ivar content: what a staged part holds: ``source``, the records' bytes in the source's own format, or ``arrow``,
        an Arrow IPC stream of the typed batches.
    :ivar default_codec: name of the codec for staged parts when the job names none.
    :ivar dialect: the SQL of its queries, by the name that sqlglot has for it: ``duckdb``, ``snowflake``, ….
    """

    url: str
    content: Literal["source", "arrow"]
    default_codec: str
    dialect: str

    def reads(self, layout: TextLayout, columns: Sequence[Column]) -> bool:
        """Whether the warehouse reads from such records the very values that the run read.

        Where it does not, the parts of that source are staged as plain text that is written anew. Asked of those whose
        content is ``source``.

        :param columns: of the run.
        """

    def describe(self, table: TableName) -> tuple[Column, ...] | None:
        """The table's columns in order, or None when there is no such table."""

    def tables(self) -> tuple[TableSummary, ...]:
        """Every table and view of the database that the connection may see, by name.

        The plugin's own, such as the load ledger and landing tables, are not among them.
        """

    def reference(self, table: TableName) -> str:
        """The whole name of a table or view, quoted, for SQL that others write.

        :raises UsageError: there is no such table.
        """

    def query(self, statement: Statement, *, limit: int = ...) -> QueryResult:
        """Run one SELECT, which cannot change anything.

        :param limit: the most rows of the answer, so that a mistake fills no memory; 100,000 when it is left out.
        :raises UsageError: it is no query, or more than one statement.
        :raises RunFailed: the warehouse cannot run it; the message says why, and names it.
        """

    def rows(self, table: TableName, where: RowFilter | None = None) -> Rows:
        """A table's rows as something to query; asking about them cannot change anything.

        :param where: which rows; None for all.
        :raises UsageError: there is no such table, or the filter does not suit it.
        """

    def measure(self, table: TableName, columns: Sequence[Column], where: RowFilter | None = None) -> Totals:
        """Control totals of a table's rows, by SQL, of each column as the type that is asked for.

        :param columns: which; without any, only the rows are counted.
        :param where: which rows; None for all.
        :raises UsageError: there is no such table or column, or the filter does not suit it.
        """

    def count_by(
        self, table: TableName, column: str, unit: Unit, where: RowFilter | None = None
    ) -> tuple[PeriodCount, ...]:
        """How many rows lie in each day, week, month or year that has any, in order; first those without a date.

        :param column: of dates or timestamps; days are days in UTC.
        :raises UsageError: there is no such table or column, it tells no day, or the filter does not suit it.
        """

    def delete(self, table: TableName, where: RowFilter | None, *, expect: int | None = None) -> Deletion:
        """Delete rows, in one transaction that also writes the load ledger; it takes turns with loads.

        Loads whose rows are all within the filter then count as gone: see :meth:`ledger`.

        :param where: which rows; None for all.
        :param expect: how many rows the caller has seen there; None deletes however many there are.
        :raises UsageError: there is no such table, it is no table of the user's, or the filter does not suit it.
        :raises Refused: there are more or fewer rows than expected; nothing was deleted.
        :raises RunFailed: anything else went wrong; nothing was deleted.
        """

    def differences(self, run: Run) -> tuple[str, ...]:
        """Why the run's columns do not fit the table as it is, a sentence each; empty when they do or it is missing."""

    def statements(self, run: Run) -> tuple[str, ...]:
        """The SQL that a load of the run would send, for ``etl plan``."""

    def has_staged(self, part: StagedPart, run: Run) -> bool:
        """Whether the staged part is there, whole: asked on resume."""

    def discard_staged(self, run: Run) -> None:
        """Remove everything that the run staged, and only that; nothing to remove is no error."""

    def find_load(self, run: Run) -> Receipt | None:
        """What the load ledger knows of this very run; None when it was never committed.

        It is asked of a run whose process was killed, too: what that one left open is to be ended before, so that
        nobody waits for it.
        """

    def ledger(self, table: TableName) -> tuple[LedgerEntry, ...]:
        """Every load of the table that the ledger knows and that is still in the table, oldest first."""

    def check(self, load_bytes: int | None = None, jobs: Sequence[Job] = ()) -> tuple[Fact, ...]:
        """What ``etl targets test`` shows: version, address, what the account may do, what a load would lack.

        Nothing that stays is changed.

        :param load_bytes: the most bytes that one load would bring at once, when that is known.
        :param jobs: those that load into this target.
        :raises ConnectError: the warehouse cannot be used.
        """

    def close(self) -> None:
        """End the connection; twice is no error."""


@runtime_checkable
class Capacity(Protocol):
    """What a warehouse offers beside :class:`Warehouse` when its power can be too little, or too much, for a load."""

    def capacity(self, load_bytes: int) -> tuple[Fact, ...]:
        """What is worth knowing before so many bytes are loaded; empty when nothing is. For ``etl plan``."""


@runtime_checkable
class StagingArea(Protocol):
    """What a warehouse offers beside :class:`Warehouse` when runs may leave something behind in it.

    One whose staged parts lie in the run's own folder needs none: pruning the run removes them.
    """

    def leftovers(self, tables: Sequence[TableName] = ()) -> tuple[Leftover, ...]:
        """Everything that runs left behind, those that are under way included; other people's things are not listed.

        :param tables: whose staging areas are looked at, beside the target's own.
        """

    def remove_leftover(self, leftover: Leftover) -> None:
        """Remove what a run left behind, and only that; nothing to remove is no error."""
