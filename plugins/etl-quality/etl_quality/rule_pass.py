"""The rules of a job, asked of the blocks of a file: one query per block for all of them."""

# ruff: noqa: S608 - statements are put together here, of conditions that were taken apart and written anew

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np

from etl_framework import MOST_SAMPLES
from etl_quality.figures import Count, Extreme, FloatSum, Sum
from etl_quality.rule_words import not_in_files, not_made, of_figures
from etl_quality.sandbox import BATCH, connection, reason_of, seeing, types_of
from etl_quality.words import Tally

if TYPE_CHECKING:
    from etl_framework import Block, Column, Finding
    from etl_quality.expressions import Figure
    from etl_quality.rules import Rule

_NUMERIC = ("INT", "DECIMAL", "DOUBLE", "FLOAT")


class RulePass:
    """Counts the rows that break a rule, and keeps what the figures of all rows are made of.

    :param columns: of the batches.
    :param elsewhere: rules that are made in the warehouse alone.
    """

    def __init__(
        self, name: str, rules: Sequence[Rule], columns: tuple[Column, ...], elsewhere: Sequence[Rule] = ()
    ) -> None:
        self.name = name
        self.rule_names = tuple(rule.words.rule for rule in rules)
        self._elsewhere = tuple(elsewhere)
        self._asked: list[_OfRows | _OfFigures] = [
            _OfFigures(rule, columns) if rule.expression.figures else _OfRows(rule) for rule in rules
        ]
        used = {name for rule in rules for name in rule.expression.columns}
        # A rule about no column, such as count(*) > 0, still needs rows to count.
        self._columns = [column.name for column in columns if column.name in used] or [columns[0].name]

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        asked = [one for one in self._asked if one.failure is None]
        if not asked:
            return
        with seeing(block.batch.select(self._columns)) as made:
            try:
                answers = _answers(made, asked)
            except duckdb.Error:
                answers = {}
                for one in asked:
                    try:
                        answers |= _answers(made, [one])
                    except duckdb.Error as error:
                        one.failure = (block.part, reason_of(error))
            for one in asked:
                if one.failure is None:
                    one.take(block, answers[id(one)], made)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        for mine, theirs in zip(self._asked, other._asked, strict=True):
            failures = [one.failure for one in (mine, theirs) if one.failure is not None]
            mine.merge(theirs)
            mine.failure = min(failures, default=None)

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        for one in self._asked:
            if one.failure is not None:
                yield not_made(one.rule, one.failure[1])
            else:
                yield from one.findings()
        yield from map(not_in_files, self._elsewhere)


def _answers(made: duckdb.DuckDBPyConnection, asked: Sequence[_OfRows | _OfFigures]) -> dict[int, list[Any]]:
    """What one query says to each."""
    listed = [one.queries() for one in asked]
    row = made.execute(f"SELECT {', '.join(chain.from_iterable(listed))} FROM {BATCH}").fetchall()[0]
    answers, begin = {}, 0
    for one, queries in zip(asked, listed, strict=True):
        answers[id(one)] = list(row[begin : begin + len(queries)])
        begin += len(queries)
    return answers


