"""``etl load``, ``etl plan``, ``etl resume``."""

from __future__ import annotations

from functools import wraps
from typing import Any

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.options import period_options
from etl_framework.cli.session import Session, confirm, facts, findings, json_option, table
from etl_framework.errors import ExitCode, Interrupted
from etl_framework.terminal import bytes_in_words, counted, printable, seconds_in_words

_MOST_PARTS = 50


def job_options(command: Any) -> Any:
    """Add the arguments and options that say what is read and how."""
    decorators = [
        click.argument("job_or_files", nargs=-1, metavar="[JOB | FILE…]"),
        period_options("Days to load", default="the job's"),
        click.option(
            "--check",
            type=click.Choice(["file", "warehouse", "both", "none"]),
            help="Where quality is checked; structure always is.  [default: file]",
        ),
        click.option("--jobs", type=click.IntRange(1, 1024), help="Parts read at a time.  [default: the usable cores]"),
        click.option(
            "--executor", metavar="URL", help="What reads the parts: threads:N, processes:N.  [default: threads:]"
        ),
        click.option("--part-size", metavar="SIZE", help="Nominal size of a part, such as 64MiB.  [default: 128MiB]"),
        click.option("--recursive/--no-recursive", default=None, help="Look into subfolders.  [default: no]"),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def load_options(command: Any) -> Any:
    """Add the options that say where rows go."""
    decorators = [
        click.option("--target", metavar="URL", help="Warehouse, by name or URL.  [default: duckdb:warehouse.duckdb]"),
        click.option("--table", metavar="T", help="Where the rows go.  [default: the job's, or the file's name]"),
        click.option(
            "--mode",
            type=click.Choice(["append", "replace", "replace-period", "merge"]),
            help="How the table changes.  [default: append]",
        ),
        click.option(
            "--gate",
            type=click.Choice(["before-load", "before-upload"]),
            help="When the findings are weighed.  [default: before-load]",
        ),
        click.option(
            "--on-bad-rows",
            type=click.Choice(["abort", "quarantine"]),
            help="Refuse the load, or set bad rows aside.  [default: abort]",
        ),
        click.option(
            "--max-bad-rows",
            metavar="N|N%",
            help="Most rows to quarantine, or their share.  [default: no limit]",
        ),
        click.option("--compress", metavar="CODEC", help="zstd, gzip or none.  [default: the warehouse's]"),
        click.option("--compress-level", type=int, help="Level of the codec.  [default: the codec's]"),
        click.option("--again", is_flag=True, default=None, help="Append what was appended before.  [default: refuse]"),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command()
@job_options
@load_options
@click.option("--yes", is_flag=True, help="Do not ask before replacing rows.  [default: ask on a terminal]")
@json_option
@click.pass_obj
@with_log
def load(session: Session, job_or_files: tuple[str, ...], yes: bool, **options: object) -> None:
    """Load a job of etl.toml, or files, into a table.

    Everything is checked before the table changes; then all rows are loaded, or none.
    """
    workspace = session.workspace()
    job = workspace.job(*_what(workspace, job_or_files), options)
    _confirm(job, yes)
    report = workspace.load(job, observers=session.observers(), console=session.console)
    session.answer("run_report", report, lambda: None)


@click.command()
@job_options
@load_options
@json_option
@click.pass_obj
@with_log
def plan(session: Session, job_or_files: tuple[str, ...], **options: object) -> int:
    """Show what a load would do, and change nothing."""
    workspace = session.workspace()
    planned = workspace.plan(workspace.job(*_what(workspace, job_or_files), options))

    def show() -> None:
        rows = counted(planned.rows, "row")
        facts(
            [
                ("job", planned.job),
                ("target", planned.target),
                ("table", planned.table + ("" if planned.table_exists else " (will be created)")),
                ("mode", planned.mode + (f", period {planned.period}" if planned.period else "")),
                ("sources", f"{counted(len(planned.sources), 'file')}, {bytes_in_words(planned.bytes)}, about {rows}"),
                ("parts", f"{len(planned.parts):,} on {planned.executor.rstrip(':')} ({planned.workers} at a time)"),
                ("staged", f"about {bytes_in_words(planned.staged_bytes)} ({_compressed(planned.codec)})"),
                ("checks", ", ".join(("structure", *planned.checks))),
                ("up to the gate", f"about {seconds_in_words(planned.seconds)}" if planned.seconds else "unknown"),
            ]
        )
        table("columns", ["column", "type"], [(c.name, f"{c.type}{' not null' * c.required}") for c in planned.columns])
        table(
            "parts",
            ["part", "source", "from byte", "to byte", "size"],
            [
                (p.number, planned.sources[p.source].name, f"{p.start:,}", f"{p.end:,}", bytes_in_words(p.size))
                for p in planned.parts[:_MOST_PARTS]
            ],
            right=frozenset({"part", "from byte", "to byte", "size"}),
        )
        if len(planned.parts) > _MOST_PARTS:
            click.echo(f"and {counted(len(planned.parts) - _MOST_PARTS, 'more part')}: --json tells all\n")
        click.echo("SQL")
        for statement in planned.statements:
            click.echo(f"  {statement}")
        findings(planned.findings)
        for fact in planned.capacity:
            click.secho("warning ", fg="yellow", nl=False)
            click.echo(f"{fact.label}: {printable(fact.value)}")
            click.echo(f"          {printable(fact.advice)}")
        for objection in planned.objections:
            click.secho(f"would be refused: {printable(objection)}", fg="red")
        if planned.advice:
            click.echo(f"  {planned.advice}")

    session.answer("plan", planned, show)
    return ExitCode.REFUSED if planned.objections else ExitCode.DONE


def _compressed(codec: str) -> str:
    return "uncompressed" if codec == "none" else codec


def _told_that_it_can_still_be_resumed(command: Any) -> Any:
    """Have a signal that comes before the run goes on leave it as resumable as it was, and say so."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            session = click.get_current_context().ensure_object(Session)
            waiting = [record.run for record in session.workspace().to_resume()]
            run = kwargs["run"] or (waiting[0] if len(waiting) == 1 else None)
            if run not in waiting:
                raise
            raise Interrupted(
                f"stopped before run {run} went on; nothing is half done", advice=f"`etl resume {run}` goes on."
            ) from None

    return told


@click.command()
@click.argument("run", required=False)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Parts read at a time, on threads.  [default: the job's]")
@click.option("--executor", metavar="URL", help="What reads the parts: threads:N, processes:N.  [default: the job's]")
@json_option
@_told_that_it_can_still_be_resumed
@click.pass_obj
@with_log
def resume(session: Session, run: str | None, jobs: int | None, executor: str | None) -> None:
    """Carry a run that was interrupted, killed or failed to its end.

    Without RUN, the one that stopped before its end; with nothing to resume it says so.

    A resumed run keeps the settings that it began with. So a run that one of them stopped before any part was read
    has ended: correct it, and load again. Once parts were read, what a setting asks of, such as the file of a
    calendar, can be mended, and the run goes on.
    """
    workspace = session.workspace()
    chosen = executor or (f"threads:{jobs}" if jobs else None)
    report = workspace.resume(run, executor=chosen, observers=session.observers(), console=session.console)
    if report is None:
        session.answer("nothing", {"message": "nothing to resume"}, lambda: click.echo("Nothing to resume."))
    else:
        session.answer("run_report", report, lambda: None)


def _what(workspace: Any, words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    from etl_framework.config import name_or_files

    return name_or_files(workspace.config, words)


def _confirm(job: Any, yes: bool) -> None:
    """Ask before rows are removed."""
    if job.mode == "append":
        return
    which = {"replace": "every row", "replace-period": f"the rows of {job.period}", "merge": "rows of the same keys"}
    change = f"{which[job.mode]} of {job.table} in {job.target}"
    confirm(f"Replace {change}?", yes=yes, unasked=f"mode {job.mode} replaces {change}")
