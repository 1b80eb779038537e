"""The section ``rules``: conditions in SQL, on rows (``price > 0``) or on figures of all rows (``sum(amount) > 0``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import duckdb
from pydantic import AfterValidator, Field

from etl_framework import Check, Severity, UsageError
from etl_quality.columns import find
from etl_quality.expressions import Expression, understood
from etl_quality.rule_pass import RulePass
from etl_quality.rule_query import RuleQuery
from etl_quality.sandbox import reason_of, types_of
from etl_quality.sections import Settings, settings
from etl_quality.words import Words

if TYPE_CHECKING:
    from etl_framework import Analysis, Column, Job, TableCheck, Validator

NAME = "rules"
_ADVICE = "Correct the rows at their source, or the rule."


def _in_one_line(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must be in one line, of characters that can be seen")
    return name


class RuleSettings(Settings):
    """A rule."""

    name: Annotated[str, Field(min_length=1), AfterValidator(_in_one_line)]
    sql: str = Field(min_length=1)
    column: str | None = None
    severity: Severity = Severity.ERROR
    reason: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, understood.

    :param words: what is said of rows that break it, or of the whole.
    :param said: its condition as the user wrote it.
    :param column: whose values the samples show; None for none.
    """

    words: Words
    said: str
    expression: Expression
    column: str | None


@dataclass(frozen=True, slots=True)
class Checks:
    """See :class:`etl_quality.sections.Checks`."""

    rules: tuple[RuleSettings, ...]

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:
        """All rules in one query per block, but for those that the warehouse makes alone."""
        if analysis.columns:
            rules = _understood(self.rules, analysis.columns)
            elsewhere = [rule for rule in rules if _needs_all_rows(rule)]
            if elsewhere and job.check is not Check.BOTH:
                raise _not_in_files(elsewhere[0])
            yield RulePass(NAME, [rule for rule in rules if rule not in elsewhere], analysis.columns, elsewhere)

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:
        """All rules in one query."""
        yield RuleQuery(NAME, _understood(self.rules, columns), columns, job.keys)


def read(value: object, job: Job) -> Checks:  # noqa: ARG001 - columns are known only once a source is analyzed
    """The rules.

    :raises UsageError: they cannot be understood.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UsageError(
            f"{NAME} must be a list of tables, not {value!r}",
            advice="Write [[jobs.NAME.rules]] above each rule.",
            key=NAME,
        )
    rules = []
    names: set[str] = set()
    for number, said in enumerate(value):
        name = said.get("name") if isinstance(said, Mapping) else None
        is_name = isinstance(name, str) and name.isprintable()
        rule = settings(RuleSettings, f"{NAME}.{name if name and is_name else number + 1}", said)
        if rule.name in names:
            raise UsageError(
                f"{NAME}.{rule.name}: two rules have this name", advice="Give each its own.", key=f"{NAME}.{rule.name}"
            )
        names.add(rule.name)
        rules.append(rule)
    return Checks(tuple(rules))


@lru_cache(maxsize=32)
def _understood(rules: tuple[RuleSettings, ...], columns: tuple[Column, ...]) -> tuple[Rule, ...]:
    """The rules for rows of these columns; kept, because every part of a file asks for them.

    :raises UsageError: one does not suit the columns, or is no condition.
    """
    return tuple(_rule(rule, columns) for rule in rules)


def _rule(said: RuleSettings, columns: tuple[Column, ...]) -> Rule:
    key = f"{NAME}.{said.name}.sql"
    expression = understood(said.sql, key, columns)
    _insist_on_truth(expression, key, columns)
    shown = said.sql.strip()
    about = None
    if said.column is not None:
        about = find(said.column, columns, f"{NAME}.{said.name}.column").name
    elif len(expression.columns) == 1 and not expression.figures:
        [about] = expression.columns
    words = Words(
        rule=said.name,
        column=said.column or about,
        severity=said.severity,
        one=f"row: {said.reason}" if said.reason else f"row breaks {shown}",
        several=f"rows: {said.reason}" if said.reason else f"rows break {shown}",
        reason=said.reason or f"breaks {shown}",
        advice=said.advice or _ADVICE,
    )
    return Rule(words=words, said=shown, expression=expression, column=about)


def _insist_on_truth(expression: Expression, key: str, columns: tuple[Column, ...]) -> None:
    """Have DuckDB understand the condition before any data is read.

    :raises UsageError: it cannot, or the condition is neither true nor false.
    """
    try:
        [type_] = types_of((expression.sql,), columns)
    except duckdb.Error as error:
        raise UsageError(f"{key}: {reason_of(error)}", advice="Correct the rule.", key=key) from error
    if type_ != "BOOLEAN":
        raise UsageError(
            f"{key}: it gives {type_.lower()}, not true or false",
            advice="Compare it with something: price > 0.",
            key=key,
        )


def _needs_all_rows(rule: Rule) -> bool:
    """Whether there is a figure in it that cannot be made of the figures of parts."""
    return not all(figure.function for figure in rule.expression.figures)


def _not_in_files(rule: Rule) -> UsageError:
    key = f"{NAME}.{rule.words.rule}.sql"
    figure = next(figure for figure in rule.expression.figures if not figure.function)
    return UsageError(
        f"{key}: {figure.said} needs all rows at once, which files are not read in",
        advice="On files there are count, count_if, sum, avg, min and max; "
        'a warehouse makes every figure: check = "warehouse", or "both".',
        key=key,
    )
