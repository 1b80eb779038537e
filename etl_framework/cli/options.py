"""Options that several commands share, those of plugins among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def period_options(what: str, *, default: str) -> Callable[[Any], Any]:
    """Add ``--period``, ``--from`` and ``--to`` to a command, as ``period``, ``from_`` and ``to``.

    :param what: begins the help: what is done with the days.
    :param default: what is taken without them.
    """
    options = [
        click.option("--period", metavar="P", help=f"{what}: 2024-01, 2024-01..2024-03.  [default: {default}]"),
        click.option("--from", "from_", metavar="DAY", help="First day, instead of --period.  [default: none]"),
        click.option("--to", metavar="DAY", help="Last day, included.  [default: none]"),
    ]

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def date_column_option(command: Any) -> Any:
    """Add ``--date-column`` to a command."""
    text = "The column that tells the day of a table's row.  [default: the job's]"
    return click.option("--date-column", metavar="NAME", help=text)(command)
