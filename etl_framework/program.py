"""How the program is called for one project, so that a command that is advised works as it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

# A command that names its project already, or that has none, stays as it is.
_ADVISED = re.compile(r"`etl (?!-c |--state-dir |--debug |demo\b|config init\b)([^`\n]*)`")


def program_for(
    *, config: Path | str | None = None, state_dir: Path | str | None = None, disabled: Iterable[str] = ()
) -> str:
    """The words that begin every command about a project, quoted for a shell: ``etl -c sub/etl.toml``.

    :param config: the configuration file, where it was named.
    :param state_dir: the state folder, where it was named.
    :param disabled: plugins that were left out.
    """
    words = ["etl"]
    words += ["-c", str(config)] if config else []
    words += ["--state-dir", str(state_dir)] if state_dir else []
    for name in disabled:
        words += ["--disable-plugin", name]
    return shlex.join(words)


def addressed(advice: str, program: str) -> str:
    """Advice whose commands in backticks, written as ``etl …``, name the project as ``program`` does."""

    def named(advised: re.Match[str]) -> str:
        return advised[0] if advised[0].startswith(f"`{program} ") else f"`{program} {advised[1]}`"

    return _ADVISED.sub(named, advice)
