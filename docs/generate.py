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

from etl_framework import hookspecs
from etl_framework.discovery import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parent

INTRODUCTION = """\
# Hooks

<!-- Written by docs/generate.py from etl_framework/hookspecs.py: change it there. -->

A plugin is a module or object with functions of these names, marked `@hookimpl`. It is found through an entry point in
the group `etl_framework`, or as a file named in `etl.toml` (`plugins = ["checks/team_checks.py"]`). It declares only
those arguments that it needs. The hooks stand in the order in which a run calls them.

Rules for every hook:

- Plugins are asked in the order of their names, one at a time; `tryfirst`, `trylast` and wrappers are refused. Where
  plugins are asked until one answers, `None` means "not mine".
- Bad data is a `Finding`. An exception means that the plugin is broken, and the error names plugin, hook, distribution
  and version; only errors of `etl_framework` (`InputError`, `ConnectError`, …) are answers and come through unchanged.
- A plugin that does not import, or misspells a hook or an argument, stops every command with exit code 4.
  `etl plugins list` still works and shows why; `etl --disable-plugin NAME …` goes on without it.
"""


def hooks_page() -> str:
    """The reference of the hooks, from their docstrings."""
    return "\n".join([INTRODUCTION, *(_hook(name) for name in HOOKS)])


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    signature = str(inspect.signature(function)).replace("'", "")
    prose, fields = re.split(r"\n\n(?=:|\.\. )", inspect.getdoc(function) or "", maxsplit=1)
    return f"## `{name}`\n\n```python\ndef {name}{signature}\n```\n\n{_markdown(prose)}\n\n{_fields(fields)}\n"


def _fields(text: str) -> str:
    """The field list of a docstring as a Markdown list."""
    lines = []
    for item in re.split(r"\n(?=:|\.\. )|\n\n", text):
        item = " ".join(item.split())
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


#: Every generated page, by file name.
PAGES: dict[str, Callable[[], str]] = {"hooks.md": hooks_page}


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
