"""The rules of all columns, asked of the blocks of a file in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from etl_framework import MOST_SAMPLES
from etl_quality.words import Tally

if TYPE_CHECKING:
    from etl_framework import Block, Finding
    from etl_quality.column_rules import ColumnRule


class ColumnPass:
    """Counts what breaks each rule. Leaves the rules behind when pickled: an accumulator that travels only merges.

    :param columns: names in the batches, and the rules of each.
    """

    def __init__(self, name: str, columns: Sequence[tuple[str, Sequence[ColumnRule]]]) -> None:
        self.name = name
        self._rules: list[tuple[str, list[tuple[ColumnRule, Tally]]]] = []
        self._tallies: list[Tally] = []
        for column, rules in columns:
            tallied = [(rule, Tally(rule.words)) for rule in rules]
            self._rules.append((column, tallied))
            self._tallies += [tally for _, tally in tallied]
        self.rule_names = tuple(tally.words.rule for tally in self._tallies)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rules": []}

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        assert self._rules, "an accumulator that travelled only merges"
        for column, rules in self._rules:
            values = block.batch.column(column)
            for rule, tally in rules:
                broken = rule.broken(values)
                if broken is not None:
                    tally_broken(block, values, broken, tally)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        for mine, theirs in zip(self._tallies, other._tallies, strict=True):
            mine.merge(theirs)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        for tally in self._tallies:
            yield from tally.findings()


def tally_broken(block: Block, values: pa.Array, broken: pa.Array, tally: Tally) -> None:
    """Count the values of a column that break a rule.

    :param broken: true where one does.
    """
    rows = pc.indices_nonzero(broken)
    first = rows[:MOST_SAMPLES]
    tally.add(block, first.to_pylist(), values.take(first).to_pylist(), more=len(rows) - len(first))