class _OfRows:
    """A rule about single rows."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.failure: tuple[int, str] | None = None
        self.tally = Tally(rule.words)

    def queries(self) -> list[str]:
        return [f"count(*) FILTER (WHERE NOT ({self.rule.expression.sql}))"]

    def take(self, block: Block, answer: Sequence[Any], made: duckdb.DuckDBPyConnection) -> None:
        [count] = answer
        wanted = min(count, MOST_SAMPLES - len(self.tally.samples))
        if not wanted:
            self.tally.add(block, [], [], more=count)
            return
        sql = f"SELECT coalesce(NOT ({self.rule.expression.sql}), false) AS bad FROM {BATCH}"
        rows = np.flatnonzero(made.execute(sql).fetchnumpy()["bad"])[:wanted].tolist()
        values = [None if self.rule.column is None else block.batch[self.rule.column][row].as_py() for row in rows]
        self.tally.add(block, rows, values, more=count - len(rows))

    def merge(self, other: Any) -> None:
        self.tally.merge(other.tally)

    def findings(self) -> Iterator[Finding]:
        yield from self.tally.findings()


class _OfFigures:
    """A rule about figures of all rows."""

    def __init__(self, rule: Rule, columns: tuple[Column, ...]) -> None:
        self.rule = rule
        self.failure: tuple[int, str] | None = None
        figures = rule.expression.figures
        arguments = types_of(tuple(figure.argument or "1" for figure in figures), columns)
        types = types_of(tuple(figure.sql for figure in figures), columns)
        self.figures = [_Made(*each) for each in zip(figures, arguments, types, strict=True)]

    def queries(self) -> list[str]:
        return [query for figure in self.figures for query in figure.queries]

    def take(self, block: Block, answer: Sequence[Any], made: duckdb.DuckDBPyConnection) -> None:  # noqa: ARG002
        at = 0
        for figure in self.figures:
            figure.take(answer[at : at + len(figure.queries)], made)
            at += len(figure.queries)

    def merge(self, other: Any) -> None:
        for mine, theirs in zip(self.figures, other.figures, strict=True):
            mine.merge(theirs)

    def findings(self) -> Iterator[Finding]:
        values = ", ".join(f'{figure.value()} AS "f{at}"' for at, figure in enumerate(self.figures))
        given = [text for figure in self.figures for text in figure.texts()]
        names = "".join(f', CAST("f{at}" AS VARCHAR)' for at in range(len(self.figures)))
        sql = f"SELECT ({self.rule.expression.over_figures}){names} FROM (SELECT {values})"
        try:
            verdict, *found = connection().execute(sql, given).fetchall()[0]
        except duckdb.Error as error:
            yield not_made(self.rule, reason_of(error))
            return
        yield from of_figures(
            self.rule, verdict, [figure.read(text) for figure, text in zip(self.figures, found, strict=True)]
        )


class _Made:
    """A figure that is made of those of blocks.

    :param argument: type of what it is made of.
    :param type_: of the figure.
    """

    def __init__(self, figure: Figure, argument: str, type_: str) -> None:
        where = f" FILTER (WHERE {figure.where})" if figure.where else ""
        of, self._type = figure.argument, type_
        self._numeric = type_.startswith(_NUMERIC) or type_ in ("BIGINT", "SMALLINT", "TINYINT", "HUGEINT")
        self._floats: str | None = None
        self.parts: list[Any]
        if figure.function in ("count", "count_if"):
            self.parts = [Count()]
            self.queries = [f"{figure.function}({of or '*'}){where}"]
        elif figure.function in ("min", "max"):
            self.parts = [Extreme(largest=figure.function == "max", numeric=self._numeric)]
            self.queries = [f"CAST({figure.function}({of}){where} AS VARCHAR)"]
        elif argument in ("DOUBLE", "FLOAT"):
            self._floats = f"CASE WHEN {figure.where} THEN {of} END" if figure.where else f"{of}"
            self.parts = [FloatSum(), Count()]
            self.queries = [f"count({of}){where}"]
        else:
            self.parts = [Sum(), Count()]
            self.queries = [f"CAST(sum({of}){where} AS VARCHAR)", f"count({of}){where}"]
        self._average = figure.function == "avg"

    def take(self, answer: Sequence[Any], made: duckdb.DuckDBPyConnection) -> None:
        if self._floats is None:
            for part, found in zip(self.parts, answer, strict=True):
                part.add(found)
            return
        self.parts[1].add(answer[0])
        rows = f"SELECT CAST({self._floats} AS DOUBLE) AS x FROM {BATCH}"
        found = made.execute(f"SELECT x FROM ({rows}) WHERE x IS NOT NULL").fetchnumpy()["x"]
        self.parts[0].add(np.asarray(found, np.float64))

    def merge(self, other: Any) -> None:
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            mine.merge(theirs)

    def value(self) -> str:
        """SQL of the figure, with a ``?`` for each text."""
        if self._average:
            return "CAST(? AS DOUBLE) / nullif(CAST(? AS BIGINT), 0)"
        return f"CAST(? AS {self._type})"

    def texts(self) -> list[str | None]:
        """What the figure is made of."""
        parts = self.parts if self._average else self.parts[:1]
        return [part.text() for part in parts]

    def read(self, text: str | None) -> object:
        """A figure that DuckDB gave as text."""
        if text is None or not self._numeric:
            return text
        return float(text) if self._average or self._type in ("DOUBLE", "FLOAT") else Decimal(text)
