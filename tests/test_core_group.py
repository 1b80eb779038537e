"""The command ``etl``: its help, its options, its exit codes, and how little it imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from etl_framework.cli import run
from etl_framework.cli.group import COMMANDS, etl
from etl_framework.cli.session import Session
from etl_framework.errors import ExitCode

if TYPE_CHECKING:
    from etl_framework.testing import FakePlugins

HEAVY = ("pyarrow", "duckdb", "numpy", "pydantic", "rich", "pandas", "zstandard", "isal")
FAILING = """
import click
import etl_framework
from etl_framework import hookimpl

@click.command("fail")
@click.argument("how")
def fail(how):
    \"\"\"Fail.\"\"\"
    if how in etl_framework.__all__:
        raise getattr(etl_framework, how)("it failed", advice="Do this.")
    if how == "Abort":
        raise click.Abort
    raise {"KeyboardInterrupt": KeyboardInterrupt, "ZeroDivisionError": ZeroDivisionError}[how]("inside")

@hookimpl
def etl_commands():
    yield fail
"""


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Every command of the core and of the installed plugins, with its whole name."""

    def below(name: str, command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=command.name, parent=parent, obj=Session())
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                assert found is not None
                yield from below(f"{name} {sub}", found, context)

    return below("etl", etl, None)


def every_option() -> Iterator[tuple[str, click.Option]]:
    for name, command in every_command():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield f"{name} {max(parameter.opts, key=len)}", parameter


def test_the_walk_over_the_commands_finds_those_of_the_core_and_of_plugins() -> None:
    names = {name for name, _ in every_command()}
    assert {f"etl {command}" for command in COMMANDS} <= names
    assert {"etl runs show", "etl config init", "etl plugins info", "etl compress"} <= names


def test_every_command_says_what_it_does_in_a_sentence() -> None:
    for name, command in every_command():
        first = (command.help or "").strip().partition("\n\n")[0]
        assert first.endswith("."), f"{name} has no help that is a sentence: {first!r}"
        assert first[:1].isupper(), name


def test_every_option_has_help_with_its_default() -> None:
    for name, option in every_option():
        if option.name == "version":
            continue
        assert option.help, f"{name} has no help"
        told = "[default:" in option.help or (option.show_default and option.default is not None)
        assert told, f"{name} does not tell its default: {option.help!r}"


def test_options_tell_their_default_once() -> None:
    for name, option in every_option():
        assert not (option.show_default and "[default:" in (option.help or "")), name


@pytest.mark.parametrize("name", [name for name, command in every_command() if name != "etl"])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split()[1:], "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: {name} ")
    assert err == ""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"], ["load", "--help"], ["nonsense"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import json, sys
