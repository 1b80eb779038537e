"""What to load and how: the job, with every setting that it may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from etl_framework.columns import Column, TableName
from etl_framework.periods import Period


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
    """An earlier run that ended well and in which a check measured something, for that check to compare with.

    :param run: its id.
    :param finished: when it ended, UTC.
    :param measures: the check's figures; see :class:`~etl_framework.protocols.Measuring`.
    """

    run: str
    finished: datetime
    measures: Mapping[str, Figure]


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
    :param check_timeout: seconds that one check may take for one block.
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
    :param previous: by the name of a check, the last run of the same job into the same table that ended well and in
        which it measured anything; a run that is resumed keeps what it began with.
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
    check_timeout: int = 300
    gate: Gate = Gate.BEFORE_LOAD
    on_bad_rows: OnBadRows = OnBadRows.ABORT
    max_bad_rows: Allowance = Allowance()
    compress: str | None = None
    compress_level: int | None = None
    part_bytes: int = 128 << 20
    block_bytes: int = 16 << 20
    executor: str = "threads:"
    recursive: bool = False
    again: bool = False
    required_plugins: tuple[str, ...] = ()
    use: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, object] = field(default_factory=dict)
    configured: bool = True
    folder: Path = Path()
    previous: Mapping[str, Previous] = field(default_factory=dict)

    def section(self, name: str) -> Mapping[str, object]:
        """A plugin's own configuration: the table ``[jobs.NAME.<name>]`` as read, empty when absent."""
        found = self.sections.get(name, {})
        return MappingProxyType(dict(found)) if isinstance(found, Mapping) else MappingProxyType({})


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
