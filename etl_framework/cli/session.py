"""What the global options say, and how the command line speaks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl_framework.cli.streams import kept_output
from etl_framework.errors import EtlError, UsageError
from etl_framework.program import addressed, program_for
from etl_framework.terminal import printable, quoted

if TYPE_CHECKING:
    from etl_framework.logs import Logger
    from etl_framework.protocols import Emit
    from etl_framework.values import Sample
    from etl_framework.workspace import Workspace


_UNLIMITED = 1_000_000
"""Cells, more than any line needs."""


@dataclass
class Session:
    """One call of the command line.

    :param config: the configuration file named with ``-c``.
    :param state_dir: the state folder named with ``--state-dir``.
    :param disabled: plugins to leave out.
    :param use: which plugin answers which question.
    :param quiet: neither progress nor reports.
    :param debug: tracebacks beside messages.
    :param as_json: the command prints one JSON document.
    :param junit: the file that the command is to write its findings to, as JUnit XML; None for none.
    :param log_format: ``console`` or ``json``; then standard error holds nothing but JSON lines.
    """

    config: str | None = None
    state_dir: str | None = None
    disabled: tuple[str, ...] = ()
    use: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
    debug: bool = False
    as_json: bool = False
    junit: Path | None = None
    log_format: str = "console"
    _held: list[str] | None = field(default=None, init=False)

    @classmethod
    def told_by(cls, arguments: Sequence[str]) -> Session:
        """A session that knows how to speak before the options are parsed: a mistake among them is told so, too."""
        options = list(takewhile(lambda word: word != "--", arguments))
        logs_json = "--log-format=json" in options or ("--log-format", "json") in pairwise(options)
        written = [second for first, second in pairwise(options) if first == "--junit"]
        written += [word.removeprefix("--junit=") for word in options if word.startswith("--junit=")]
        return cls(
            as_json="--json" in options,
            log_format="json" if logs_json else "console",
            junit=Path(written[-1]) if written else None,
        )

    @property
    def colour(self) -> bool | None:
        """Whether messages are coloured; None leaves it to whether the stream is a terminal."""
        return False if os.environ.get("NO_COLOR") else None

    @property
    def program(self) -> str:
        """How ``etl`` was called, up to the command."""
        return program_for(config=self.config, state_dir=self.state_dir, disabled=self.disabled)

    def workspace(self) -> Workspace:
        """The project that the command works on."""
        from etl_framework.workspace import Workspace

        return Workspace.open(self.config, disabled=self.disabled, use=self.use, state_dir=self.state_dir)

    def observers(self) -> tuple[Emit, ...]:
        """Who shows progress: bars on a terminal, lines elsewhere; nobody when quiet, or when a program reads along."""
        if self.quiet or self.log_format == "json":
            return ()
        from etl_framework.cli.progress import progress

        return (progress(),)

    @property
    def console(self) -> bool:
        """Whether reporters print."""
        return not self.as_json and not self.quiet

    def answer(self, kind: str, value: object, show: Callable[[], None]) -> None:
        """Print the command's result: one JSON document, or what ``show`` prints."""
        if self.as_json:
            from etl_framework.jsonable import dumps

            document = dumps(kind, value)
            if self._held is None:
                click.echo(document, nl=False)
            else:
                self._held.append(document)
        else:
            show()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With ``--json``, have nothing but the answer on standard output, whatever plugins and libraries print.

        It is printed at the end; an error is told instead of it.
        """
        if not self.as_json:
            yield
            return
        held: list[str] = []
        self._held = held
        try:
            with kept_output():
                yield
        finally:
            self._held = None
        click.echo("".join(held), nl=False)

    def fail(self, error: EtlError) -> None:
        """Print why a command failed; with ``--json``, the report of the run that failed, or the error itself."""
        if error.report is None:
            self.complain(error.message, error.advice, error.exit_code)
        else:
            self.answer("run_report", error.report, lambda: None)
            self.say(error.message, error.advice)

    def complain(self, message: str, advice: str, code: int) -> None:
        """Print an error that belongs to no run, and write it where findings were to be written."""
        advice = addressed(advice, self.program)
        self._tell_in_junit(message, advice)
        if self.as_json:
            document = {
                "schema_version": 1,
                "kind": "error",
                "message": message,
                "advice": advice,
                "exit_code": int(code),
            }
            click.echo(json.dumps(document, indent=2))
        self.say(message, advice)

    def _tell_in_junit(self, message: str, advice: str) -> None:
        """Replace the report of an earlier run: it does not hold any more, and nothing holds instead."""
        if self.junit is None:
            return
        from etl_framework.junit import junit_error, write_junit

        with suppress(EtlError):  # that it cannot be written may be the very error, and one is enough
            write_junit(self.junit, junit_error(message, advice))

    def say(self, message: str, advice: str) -> None:
        """Say on standard error what failed and what to do, after all that standard output was given before."""
        sys.stdout.flush()
        advice = addressed(advice, self.program)
        if self.log_format == "json":
            self.log().error("command_failed", message=message, advice=advice)
            return
        lines = [printable(line) for line in message.splitlines() or [""]]
        click.secho("error: ", fg="red", bold=True, nl=False, err=True, color=self.colour)
        click.echo("\n  ".join(lines), err=True)
        for line in advice.splitlines():
            click.echo(f"  {printable(line)}", err=True)

    def warn(self, message: str) -> None:
        """Say on standard error what is odd, without more ado."""
        message = addressed(message, self.program)
        sys.stdout.flush()
        if self.log_format == "json":
            self.log().warning("command_warning", message=message)
        else:
            click.echo(f"warning: {printable(message)}", err=True)

    def hint(self, message: str) -> None:
        """Say on standard error what else could be asked for, unless the session is quiet."""
        if self.quiet or self.log_format == "json":
            return
        sys.stdout.flush()
        click.echo(f"hint: {printable(addressed(message, self.program))}", err=True)

    def log(self) -> Logger:
        """The log as JSON lines, for what is said before or beside the log that the options ask for."""
        from etl_framework.cli.log import configure
        from etl_framework.logs import get_logger

        configure("json", "warning")
        return get_logger()


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: frozenset[str] = frozenset()
) -> None:
    """Print a table on standard output, whole columns on a terminal and untruncated text elsewhere.

    :param right: columns that hold numbers.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        # The first column names the row: it is there to be copied.
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold", no_wrap=number == 0)
    for row in rows:
        drawn.add_row(*(Text(printable(str(cell))) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        # A program may read it: nothing is folded away for a screen that is not there.
        console.width = max(console.measure(drawn, options=console.options.update(width=_UNLIMITED)).maximum, 1)
    with console.capture() as captured:
        console.print(drawn)
    if title:
        click.secho(f"\n{printable(title)}", bold=True)
    # The last column is filled up with blanks, which whoever copies or compares the lines does not want.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    if title:
        click.echo()


def facts(rows: Iterable[tuple[str, object]]) -> None:
    """Print labels and values, one a line."""
    listed = [(label, printable(str(value))) for label, value in rows]
    width = max((len(label) for label, _ in listed), default=0)
    for label, value in listed:
        click.echo(f"{label:<{width}}  {value}")


def findings(found: Iterable[Any]) -> None:
    """Print findings with their first samples."""
    colours = {"error": "red", "warning": "yellow", "info": "cyan"}
    for finding in found:
        click.secho(f"{finding.severity:<8}", fg=colours[finding.severity], nl=False)
        click.echo(f"{finding.rule}: {printable(finding.message)}")
        for sample in finding.samples[:5]:
            click.echo(f"          {_place(sample)}")
        if finding.advice:
            click.echo(f"          {printable(finding.advice)}")
        if finding.also:
            click.echo(f"          The same was found by {printable(', '.join(finding.also))}.")


def _place(sample: Sample) -> str:
    """Where a sample is, and what is there, as far as it tells."""
    where = "" if sample.file is None else f"{sample.file}:{sample.line}" if sample.line else sample.file
    value = "" if sample.value is None else f"= {quoted(str(sample.value), limit=80)}"
    column = repr(sample.column) if sample.column else ""
    place = " ".join(filter(None, (printable(where), printable(column), value)))
    return ": ".join(filter(None, (place, printable(sample.reason))))


def confirm(question: str, *, yes: bool, unasked: str) -> None:
    """Ask before something is changed or removed; without a terminal, insist on ``--yes``.

    :param unasked: the sentence that refuses to go on without an answer.
    :raises UsageError: nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(unasked, advice="Say --yes to do it unasked.")
    click.confirm(question, abort=True, err=True)


def json_option(command: Any) -> Any:
    """Add ``--json`` to a command: what anybody else prints while it runs goes to standard error then."""

    def kept_alone(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def alone(*args: Any, **kwargs: Any) -> Any:
            with click.get_current_context().ensure_object(Session).alone():
                return function(*args, **kwargs)

        return alone

    if not isinstance(command, click.Command):
        command = kept_alone(command)
    elif command.callback is not None:
        command.callback = kept_alone(command.callback)

    def remember(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.ensure_object(Session).as_json = True

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=remember,
        is_eager=True,
        help="Print one JSON document instead of text.  [default: text]",
    )(command)
