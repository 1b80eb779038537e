"""The log: structured events that go to Python's own :mod:`logging`, under the name ``etl_framework``.

So a program that uses the library hears nothing below warnings unless it asks for it, as of any library; the command
line attaches a handler.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog

NAME = "etl_framework"


def get_logger() -> Any:
    """The logger of the library: events are short constants with key-values."""
    return structlog.wrap_logger(
        logging.getLogger(NAME),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    )
