"""The rules of all columns, asked of a table: one query counts, and one for each broken rule gives samples."""

# ruff: noqa: S608 - statements are put together here, of quoted names and bound values only

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from etl_framework import MOST_SAMPLES, RELATION, quote
from etl_quality.dialects import statement

if TYPE_CHECKING:
    from etl_framework import Column, Condition, Finding, Rows, Sample
    from etl_quality.column_rules import ColumnRule
    from etl_quality.words import Words

_AT_ONCE = 200
"""Counts in one query, of which a wide table may have very many."""


class ColumnQuery:
    """Counts what breaks each rule.

    :param columns: of the table, and the rules of each.
    """

    def __init__(self, name: str, columns: Sequence[tuple[Column, Sequence[ColumnRule]]]) -> None:
        self.name = name
        self._rules = [
            (rule.words, column, rule.condition(quote(column.name), column))
            for column, rules in columns
            for rule in rules
        ]
        self.rule_names = tuple(words.rule for words, _, _ in self._rules)

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        for begin in range(0, len(self._rules), _AT_ONCE):
            asked = self._rules[begin : begin + _AT_ONCE]
            counts = count_all(rows, [condition for _, _, condition in asked])
            for (words, column, condition), count in zip(asked, counts, strict=True):
                if count:
                    yield from words.finding(count, first_values(rows, words, column, condition))


def count_all(rows: Rows, conditions: Sequence[Condition]) -> list[int]:
    """How many rows fulfil each condition, in one query.

    :raises RunFailed: the warehouse cannot tell.
    """
    counts = ", ".join(f"count(*) FILTER (WHERE {condition.sql})" for condition in conditions)
    values = tuple(value for condition in conditions for value in condition.values)
    found = rows.query(statement(f"SELECT {counts} FROM {RELATION}", values, rows.dialect))
    # Of no rows at all, DuckDB's count_if, which a warehouse may have in place of a filtered count, is null.
    return [int(count or 0) for count in found.rows[0]]


def first_values(rows: Rows, words: Words, column: Column, condition: Condition) -> list[Sample]:
    """A few values of a column in the rows that fulfil a condition, the lowest first."""
    sql = f"SELECT {quote(column.name)} FROM {RELATION} WHERE {condition.sql} ORDER BY 1 LIMIT {MOST_SAMPLES}"
    found = rows.query(statement(sql, condition.values, rows.dialect), limit=MOST_SAMPLES)
    return [words.of_value(value) for (value,) in found.rows]
