"""Write the pages of docs/ that follow from the code, or check that they are up to date.

python docs/generate.py            # write
python docs/generate.py --check    # exit 1 and name what differs; writes nothing
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_framework import hookspecs
from etl_framework.cli.group import etl
from etl_framework.cli.session import Session
from etl_framework.plugins.plugin import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parent

HOOKS_INTRODUCTION = """\
# Hooks

<!-- Written by docs/generate.py from etl_framework/hookspecs.py: change it there. -->

A plugin is a module or object with functions of these names, marked `@hookimpl`. It is found through an entry point in
the group `etl_framework`, or as a file named in `etl.toml` (`plugins = ["checks/team_checks.py"]`). It declares only
those arguments that it needs. The hooks stand in the order in which a run calls them.

Rules for every hook:

- Plugins are asked in the order of their names, one at a time; `tryfirst`, `trylast` and wrappers are refused.
- Where *one may answer*, all are asked, and `None` means "not mine". Two answers are an error that names both plugins,
  until somebody says who is to answer (`use = { analyze = "NAME" }`, `etl --use analyze=NAME …`) or leaves one out; who
  is named is asked alone. What changes a warehouse is asked of one plugin only: the one that is named, else the one
  that connected.
- Bad data is a `Finding`. An exception means that the plugin is broken, and the error names plugin, hook, distribution
  and version; only errors of `etl_framework` (`InputError`, `ConnectError`, …) are answers and come through unchanged.
- A plugin that does not import, or misspells a hook or an argument, stops every command with exit code 4.
  `etl plugins list` still works and shows why; `etl --disable-plugin NAME …` does without it.
"""

CLI_INTRODUCTION = """\
# The command line

<!-- Written by docs/generate.py from the commands: change their help. -->

Results go to standard output, log and progress to standard error. With `--json` a command prints exactly one JSON
document, which has a `schema_version`; what plugins and libraries print meanwhile goes to standard error. Global
options stand before the command: `etl --quiet load sales`.

Exit codes: 0 done; 1 failed, or a question was not answered with yes; 2 usage or configuration, files that are not
there included; 3 refused for what the data is; 4 a plugin is broken or missing; 5 cannot connect; 6 interrupted, and
`etl resume` goes on; 7 another run of the same job is under way; 130 and 143 stopped by Ctrl-C or SIGTERM with nothing
to resume.
"""


def hooks_page() -> str:
    """The reference of the hooks, from their docstrings."""
    return "\n".join([HOOKS_INTRODUCTION, *(_hook(name) for name in HOOKS)])


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    signature = str(inspect.signature(function)).replace("'", "")
    prose, fields = re.split(r"\n\n(?=:|\.\. )", inspect.getdoc(function) or "", maxsplit=1)
    return f"## `{name}`\n\n```python\ndef {name}{signature}\n```\n\n{_markdown(prose)}\n\n{_fields(fields)}\n"


def _fields(text: str) -> str:
    """The field list of a docstring as a Markdown list."""
    lines = []
    for field in re.split(r"\n(?=:|\.\. )|\n\n", text):
        item = " ".join(field.split())
        if match := re.fullmatch(r":param (\w+): (.*)", item):
            lines.append(f"- `{match[1]}`: {match[2]}")
        elif match := re.fullmatch(r":returns: (.*)", item):
            lines.append(f"- returns {match[1]}")
        elif match := re.fullmatch(r":raises (\w+): (.*)", item):
            lines.append(f"- raises `{match[1]}`: {match[2]}")
        elif match := re.fullmatch(r"\.\. versionadded:: (.*)", item):
            lines.append(f"- since version {match[1]}")
        else:
            raise ValueError(f"cannot read {item!r}")
    return _markdown("\n".join(lines))


def _markdown(text: str) -> str:
    """Turn the inline markup of docstrings into Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def cli_page() -> str:
    """The reference of every command, from its help; plugins' commands included."""
    with click.Context(etl, info_name="etl", obj=Session(), **etl.context_settings) as context:
        return "\n".join([CLI_INTRODUCTION, *_command(etl, context)])


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## `{context.command_path}`", f"```text\n{usage}\n```", _help(command)]
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    described = [(options, " ".join(text.split())) for options, text in filter(None, records) if text]
    lines.append("\n".join(f"- `{options}`: {text}" for options, text in described))
    yield "\n\n".join(filter(None, lines)) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) and not found.hidden:
                with click.Context(found, parent=context, info_name=name) as below:
                    yield from _command(found, below)


def _help(command: click.Command) -> str:
    """A command's help; what click is told not to rewrap is a block of its own."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{paragraph[2:]}\n```" if paragraph.startswith("\b\n") else paragraph for paragraph in paragraphs
    )


def tutorial_page() -> str:
    """The tutorial, with the files of the example as they are: whatever follows a comment with a file's path."""

    def shown(found: re.Match[str]) -> str:
        text = (DOCS.parent / found["path"]).read_text(encoding="utf-8")
        return f"{found['before']}{text}```"

    block = r"(?P<before><!-- (?P<path>examples/\S+) -->\n\n```\w+\n).*?^```$"
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    return re.sub(block, shown, page, flags=re.MULTILINE | re.DOTALL)


#: Every generated page, by file name.
PAGES: dict[str, Callable[[], str]] = {"cli.md": cli_page, "hooks.md": hooks_page, "tutorial.md": tutorial_page}


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` tell which ones differ."""
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)}; run: python docs/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
