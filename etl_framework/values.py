"""The values that pass between steps and through hooks: frozen, complete, safe to pickle.

In pipeline order: a :class:`Job` names :class:`Source` files; analyzing one gives an :class:`Analysis` with its
:class:`Part` s; a part is packed into :class:`PackedPart` s, uploaded as :class:`StagedPart` s, loaded for a
:class:`Receipt`, and everything together is the :class:`RunReport`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from etl_framework.columns import Column, TableName
from etl_framework.periods import Period
from etl_framework.totals import Difference, Totals

if TYPE_CHECKING:
    from etl_framework.protocols import Format


class Mode(StrEnum):
    """How a load changes its table."""

    APPEND = "append"
    REPLACE = "replace"
    REPLACE_PERIOD = "replace-period"
    MERGE = "merge"


class Gate(StrEnum):
    """When the findings are weighed: before the warehouse loads, or before the first byte leaves."""

    BEFORE_LOAD = "before-load"
    BEFORE_UPLOAD = "before-upload"


class OnBadRows(StrEnum):
    """What becomes of a run with bad rows."""

    ABORT = "abort"
    QUARANTINE = "quarantine"


class Check(StrEnum):
    """Where the quality of the data is checked; the structure of a file always is."""

    FILE = "file"
    WAREHOUSE = "warehouse"
    BOTH = "both"
    NONE = "none"


class Severity(StrEnum):
    """What a finding means for the run: an error stops it at the gate."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many bad rows a quarantine may take: a number of rows, or a share of all rows.

    :param rows: most rows, or None when a share is given.
    :param share: most bad rows as a fraction of all rows, 0 to 1, or None.
    """

    rows: int | None = None
    share: float | None = None

    def permits(self, bad: int, of: int) -> bool:
        """Whether ``bad`` rows of ``of`` rows are within the allowance; no limit permits all."""
        if self.rows is not None:
            return bad <= self.rows
        return self.share is None or bad <= self.share * of

    def __str__(self) -> str:
        if self.rows is not None:
            return str(self.rows)
        return "no limit" if self.share is None else f"{self.share * 100:g}%"


Figure = int | float | None
"""What a check measured; None where there was nothing to measure."""

Measures = Mapping[str, Mapping[str, Figure]]
"""What the checks of a run measured: of each check, by its name, its figures by theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """An earlier run that ended well, for checks that compare.

    :param run: its id.
    :param finished: when it ended, UTC.
    :param measures: what its checks measured; see :class:`~etl_framework.protocols.Measuring`.
    """

    run: str
    finished: datetime
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to load and how, with every default filled in.

    :param name: the job's name in ``etl.toml``, or the table's for a bare file.
    :param patterns: paths, globs and patterns of the sources, absolute.
    :param table: where the rows go.
    :param target: URL of the warehouse.
    :param columns: the declared columns; empty when all are inferred.
    :param mode: how the table changes.
    :param period: first and last day that the run covers, or None.
    :param date_column: the column that tells a row's day, for ``replace-period``.
    :param keys: the columns that identify a row, for ``merge``.
    :param check: where the quality of the data is checked.
    :param gate: when the findings are weighed.
    :param on_bad_rows: what becomes of a run with bad rows.
    :param max_bad_rows: how many of them a quarantine may take.
    :param compress: the codec of staged parts; None leaves it to the warehouse.
    :param compress_level: the codec's level; None for the codec's own default.
    :param part_bytes: nominal size of a part, in bytes of the source.
    :param block_bytes: nominal size of a block, in bytes.
    :param executor: URL of what runs the parts.
    :param recursive: whether patterns look into subfolders.
    :param again: load although the ledger says that these very sources are in the table already.
    :param required_plugins: names of plugins without which the job must not run.
    :param use: who is to answer where several plugins could: the plugin's name by question (``analyze``, …).
    :param sections: the plugins' own configuration, by section name (``format``, ``checks``, …).
    :param configured: whether it stands in ``etl.toml``; bare files have only ``[defaults]``.
    :param folder: from which relative paths in the sections count: that of ``etl.toml``, or the current one.
    :param previous: the last run of the same job into the same table that ended well and measured anything; a run that
        is resumed keeps what it began with.
    """

    name: str
    patterns: tuple[str, ...]
    table: TableName
    target: str
    columns: tuple[Column, ...] = ()
    mode: Mode = Mode.APPEND
    period: Period | None = None
    date_column: str | None = None
    keys: tuple[str, ...] = ()
    check: Check = Check.FILE
    gate: Gate = Gate.BEFORE_LOAD
    on_bad_rows: OnBadRows = OnBadRows.ABORT
    max_bad_rows: Allowance = Allowance()
    compress: str | None = None
    compress_level: int | None = None
    part_bytes: int = 128 << 20
    block_bytes: int = 8 << 20
    executor: str = "threads:"
    recursive: bool = False
    again: bool = False
    required_plugins: tuple[str, ...] = ()
    use: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, object] = field(default_factory=dict)
    configured: bool = True
    folder: Path = Path()
    previous: Previous | None = None

    def section(self, name: str) -> Mapping[str, object]:
        """A plugin's own configuration: the table ``[jobs.NAME.<name>]`` as read, empty when absent."""
        found = self.sections.get(name, {})
        return MappingProxyType(dict(found)) if isinstance(found, Mapping) else MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to load, and what identifies its content: a changed source is refused.

    :param path: absolute path.
    :param size: bytes.
    :param modified_ns: time of the last change, in nanoseconds since 1970.
    :param changed_ns: time at which content or metadata last changed (POSIX ``ctime``), which nobody can put back.
    :param inode: the file system's number of the file.
    :param digest: xxh3-128 of the size and of the first and last 64 KiB, in hexadecimal.
    """

    path: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    digest: str

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record-aligned byte range of a source: the unit of work, of retry, of resume and of distribution.

    The parts of a source, concatenated, are the source, byte for byte; what is no record (a byte order mark, a
    header) lies at the beginning of the first part. A source that cannot be cut, such as a compressed one, is one part.

    :param source: index of the source within the run.
    :param number: index of the part within the run, from 0, in the order of the data.
    :param start: first byte.
    :param end: one past the last byte.
    """

    source: int
    number: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes of the source that the part covers."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayout:
    """How the bytes of staged parts that hold a source's own records are to be read: what a warehouse needs to know.

    They are UTF-8, whatever the source was in, and hold neither a header nor bad rows.

    :param fields: names of the fields, in the order of the records; some may be none that the run loads.
    :param delimiter: between fields; one or several characters.
    :param quote: around fields, doubled within; None when quotes have no meaning.
    :param escape: takes the special meaning from the next character; or None.
    :param newline: what ends records: LF (or CR LF), or CR.
    :param null_values: texts that are null in columns other than text; in text columns only the empty unquoted one is.
    :param rewritten: whether these are not the source's own records but typed values written anew, dates and times as
        ISO 8601, whatever the formats of the columns say.
    """

    fields: tuple[str, ...]
    delimiter: str
    quote: str | None
    escape: str | None
    newline: str
    null_values: tuple[str, ...]
    rewritten: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a record begins.

    :param part: number of the part.
    :param line: line within the part, from 1; the core turns it into the line of the file once all parts are read.
    :param offset: byte within the source (for a compressed one, within what it decompresses to).
    """

    part: int
    line: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A record that cannot be loaded.

    :param position: where it begins.
    :param rule: which check it fails: ``too_few_fields``, ``wrong_type``, ….
    :param column: which column, or None when the record as a whole is bad.
    :param value: the offending value as text, shortened to 200 characters.
    :param reason: one sentence.
    :param data: the record's original bytes with its line end.
    """

    position: Position
    rule: str
    column: str | None
    value: str | None
    reason: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One place where a finding shows.

    :param file: path of the source, or None when the finding is about a table.
    :param line: line of the file, from 1; within its part while ``part`` is set.
    :param offset: byte offset of the record.
    :param column: which column, or None for the whole record.
    :param value: the value as text.
    :param reason: why it is bad.
    :param part: number of the part while the line is not yet known within the file; None afterwards.
    """

    file: str | None = None
    line: int | None = None
    offset: int | None = None
    column: str | None = None
    value: str | None = None
    reason: str = ""
    part: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    :param rule: the check's name, as in the configuration.
    :param severity: whether it stops the run.
    :param count: how often.
    :param message: one line: what is wrong.
    :param advice: the likely cause and what to do.
    :param samples: the first places, in the order of the data.
    :param cause: what it comes of, in a word that other checks know, such as ``NO_ROWS``: of findings with an equal
        cause one is told. Empty where it speaks for itself.
    :param also: the rules of those that are not told beside it; the core names them.
    """

    rule: str
    severity: Severity
    count: int
    message: str
    advice: str = ""
    samples: tuple[Sample, ...] = ()
    cause: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line for people, of an analysis (``delimiter``, ``tab``) or of what a warehouse found about itself.

    :param ok: whether it is as a load needs it.
    :param advice: what to do, several lines where there are several commands; with ``ok``, what is worth knowing.
    """

    label: str
    value: str
    ok: bool = True
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What a run left behind in a staging area.

    :param run: id of the run, as it stands in the staging area.
    :param place: which staging area it lies in, as the warehouse names it.
    :param files: how many staged files.
    :param bytes: of those files.
    :param tables: names of the tables that it left, other than loaded ones.
    :param written: when the last of it was written, UTC; None when the warehouse does not tell.
    """

    run: str
    place: str
    files: int = 0
    bytes: int = 0
    tables: tuple[str, ...] = ()
    written: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is known of one source before its data is read.

    :param source: the file.
    :param format: how to split and to read it; see :class:`~etl_framework.protocols.Format`.
    :param columns: in the order of the file.
    :param rows: number of records, an estimate unless ``rows_exact``.
    :param rows_exact: whether ``rows`` was counted.
    :param facts: the format in words, for people; files of one format have the same facts.
    :param findings: what is odd about the source; an error among them refuses the run before any data is read.
    """

    source: Source
    format: Format
    columns: tuple[Column, ...]
    rows: int
    rows_exact: bool = False
    facts: tuple[Fact, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPart:
    """A part, checked and compressed, in a local file: ready to upload.

    A part that is larger than the job's part size, as a compressed source may be, is packed in several pieces.

    :param part: number of the part.
    :param piece: index within the part, from 0.
    :param path: the local file; the uploader may move it.
    :param name: the immutable name in the staging area: number, piece and digest.
    :param size: bytes of the file.
    :param digest: xxh3-128 of the file, in hexadecimal.
    :param rows: records in it.
    """

    part: int
    piece: int
    path: Path
    name: str
    size: int
    digest: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedPart:
    """A packed part that lies in the warehouse's staging area, verified.

    :param part: number of the part.
    :param piece: index within the part.
    :param name: name in the staging area.
    :param size: bytes, as the staging area tells.
    :param digest: xxh3-128 of the bytes, in hexadecimal.
    :param rows: records in it.
    """

    part: int
    piece: int
    name: str
    size: int
    digest: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a load returns.

    :param rows: rows loaded.
    :param deleted: rows that the load removed or replaced.
    :param query_id: the warehouse's name for the statement or transaction.
    :param totals: control totals of the loaded rows, measured by SQL in the warehouse before the commit.
    :param created: whether nothing older is in the table: the load created it, or found it empty where making a table
        is no part of its transaction.
    :param findings: of the checks of its rows in the warehouse; see ``Run.audit``.
    """

    rows: int
    deleted: int
    query_id: str
    totals: Totals
    created: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One load as the warehouse's own load ledger tells it.

    :param run: id of the run.
    :param sources: digests of the run's sources, sorted.
    :param rows: rows loaded.
    :param loaded_at: when, in UTC.
    """

    run: str
    sources: tuple[str, ...]
    rows: int
    loaded_at: datetime


class Status(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """How long a step took.

    :param step: ``analyze``, ``validate``, ``load``.
    :param seconds: wall time.
    """

    step: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """The outcome of a run, whole: what reporters and notifiers receive and ``load`` returns.

    :param rows_read: records in the sources; of a run that ended early, those in the parts that were read by then.
    :param rows_staged: records in the staged parts; ``rows_read - rows_quarantined`` when all of them were staged.
    :param rows_quarantined: bad rows that were set aside so that the others could be loaded.
    :param rows_bad: bad rows, whether or not they were set aside.
    :param rows_loaded: what the warehouse says that it loaded.
    :param bytes_read: bytes of the sources that were read and checked; all of them unless the run ended early.
    :param bytes_staged: size of the staged parts.
    :param totals: control totals of the sources.
    :param differences: control totals in which the table differs; empty when reconciled.
    :param counted_only: whether the rows alone were compared, and no column was.
    :param measures: what the checks measured, for the next run to compare with.
    :param steps: wall time of each step, over every attempt of the run.
    :param rejects: reject files written, original bytes and reasons.
    :param problems: what went wrong without failing the run, such as a notifier that raised.
    :param attempts: how often the run was begun: 1, and one more for each resume.
    :param error: why the run failed; empty otherwise.
    :param advice: what to do about it.
    :param resumable: whether ``etl resume`` can carry the run on.
    :param program: how ``etl`` is called for the run's project, quoted for a shell: ``etl -c sub/etl.toml``; a command
        such as ``resume`` comes after it.
    :param replayed: True when an old report is shown again; notifiers ignore it.
    :param folder: the run's own folder below the state folder, for reporters that write files.
    :param console: whether to print the report to standard output; set by the command line.
    """

    run: str
    job: str
    table: str
    target: str
    mode: Mode
    period: str | None
    status: Status
    started: datetime
    finished: datetime
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    parts: int
    rows_read: int
    rows_staged: int
    rows_quarantined: int
    rows_bad: int
    rows_loaded: int
    rows_deleted: int
    bytes_read: int
    bytes_staged: int
    totals: Totals | None
    differences: tuple[Difference, ...]
    counted_only: bool = False
    findings: tuple[Finding, ...]
    steps: tuple[StepTime, ...]
    rejects: tuple[str, ...]
    query_id: str
    folder: Path
    attempts: int = 1
    problems: tuple[str, ...] = ()
    error: str = ""
    advice: str = ""
    resumable: bool = False
    program: str = "etl"
    replayed: bool = False
    console: bool = False
    measures: Measures = field(default_factory=dict)

    @property
    def reconciled(self) -> bool:
        """Whether the table was proven to hold what the sources hold."""
        return self.status is Status.DONE and not self.differences

    @property
    def seconds(self) -> float:
        """Wall time of the run's steps."""
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run, for bars, logs and dashboards.

    :param name: a short constant: ``run_started``, ``step_started``, ``step_finished``, ``part_started``,
        ``part_progress``, ``part_packed``, ``part_staged``, ``survey_changed``, ``load_waits`` (for another load),
        ``load_proceeds`` (after the wait), ``load_progress`` (often, while the warehouse works), ``load_again`` (after
        an attempt that failed), ``run_finished``.
    :param run: id of the run.
    :param step: the step it belongs to.
    :param part: number of the part, or None.
    :param bytes: bytes done: of the part for part events, of everything for step events; None when it does not apply.
    :param total_bytes: of how many.
    :param rows: rows done.
    :param message: a sentence for people, often empty.
    """

    name: str
    run: str
    step: str = ""
    part: int | None = None
    bytes: int | None = None
    total_bytes: int | None = None
    rows: int | None = None
    message: str = ""


def in_file(sample: Sample, lines_before: Mapping[int, int]) -> Sample:
    """The sample with its line counted from the beginning of the file.

    :param lines_before: by part number, the lines of the same source that precede the part.
    """
    if sample.part is None or sample.line is None:
        return sample
    return dataclasses.replace(sample, line=sample.line + lines_before.get(sample.part, 0), part=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFilter:
    """Which rows of a table a period covers.

    :param column: the date or timestamp column.
    :param first: first day.
    :param last: last day, included.
    """

    column: str
    first: date
    last: date
