"""The protocols of objects that plugins hand to the core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, Self, TypeVar, runtime_checkable

from etl_framework.columns import Column, TableName
from etl_framework.values import (
    BadRow,
    Event,
    Fact,
    Figure,
    Finding,
    Job,
    LedgerEntry,
    Leftover,
    Part,
    PeriodFilter,
    Position,
    Receipt,
    Sample,
    Source,
    StagedPart,
    TextLayout,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_framework.profiles import Profile
    from etl_framework.rows import Rows
    from etl_framework.sql import Statement
    from etl_framework.tables import Deletion, PeriodCount, QueryResult, RowFilter, TableSummary, Unit
    from etl_framework.totals import Totals

T = TypeVar("T")
R = TypeVar("R")
Emit = Callable[[Event], None]


class Block(Protocol):
    """Some MiB of a part, parsed. Valid only until the next block of the same part is asked for.

    :ivar source: path of the file.
    :ivar part: number of the part.
    :ivar data: the good records' bytes in UTF-8, in the order of the file, without header or byte order mark.
    :ivar batch: the same records, typed; one row each, one column per column of the run.
    :ivar bad_rows: the records that are not in ``data`` and ``batch``.
    :ivar lines: physical lines that the block covers, good, bad and blank.
    :ivar consumed: bytes of the source that the block covers.
    """

    source: str
    part: int
    data: bytes | bytearray | memoryview
    batch: pa.RecordBatch
    bad_rows: Sequence[BadRow]
    lines: int
    consumed: int

    def position(self, row: int) -> Position:
        """Where the record of row ``row`` of ``batch`` begins; computed when asked, so cheap when nothing is wrong."""

    def positions(self, rows: Sequence[int]) -> Sequence[Position]:
        """The same of several rows, in ascending order; costs little more than one."""


@runtime_checkable
class Located(Protocol):
    """What a block offers beside :class:`Block` when it can tell at once where all of its rows begin."""

    def offsets(self) -> NDArray[np.int64]:
        """Of each row of ``batch``, the byte within the source at which its record begins; see :class:`Position`."""


@runtime_checkable
class Lined(Protocol):
    """What a block offers beside :class:`Block` when it can tell at once on which lines all of its rows begin."""

    def row_lines(self) -> NDArray[np.int64]:
        """Of each row of ``batch``, the line within the part; see :class:`Position`."""


class Format(Protocol):
    """How to split and to read one source. Picklable: it travels to worker processes and into the journal."""

    @property
    def name(self) -> str:
        """Of the format, such as ``delimited``."""

    def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        """Cut the source at record boundaries.

        A cut may be guessed from the data around it; :meth:`read` proves it.

        :param part_bytes: nominal size of a part, bytes.
        :returns: (start, end) of each part; the first starts at 0, each starts where the one before ends, the last
            ends at the source's size. An empty source has one empty part.
        """

    def split_exactly(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        """The same by reading everything before each cut; asked after :class:`MisplacedCut`."""

    def read(self, source: Source, part: Part, columns: Sequence[Column], block_bytes: int) -> Iterator[Block]:
        """The blocks of one part, in order.

        Inferred columns (``declared=False``) whose values do not fit are not bad rows: the rest of the part is read
        to learn all that does not fit, then :class:`TypesWidened` is raised.

        :param columns: the columns of the run.
        :param block_bytes: nominal size of a block; a longer record makes a larger one.
        :raises MisplacedCut: the part does not begin or end at a record boundary.
        :raises TypesWidened: inferred columns need a wider type.
        :raises InputError: the source cannot be read any further.
        """

    def text_layout(self) -> TextLayout | None:
        """How :attr:`Block.data` is to be read; None when it is no delimited text."""

    def count_rows(self, source: Source, workers: int) -> int:
        """Exact number of records, reading everything but parsing nothing.

        :param workers: threads to use.
        """


class MisplacedCut(Exception):
    """A part does not begin or end at a record boundary: the cuts of its source must be made exactly."""


class TypesWidened(Exception):
    """Inferred columns turn out to need a wider type.

    :param columns: the columns of the run, those that need it widened.
    :param findings: one for each widened column (severity info), with the first value that did not fit.
    """

    def __init__(self, columns: Sequence[Column], findings: Sequence[Finding]) -> None:
        super().__init__(tuple(columns), tuple(findings))
        self.columns = tuple(columns)
        self.findings = tuple(findings)


class Validator(Protocol):
    """A mergeable check: one accumulator per part, merged in any order into a new one, which finishes.

    Picklable after any ``update``: it travels between processes and rests in the journal. What cannot be pickled, it
    may leave behind: one that travelled is only merged into another.
    """

    name: str

    def update(self, block: Block) -> None:
        """Look at the next block of the part; the batch must not be changed or kept."""

    def merge(self, other: Self) -> None:
        """Take in what another accumulator of the same check saw; the order of parts must not matter."""

    def finish(self) -> Iterable[Finding]:
        """The findings; samples may hold a position within a part (``Sample.part``)."""


@runtime_checkable
class Spilling(Protocol):
    """What a validator offers beside :class:`Validator` when it keeps more than memory should hold.

    It writes to files, whose paths travel with it. Merging and finishing read them; they are there until the run ends.
    A new one that takes in all others and finishes has no folder of its own.
    """

    def spill_to(self, folder: Path) -> None:
        """Write files into this folder only; called before the first ``update`` of a part.

        :param folder: empty, there, and of this accumulator alone.
        """

    def settle(self) -> None:
        """Write out what is still in memory, and close the files: the part has ended."""

    def is_whole(self) -> bool:
        """Whether the files are as ``settle`` left them, by their names and sizes; asked when a run is resumed.

        Where they are not, the part is read again.
        """


@runtime_checkable
class Measuring(Protocol):
    """What a check offers beside :class:`Validator` or :class:`TableCheck` when later runs are to know its figures.

    They are kept with the run's report and are there as ``Job.previous`` when the job runs the next time.
    """

    def measures(self) -> Mapping[str, Figure]:
        """The figures by name, of everything that was seen; asked after ``finish``, or after ``run``."""


class Profiler(Protocol):
    """Makes a profile: one accumulator per part, merged in any order, finished once.

    Picklable after any ``update``: it travels between processes.
    """

    def update(self, block: Block) -> None:
        """Look at the next block of the part, one without good rows included; nothing of it must be changed or kept."""

    def merge(self, other: Self) -> None:
        """Take in what another accumulator saw; the order of parts must not matter."""

    def finish(self) -> Profile:
        """The profile of everything that was seen."""


@runtime_checkable
class Asking(Protocol):
    """What a validator offers beside :class:`Validator` when it has to know something of the warehouse.

    :ivar insists: whether it cannot do without; else a warehouse that is out of reach hinders nothing.
    """

    insists: bool

    def ask(self, warehouse: Warehouse) -> object:
        """Ask, before the first part is read; called once, of an accumulator that sees no block.

        A run that is resumed asks no second time: its parts are judged by one answer.

        :returns: what every part's accumulator is told; picklable, and small enough to be in memory many times.
        :raises UsageError: the question makes no sense.
        :raises RunFailed: the warehouse cannot answer.
        """

    def tell(self, answer: object | None) -> None:
        """Take the answer in; called before the first ``update`` of a part, with None where nobody could be asked."""


class TableCheck(Protocol):
    """A check of rows that are in a warehouse, by SQL.

    :ivar name: the rule's name in findings; the same as that of the check of files that asks the same.
    """

    name: str

    def run(self, rows: Rows) -> Iterable[Finding]:
        """Ask, and tell what was found.

        :raises RunFailed: the warehouse cannot run the query; the check then counts as failed.
        :raises UsageError: the rows do not suit the check, for example because a column is missing.
        """


class Compressor(Protocol):
    """A compressor for one stream."""

    def feed(self, data: bytes | bytearray | memoryview, /) -> bytes:
        """Take bytes in, give what is ready, possibly nothing."""

    def finish(self) -> bytes:
        """End the stream and give the rest. Nothing may be fed afterwards."""


class Codec(Protocol):
    """A compression, at one level. Picklable.

    :ivar name: as in ``compress = "zstd"``.
    :ivar suffix: what file names end with, such as ``.zst``; empty for none.
    """

    name: str
    suffix: str

    def compressor(self) -> Compressor:
        """A compressor for a new stream."""

    def reader(self, raw: BinaryIO) -> BinaryIO:
        """A readable stream of what the compressed stream ``raw`` holds; raises on a damaged or truncated one."""


def _nowhere(part: int, row: int) -> None:  # noqa: ARG001 - stands in for what finds rows
    return None


def _unaudited(rows: Rows) -> tuple[Finding, ...]:  # noqa: ARG001 - stands in for the checks of a run
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job, as plugins see it.

    :param id: sortable, unique.
    :param job: what to load.
    :param sources: the files.
    :param columns: in the order of the table's load, final when loading.
    :param folder: the run's own folder for files that must survive a crash.
    :param codec: the codec of the staged parts.
    :param emit: reports progress; cheap.
    :param totals: control totals of the sources; None before they are known.
    :param layouts: of each source, how the bytes of its staged parts are to be read; None where they are no text.
    :param parts: of all sources, in the order of the data.
    :param locate: where the good row of a part lies, given the part's number and the row's index within it, from 0;
        reads the part anew. For messages of a warehouse that found fault with a row.
    :param audit: makes the job's checks of the rows that are about to be published, raises
        :class:`~etl_framework.errors.Refused` when they must not be, and else gives the findings for the receipt.
        To be called before the load's transaction commits; it asks queries only.
    """

    id: str
    job: Job
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    folder: Path
    codec: Codec
    emit: Emit
    totals: Totals | None = None
    layouts: tuple[TextLayout | None, ...] = ()
    parts: tuple[Part, ...] = ()
    locate: Callable[[int, int], Sample | None] = field(default=_nowhere, compare=False)
    audit: Callable[[Rows], tuple[Finding, ...]] = field(default=_unaudited, compare=False)

    def layout(self, part: int) -> TextLayout | None:
        """How the bytes of a staged part are to be read."""
        return self.layouts[self.parts[part].source]

    @property
    def period_filter(self) -> PeriodFilter | None:
        """The rows that the run's period covers, when the job has both a period and a date column."""
        if self.job.period is None or self.job.date_column is None:
            return None
        return PeriodFilter(column=self.job.date_column, first=self.job.period.first, last=self.job.period.last)


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
        """What the load ledger knows of this very run; None when it was never committed."""

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


class Executor(Protocol):
    """Runs the parts of a run.

    :ivar workers: how many at a time.
    """

    workers: int

    def run(self, task: Callable[[T, Emit], R], items: Iterable[T], emit: Emit) -> Iterator[R]:
        """Call ``task(item, emit)`` for each item, give the results as they come.

        At most ``workers`` items are in flight, so that items are taken only when there is a worker for them. An
        exception of a task is raised here, after the tasks in flight have ended; closing the iterator also waits
        for them.

        :param task: picklable; calls ``emit`` with progress.
        :param emit: where the tasks' events go, called from any thread.
        """

    def stop(self) -> None:
        """Ask the tasks in flight to end at their next block; they raise :class:`Interrupted`."""

    def close(self) -> None:
        """End what is in flight and release the workers; twice is no error."""
