"""The log of the command line: on standard error, for people or as JSON lines."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TextIO

from etl_framework.logs import NAME
from etl_framework.terminal import printable


def configure(log_format: str, level: str) -> None:
    """Send the log of the library, and of libraries that it uses, to standard error.

    :param log_format: ``console`` or ``json``.
    :param level: least severity that is shown.
    """
    logger = logging.getLogger(NAME)
    logger.handlers = [_StandardError(log_format)]
    logger.propagate = False
    logger.setLevel(level.upper())
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _WhenImported)]
    if "structlog" in sys.modules:
        _lead_to(logger)
    else:
        sys.meta_path.insert(0, _WhenImported("structlog", lambda: _lead_to(logger)))


def _lead_to(logger: logging.Logger) -> None:
    """Libraries that log by structlog would write to standard output, which is the results'."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: logger,
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    )


class _WhenImported(MetaPathFinder):
    """Does something as soon as a module has been imported, by whomever: few commands log, and importing takes time.

    :param name: of the module.
    :param then: what is done.
    """

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name, self._then = name, then

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:  # noqa: ARG002
        """Find the module as others do, and have its loader do the rest."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec: ModuleSpec | None = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_then(module: ModuleType) -> None:
                run(module)
                self._then()

            spec.loader.exec_module = run_and_then  # type: ignore[method-assign]
        return spec


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment: while bars are drawn, it puts lines above them."""

    def __init__(self, log_format: str) -> None:
        logging.Handler.__init__(self)
        self._log_format = log_format

    def format(self, record: logging.LogRecord) -> str:
        """As people or programs read it; what formats it is made for the first event."""
        if self.formatter is None:
            self.setFormatter(_formatter(self._log_format))
        return super().format(record)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # looked up anew for each line, so never set
        return sys.stderr


def _formatter(log_format: str) -> logging.Formatter:
    import structlog

    last: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    )
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _harmless,
            last,
        ]
    )


def _harmless(_: Any, __: str, event: Any) -> Any:
    """Names and values come from files: no escape sequence of theirs reaches a terminal."""
    return {
        key: printable(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
    }
