"""Keys that more than one row has: exact, whatever the number of rows, in bounded memory.

In the pass over the data each row's key is hashed to 64 bits. The hashes go to disk as sorted runs, the keys themselves
as they are, in the order of the rows. Afterwards the runs are merged, a span of hashes at a time: a hash that occurs
once belongs to a key that occurs once, so that where none repeats nothing more is read. Else the keys of the repeated
hashes are read, and DuckDB groups them, by the keys and not by the hashes: what is counted rests on no hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from etl_framework import quote
from etl_quality.hash_runs import Suspects, suspects
from etl_quality.key_hashes import hashes
from etl_quality.spilled_keys import Spilled, Stretch, Writer

if TYPE_CHECKING:
    from etl_framework import Block
    from etl_quality.key_hashes import Bits

RUN_ROWS = 1 << 20
"""Rows whose hashes an accumulator holds in memory: 8 MiB, and as much again while they are sorted."""

SPAN_ROWS = 1 << 21
"""Hashes that are merged at once, by each of two threads: 16 MiB, and as much again while they are put together."""

GROUPING_MEMORY = "256MB"
"""What DuckDB may take to group the rows whose hashes repeat; what does not fit goes to disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a row lies.

    :param file: path of the source.
    :param part: number of the part.
    :param line: within the part, from 1.
    """

    file: str
    part: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedKey:
    """A key that more than one row has.

    :param values: of the columns of the key.
    :param rows: how many rows have it.
    :param places: the first of them, in the order of the data.
    """

    values: tuple[Any, ...]
    rows: int
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How often keys repeat.

    :param rows: all rows.
    :param keys: keys that more than one row has.
    :param extra: rows beyond the first of each key.
    :param worst: the keys with the most rows; among equals, those that sort first.
    """

    rows: int
    keys: int = 0
    extra: int = 0
    worst: tuple[RepeatedKey, ...] = ()


class RepeatedKeys:
    """Counts the keys that more than one row has: all of a validator but its name and its findings.

    Equal are keys that SQL's ``GROUP BY`` takes to be equal: texts by their bytes, numbers and times by their values,
    and null is equal to null.

    :param keys: names of the columns.
    :param run_rows: see :data:`RUN_ROWS`.
    :param span_rows: see :data:`SPAN_ROWS`.
    """

    def __init__(self, keys: Sequence[str], *, run_rows: int = RUN_ROWS, span_rows: int = SPAN_ROWS) -> None:
        self.keys = tuple(keys)
        self.rows = 0
        self._run_rows = run_rows
        self._span_rows = span_rows
        self._open: Writer | None = None
        self._spilled: list[Spilled] = []

    @property
    def buffered(self) -> int:
        """Rows whose hashes are in memory."""
        return self._open.buffered if self._open else 0

    def spill_to(self, folder: Path) -> None:
        """See :meth:`etl_framework.Spilling.spill_to`."""
        self._open = Writer(folder, self.keys, self._run_rows)

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        assert self._open is not None, "it must be told first where to spill to"
        self.rows += block.batch.num_rows
        self._open.write(block)

    def settle(self) -> None:
        """See :meth:`etl_framework.Spilling.settle`."""
        if self._open is not None:
            if spilled := self._open.close():
                self._spilled.append(spilled)
            self._open = None

    def is_whole(self) -> bool:
        """See :meth:`etl_framework.Spilling.is_whole`."""
        return all(spilled.is_whole() for spilled in self._spilled)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self.rows += other.rows
        self._spilled += other._spilled

    def repetition(self, worst: int, places: int) -> Repetition:
        """How often keys repeat.

        :param worst: how many keys to name.
        :param places: how many rows of each to place.
        """
        parts = sorted(self._spilled, key=lambda spilled: spilled.stretches[0].part)
        found = suspects([run for part in parts for run in part.runs], self._span_rows)
        if not found.any:
            return Repetition(rows=self.rows)
        keys, extra, table = _grouped(parts, found, worst)
        counted = table.column(table.num_columns - 1).to_pylist()
        named = table.drop_columns([table.column_names[-1]])
        rows = [tuple(row) for row in zip(*(column.to_pylist() for column in named.columns), strict=True)]
        placed = _Search(rows, hashes([column.combine_chunks() for column in named.columns]), places).among(parts)
        return Repetition(
            rows=self.rows,
            keys=keys,
            extra=extra,
            worst=tuple(
                RepeatedKey(values=values, rows=count, places=tuple(where))
                for values, count, where in zip(rows, counted, placed, strict=True)
            ),
        )


def _grouped(parts: Sequence[Spilled], found: Suspects, worst: int) -> tuple[int, int, pa.Table]:
    """How many keys repeat, the rows beyond the first of each, and the worst keys with the rows of each."""
    import duckdb

    [schema, *_] = {batch.schema for part in parts[:1] for _, batch in part.batches()}
    names = [quote(f"k{at}") for at in range(len(schema))]

    def rows() -> Iterator[pa.RecordBatch]:
        for part in parts:
            for _, batch in part.batches():
                chosen = found.among(hashes(batch.columns))
                if len(chosen):
                    yield batch.take(pa.array(chosen)).rename_columns([f"k{at}" for at in range(len(schema))])

    renamed = pa.schema([field.with_name(f"k{at}") for at, field in enumerate(schema)])
    with closing(duckdb.connect()) as connection:
        connection.execute(f"SET memory_limit = '{GROUPING_MEMORY}'")
        connection.execute("SET temp_directory = ?", [str(parts[0].folder / "grouping")])
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        reader = pa.RecordBatchReader.from_batches(renamed, rows())
        connection.register("suspected", reader)
        connection.execute(
            f"CREATE TABLE repeated AS SELECT {', '.join(names)}, count(*) AS n FROM suspected "  # noqa: S608 - numbered
            f"GROUP BY {', '.join(names)} HAVING count(*) > 1"
        )
        [(keys, extra)] = connection.execute("SELECT count(*), coalesce(sum(n - 1), 0) FROM repeated").fetchall()
        order = ", ".join(f"{name} NULLS FIRST" for name in names)
        named = f"SELECT * FROM repeated ORDER BY n DESC, {order} LIMIT {worst:d}"  # noqa: S608 - numbered
        table = connection.sql(named).to_arrow_table()
    return keys, int(extra), table.cast(pa.schema([*renamed, pa.field("n", pa.int64())]))


class _Search:
    """Finds the first rows of some keys."""

    def __init__(self, keys: Sequence[tuple[Any, ...]], marks: Bits, places: int) -> None:
        self._keys = keys
        self._marks = marks
        self._places = places
        self._found: list[list[Place]] = [[] for _ in keys]

    def among(self, parts: Sequence[Spilled]) -> list[list[Place]]:
        """The places of each key."""
        for part in parts:
            for stretch, batch in part.batches():
                missing = [at for at, places in enumerate(self._found) if len(places) < self._places]
                if not missing:
                    return self._found
                marks = hashes(batch.columns)
                for at in missing:
                    self._look(part, stretch, batch, at, np.flatnonzero(marks == self._marks[at]).tolist())
        return self._found

    def _look(self, part: Spilled, stretch: Stretch, batch: pa.RecordBatch, at: int, rows: list[int]) -> None:
        for row in rows:
            if len(self._found[at]) == self._places:
                return
            values = [column[row].as_py() for column in batch.columns]
            # NaN is the one value that is not equal to itself.
            if all(a == b or (a != a and b != b) for a, b in zip(values, self._keys[at], strict=True)):
                line = part.line(stretch, row)
                self._found[at].append(Place(file=stretch.file, part=stretch.part, line=line))
