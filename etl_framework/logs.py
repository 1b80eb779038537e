"""The log: structured events that go to Python's own :mod:`logging`, under the name ``etl_framework``.

So a program that uses the library hears nothing below warnings unless it asks for it, as of any library; the command
line attaches a handler.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

NAME = "etl_framework"


class Logger:
    """The logger of the library: events are short constants with key-values.

    structlog is imported with the first event that someone hears: importing it takes a fifteenth of a second.
    """

    def info(self, event: str, **values: object) -> None:
        """Log a step that went as it should."""
        self._log(logging.INFO, event, values)

    def warning(self, event: str, **values: object) -> None:
        """Log what someone should look at."""
        self._log(logging.WARNING, event, values)

    def error(self, event: str, **values: object) -> None:
        """Log what failed."""
        self._log(logging.ERROR, event, values)

    @staticmethod
    def _log(level: int, event: str, values: dict[str, object]) -> None:
        if logging.getLogger(NAME).isEnabledFor(level):
            _bound().log(level, event, **values)


@cache
def get_logger() -> Logger:
    """The logger of the library."""
    return Logger()


@cache
def _bound() -> Any:
    import structlog

    return structlog.wrap_logger(
        logging.getLogger(NAME),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    )
