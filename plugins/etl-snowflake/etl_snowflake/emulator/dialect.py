"""What becomes wrong without notice on the way from Snowflake's SQL to DuckDB's: put right here, or refused."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fakesnow import transforms
from fakesnow.dialect import parse_one
from sqlglot import Expr, exp

from etl_snowflake.emulator.conversion import strptime_format
from etl_snowflake.emulator.errors import not_emulated

_CREATE_TABLE = re.compile(r"\s*CREATE\s+(\w+\s+){0,5}?TABLE\b", re.IGNORECASE)
_KEY_CONSTRAINTS = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
_COLLATE = re.compile(r"\bCOLLATE\b", re.IGNORECASE)
_COLLATIONS = {"utf8": "C", "en-ci": "NOCASE"}
_TO_TEXT = re.compile(r"\bTO_(VAR)?CHAR\b", re.IGNORECASE)


def _exact(expression: Expr) -> Expr:
    return expression


# fakesnow sums everything as floats, for the sake of texts, which are refused now; Snowflake sums numbers exactly.
transforms.numeric_agg_implicit_cast = _exact


def as_meant(sql: str) -> str:
    """The statement with what DuckDB would understand otherwise written another way.

    TO_CHAR of a date in a format becomes DuckDB's strftime; keys, which Snowflake does not enforce, are left out; the
    length of a VARCHAR, which Snowflake does enforce, becomes a CHECK; collations get DuckDB's names.
    """
    if _COLLATE.search(sql):
        sql = parse_one(sql).transform(_collated).sql(dialect="snowflake")
    if _TO_TEXT.search(sql):
        sql = parse_one(sql).transform(_format).sql(dialect="snowflake")
    if _CREATE_TABLE.match(sql):
        expression = parse_one(sql)
        if isinstance(expression, exp.Create) and isinstance(expression.this, exp.Schema):
            _drop_keys(expression.this)
            _check_lengths(expression.this)
            sql = expression.sql(dialect="snowflake")
    return sql


def _check_lengths(schema: exp.Schema) -> None:
    """Have DuckDB, which knows no longest text, check that of each column."""
    for column in schema.find_all(exp.ColumnDef):
        kind = column.args["kind"]
        size = kind.expressions[0].this if isinstance(kind, exp.DataType) and kind.expressions else None
        if size is not None and kind.this in exp.DataType.TEXT_TYPES and isinstance(size, exp.Literal):
            # CHAR and the like are one type to Snowflake; fakesnow notes the length of this one alone.
            kind.set("this", exp.DataType.Type.VARCHAR)
            too_long = exp.LTE(this=exp.Length(this=exp.column(column.this.copy())), expression=size.copy())
            column.append("constraints", exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=too_long)))


def _drop_keys(schema: exp.Schema) -> None:
    """Leave out keys, but for NOT NULL, which a primary key implies and Snowflake does enforce."""
    required: set[str] = set()
    kept = []
    for element in schema.expressions:
        primary = element if isinstance(element, exp.PrimaryKey) else element.find(exp.PrimaryKey)
        if not isinstance(element, exp.ColumnDef):
            required |= {i.name.upper() for i in primary.find_all(exp.Identifier)} if primary else set()
            continue
        constraints = element.args.get("constraints") or []
        if any(isinstance(c.args.get("kind"), exp.PrimaryKeyColumnConstraint) for c in constraints):
            required.add(element.name.upper())
        element.set("constraints", [c for c in constraints if not isinstance(c.args.get("kind"), _KEY_CONSTRAINTS)])
        kept.append(element)
    for column in kept:
        kinds = [type(c.args.get("kind")) for c in column.args["constraints"]]
        if column.name.upper() in required and exp.NotNullColumnConstraint not in kinds:
            column.append("constraints", exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
    schema.set("expressions", kept)


def _format(node: Expr) -> Expr:
    if isinstance(node, exp.ToChar) and isinstance(node.args.get("format"), exp.Literal):
        pattern = exp.Literal.string(strptime_format(node.args["format"].name))
        return exp.Anonymous(this="STRFTIME", expressions=[node.this, pattern])
    return node


def _collated(node: Expr) -> Expr:
    if isinstance(node, exp.Collate):
        return exp.Collate(this=node.this, expression=exp.var(_collation(node.expression)))
    if isinstance(node, exp.CollateColumnConstraint):
        return exp.CollateColumnConstraint(this=exp.var(_collation(node.this)))
    return node


def _collation(said: Expr) -> str:
    name = said.name.lower()
    if name not in _COLLATIONS:
        raise not_emulated(f"the collation {name}; only {', '.join(_COLLATIONS)}")
    return _COLLATIONS[name]


class _Losses(logging.Handler):
    """Collects what sqlglot says it left out, each thread's its own."""

    def __init__(self) -> None:
        super().__init__()
        self.found = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Argument ") and hasattr(self.found, "messages"):
            self.found.messages.append(message)


_losses = _Losses()
_logger = logging.getLogger("sqlglot")
_logger.addHandler(_losses)
_logger.propagate = False


@contextmanager
def refusing_losses() -> Iterator[None]:
    """Refuse a statement of which an argument was left out in translation.

    :raises SnowflakeError: 391999, at the end of the block.
    """
    _losses.found.messages = []
    yield
    if _losses.found.messages:
        raise not_emulated(f"a part of this statement ({_losses.found.messages[0]})")
