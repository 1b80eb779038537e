"""The command ``etl duplicates``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_framework import (
    ExitCode,
    Severity,
    counted,
    date_column_option,
    json_option,
    junit_option,
    period_options,
    printable,
    seconds_in_words,
)

if TYPE_CHECKING:
    from etl_framework import Session
    from etl_quality.duplication import DuplicatedKey, Duplication

_SHOWN = 80


@click.command()
@click.argument("where", metavar="FILE|JOB|TABLE")
@click.option("--keys", metavar="A,B", help="Columns that identify a row, with commas between.  [default: the job's]")
@click.option("--job", metavar="JOB", help="How the file is read, or what loads into the table.  [default: none]")
@click.option("--target", metavar="URL", help="Warehouse, by name or URL.  [default: duckdb:warehouse.duckdb]")
@period_options("Look at the files, or the rows of a table, of these days", default="the job's; of a table, all")
@date_column_option
@junit_option
@json_option
@click.pass_obj
def duplicates(
    session: Session, /, where: str, keys: str | None, job: str | None, junit: Path | None, **options: object
) -> int:
    """Find the keys that more than one row has, exactly.

    In a file, in the files of a job, or in a table of a warehouse: what is neither a file nor a job is a table. A
    period chooses among the files of a job, and among the rows of a table. Nothing is changed. Exits with 3 when a key
    occurs twice, when a record of a file is bad, and when there are no rows.
    """
    from etl_quality.duplication import duplication

    names = [name.strip() for name in (keys or "").split(",") if name.strip()]
    if keys is not None and not names:
        raise click.BadParameter(f"{keys!r} names no column", param_hint="--keys")
    found = duplication(session.workspace(), where, names, job=job, options=options, observers=session.observers())
    if junit is not None:
        _write_junit(junit, found)
    session.answer("duplicates", found, lambda: _show(found))
    return ExitCode.DONE if found.passed else ExitCode.REFUSED


def _write_junit(path: Path, found: Duplication) -> None:
    from etl_framework import junit_report, write_junit

    write_junit(path, junit_report(f"duplicates in {found.where}", found.checks, found.findings, found.seconds))


def _show(found: Duplication) -> None:
    for finding in found.findings:
        if finding.rule != "duplicates" and finding.severity is not Severity.INFO:
            click.echo(f"{finding.severity}: {finding.rule}: {printable(finding.message)}")
    names = printable(", ".join(found.keys))
    for key in found.worst:
        click.echo(f"{key.rows:>12,} rows  {printable(key.key, limit=_SHOWN)}{_lines(key)}")
    if left := found.duplicated_keys - len(found.worst):
        click.echo(f"{'':>12}       and {counted(left, 'more key')}")
    if found.extra_rows:
        said = f"{counted(found.duplicated_keys, 'duplicated key')} ({names}), {counted(found.extra_rows, 'extra row')}"
        verdict = click.style(said, fg="red")
    else:
        verdict = click.style(f"no duplicated keys ({names})", fg="green" if found.passed else "red")
    click.echo(
        f"{verdict} in {counted(found.rows, 'row')} of {printable(found.where)}, {seconds_in_words(found.seconds)}"
    )


def _lines(key: DuplicatedKey) -> str:
    """Where the first rows of a key are, as ``: a.csv:3,7``."""
    if not key.places:
        return ""
    files = groupby(key.places, lambda place: place.file)
    shown = [f"{printable(Path(file).name)}:{','.join(str(place.line) for place in places)}" for file, places in files]
    more = ", …" if key.rows > len(key.places) else ""
    return f": {', '.join(shown)}{more}"
