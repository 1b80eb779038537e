"""The contract of commands."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import pytest

from etl_framework.testing.contracts.base import PluginContract

if TYPE_CHECKING:
    import click

_HEAVY = ("pyarrow", "numpy", "pandas", "polars", "duckdb", "snowflake.connector", "sqlalchemy", "requests", "fsspec")
_ASK = """
import sys, importlib
plugin = importlib.import_module({name!r})
list(plugin.etl_commands())
print(*sys.modules)
"""


class CommandsContract(PluginContract):
    """Commands have names of their own and tell what they do, without anything heavy.

    >>> class TestOurCommands(CommandsContract):
    ...     def plugin(self):
    ...         return acme_stats

    :cvar heavy: modules that must not be imported until a command runs.
    """

    heavy: ClassVar[tuple[str, ...]] = _HEAVY

    def commands(self) -> dict[str, click.Command]:
        """The plugin's commands by name, as the command line takes them in."""
        from etl_framework.cli.group import COMMANDS

        return {name: command for name, (command, _) in self.plugins().commands(COMMANDS).items()}

    def test_their_names_are_words_that_nobody_else_uses(self) -> None:
        """Lower case, words joined by hyphens; not those of the command line itself."""
        for name, _ in _with_subcommands(self.commands()):
            last = name.split()[-1]
            assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", last), f"`etl {name}`: write lower-case words"

    def test_they_tell_what_they_do(self) -> None:
        """Each has a sentence, and so has every option."""
        for name, command in _with_subcommands(self.commands()):
            assert command.help, f"`etl {name}` has no help: give its function a docstring"
            for option in command.params:
                if option.param_type_name == "option" and not getattr(option, "hidden", False):
                    assert getattr(option, "help", ""), f"`etl {name}`: {'/'.join(option.opts)} has no help"

    def test_their_help_can_be_shown(self) -> None:
        """By every one, with nothing done."""
        from click.testing import CliRunner

        for name, command in self.commands().items():
            shown = CliRunner().invoke(command, ["--help"], prog_name=f"etl {name}")
            assert shown.exit_code == 0, f"`etl {name} --help` fails: {shown.exception or shown.output}"
            assert "Usage:" in shown.output

    def test_giving_them_twice_gives_the_same(self) -> None:
        """Each call of `etl` asks anew."""
        assert list(self.commands()) == list(self.commands())

    def test_nothing_heavy_is_imported_for_them(self) -> None:
        """`etl --help` asks for all commands of everybody."""
        plugin = self.plugin()
        if not isinstance(plugin, ModuleType) or plugin.__spec__ is None:
            pytest.skip("the plugin is no module that another process could import")
        asked = [sys.executable, "-c", _ASK.format(name=plugin.__name__)]
        ended = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - this very Python
        if ended.returncode:
            pytest.skip(f"another process cannot import the plugin: {ended.stderr.strip().splitlines()[-1]}")
        imported = sorted(set(self.heavy) & set(ended.stdout.split()))
        assert not imported, f"{', '.join(imported)} is imported: move the import into the command's function"


def _with_subcommands(commands: dict[str, click.Command], before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in commands.items():
        yield before + name, command
        yield from _with_subcommands(getattr(command, "commands", {}), f"{before}{name} ")
