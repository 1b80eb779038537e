"""What becomes wrong without notice on the way from Snowflake's SQL to DuckDB's: put right here, or refused."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fakesnow.dialect import parse_one
from sqlglot import Expr, exp

from etl_snowflake.emulator.conversion import strptime_format
from etl_snowflake.emulator.errors import not_emulated

_TO_TEXT = re.compile(r"\bTO_(VAR)?CHAR\b", re.IGNORECASE)


def with_formats(sql: str) -> str:
    """The statement with TO_CHAR of a date or time in a format written as DuckDB's strftime."""
    if not _TO_TEXT.search(sql):
        return sql
    return parse_one(sql).transform(_format).sql(dialect="snowflake")


def _format(node: Expr) -> Expr:
    if isinstance(node, exp.ToChar) and isinstance(node.args.get("format"), exp.Literal):
        pattern = exp.Literal.string(strptime_format(node.args["format"].name))
        return exp.Anonymous(this="STRFTIME", expressions=[node.this, pattern])
    return node


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
