"""The log of the command line: on standard error, for people or as JSON lines."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, TextIO

import structlog

from etl_framework.logs import NAME
from etl_framework.terminal import printable


def configure(log_format: str, level: str) -> None:
    """Send the log of the library, and of libraries that it uses, to standard error.

    :param log_format: ``console`` or ``json``.
    :param level: least severity that is shown.
    """
    last: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _harmless,
            last,
        ]
    )
    handler = _StandardError()
    handler.setFormatter(formatter)
    logger = logging.getLogger(NAME)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
    # Libraries that log by structlog would write to standard output, which is the results'.
    structlog.configure(
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: logger,
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    )


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment: while bars are drawn, it puts lines above them."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # looked up anew for each line, so never set
        return sys.stderr


def _harmless(_: Any, __: str, event: Any) -> Any:
    """Names and values come from files: no escape sequence of theirs reaches a terminal."""
    return {
        key: printable(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
    }