from etl_framework.cli import run
code = run({arguments!r})
loaded = sorted({{name.partition(".")[0] for name in sys.modules}})
print(json.dumps([code, loaded]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == (2 if arguments == ["nonsense"] else 0)
    assert not set(HEAVY) & set(loaded)
    assert "click" in loaded


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"etl {version('etl-framework')}\n"


def test_help_lists_commands_in_the_order_of_work_then_those_of_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = re.findall(r"^  (\w+)  ", capsys.readouterr().out.partition("Commands:")[2], re.MULTILINE)
    assert listed[: len(COMMANDS)] == list(COMMANDS)
    assert "compress" in listed[len(COMMANDS) :]


def test_without_a_command_the_help_is_shown_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: etl" in err


@pytest.mark.parametrize(("mistyped", "meant"), [("laod", "load"), ("run", "runs"), ("compres", "compress")])
def test_an_unknown_command_suggests_the_one_that_may_be_meant(
    mistyped: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([mistyped]) == 2
    err = capsys.readouterr().err
    assert f"there is no command {mistyped!r}. Did you mean {meant!r}?" in err
    assert "`etl --help`" in err


def test_a_command_like_no_other_is_not_guessed_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["zzz"]) == 2
    assert "there is no command 'zzz'.\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["load", "--mode", "sideways"], "--mode"),
        (["load", "--jobs", "0"], "--jobs"),
        (["load", "--nonsense"], "--nonsense"),
        (["--log-level", "loud", "runs"], "--log-level"),
        (["plugins", "info"], "NAME"),
    ],
)
def test_a_usage_error_names_what_is_wrong_and_where_to_look(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "--help` shows what there is." in err


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("RunFailed", 1),
        ("EtlError", 1),
        ("UsageError", 2),
        ("ConfigError", 2),
        ("Refused", 3),
        ("SourceChanged", 3),
        ("HookFailed", 4),
        ("ConnectError", 5),
        ("Interrupted", 6),
        ("KeyboardInterrupt", 130),
        ("Locked", 7),
        ("ZeroDivisionError", 1),
    ],
)
def test_every_failure_has_its_exit_code_and_no_traceback(
    how: str, code: int, fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(failing=FAILING)
    assert run(["fail", how]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert re.search(r"^error: \S", err, re.MULTILINE)
    assert re.search(r"^  \S", err, re.MULTILINE), "what to do next is missing"


def test_a_no_is_no_error_but_keeps_a_script_from_going_on(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(failing=FAILING)
    assert run(["fail", "Abort"]) == 1
    assert capsys.readouterr() == ("", "Nothing was changed.\n")


def test_a_defect_is_named_as_one(fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]) -> None:
    fake_plugins(failing=FAILING)
    assert run(["fail", "ZeroDivisionError"]) == 1
    assert "internal error: ZeroDivisionError: inside" in capsys.readouterr().err


@pytest.mark.parametrize(("how", "code"), [("Refused", ExitCode.REFUSED), ("ZeroDivisionError", ExitCode.FAILED)])
def test_debug_shows_the_traceback_and_ends_as_without_it(
    how: str, code: ExitCode, fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(failing=FAILING)
    assert run(["fail", how]) == code
    plain = capsys.readouterr()
    assert run(["--debug", "fail", how]) == code
    out, err = capsys.readouterr()
    assert out == plain.out
    assert "Traceback (most recent call last)" in err
    assert err.endswith(plain.err)


def test_a_broken_plugin_does_not_take_the_help_away(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(sick="import nothing_like_this", failing=FAILING)
    assert run(["--help"]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"^  fail +Fail\.$", out, re.MULTILINE)
    assert err == "warning: plugin sick is broken: see `etl plugins list`\n"


def test_a_plugin_that_takes_the_name_of_a_command_is_named_and_the_command_stays(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(greedy=FAILING.replace('"fail"', '"load"'))
    assert run(["load", "--help"]) == 0
    assert run(["--help"]) == 0
    out, err = capsys.readouterr()
    assert "Load a job of etl.toml, or files, into a table." in out
    assert re.search(r"warning: the command 'load' is added twice: by the command line itself and by .*greedy", err)


def test_a_disabled_plugin_adds_no_command(fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]) -> None:
    fake_plugins(failing=FAILING)
    assert run(["--disable-plugin", "failing", "fail", "Refused"]) == 2
    assert "there is no command 'fail'" in capsys.readouterr().err


def test_disabling_a_broken_plugin_silences_its_warning(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(sick="import nothing_like_this", failing=FAILING)
    assert run(["--disable-plugin", "sick", "--help"]) == 0
    assert run(["--disable-plugin", "sick", "fail", "Refused"]) == 3
    assert "sick" not in capsys.readouterr().err


def test_a_plugin_in_a_file_adds_commands_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("team.py").write_text(FAILING)
    Path("etl.toml").write_text('plugins = ["team.py"]\n')
    assert run(["--help"]) == 0
    assert re.search(r"^  fail +Fail\.$", capsys.readouterr().out, re.MULTILINE)
    assert run(["fail", "Refused"]) == 3
    assert run(["--disable-plugin", "team", "fail", "Refused"]) == 2
    Path("etl.toml").rename("other.toml")
    assert run(["fail", "Refused"]) == 2
    assert run(["-c", "other.toml", "fail", "Refused"]) == 3


def test_a_plugin_in_a_file_that_takes_the_name_of_another_command_is_named(
    fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins(failing=FAILING)
    monkeypatch.chdir(tmp_path)
    Path("team.py").write_text(FAILING)
    Path("etl.toml").write_text('plugins = ["team.py"]\n')
    assert run(["fail", "Refused"]) == 4
    assert re.search(r"the command 'fail' is added twice: by .*failing.* and by .*team\.py", capsys.readouterr().err)


def test_a_broken_plugin_in_a_file_is_named_with_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("e.toml").write_text('plugins = ["team.py"]\n')
    assert run(["-c", "e.toml", "--help"]) == 0
    assert capsys.readouterr().err == "warning: plugin team is broken: see `etl -c e.toml plugins list`\n"


def test_a_broken_configuration_takes_neither_the_help_nor_installed_commands_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("etl.toml").write_text("plugins = 7\n")
    assert run(["--help"]) == 0
    out, err = capsys.readouterr()
    assert re.search("^  compress ", out, re.MULTILINE)
    assert err.startswith("warning: etl.toml:1: plugins: ")
    assert run(["compress", "--help"]) == 0
    assert run(["frob"]) == 2
    assert "error: etl.toml:1: plugins: " in capsys.readouterr().err
