"""Options that several commands share, those of plugins among them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from etl_framework.cli.session import Session


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


def junit_option(command: Any) -> Any:
    """Add ``--junit`` to a command, as ``junit``: the path of the file that it writes its findings to, or None.

    Where the command ends with an error instead, the session writes a report that tells it: a file of an earlier run
    would be taken for an answer.
    """

    def remember(context: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        from etl_framework.junit import insist_on_report

        if not path.absolute().parent.is_dir():
            raise click.BadParameter(f"there is no folder {path.absolute().parent} to write {path.name} to")
        with suppress(OSError):  # told once it is to be written
            insist_on_report(path)
        context.ensure_object(Session).junit = path
        return path

    return click.option(
        "--junit",
        metavar="PATH",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=remember,
        is_eager=True,  # known before other options are looked at, so that an error among them is told in the file
        help="Write the findings, or why there are none, as JUnit XML, for CI systems.  [default: not]",
    )(command)
