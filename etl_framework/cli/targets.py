"""``etl targets``: where loads go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, json_option, table
from etl_framework.errors import ExitCode, UsageError
from etl_framework.program import addressed
from etl_framework.terminal import printable

if TYPE_CHECKING:
    from etl_framework.targets import TargetCheck
    from etl_framework.values import Fact


@click.group()
def targets() -> None:
    """Show where loads go, and whether they could."""


@targets.command("list")
@json_option
@click.pass_obj
@with_log
def list_targets(session: Session) -> int:
    """List the targets of etl.toml, those that only jobs name included, with the plugin that answers for each.

    Nothing is connected to.
    """
    listed = session.workspace().targets()

    def show() -> None:
        if not listed:
            click.echo("No targets are declared.")
            return
        table("", ["target", "url", "plugin"], [(t.name or "-", t.url, t.plugin or "none") for t in listed])

    session.answer("targets", {"targets": listed}, show)
    wrong = [target for target in listed if target.error]
    for target in wrong:
        session.say(f"{target.name or target.url}: {target.error}", target.advice)
    return wrong[0].exit_code if wrong else ExitCode.DONE


@targets.command("test")
@click.argument("targets", nargs=-1, metavar="[NAME|URL…]")
@json_option
@click.pass_obj
@with_log
def test_targets(session: Session, targets: tuple[str, ...]) -> int:
    """Connect to targets, and show what a load into them would lack.

    Without NAME or URL, every target of etl.toml. Nothing that stays is changed. Exits with 5 when a target cannot be
    connected to, with 2 when its connection is not defined or must not be used, and with 1 when something is missing
    that a load needs.
    """
    checked = session.workspace().test_targets(*targets)
    if not checked:
        raise UsageError(
            "there is no target to test", advice="Name one, such as `etl targets test duckdb:warehouse.duckdb`."
        )
    session.answer("targets", {"targets": checked}, lambda: _show(checked, session.program))
    return max(target.exit_code for target in checked)


def _show(checked: tuple[TargetCheck, ...], program: str) -> None:
    for number, target in enumerate(checked):
        click.echo("\n" * bool(number) + printable(f"{target.name}  {target.url}" if target.name else target.url))
        if target.error:
            _show_line("FAIL", "red", target.error, addressed(target.advice, program))
        width = max((len(fact.label) for fact in target.facts), default=0)
        for fact in target.facts:
            mark, colour = _mark(fact)
            _show_line(mark, colour, f"{fact.label:<{width}}  {fact.value}", addressed(fact.advice, program))


def _mark(fact: Fact) -> tuple[str, str]:
    if not fact.ok:
        return "FAIL", "red"
    return ("note", "yellow") if fact.advice else ("ok", "green")


def _show_line(mark: str, colour: str, text: str, advice: str) -> None:
    click.secho(f"{mark:<4}", fg=colour, nl=False)
    click.echo(f"  {printable(text)}")
    for line in advice.splitlines():
        click.echo(f"      {printable(line)}")
