"""What values refer to: those of another file, or of a query in the warehouse."""

# ruff: noqa: S608 - statements are put together here, of quoted names and of the query that the user wrote

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from etl_framework import (
    MOST_SAMPLES,
    RELATION,
    Finding,
    Kind,
    QueryFailed,
    RunFailed,
    Statement,
    UsageError,
    printable,
    quote,
)
from etl_quality.column_pass import tally_broken
from etl_quality.column_query import Shown, count_all, first_values
from etl_quality.column_rules import Among
from etl_quality.dialects import statement
from etl_quality.words import Tally, Words

if TYPE_CHECKING:
    from etl_framework import Block, Column, Rows, Warehouse

NAME = "references"
MOST_VALUES = 1_000_000
"""Different values that are compared with: they are held in memory."""

_SENT = 1000
"""Values that are sent to a warehouse; where there are more, its own are fetched instead."""
_SHOWN = 500
"""Characters of a query that a message shows."""

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
_KNOWN = quote("_etl_known")
_VALUE = quote("_etl_value")


def in_file(path: Path, name: str | None, column: Column, key: str) -> pa.Array:
    """The values of a file's column, without those that are missing, as the type of the column that refers to them.

    :param path: with a header, delimited as its suffix says; it may be compressed.
    :param name: of the file's column; None for the one that is called like ``column``, or for the only one.
    :raises UsageError: the file cannot be read, has no such column, or its values are of another type.
    """
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size, name, column.name, column.type.arrow())
    except (OSError, pa.ArrowInvalid, _Unusable) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"{key}: cannot use {path}: {reason}",
            advice="Name a delimited file with a header (.csv, .tsv, .psv), and its column: { file = …, column = … }.",
            key=key,
        ) from error


class _Unusable(ValueError):
    """Why a file cannot be used."""


@lru_cache(maxsize=16)
def _read(path: Path, modified: int, size: int, name: str | None, like: str, type_: pa.DataType) -> pa.Array:  # noqa: ARG001 - a changed file is read again
    suffix = next((suffix for suffix in reversed(path.suffixes) if suffix.lower() in _DELIMITERS), None)
    if suffix is None:
        raise _Unusable("its suffix does not say how it is delimited")
    parsed = csv.ParseOptions(delimiter=_DELIMITERS[suffix.lower()], newlines_in_values=True)
    with csv.open_csv(path, parse_options=parsed) as opened:
        names = opened.schema.names
    if name is None:
        name = next((each for each in names if each.casefold() == like.casefold()), None)
        name = names[0] if name is None and len(names) == 1 else name
    if name not in names:
        raise _Unusable(f"it has no column {name or like!r}; its columns are {', '.join(map(repr, names[:20]))}")
    chosen = csv.ConvertOptions(include_columns=[name], column_types={name: pa.string()})
    texts = csv.read_csv(path, parse_options=parsed, convert_options=chosen).column(0)
    present = texts.filter(pc.not_equal(pc.binary_length(texts), 0))
    return _as_type(present, type_)


def _array(values: Sequence[object], *, text: bool) -> pa.Array:
    """The values of a query; numbers and days are no texts, although they can be written as such."""
    found = pa.array(values)
    if text and not pa.types.is_string(found.type) and found.null_count < len(found):
        raise _Unusable("they are no texts")
    return found


def _as_type(values: pa.Array | pa.ChunkedArray, type_: pa.DataType) -> pa.Array:
    distinct = values.cast(type_).unique().drop_null()
    if len(distinct) > MOST_VALUES:
        raise _Unusable(f"there are {len(distinct):,} different values, of which at most {MOST_VALUES:,} can be held")
    return distinct


@dataclass(frozen=True, slots=True, kw_only=True)
class References(Among):
    """A value must be one of very many."""

    def broken(self, values: pa.Array) -> pa.Array | None:
        """See :class:`~etl_quality.column_rules.ColumnRule`."""
        if len(self.values) <= _SENT:
            return Among.broken(self, values)
        # Arrow puts the values to look in into a new table for each array, which would cost more than all else here.
        known = _as_set(_Array(self.values))
        found = values.unique().drop_null()
        strange = [value for value in found.to_pylist() if value not in known]
        return pc.is_in(values, value_set=pa.array(strange, values.type)) if strange else None


class _Array:
    """An array as a key: it is the same when it is the same object."""

    def __init__(self, values: pa.Array) -> None:
        self.values = values

    def __hash__(self) -> int:
        return id(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Array) and other.values is self.values


@lru_cache(maxsize=16)
def _as_set(array: _Array) -> frozenset[Any]:
    return frozenset(array.values.to_pylist())


