"""The SQL of a rule: one condition on rows, or on figures of all rows, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_framework import UsageError, shown
from etl_quality.columns import find
from etl_quality.dialects import WRITTEN_IN

if TYPE_CHECKING:
    from sqlglot import Expr
    from sqlglot.tokenizer_core import Token

    from etl_framework import Column

_WRITE = "Write one condition as it stands after WHERE, such as price > 0 or sum(amount) > 0."
_MERGEABLE = {"Count": "count", "CountIf": "count_if", "Sum": "sum", "Avg": "avg", "Min": "min", "Max": "max"}
"""Of each of sqlglot's nodes whose figure can be made of those of parts, the function in SQL."""
_STATEMENTS = {"ALTER", "DROP", "FORCE", "GRANT", "INSERT", "INSTALL", "ROLLBACK"}
"""Words that sqlglot takes for no names, although DuckDB does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of all rows within a rule: ``sum(amount)``.

    :param sql: the aggregate, with the names of columns quoted.
    :param said: the same as the user wrote it.
    :param function: ``count``, ``sum``, …; empty for one that only a warehouse can make.
    :param argument: SQL of what it is made of; None for ``count(*)``.
    :param where: SQL of the rows that count; None for all.
    """

    sql: str
    said: str
    function: str
    argument: str | None
    where: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A rule's condition, understood.

    :param sql: in the dialect that checks are written in, with the names of columns quoted.
    :param columns: names of the columns that it is about, in the order of the text.
    :param figures: of all rows, in the order of the text; empty where the condition is about single rows.
    :param over_figures: the condition with ``"f0"``, ``"f1"``, … in place of the figures.
    """

    sql: str
    columns: tuple[str, ...]
    figures: tuple[Figure, ...]
    over_figures: str


def understood(sql: str, key: str, columns: Sequence[Column]) -> Expression:
    """Read the condition of a rule.

    :param key: where it stands, such as ``rules.positive_price.sql``.
    :param columns: of the rows.
    :raises UsageError: it is no condition, holds more than one, or names what is no column.
    """
    from sqlglot import exp

    tree = _parsed(sql, key)
    _refuse_more_than_a_condition(tree, key)
    said = tree.copy()
    named = _with_real_names(tree, key, columns)
    found = list(zip(_aggregates(tree), _aggregates(said), strict=True))
    figures = {node.sql(WRITTEN_IN): _figure(node, words, key) for node, words in found}
    whole = tree.sql(WRITTEN_IN, comments=False)
    places = {text: f"f{at}" for at, text in enumerate(figures)}
    holder = exp.Paren(this=tree)
    for node, _ in found:
        node.replace(exp.column(places[node.sql(WRITTEN_IN)], quoted=True))
    if figures and (loose := [node for node in holder.find_all(exp.Column) if node.name not in places.values()]):
        raise _no(
            key,
            f"it is about single rows ({loose[0].name}) and about figures of all rows at once",
            "Write two rules: one about rows, one about figures such as sum(amount).",
        )
    return Expression(
        sql=whole,
        columns=named,
        figures=tuple(figures.values()),
        over_figures=holder.sql(WRITTEN_IN, comments=False),
    )


def _with_real_names(tree: Expr, key: str, columns: Sequence[Column]) -> tuple[str, ...]:
    """Have the condition call its columns what they are called, quoted.

    :returns: these names, in the order of the text.
    """
    from sqlglot import exp

    named: dict[str, None] = {}
    for meant in list(tree.find_all(exp.Column, bfs=False)):
        if meant.table:
            raise _no(key, f"{meant.sql(WRITTEN_IN)} names a column of another table", _WRITE)
        column = find(meant.name, columns, key)
        named[column.name] = None
        meant.set("this", exp.to_identifier(column.name, quoted=True))
    return tuple(named)


def _parsed(sql: str, key: str) -> Expr:
    from sqlglot import Dialect, exp
    from sqlglot.errors import SqlglotError

    # Behind a parenthesis no word begins a statement, and a column may be called like one.
    text = f"({sql}"
    dialect = Dialect.get_or_raise(WRITTEN_IN)
    try:
        tokens = [_as_name(token) for token in dialect.tokenize(text)[1:]]
        found = [tree for tree in dialect.parser().parse_into(exp.Condition, tokens, text) if tree is not None]
    except SqlglotError as error:
        errors: list[dict[str, Any]] = getattr(error, "errors", [])
        near = f" near {errors[0]['highlight']!r}" if errors and errors[0].get("highlight") else ""
        raise _no(key, f"it is not one condition: it cannot be read{near}: {shown(sql)}", _WRITE) from error
    if len(found) != 1 or not isinstance(found[0], exp.Condition) or isinstance(found[0], exp.Query):
        raise _no(key, "it is not one condition", _WRITE)
    return found[0]


def _as_name(token: Token) -> Token:
    """A word as the name that it is within a condition, although a statement may begin with it."""
    from sqlglot.tokenizer_core import Token, TokenType

    if token.token_type.name not in _STATEMENTS:
        return token
    return Token(TokenType.VAR, token.text, token.line, token.col, token.start, token.end)


def _refuse_more_than_a_condition(tree: Expr, key: str) -> None:
    from sqlglot import exp

    refused: tuple[tuple[tuple[type, ...], str], ...] = (
        ((exp.Query, exp.Table, exp.CTE), "a query within it"),
        ((exp.DDL, exp.DML, exp.Drop, exp.Command, exp.Pragma, exp.Set), "a statement within it"),
        ((exp.Window,), "a window, which needs the rows around each row"),
        ((exp.Placeholder, exp.Parameter), "a parameter, for which there is no value"),
        # Which column it is depends on what else is asked of the rows.
        ((exp.PositionalColumn,), "a number in place of the name of a column"),
        ((exp.Alias, exp.Lambda, exp.Columns), "more than a condition"),
    )
    for node in tree.walk():
        for kinds, what in refused:
            if isinstance(node, kinds):
                raise _no(key, f"there is {what}: {node.sql(WRITTEN_IN)}", _WRITE)
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            raise _no(key, "there is a * that stands for no column", _WRITE)


def _aggregates(tree: Expr) -> Iterator[Expr]:
    """The outermost aggregates, each with its FILTER, in the order of the text."""
    from sqlglot import exp

    inner: set[int] = set()
    for node in tree.walk(bfs=False):
        if id(node) in inner:
            continue
        if isinstance(node, exp.AggFunc) or (isinstance(node, exp.Filter) and isinstance(node.this, exp.AggFunc)):
            inner.update(id(child) for child in node.walk())
            yield node


def _figure(node: Expr, said: Expr, key: str) -> Figure:
    from sqlglot import exp

    where = None
    aggregate = node
    if isinstance(node, exp.Filter):
        aggregate, where = node.this, node.expression.this.sql(WRITTEN_IN, comments=False)
    argument = aggregate.this
    if any(isinstance(child, exp.AggFunc) for child in aggregate.walk() if child is not aggregate):
        raise _no(key, f"there is a figure within a figure: {node.sql(WRITTEN_IN)}", _WRITE)
    # max(x, 2) and the like have more arguments, in one place or another.
    plain = not isinstance(argument, exp.Distinct) and all(part is argument for part in aggregate.iter_expressions())
    return Figure(
        sql=node.sql(WRITTEN_IN, comments=False),
        said=said.sql(WRITTEN_IN, comments=False),
        function=_MERGEABLE.get(type(aggregate).__name__, "") if plain else "",
        argument=None if isinstance(argument, exp.Star) or not plain else argument.sql(WRITTEN_IN, comments=False),
        where=where,
    )


def _no(key: str, message: str, advice: str) -> UsageError:
    return UsageError(f"{key}: {message}", advice=advice, key=key)
