"""``etl runs``: what was run here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from etl_framework.cli.ages import age
from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, confirm, facts, json_option, table
from etl_framework.errors import ExitCode, UsageError
from etl_framework.terminal import bytes_in_words, counted, printable

if TYPE_CHECKING:
    from datetime import timedelta

    from etl_framework.journal import RunRecord
    from etl_framework.pruning import PrunedRun


@click.group()
def runs() -> None:
    """Show the runs of this state folder, and remove old ones."""


@runs.command("list")
@click.option("-n", "--last", type=click.IntRange(1), default=20, show_default=True, help="Most runs to show.")
@json_option
@click.pass_obj
@with_log
def list_runs(session: Session, last: int) -> None:
    """List runs, the latest first."""
    workspace = session.workspace()
    resumable = {record.run for record in workspace.to_resume()}
    listed = [
        {
            "run": record.run,
            "job": record.job,
            "table": record.table,
            "target": record.target,
            "status": record.status,
            "started": record.started,
            "updated": record.updated,
            "attempts": record.attempts,
            "resumable": record.run in resumable,
            "error": record.error,
        }
        for record in workspace.runs()[:last]
    ]

    def show() -> None:
        if not listed:
            click.echo(f"No runs in {workspace.state.folder}.")
            return
        if sys.stdout.isatty():
            # Six columns would be folded to a few letters each.
            _show_in_lines(listed)
            return
        table(
            "",
            ["run", "job", "table", "status", "started", "error"],
            [
                (
                    run["run"],
                    run["job"],
                    run["table"],
                    _status(run),
                    f"{run['started']:%Y-%m-%d %H:%M:%S}",
                    run["error"],
                )
                for run in listed
            ],
        )

    session.answer("runs", listed, show)


def _show_in_lines(listed: list[dict[str, Any]]) -> None:
    """A line for each run, and one more for what went wrong."""
    for run in listed:
        what = run["job"] if run["job"] == run["table"] else f"{run['job']} into {run['table']}"
        click.echo(printable(f"{run['run']}  {run['started']:%Y-%m-%d %H:%M:%S}  {_status(run)}: {what}"))
        if run["error"]:
            click.echo(f"  {printable(run['error'])}")


def _status(run: dict[str, Any]) -> str:
    return f"{run['status']}{' (resumable)' * bool(run['resumable'])}"


@runs.command("show")
@click.argument("run", required=False)
@click.option("--log", is_flag=True, help="The journal's entries too.  [default: only the report]")
@json_option
@click.pass_obj
@with_log
def show_run(session: Session, run: str | None, log: bool) -> None:
    """Show the report of RUN, by default the latest."""
    workspace = session.workspace()
    records = workspace.runs()
    if not records:
        raise UsageError(f"there are no runs in {workspace.state.folder}", advice="Begin one with `etl load`.")
    record = next((record for record in records if run in (None, record.run)), None)
    if record is None:
        raise UsageError(f"there is no run {run!r}", advice="`etl runs list` shows every run.")
    report = workspace.report(record.run)
    with workspace.state.journal() as journal:
        entries = journal.log(record.run) if log else ()

    def show() -> None:
        if report is None:
            facts([("run", record.run), ("job", record.job), ("table", record.table), ("status", record.status)])
        else:
            workspace.replay(report)
        for at, event in entries:
            click.echo(f"{at:%Y-%m-%d %H:%M:%S}  {event}")

    session.answer(
        "run",
        {"run": record, "report": report, "log": [{"at": at, "event": event} for at, event in entries]},
        show,
    )


@runs.command("prune")
@click.argument("runs", nargs=-1, metavar="[RUN…]")
@click.option("--older-than", metavar="AGE", callback=age, help="Least age: 12h, 30d or 8w.  [default: 30d]")
@click.option("--unfinished", is_flag=True, help="Runs that could be resumed, too.  [default: finished ones only]")
@click.option(
    "--forget",
    is_flag=True,
    help="Remove each RUN without asking its warehouse, such as one that is gone: staged parts may be left there, and "
    "its load may have been committed.  [default: ask]",
)
@click.option("--rejects", is_flag=True, help="Remove reject files, too.  [default: keep them]")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.  [default: remove]")
@click.option("--yes", is_flag=True, help="Do not ask before removing.  [default: ask on a terminal]")
@json_option
@click.pass_obj
@with_log
def prune_runs(
    session: Session,
    runs: tuple[str, ...],
    older_than: timedelta | None,
    unfinished: bool,
    forget: bool,
    rejects: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Remove old runs from the journal and the state folder.

    Without RUN, the finished ones of that age; a RUN that is named goes whatever its age. What a run staged is removed
    from the warehouse's staging area, and no table changes. A run that turns out to have committed its load stays
    listed, as done. No run is touched while it, or another one of its job and target, is under way. A run that cannot
    be removed keeps no other from it; the exit code is then that of the first one's error.
    """
    if forget and not runs:
        raise UsageError("--forget needs a RUN", advice="Name the runs to forget; `etl runs list` shows them.")
    workspace = session.workspace()
    chosen = workspace.prunable(*runs, older_than=older_than, unfinished=unfinished)
    if chosen and not session.as_json and not session.quiet:
        _show_chosen(chosen, "Would be removed" if dry_run else "To be removed")
    if chosen and not dry_run:
        _confirm(chosen, forget=forget, yes=yes)
    pruned = () if dry_run else workspace.prune(chosen, rejects=rejects, forget=forget)
    session.answer(
        "pruned",
        {"dry_run": dry_run, "chosen": chosen, "pruned": pruned, "bytes": sum(run.bytes for run in pruned)},
        lambda: _tell_pruned(pruned, nothing=not chosen),
    )
    failed = [run for run in pruned if run.error]
    for run in failed:
        session.say(f"{run.run} was not removed: {run.error}", run.advice)
    return failed[0].exit_code if failed else ExitCode.DONE


def _show_chosen(chosen: tuple[RunRecord, ...], title: str) -> None:
    columns = ["run", "job", "table", "status", "last entry", ""]
    rows = [
        (r.run, r.job, r.table, r.status, f"{r.updated:%Y-%m-%d %H:%M:%S}", "unfinished" * r.resumable) for r in chosen
    ]
    table(title, columns, rows)


def _confirm(chosen: tuple[RunRecord, ...], *, forget: bool, yes: bool) -> None:
    what = counted(len(chosen), "run")
    lost = " Unfinished ones cannot be resumed then." if any(record.resumable for record in chosen) else ""
    unknown = (
        " No warehouse is asked: staged parts may be left there, and a load may have been committed." if forget else ""
    )
    confirm(f"Remove {what}?{lost}{unknown}", yes=yes, unasked=f"{what} would be removed")


def _tell_pruned(pruned: tuple[PrunedRun, ...], *, nothing: bool) -> None:
    if nothing:
        click.echo("Nothing to prune.")
    for run in pruned:
        if run.kept:
            click.echo(f"{run.run} stays listed, as {run.status}: {run.kept}")
        if run.unasked:
            click.echo(f"{run.run}: its warehouse was not asked, and may hold what it staged, or even its rows")
        if run.rejects:
            click.echo(f"{run.run}: its reject files stay in {run.rejects}")
    if pruned:
        removed = sum(run.removed for run in pruned)
        freed = bytes_in_words(sum(run.bytes for run in pruned))
        click.echo(f"Removed {removed:,} of {counted(len(pruned), 'run')}, {freed}.")
