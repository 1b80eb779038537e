"""One spelling of SQL for every warehouse: written as DuckDB takes it, sent as the warehouse takes it."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

from etl_framework import Statement, UsageError

WRITTEN_IN = "duckdb"
"""The dialect that checks are written in."""

# What sqlglot has to say would go to stderr where nobody listens to it.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

_MARK = "etl_bound_value_"
_MARKED = re.compile(rf"[:$]{_MARK}(\d+)\b")


def statement(sql: str, values: tuple[Any, ...], dialect: str) -> Statement:
    """A query in the dialect of a warehouse.

    :param sql: as DuckDB takes it, with a ``?`` for each value; names are quoted.
    :param values: in the order of ``sql``.
    :param dialect: of the rows that are asked about; see :class:`~etl_framework.Rows`.
    :raises UsageError: nobody here knows the dialect, or it cannot say this.
    """
    if dialect == WRITTEN_IN:
        return Statement(sql, values)
    written, order = _translated(sql, dialect)
    return Statement(written, tuple(values[at] for at in order))


@lru_cache(maxsize=1024)
def _translated(sql: str, dialect: str) -> tuple[str, tuple[int, ...]]:
    """The query in another dialect, and which value stands for each ``?`` in it.

    Another dialect may say things in another order, or a value twice.
    """
    from sqlglot import Dialect, ErrorLevel, parse_one
    from sqlglot.errors import SqlglotError

    try:
        known = Dialect.get_or_raise(dialect)
    except ValueError as error:
        raise UsageError(
            f"nobody here knows the SQL dialect {dialect!r}, so that nothing can be checked in such a warehouse",
            advice="Check the file instead (--check file).",
        ) from error
    if _MARK in sql:
        raise UsageError(f"{_MARK!r} cannot be part of a query", advice="Choose another name.")
    try:
        tree = parse_one(_numbered(sql), read=WRITTEN_IN)
        if dialect == "snowflake":
            # From the inside out: what takes the place of a node holds what was within it.
            for node in reversed(list(tree.walk())):
                if (meant := _for_snowflake(node)) is not node:
                    node.replace(meant)
        written = tree.sql(dialect=known, unsupported_level=ErrorLevel.RAISE, comments=False)
    except SqlglotError as error:
        raise UsageError(
            f"this cannot be asked in the SQL of {dialect}: {str(error).partition(chr(10))[0]}: {sql}",
            advice="Say it in another way.",
        ) from error
    return _MARKED.sub("?", written), tuple(int(number) for number in _MARKED.findall(written))


def _for_snowflake(node: Any) -> Any:
    """What sqlglot would hand on as it is, or with another meaning: there REGEXP_LIKE matches the whole of a text."""
    from sqlglot import exp

    if isinstance(node, exp.RegexpFullMatch):
        return exp.Anonymous(this="REGEXP_LIKE", expressions=[node.this, node.expression])
    if isinstance(node, exp.TryCast) and not (isinstance(node.this, exp.Cast) and node.this.is_type("varchar")):
        # There only texts can be tried; sqlglot would make a CAST of it, which fails.
        return exp.TryCast(this=exp.cast(node.this, "varchar"), to=node.args["to"])
    if isinstance(node, exp.RegexpLike):
        found = exp.Anonymous(this="REGEXP_INSTR", expressions=[node.this, node.expression])
        return exp.Paren(this=exp.GT(this=found, expression=exp.Literal.number(0)))
    return node


def _numbered(sql: str) -> str:
    """The query with a name for each ``?``, so that it can be told which is which after the translation."""
    from sqlglot import tokenize
    from sqlglot.tokenizer_core import TokenType

    marks = [token.start for token in tokenize(sql, read=WRITTEN_IN) if token.token_type is TokenType.PLACEHOLDER]
    pieces = [sql[begin + 1 : end] for begin, end in zip([-1, *marks], [*marks, len(sql)], strict=True)]
    return "".join([pieces[0], *(f"${_MARK}{at}{piece}" for at, piece in enumerate(pieces[1:]))])
