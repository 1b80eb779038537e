"""``etl check``: the quality of what is in the warehouse."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.options import date_column_option, junit_option, period_options
from etl_framework.cli.session import Session, findings, json_option
from etl_framework.errors import ExitCode, UsageError
from etl_framework.terminal import counted, printable, seconds_in_words

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("table")
@click.option("--job", metavar="JOB", help="Whose checks are made.  [default: of the job that loads into the table]")
@click.option("--target", metavar="URL", help="Warehouse, by name or URL.  [default: duckdb:warehouse.duckdb]")
@period_options("Check the rows of these days", default="every row")
@date_column_option
@junit_option
@json_option
@click.pass_obj
@with_log
def check(session: Session, table: str, job: str | None, junit: Path | None, **options: object) -> int:
    """Check the quality of what is in a table, and change nothing.

    The checks are those of the job that loads into the table. Exits with 3 when one of them finds an error, and when
    the table, or the period, is empty.
    """
    from etl_framework.config import loading_elsewhere

    workspace = session.workspace()
    asked = workspace.table_job(table, job, options)
    try:
        verdict = workspace.check(asked)
    except UsageError as error:
        if error.key != "table" or not os.path.lexists(table):
            raise
        raise UsageError(
            error.message, advice=f"It is a file: `etl validate {shlex.quote(table)}` checks it."
        ) from error
    write_report(junit, f"table {verdict.table}", verdict.checks, verdict.findings, verdict.seconds)

    def show() -> None:
        findings(verdict.findings)
        passed = click.style("valid", fg="green") if verdict.passed else click.style("not valid", fg="red")
        made = counted(len(verdict.checks), "check") if verdict.checks else "no checks but whether there are rows"
        click.echo(
            f"{passed}: {counted(verdict.rows, 'row')} of {printable(verdict.table)}, {made} "
            f"in {seconds_in_words(verdict.seconds)}"
        )

    session.answer("table_check", verdict, show)
    if not asked.configured:
        for name, target in loading_elsewhere(workspace.config, asked.table, asked.target).items():
            session.hint(
                f"job {name} loads a table of this name into {target}: give --job {name} to have its checks made"
            )
    return ExitCode.DONE if verdict.passed else ExitCode.REFUSED


def write_report(path: Path | None, suite: str, checks: Any, found: Any, seconds: float) -> None:
    """Write a JUnit XML report where one is asked for."""
    if path is None:
        return
    from etl_framework.junit import junit_report, write_junit

    write_junit(path, junit_report(suite, checks, found, seconds))