class ReferencesOfTable:
    """Compares the values of a table with those of a file: few are sent, or the different ones of the table fetched.

    :param column: of the table.
    :param keys: columns that identify a row.
    """

    name = NAME

    def __init__(self, words: Words, column: Column, known: pa.Array, keys: Sequence[str] = ()) -> None:
        self._words, self._column, self._known, self._keys = words, column, known, keys

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        name = quote(self._column.name)
        if len(self._known) <= _SENT:
            condition = References(words=self._words, values=self._known).condition(name, self._column)
            [count] = count_all(rows, [condition])
            if count:
                samples = first_values(rows, self._words, [self._column.name], condition, self._keys)
                yield from self._words.finding(count, samples)
            return
        sql = f"SELECT {name}, count(*) FROM {RELATION} WHERE {name} IS NOT NULL GROUP BY {name} ORDER BY {name}"
        found = rows.query(statement(sql, (), rows.dialect), limit=MOST_VALUES)
        if not found.complete:
            raise UsageError(
                f"column {self._column.name!r} has more than {MOST_VALUES:,} different values, which are not compared "
                "with a file",
                advice='Load the file into the warehouse, and write references = { query = "SELECT …" }.',
            )
        known = _as_set(_Array(self._known))
        strange = [(value, int(count)) for value, count in found.rows if value not in known]
        samples = [self._words.of_value(value) for value, count in strange for _ in range(min(count, MOST_SAMPLES))]
        yield from self._words.finding(sum(count for _, count in strange), samples[:MOST_SAMPLES])


class AskedReferences:
    """Compares the values of files with those of a query, which is asked before they are read.

    :param column: of the batches.
    :param query: in the dialect of the warehouse.
    """

    name = NAME

    def __init__(self, words: Words, column: Column, query: str, key: str) -> None:
        self._column, self._query, self._key = column, query, key
        self._tally = Tally(words)
        self._rule: References | None = None
        self.insists = True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rule": None}

    def ask(self, warehouse: Warehouse) -> pa.Array:
        """See :meth:`etl_framework.Asking.ask`."""
        try:
            found = warehouse.query(Statement(self._query), limit=MOST_VALUES)
        except (RunFailed, UsageError) as error:
            raise UsageError(
                f"{self._key}: {error.message}",
                advice=f"{error.advice} Is what it asks of there, and may it be read?"
                if isinstance(error, QueryFailed)
                else error.advice,
                key=self._key,
            ) from error
        if len(found.columns) != 1 or not found.complete:
            wrong = (
                f"gives {len(found.columns)} columns"
                if len(found.columns) != 1
                else f"gives more than {MOST_VALUES:,} values"
            )
            raise UsageError(
                f"{self._key}: the query {wrong}",
                advice=f"Select one column, and at most {MOST_VALUES:,} different values; a warehouse compares with "
                'more: check = "warehouse".',
                key=self._key,
            )
        values = [value for (value,) in found.rows]
        try:
            return _as_type(_array(values, text=self._column.type.kind is Kind.VARCHAR), self._column.type.arrow())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, _Unusable) as error:
            raise UsageError(
                f"{self._key}: the values of the query cannot be compared with column {self._column.name!r}, which is "
                f"{self._column.type}: {error}",
                advice="Cast them in the query.",
                key=self._key,
            ) from error

    def tell(self, answer: object | None) -> None:
        """See :meth:`etl_framework.Asking.tell`."""
        assert isinstance(answer, pa.Array)
        self._rule = References(words=self._tally.words, values=answer)

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        assert self._rule is not None, "it must be told first what is known"
        values = block.batch.column(self._column.name)
        broken = self._rule.broken(values)
        if broken is not None:
            tally_broken(block, values, broken, self._tally)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._tally.merge(other._tally)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from self._tally.findings()


class ReferencesInWarehouse:
    """Compares the values of a table with those of a query, both in the warehouse.

    :param column: of the table.
    :param query: in the dialect of the warehouse.
    :param key: of the setting that holds it.
    :param keys: columns that identify a row.
    """

    name = NAME

    def __init__(self, words: Words, column: Column, query: str, key: str, keys: Sequence[str] = ()) -> None:
        self._words, self._column, self._name, self._keys = words, column, quote(column.name), keys
        self._query, self._key = query.strip().rstrip(";"), key

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        # What the warehouse says shows the SQL that the user's query is wrapped in, which nobody wrote.
        try:
            yield from self._compare(rows)
        except QueryFailed as error:
            raise self._unusable(
                f"the query cannot be run, or not be compared with column {self._column.name!r}, which is "
                f"{self._column.type}: {error.reason}",
                error.advice,
            ) from error
        except UsageError as error:
            raise self._unusable("this is not one query", "Correct it.") from error

    def _unusable(self, why: str, advice: str) -> UsageError:
        return UsageError(
            f"{self._key}: {why}: {printable(self._query, limit=_SHOWN)}",
            advice=f"{advice} Run the query by itself: it has to be one SELECT of one column, whose type is that of "
            "the column that refers to it.",
            key=self._key,
        )

    def _compare(self, rows: Rows) -> Iterator[Finding]:
        # A missing value among the known ones would make every comparison unknown. A second column is to fail.
        known = f"WITH {_KNOWN} ({_VALUE}) AS (\n{self._query}\n) SELECT * FROM {_KNOWN} WHERE {_VALUE} IS NOT NULL"
        strange = f"FROM {RELATION} WHERE {self._name} IS NOT NULL AND {self._name} NOT IN ({known})"
        [(count,)] = rows.query(Statement(f"SELECT count(*) {strange}")).rows
        if count:
            wanted = Shown.of(rows, [self._column.name], self._keys)
            listed = f"SELECT {wanted.sql} {strange} ORDER BY {wanted.order} LIMIT {MOST_SAMPLES}"
            found = rows.query(Statement(listed), limit=MOST_SAMPLES)
            yield from self._words.finding(int(count), wanted.samples(self._words, found))
