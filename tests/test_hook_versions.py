"""Hooks change, and plugins that were written for what they were go on: how docs/plugins.md says it."""

from __future__ import annotations

import json
import pickle
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from etl_framework import PluginLoadError, Plugins, hookspecs, plugins
from etl_framework.cli import run
from etl_framework.hookspecs import hookspec
from etl_framework.plugins.plugin import Plugin, PluginInfo

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework.testing import FakePlugins

RENAMED = "the argument `report` is called `outcome` since version 0.2; `report` is given until 0.4"
REPLACED = "etl_event is etl_progress since version 0.2; it is called until 0.4"
OLD = """
from etl_framework import hookimpl

@hookimpl
def etl_report(report):
    print("told of", report)

@hookimpl
def etl_event(event): pass
"""
NEW = (
    OLD.replace("report):", "outcome):")
    .replace("report)", "outcome)")
    .replace("\n@hookimpl\ndef etl_event(event): pass", "")
)


@pytest.fixture
def later_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hooks as a later version may have them: an argument more, one renamed, and one hook replaced."""
    later = ModuleType("later_hookspecs")
    vars(later).update({name: value for name, value in vars(hookspecs).items() if not name.startswith("__")})

    @hookspec(warn_on_impl_args={"report": DeprecationWarning(RENAMED)})
    def etl_report(report: Any, outcome: Any, attempt: Any) -> None: ...

    @hookspec(warn_on_impl=DeprecationWarning(REPLACED))
    def etl_event(event: Any) -> None: ...

    vars(later).update(etl_report=etl_report, etl_event=etl_event)
    monkeypatch.setattr(plugins.plugin, "hookspecs", later)


def plugin(source: str) -> Plugin:
    module = ModuleType("acme")
    exec(source, vars(module))
    return Plugin(module, PluginInfo(name="acme", origin="acme"))


@pytest.mark.usefixtures("later_version")
@pytest.mark.parametrize(("source", "warned"), [(OLD, (RENAMED, REPLACED)), (NEW, ())])
def test_a_plugin_gets_the_arguments_that_it_knows(
    source: str, warned: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = plugin(source)
    loaded.call("etl_report", {"report": "r", "outcome": "r", "attempt": 1})
    assert capsys.readouterr().out == "told of r\n"
    assert set(loaded.info.warnings) == set(warned)


@pytest.mark.usefixtures("later_version")
def test_a_deprecation_is_no_error_for_whoever_makes_errors_of_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(plugin(OLD).info.warnings) == 2


def test_today_no_hook_is_deprecated_for_the_plugins_of_this_checkout() -> None:
    assert [info.name for info in Plugins.load().infos if info.warnings] == []


def test_an_argument_that_is_gone_makes_the_plugin_a_broken_one() -> None:
    with pytest.raises(PluginLoadError, match="outcome"):
        plugin(NEW)


@pytest.mark.usefixtures("later_version")
def test_a_run_logs_what_is_deprecated_once(fake_plugins: FakePlugins, caplog: pytest.LogCaptureFixture) -> None:
    fake_plugins("acme-checks", "1.5", acme=OLD)
    plugins = Plugins.load()
    logged = [record.msg for record in caplog.records]
    assert [(line["event"], line["plugin"], line["provider"]) for line in logged] == [
        ("plugin_deprecated", "acme", "acme-checks 1.5")
    ] * 2
    assert {line["reason"] for line in logged} == {RENAMED, REPLACED}
    caplog.clear()
    pickle.loads(pickle.dumps(plugins))
    assert caplog.records == []


@pytest.mark.usefixtures("later_version")
def test_the_command_line_shows_what_is_deprecated(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_plugins("acme-checks", "1.5", acme=OLD)
    assert run(["plugins", "list"]) == 0
    shown = capsys.readouterr().out
    assert "deprecated" in shown
    assert f"acme: {RENAMED}" in shown
    assert run(["plugins", "info", "acme"]) == 0
    assert REPLACED in capsys.readouterr().out
    assert run(["plugins", "info", "acme", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["warnings"]) == {RENAMED, REPLACED}
    # Its contract is of today's version, whose hooks are called as today; what is shown is the same.
    run(["plugins", "check", "acme"])
    assert RENAMED in capsys.readouterr().out


@pytest.mark.usefixtures("later_version")
def test_a_command_logs_each_deprecation_once(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id\n1\n2\n")
    fake_plugins(acme=OLD, reading="from etl_delimited import *", running="from etl_framework.executors import *")
    assert run(["validate", "a.csv"]) == 0
    logged = capsys.readouterr().err
    assert (logged.count("plugin_deprecated"), logged.count(RENAMED)) == (2, 1)
