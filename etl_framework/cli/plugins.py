"""``etl plugins``: who does what."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, facts, json_option, table
from etl_framework.errors import ExitCode, UsageError
from etl_framework.plugins import PluginInfo, Plugins, PluginSettings
from etl_framework.scaffolding import KINDS
from etl_framework.terminal import counted, printable

if TYPE_CHECKING:
    from etl_framework.testing.examining import Promise


@click.group()
def plugins() -> None:
    """Show the installed plugins, broken ones included."""


@plugins.command("list")
@json_option
@click.pass_obj
@with_log
def list_plugins(session: Session) -> int:
    """List plugins by name with what they implement."""
    infos = Plugins.survey(session.workspace().settings).infos

    def show() -> None:
        table(
            "",
            ["plugin", "from", "hooks", "state"],
            [
                (
                    info.name,
                    info.provider,
                    ", ".join(info.hooks),
                    _state(info),
                )
                for info in infos
            ],
        )
        for info in infos:
            if info.error:
                click.secho(f"{info.name}: ", fg="red", nl=False)
                click.echo(info.error)
            for warning in info.warnings:
                click.secho(f"{info.name}: ", fg="yellow", nl=False)
                click.echo(warning)

    session.answer("plugins", infos, show)
    return ExitCode.PLUGIN if any(info.error for info in infos) else ExitCode.DONE


@plugins.command("info")
@click.argument("name")
@json_option
@click.pass_obj
@with_log
def plugin_info(session: Session, name: str) -> int:
    """Show one plugin: where it comes from, and what it implements."""
    info = _named(name, session.workspace().settings)

    def show() -> None:
        facts(
            [
                ("plugin", info.name),
                ("from", info.provider),
                ("code", info.origin),
                ("hooks", ", ".join(info.hooks)),
                ("state", _state(info)),
            ]
        )
        for warning in info.warnings:
            click.secho(warning, fg="yellow")
        if info.error:
            click.secho(info.error, fg="red")

    session.answer("plugin", info, show)
    return ExitCode.PLUGIN if info.error else ExitCode.DONE


def _state(info: PluginInfo) -> str:
    if info.error:
        return "broken"
    return "disabled" if info.disabled else "deprecated" if info.warnings else "ok"


def _named(name: str, settings: PluginSettings) -> PluginInfo:
    infos = Plugins.survey(settings).infos
    info = next((info for info in infos if info.name == name), None)
    if info is None:
        raise UsageError(f"there is no plugin {name!r}", advice=f"Plugins: {', '.join(info.name for info in infos)}.")
    return info


@plugins.command("check")
@click.argument("name")
@click.option("--job", metavar="JOB", help="Whose settings and first source are used for the trial.  [default: none]")
@click.option("--target", metavar="URL", help="Empty place to try a warehouse in; tables stay.  [default: none]")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="Seconds that each promise may take.",
)
@json_option
@click.pass_obj
@with_log
def check_plugin(session: Session, name: str, job: str | None, target: str | None, time_limit: float) -> int:
    """Try whether an installed plugin keeps what its hooks promise.

    The contracts are those of etl_framework.testing; they need pytest. Exits with 4 when a promise is broken.
    Reporters are told of old runs only, which notifiers ignore.
    """
    from etl_framework.targets import choose
    from etl_framework.testing.examining import examine

    workspace = session.workspace()
    info = _named(name, workspace.settings)
    resolved = None if job is None else workspace.job(job, (), {})
    url = None if target is None else choose(workspace.config, target)[0].url
    examined = examine(info.name, workspace.settings, job=resolved, target=url, seconds=time_limit)

    def show() -> None:
        words = {True: "ok", False: "failed", None: "not tried"}
        rows = [(each.contract, each.promise, words[each.ok]) for each in examined.promises]
        table("", ["contract", "promise", "kept"], rows)
        for (ok, contract, why), promises in _by_reason(examined.promises).items():
            more = f", and {len(promises) - 1} more" if len(promises) > 1 else ""
            click.secho(f"{words[ok]}: {contract}: {promises[0]}{more}", fg=None if ok is None else "red")
            click.echo(f"  {printable(why)}")
        for each in examined.not_run:
            click.echo(f"not tried: the contract of {each.contract}: {printable(each.why)}")
        for warning in info.warnings:
            click.secho(warning, fg="yellow")
        kept, broken = (sum(each.ok is ok for each in examined.promises) for ok in (True, False))
        only_loads = "nothing was tried but that it loads: " if len(examined.promises) == 1 and kept else ""
        click.secho(
            f"{name}: {only_loads}{counted(kept, 'promise')} kept, {broken} broken", fg="red" if broken else "green"
        )

    session.answer("plugin_check", examined, show)
    return ExitCode.DONE if examined.kept else ExitCode.PLUGIN


def _by_reason(promises: tuple[Promise, ...]) -> dict[tuple[bool | None, str, str], list[str]]:
    """What is not kept, or could not be tried: one defect often breaks several promises in the same way."""
    reasons: dict[tuple[bool | None, str, str], list[str]] = {}
    for each in promises:
        if not each.ok:
            reasons.setdefault((each.ok, each.contract, each.why), []).append(each.promise)
    return reasons


@plugins.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), default="validator", show_default=True, help="What it is.")
@click.option("--folder", type=click.Path(path_type=Path), help="A new folder to write it into.  [default: ./NAME]")
@json_option
@click.pass_obj
@with_log
def new_plugin(session: Session, name: str, kind: str, folder: Path | None) -> None:
    """Write a plugin to begin with: a package that installs, with tests that pass.

    NAME is the distribution's, such as acme-checks.
    """
    from etl_framework.cli.group import COMMANDS
    from etl_framework.scaffolding import write_plugin

    surveyed = Plugins.survey(session.workspace().settings)
    taken = {*COMMANDS, *surveyed.commands(COMMANDS)} if kind == "command" else set()
    written = write_plugin(name, kind, folder, taken=taken | {info.name for info in surveyed.infos})

    def show() -> None:
        click.echo(f"Wrote {printable(str(written.folder))}: {', '.join(written.files)}.")
        where = quote(str(written.folder))
        click.echo(f"Next: pip install -e {where}'[test]' && pytest {where}")

    session.answer("plugin_written", {"folder": written.folder, "files": written.files}, show)
