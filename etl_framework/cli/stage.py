"""``etl stage``: what runs left behind in the warehouses' staging areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from etl_framework.cli.ages import age
from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, confirm, json_option, table
from etl_framework.errors import ExitCode
from etl_framework.program import addressed
from etl_framework.terminal import bytes_in_words, counted, seconds_in_words

if TYPE_CHECKING:
    from datetime import timedelta

    from etl_framework.staging import Removal, Staging

_target_option = click.option(
    "--target", metavar="NAME|URL", help="Whose staging area.  [default: every target of etl.toml]"
)


@click.group()
def stage() -> None:
    """Show what runs left behind in staging areas, and remove it."""


@stage.command("list")
@_target_option
@json_option
@click.pass_obj
@with_log
def list_staged(session: Session, target: str | None) -> int:
    """List the staged parts and landing tables that runs left behind, the oldest first.

    Runs that are under way or can be resumed have theirs there, too: the last column tells, as far as the journal of
    this state folder knows the run.
    """
    found = session.workspace().staged(*([target] if target else []))
    session.answer("staged", {"targets": found}, lambda: _show(found, session))
    return _tell_errors(session, found)


@stage.command("clean")
@_target_option
@click.option("--older-than", metavar="AGE", callback=age, help="Least age: 12h, 30d or 8w.  [default: 7d]")
@click.option(
    "--resumable",
    is_flag=True,
    help="Also what runs that could be resumed left: resumed, they upload it again.  [default: leave it]",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.  [default: remove]")
@click.option("--yes", is_flag=True, help="Do not ask before removing.  [default: ask on a terminal]")
@json_option
@click.pass_obj
@with_log
def clean_staged(
    session: Session, target: str | None, older_than: timedelta | None, resumable: bool, dry_run: bool, yes: bool
) -> int:
    """Remove staged parts and landing tables that runs left behind.

    Only what etl itself put there goes, and nothing of a run that is under way in this state folder. A run of another
    state folder may be under way, too: the least age is what saves its parts.
    """
    from etl_framework.staging import LEAST_AGE, removable

    workspace = session.workspace()
    found = workspace.staged(*([target] if target else []))
    least = LEAST_AGE if older_than is None else older_than
    chosen = tuple(removable(staging, older_than=least, resumable=resumable) for staging in found)
    count = sum(len(staging.runs) for staging in chosen)
    if count and not session.as_json and not session.quiet:
        _show(chosen, session, "Would be removed" if dry_run else "To be removed")
    if count and not dry_run:
        what = f"what {counted(count, 'run')} left behind"
        confirm(f"Remove {what}?", yes=yes, unasked=f"{what} would be removed")
    removals = () if dry_run else workspace.clean_staged(chosen)
    answer = {"dry_run": dry_run, "chosen": chosen, "removals": removals}
    session.answer("cleaned", answer, lambda: _tell(removals, nothing=not count))
    failed = [removal for removal in removals if removal.error]
    for removal in failed:
        session.say(f"what run {removal.leftover.run} left was not removed: {removal.error}", removal.advice)
    return failed[0].exit_code if failed else _tell_errors(session, found)


def _show(found: tuple[Staging, ...], session: Session, title: str = "") -> None:
    rows: list[tuple[Any, ...]] = [
        (
            run.leftover.run,
            staging.name or staging.url,
            run.leftover.place,
            f"{run.leftover.files:,}",
            bytes_in_words(run.leftover.bytes),
            len(run.leftover.tables),
            "unknown" if run.age is None else seconds_in_words(run.age),
            run.known,
        )
        for staging in found
        for run in staging.runs
    ]
    if rows:
        columns = ["run", "target", "in", "files", "size", "tables", "age", "run is"]
        table(title, columns, rows, right=frozenset({"files", "size", "tables", "age"}))
    elif not found:
        click.echo("No targets are declared: name one with --target.")
    elif not any(staging.error for staging in found):
        click.echo("Nothing is left behind.")
    for staging in found:
        if staging.note and not title:
            click.echo(addressed(f"{staging.name or staging.url}: {staging.note}", session.program))


def _tell(removals: tuple[Removal, ...], *, nothing: bool) -> None:
    if nothing:
        click.echo("Nothing to remove.")
    elif removals:
        gone = [removal.leftover for removal in removals if removal.removed]
        files, tables = sum(left.files for left in gone), sum(len(left.tables) for left in gone)
        size = bytes_in_words(sum(left.bytes for left in gone))
        click.echo(f"Removed {counted(files, 'staged file')} of {size}, and {counted(tables, 'landing table')}.")


def _tell_errors(session: Session, found: tuple[Staging, ...]) -> int:
    failed = [staging for staging in found if staging.error]
    for staging in failed:
        session.say(f"{staging.name or staging.url}: {staging.error}", staging.advice)
    return failed[0].exit_code if failed else ExitCode.DONE
