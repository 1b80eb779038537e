"""``etl plugins``: who does what."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, facts, json_option, table
from etl_framework.errors import ExitCode, UsageError
from etl_framework.plugins import PluginInfo, Plugins
from etl_framework.scaffolding import KINDS
from etl_framework.terminal import printable


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
    surveyed = Plugins.survey(session.workspace().settings)
    info = next((info for info in surveyed.infos if info.name == name), None)
    if info is None:
        known = ", ".join(info.name for info in surveyed.infos)
        raise UsageError(f"there is no plugin {name!r}", advice=f"Plugins: {known}.")

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
