"""``etl config``: write, check and explain the configuration."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_framework.cli.group import with_log
from etl_framework.cli.session import Session, json_option, table
from etl_framework.errors import UsageError
from etl_framework.terminal import counted, printable

if TYPE_CHECKING:
    from etl_framework.config import Config, Setting


@click.group()
def config() -> None:
    """Write, check and explain etl.toml."""


@config.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), default=Path("etl.toml"))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.  [default: refuse]")
@json_option
@click.pass_obj
@with_log
def init(session: Session, path: Path, force: bool) -> None:
    """Write a commented etl.toml to begin with."""
    from etl_framework.config import STARTER

    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(STARTER)
    except FileExistsError as error:
        raise UsageError(
            f"{path} is there already", advice="Say --force to overwrite it, or name another file."
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", advice="Name a file that can be written.") from error
    session.answer("written", {"path": str(path.absolute())}, lambda: click.echo(f"Wrote {path}."))


@config.command("validate")
@json_option
@click.pass_obj
@with_log
def validate_config(session: Session) -> None:
    """Check the configuration and every job of it, and that plugins load and understand their settings.

    No source is read, and no warehouse connected to; `etl doctor` connects. What checks ask of columns that a job does
    not declare shows only with its sources: `etl plan JOB` looks at those.
    """
    from etl_framework.config_check import check_config, unproved, unread
    from etl_framework.plugins import Plugins

    workspace = session.workspace()
    plugins = Plugins.load(workspace.settings)
    check_config(workspace.config, plugins)
    path = str(workspace.config.path) if workspace.config.path else None
    jobs = list(workspace.config.jobs)

    def show() -> None:
        click.echo(f"{path or 'There is no etl.toml here'}: {counted(len(jobs), 'job')}, nothing wrong.")

    session.answer("config", {"path": path, "jobs": jobs, "targets": list(workspace.config.targets)}, show)
    for note in unread(workspace.config, plugins):
        session.hint(note)
    for name, why in unproved(workspace.config, plugins).items():
        session.hint(f"{why}: `etl plan {name}` looks at its files, too")


@config.command()
@click.argument("job", required=False)
@json_option
@click.pass_obj
@with_log
def show(session: Session, job: str | None) -> None:
    """Show every setting of JOB with its value and where it comes from; by default, of every job.

    Where there is no job, what holds for any file is shown.
    """
    from etl_framework.config import explain_defaults

    workspace = session.workspace()
    names = [job] if job else list(workspace.config.jobs)
    explained = {name: _explained(workspace.config, name) for name in names}
    defaults = () if names else explain_defaults(workspace.config)
    answer = {
        "path": workspace.config.path,
        "state_dir": workspace.config.state_dir,
        "targets": {name: target.url for name, target in workspace.config.targets.items()},
        "jobs": explained,
        "defaults": defaults,
    }

    def show_settings() -> None:
        click.echo(f"configuration  {printable(str(workspace.config.path or 'none'))}")
        click.echo(f"state          {printable(str(workspace.config.state_dir))}")
        for name, target in workspace.config.targets.items():
            click.echo(f"target         {printable(name)} = {printable(target.url)}")
        for name, settings in explained.items():
            _show_settings(f"job {name}", settings)
        if defaults:
            _show_settings("any file", defaults)

    session.answer("config", answer, show_settings)


def _show_settings(title: str, settings: tuple[Setting, ...]) -> None:
    """Print settings as TOML writes them: in columns on a terminal, and elsewhere a line each, as wide as it is."""
    if sys.stdout.isatty():
        rows = [(setting.key, _in_toml(setting.value), setting.origin) for setting in settings]
        table(title, ["setting", "value", "from"], rows)
        return
    click.echo(f"\n{printable(title)}")
    for setting in settings:
        said = f"# {setting.key} is not set" if setting.value is None else f"{setting.key} = {_in_toml(setting.value)}"
        click.echo(f"  {printable(said)}  # {printable(setting.origin)}")


def _explained(config: Config, name: str) -> tuple[Setting, ...]:
    """A job's settings; what is only given when it runs is shown without a value."""
    from etl_framework.config import explain, stand_ins

    later = stand_ins(config, name)
    return tuple(
        replace(setting, value=None, origin="default") if setting.key in later else setting
        for setting in explain(config, name, later)
    )


def _in_toml(value: object) -> str:
    """A setting's value as it would stand in ``etl.toml``; nothing for one that is not set."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            # What JSON escapes in a text, TOML's basic strings escape alike.
            return json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(map(_in_toml, value))}]"
        case dict():
            items = ", ".join(f"{_key_in_toml(str(key))} = {_in_toml(item)}" for key, item in value.items())
            return f"{{ {items} }}" if items else "{}"
    return str(value)


def _key_in_toml(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
