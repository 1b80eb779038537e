"""The rules of all columns, asked of a table: one query counts, and one for each broken rule gives samples."""

# ruff: noqa: S608 - statements are put together here, of quoted names and bound values only

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from etl_framework import MOST_SAMPLES, RELATION, quote, shown
from etl_quality.dialects import statement

if TYPE_CHECKING:
    from etl_framework import Column, Condition, Finding, QueryResult, Rows, Sample
    from etl_quality.column_rules import ColumnRule
    from etl_quality.words import Words

_AT_ONCE = 200
"""Counts in one query, of which a wide table may have very many."""


class ColumnQuery:
    """Counts what breaks each rule.

    :param columns: of the table, and the rules of each.
    :param keys: columns that identify a row.
    """

    def __init__(
        self, name: str, columns: Sequence[tuple[Column, Sequence[ColumnRule]]], keys: Sequence[str] = ()
    ) -> None:
        self.name, self._keys = name, keys
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
                    found = first_values(rows, words, [column.name], condition, self._keys)
                    yield from words.finding(count, found)


def count_all(rows: Rows, conditions: Sequence[Condition]) -> list[int]:
    """How many rows fulfil each condition, in one query.

    :raises RunFailed: the warehouse cannot tell.
    """
    counts = ", ".join(f"count(*) FILTER (WHERE {condition.sql})" for condition in conditions)
    values = tuple(value for condition in conditions for value in condition.values)
    found = rows.query(statement(f"SELECT {counts} FROM {RELATION}", values, rows.dialect))
    # Of no rows at all, DuckDB's count_if, which a warehouse may have in place of a filtered count, is null.
    return [int(count or 0) for count in found.rows[0]]


def first_values(
    rows: Rows, words: Words, columns: Sequence[str], condition: Condition, keys: Sequence[str]
) -> list[Sample]:
    """A few values of columns in the rows that fulfil a condition, the lowest first.

    :param columns: names, as the warehouse spells them; at least one.
    :param keys: columns that identify a row, which has no other place in a table.
    """
    wanted = Shown.of(rows, columns, keys)
    sql = f"SELECT {wanted.sql} FROM {RELATION} WHERE {condition.sql} ORDER BY {wanted.order} LIMIT {MOST_SAMPLES}"
    return wanted.samples(words, rows.query(statement(sql, condition.values, rows.dialect), limit=MOST_SAMPLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What samples of a table show of its rows.

    :param columns: whose values they are.
    :param keys: of the others, those that tell which rows they are.
    """

    columns: tuple[str, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, rows: Rows, columns: Sequence[str], keys: Sequence[str]) -> Self:
        """Of rows of a warehouse, which may spell the keys in its own way, or lack some."""
        found = [column.name for name in keys if (column := rows.column(name)) is not None]
        return cls(columns=tuple(columns), keys=tuple(name for name in found if name not in columns))

    @property
    def sql(self) -> str:
        """What is selected."""
        return ", ".join(map(quote, (*self.columns, *self.keys)))

    @property
    def order(self) -> str:
        """The order of the samples."""
        return ", ".join(str(at) for at in range(1, len(self.columns) + len(self.keys) + 1))

    def samples(self, words: Words, found: QueryResult) -> list[Sample]:
        """The rows that were found."""
        samples = []
        for row in found.rows:
            values, key = row[: len(self.columns)], row[len(self.columns) :]
            value = values[0] if len(values) == 1 else ", ".join(map(str, values))
            place = ", ".join(
                f"{name} = {'null' if part is None else shown(part)}" for name, part in zip(self.keys, key, strict=True)
            )
            sample = words.of_value(value)
            samples.append(replace(sample, reason=f"{sample.reason}, where {place}") if place else sample)
        return samples
