"""Whether the values of a column are all different; rows without a value are not compared."""

# ruff: noqa: S608 - statements are put together here, of quoted names only

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from etl_framework import MOST_SAMPLES, Finding, Sample, Severity, Statement, counted, quote
from etl_quality.duplicates import key_in_words, repetition_in
from etl_quality.repeated_keys import RepeatedKeys
from etl_quality.spilled_keys import lines_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_framework import Block, Rows
    from etl_quality.repeated_keys import Repetition

NAME = "unique"
_VALUES_NAMED = 5
_PLACES_PER_VALUE = 2


class Unique(RepeatedKeys):
    """The values that occur more than once in files.

    :param column: as in the batches.
    :param called: as the job spells it.
    """

    name = NAME

    def __init__(self, column: str, called: str, severity: Severity) -> None:
        super().__init__((column,))
        self._called, self._severity = called, severity

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        values = block.batch.column(self.keys[0])
        if values.null_count == len(values):
            return
        super().update(_WithValues(block, values) if values.null_count else block)  # type: ignore[arg-type]

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from _findings(self._called, self._severity, self.repetition(_VALUES_NAMED, _PLACES_PER_VALUE))


class UniqueInTable:
    """The values that occur more than once in a table.

    :param column: of the table.
    :param called: as the job spells it.
    """

    name = NAME

    def __init__(self, column: str, called: str, severity: Severity) -> None:
        self._column, self._called, self._severity = column, called, severity

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        asked = rows.definition
        present = Statement(
            f"SELECT * FROM (\n{asked.sql}\n) AS {quote('_etl_all')} WHERE {quote(self._column)} IS NOT NULL",
            asked.values,
        )
        found = repetition_in(dataclasses.replace(rows, definition=present), (self._column,), _VALUES_NAMED)
        yield from _findings(self._called, self._severity, found)


class _WithValues:
    """Those rows of a block that have a value, as far as the accumulator looks at a block."""

    def __init__(self, block: Block, values: pa.Array) -> None:
        present = pc.is_valid(values)
        self.source, self.part = block.source, block.part
        self.batch = block.batch.filter(present)
        self._lines: NDArray[np.int64] = lines_of(block)[np.asarray(present.to_numpy(zero_copy_only=False), bool)]

    def row_lines(self) -> NDArray[np.int64]:
        """See :meth:`etl_framework.Lined.row_lines`."""
        return self._lines


def _findings(column: str, severity: Severity, found: Repetition) -> Iterator[Finding]:
    if found.extra:
        occur = "occurs" if found.keys == 1 else "occur"
        yield Finding(
            rule=NAME,
            severity=severity,
            count=found.extra,
            message=f"{counted(found.extra, 'row repeats', 'rows repeat')} a value of column {column!r}: "
            f"{counted(found.keys, 'value')} {occur} more than once, up to {found.worst[0].rows:,} times",
            advice="Was a file delivered or loaded twice? Remove the extra rows, or drop the rule.",
            samples=tuple(_samples(column, found))[:MOST_SAMPLES],
        )


def _samples(column: str, found: Repetition) -> Iterator[Sample]:
    for key in found.worst:
        value, reason = key_in_words((column,), key.values), f"{key.rows:,} rows have this value"
        if not key.places:
            yield Sample(column=column, value=value, reason=reason)
        for place in key.places:
            yield Sample(file=place.file, line=place.line, part=place.part, column=column, value=value, reason=reason)
