"""``etl runs``: what was run here."""

from __future__ import annotations

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, facts, json_option, table


@click.group()
def runs() -> None:
    """Show the runs of this state folder."""


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
        table(
            "",
            ["run", "job", "table", "status", "started", "error"],
            [
                (
                    run["run"],
                    run["job"],
                    run["table"],
                    f"{run['status']}{' (resumable)' * bool(run['resumable'])}",
                    f"{run['started']:%Y-%m-%d %H:%M:%S}",
                    run["error"],
                )
                for run in listed
            ],
        )

    session.answer("runs", listed, show)


@runs.command("show")
@click.argument("run", required=False)
@click.option("--log", is_flag=True, help="The journal's entries too.  [default: only the report]")
@json_option
@click.pass_obj
@with_log
def show_run(session: Session, run: str | None, log: bool) -> None:
    """Show the report of RUN, by default the latest."""
    from etl_framework.errors import UsageError

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
