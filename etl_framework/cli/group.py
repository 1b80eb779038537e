"""The command ``etl``: global options, and where its commands are found."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl_framework.cli.session import Session
from etl_framework.cli.streams import kept_output
from etl_framework.errors import EtlError

if TYPE_CHECKING:
    from etl_framework.plugins import PluginSettings

COMMANDS = {
    "load": "load:load",
    "plan": "load:plan",
    "resume": "load:resume",
    "runs": "runs:runs",
    "analyze": "files:analyze",
    "validate": "files:validate",
    "check": "check:check",
    "config": "config:config",
    "targets": "targets:targets",
    "stage": "stage:stage",
    "doctor": "doctor:doctor",
    "plugins": "plugins:plugins",
    "demo": "demo:demo",
}
"""Where each command of the core is, by module and name; imported when asked for."""


class Commands(click.Group):
    """The core's commands, imported when asked for, and those that plugins add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The core's commands in the order of work, then the plugins' by name."""
        return [*COMMANDS, *sorted(_from_plugins(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name in COMMANDS:
            module, name = COMMANDS[cmd_name].split(":")
            command: click.Command = getattr(import_module(f"etl_framework.cli.{module}"), name)
            return command
        return _from_plugins(ctx).get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            if error := ctx.meta.get("etl.commands.error"):
                # The command may be one of those that could not be added.
                raise error
            from difflib import get_close_matches

            guesses = get_close_matches(name, self.list_commands(ctx), n=1)
            meant = f" Did you mean {guesses[0]!r}?" if guesses else ""
            raise click.UsageError(f"there is no command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)


def _from_plugins(ctx: click.Context) -> dict[str, click.Command]:
    """What plugins add; broken plugins are named and do not keep the others from working."""
    if "etl.commands" not in ctx.meta:
        from etl_framework.plugins import Plugins

        as_json = ctx.ensure_object(Session).as_json
        try:
            with kept_output() if as_json else nullcontext():
                surveyed = Plugins.survey(_plugin_settings(ctx))
                commands = {name: command for name, (command, _) in surveyed.commands(COMMANDS).items()}
            ctx.meta["etl.commands"] = commands
        except EtlError as error:
            ctx.ensure_object(Session).warn(error.message)
            ctx.meta["etl.commands"] = {}
            ctx.meta["etl.commands.error"] = error
        else:
            for info in surveyed.infos:
                if info.error:
                    ctx.ensure_object(Session).warn(f"plugin {info.name} is broken: see `etl plugins list`")
    found: dict[str, click.Command] = ctx.meta["etl.commands"]
    return found


def _plugin_settings(ctx: click.Context) -> PluginSettings:
    """Which plugins there are; those in files only where the configuration that names them can be understood."""
    from etl_framework.plugins import PluginSettings

    session = ctx.ensure_object(Session)
    # click looks for the command before the group's own function could fill the session.
    disabled = ctx.params.get("disabled") or session.disabled
    session.config = ctx.params.get("config") or session.config
    if session.config is None and not Path("etl.toml").is_file():
        return PluginSettings(disabled=disabled)
    from etl_framework.config import load_config

    try:
        config = load_config(Path(session.config) if session.config else None)
    except EtlError as error:
        session.warn(error.message)
        ctx.meta["etl.commands.error"] = error
        return PluginSettings(disabled=disabled)
    return PluginSettings(disabled=(*config.disabled_plugins, *disabled), files=config.plugins)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"etl {version('etl-framework')}")
        ctx.exit()


def _chosen(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """What ``--use`` says, by question."""
    from etl_framework.plugins.plugin import QUESTIONS

    chosen = {}
    for text in given:
        question, _equals, plugin = text.partition("=")
        if question not in QUESTIONS or not plugin:
            raise click.BadParameter(
                f"{text!r} is not QUESTION=PLUGIN; the questions are {', '.join(QUESTIONS)}", param_hint="--use"
            )
        chosen[question] = plugin
    return chosen


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "auto_envvar_prefix": None},
    no_args_is_help=True,
)
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False),
    is_eager=True,  # known to --help too
    help="Configuration file.  [default: etl.toml in the current folder, if there is one]",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False),
    help="Folder for journal, locks, rejects and local staging.  [default: .etl beside etl.toml]",
)
@click.option(
    "--disable-plugin",
    "disabled",
    multiple=True,
    metavar="NAME",
    is_eager=True,  # known to --help too
    help="Leave a plugin out.  [default: none]",
)
@click.option(
    "--use",
    multiple=True,
    metavar="QUESTION=PLUGIN",
    callback=_chosen,
    help="Who answers where several plugins could, such as analyze=delimited.  [default: the only one that does]",
)
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="Form of the log; as json, every line on standard error is a JSON object, and no progress is shown.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Least severity that is logged on standard error.  [default: warning]",
)
@click.option("-q", "--quiet", is_flag=True, help="Neither progress nor reports.  [default: both]")
@click.option("-v", "--verbose", is_flag=True, help="Log every step, as --log-level info does.  [default: off]")
@click.option("--debug", is_flag=True, help="Show tracebacks beside messages.  [default: messages]")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version and exit."
)
@click.pass_context
def etl(
    ctx: click.Context,
    config: str | None,
    state_dir: str | None,
    disabled: tuple[str, ...],
    use: dict[str, str],
    log_format: str,
    log_level: str | None,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Load very large delimited files into a warehouse: checked, atomic, exactly once.

    \b
    etl demo               a first run on generated data
    etl load FILE          a file into the embedded warehouse
    etl load JOB           a job of etl.toml
    """
    session = ctx.ensure_object(Session)
    session.config, session.state_dir, session.disabled, session.use = config, state_dir, disabled, use
    session.quiet, session.debug, session.log_format = quiet, debug, log_format
    level = log_level or ("info" if verbose else "error" if quiet else "warning")
    ctx.meta["etl.log"] = (log_format, level)


def configure_log(ctx: click.Context) -> None:
    """Set up the log as the global options say; only commands that do something need it."""
    from etl_framework.cli.log import configure

    log_format, level = ctx.meta.get("etl.log", ("console", "warning"))
    configure(log_format, level)


def with_log(command: Any) -> Any:
    """Run a command with the log set up."""
    from functools import wraps

    @wraps(command)
    def logged(*args: Any, **kwargs: Any) -> Any:
        configure_log(click.get_current_context())
        return command(*args, **kwargs)

    return logged
