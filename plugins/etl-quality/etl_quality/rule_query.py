"""The rules of a job, asked of a table: one query for all of them."""

# ruff: noqa: S608 - statements are put together here, of conditions that were taken apart and written anew

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from etl_framework import RELATION, Condition, Finding, QueryFailed, RunFailed
from etl_quality.column_query import first_values
from etl_quality.dialects import statement
from etl_quality.rule_words import not_made, of_figures

if TYPE_CHECKING:
    from etl_framework import Column, Rows, Sample
    from etl_quality.rules import Rule


class RuleQuery:
    """Counts the rows that break a rule, and asks for the figures of all rows.

    :param columns: of the table.
    :param keys: columns that identify a row.
    """

    def __init__(self, name: str, rules: Sequence[Rule], columns: Sequence[Column], keys: Sequence[str] = ()) -> None:
        self.name, self._keys = name, keys
        self.rule_names = tuple(rule.words.rule for rule in rules)
        self._rules = rules
        self._columns = {column.name: column for column in columns}

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        try:
            answers = _ask(rows, self._rules)
        except RunFailed as error:
            yield from self._one_by_one(rows, error)
            return
        for rule, answer in zip(self._rules, answers, strict=True):
            yield from self._findings(rows, rule, answer)

    def _one_by_one(self, rows: Rows, error: RunFailed) -> Iterator[Finding]:
        """Find out which rules cannot be asked."""
        failed = 0
        found: list[Finding] = []
        for rule in self._rules:
            try:
                [answer] = _ask(rows, [rule])
                found += self._findings(rows, rule, answer)
            except RunFailed as failure:
                failed += 1
                reason = failure.reason if isinstance(failure, QueryFailed) else failure.message
                found.append(not_made(rule, reason))
        if failed == len(self._rules) > 1:
            # Within a transaction the first failure is all that can be known.
            raise error
        yield from found

    def _findings(self, rows: Rows, rule: Rule, answer: Sequence[Any]) -> Iterator[Finding]:
        if rule.expression.figures:
            verdict, *figures = answer
            yield from of_figures(rule, verdict, figures)
        elif answer[0]:
            yield from rule.words.finding(int(answer[0]), self._samples(rows, rule))

    def _samples(self, rows: Rows, rule: Rule) -> list[Sample]:
        broken = Condition(f"NOT ({rule.expression.sql})")
        # Without a column to show, the values that the rule is about tell which rows they are.
        about = rule.expression.columns if rule.column is None else (self._columns[rule.column].name,)
        return first_values(rows, rule.words, about, broken, self._keys) if about else []


def _ask(rows: Rows, rules: Sequence[Rule]) -> list[tuple[Any, ...]]:
    """What one query says to each: how many rows break it, or its verdict and its figures."""
    listed = [_queries(rule) for rule in rules]
    row = rows.query(
        statement(f"SELECT {', '.join(chain.from_iterable(listed))} FROM {RELATION}", (), rows.dialect)
    ).rows[0]
    answers, begin = [], 0
    for queries in listed:
        answers.append(tuple(row[begin : begin + len(queries)]))
        begin += len(queries)
    return answers


def _queries(rule: Rule) -> list[str]:
    if rule.expression.figures:
        return [f"({rule.expression.sql})", *(figure.sql for figure in rule.expression.figures)]
    return [f"count(*) FILTER (WHERE NOT ({rule.expression.sql}))"]
