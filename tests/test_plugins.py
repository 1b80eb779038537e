"""Plugins are found, loaded and called so that whatever goes wrong names its culprit."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from etl_framework import (
    Analysis,
    ConnectError,
    Event,
    HookFailed,
    Job,
    MisplacedCut,
    NoPluginError,
    PackedPart,
    PluginError,
    PluginLoadError,
    Receipt,
    Source,
    StagedPart,
    TableName,
    Totals,
    TypesWidened,
    UsageError,
    executors,
    hookimpl,
)
from etl_framework.errors import ExitCode
from etl_framework.executors import ThreadExecutor
from etl_framework.plugins import Plugins, PluginSettings
from etl_framework.plugins.plugin import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl_framework.testing import FakePlugins

HEADER = "from etl_framework import *\n"
NOTHING = HEADER + "@hookimpl\ndef etl_event(event): pass\n"

JOB = Job(name="sales", patterns=("sales.csv",), table=TableName.parse("sales"), target="mem:", compress="zstd")
SOURCE = Source(path="/data/sales.csv", size=1, modified_ns=0, changed_ns=0, inode=1, digest="0")
PACKED = PackedPart(part=0, piece=0, path=Path("0.bin"), name="0", size=1, digest="0", rows=1)
STAGED = StagedPart(part=0, piece=0, name="0", size=1, digest="0", rows=1)
RECEIPT = Receipt(rows=1, deleted=0, query_id="q", totals=Totals(rows=1, columns=()))
EVENT = Event(name="run_started", run="r")


class Anything:
    """Stands where a hook only passes an object on, or where an answer has every member."""

    url = "mem:"
    name = suffix = content = default_codec = dialect = ""
    workers = 1

    def _nothing(self, *_: object) -> None: ...

    describe = measure = differences = statements = has_staged = discard_staged = find_load = ledger = check = _nothing
    split = split_exactly = read = text_layout = count_rows = compressor = reader = run = stop = close = _nothing
    update = merge = finish = reads = tables = reference = query = rows = count_by = delete = _nothing


ANALYSIS = Analysis(source=SOURCE, format=Anything(), columns=(), rows=1)

# How to call each hook, and an answer that is right.
CALLS: dict[str, tuple[Callable[[Plugins], object], Any]] = {
    "etl_configure": (lambda plugins: plugins.configure(JOB), ["stats"]),
    "etl_connect": (lambda plugins: plugins.connect("mem:secret"), Anything()),
    "etl_executor": (lambda plugins: plugins.executor("threads:"), Anything()),
    "etl_analyze": (lambda plugins: plugins.analyze(SOURCE, JOB), ANALYSIS),
    "etl_validate": (lambda plugins: plugins.validators(JOB, ANALYSIS), [Anything()]),
    "etl_profile": (lambda plugins: plugins.profiler(JOB, ANALYSIS), Anything()),
    "etl_compress": (lambda plugins: plugins.codec(JOB, "mem:"), Anything()),
    "etl_upload": (lambda plugins: plugins.upload(PACKED, Anything(), Anything()), STAGED),
    "etl_check": (lambda plugins: plugins.table_checks(JOB, ()), [Anything()]),
    "etl_load": (lambda plugins: plugins.load_parts([STAGED], Anything(), Anything()), RECEIPT),
    "etl_report": (lambda plugins: plugins.report(Anything()), None),
    "etl_commands": (lambda plugins: plugins.commands(), [click.Command("stats")]),
    "etl_event": (lambda plugins: plugins.event(EVENT), None),
}
OBSERVERS = ("etl_report", "etl_event")
QUESTIONS = ("etl_connect", "etl_executor", "etl_analyze", "etl_profile", "etl_compress")
ASK_ONE = (*QUESTIONS, "etl_upload", "etl_load")


def plugin(hook: str, answer: Callable[[], object]) -> object:
    """A plugin that implements one hook without looking at its arguments."""

    class OneHook: ...

    def implementation(self: object) -> object:
        return answer()

    implementation.__name__ = hook
    setattr(OneHook, hook, hookimpl(implementation))
    return OneHook()


def raising(error: BaseException) -> Callable[[], object]:
    def answer() -> object:
        raise error

    return answer


def loaded(**implementations: object) -> Plugins:
    plugins = Plugins()
    for name, implementation in implementations.items():
        plugins.register(implementation, name=name)
    return plugins


def names(plugins: Plugins) -> list[str]:
    return [info.name for info in plugins.infos]


# Loading


def test_installed_plugins_stand_in_the_order_of_their_names(fake_plugins: FakePlugins) -> None:
    fake_plugins(beta=NOTHING, alpha=NOTHING)
    fake_plugins("a-late-one", omega=NOTHING)
    assert names(Plugins.load()) == ["alpha", "beta", "omega"]


def test_a_plugin_is_known_by_distribution_version_origin_and_hooks(fake_plugins: FakePlugins) -> None:
    fake_plugins("acme-checks", "2.1", team=NOTHING + "@hookimpl\ndef etl_report(report): pass\n")
    (info,) = Plugins.load().infos
    assert (info.name, info.distribution, info.version) == ("team", "acme-checks", "2.1")
    assert (info.origin, info.hooks, info.error) == ("acme_checks_team", ("etl_report", "etl_event"), "")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there", "ModuleNotFoundError: No module named 'not_there' (at acme_checks_team.py:1)"),
        ("def broken(:", "line 1: invalid syntax"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        (HEADER + "@hookimpl\ndef etl_vaildate(job, analysis): return []", "did you mean etl_validate?"),
        (HEADER + "@hookimpl\ndef refresh(): pass", "unknown hook 'refresh'; the hooks are etl_configure, "),
        (
            HEADER + "@hookimpl\ndef etl_validate(job, analyses): return []",
            "no argument 'analyses'; did you mean 'analysis'?",
        ),
        (HEADER + "\n@hookimpl\ndef etl_report(x): pass", "no argument 'x'; it has report (at acme_checks_team.py:4)"),
        (HEADER + "def etl_validate(job): return []", "etl_validate is not marked with @hookimpl"),
        (HEADER + "@hookimpl(tryfirst=True)\ndef etl_report(report): pass", "asked in name order"),
        (HEADER + "@hookimpl(trylast=True)\ndef etl_report(report): pass", "asked in name order"),
        (HEADER + "@hookimpl(wrapper=True)\ndef etl_report(report): yield", "asked in name order"),
        (HEADER + "@hookimpl(hookwrapper=True)\ndef etl_report(report): yield", "asked in name order"),
    ],
)
def test_a_broken_plugin_stops_everything_and_says_what_to_do(
    fake_plugins: FakePlugins, source: str, reason: str
) -> None:
    fake_plugins("acme-checks", "2.1", team=source)
    fake_plugins(fine=NOTHING)
    with pytest.raises(PluginLoadError) as caught:
        Plugins.load()
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert caught.value.message.startswith("plugin 'team' (acme-checks 2.1) cannot be loaded: ")
    assert reason in caught.value.message
    assert "etl --disable-plugin team …" in caught.value.advice
    assert caught.value.__cause__ is not None
    assert names(Plugins.load(PluginSettings(disabled=("team",)))) == ["fine", "team"]


def test_ctrl_c_while_a_plugin_is_imported_is_not_the_plugin_s_fault(fake_plugins: FakePlugins) -> None:
    fake_plugins(slow="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins.load()


def test_a_class_as_entry_point_is_refused() -> None:
    with pytest.raises(PluginLoadError, match="it is a class; a plugin is a module or an instance"):
        Plugins().register(Anything, name="team")


def test_all_broken_plugins_are_named_at_once(fake_plugins: FakePlugins) -> None:
    fake_plugins(one="import not_there", two="import neither", three=NOTHING)
    with pytest.raises(PluginLoadError) as caught:
        Plugins.load()
    assert "--disable-plugin one" in str(caught.value)
    assert "--disable-plugin two" in str(caught.value)
    assert "three" not in str(caught.value)


def test_a_survey_loads_what_it_can_and_keeps_the_reasons(fake_plugins: FakePlugins) -> None:
    fake_plugins(bad="import not_there", fine=HEADER + "@hookimpl\ndef etl_validate(): return []", off=NOTHING)
    survey = Plugins.survey(PluginSettings(disabled=("off", "unheard"), required=("fine", "needed", "off")))
    infos = {info.name: info for info in survey.infos}
    assert list(infos) == ["bad", "fine", "needed", "off", "unheard"]
    assert "not_there" in infos["bad"].error
    assert (infos["fine"].error, infos["fine"].hooks) == ("", ("etl_validate",))
    assert infos["needed"].error == "the plugin 'needed' is required but not installed"
    assert infos["off"].error == "the plugin 'off' is required but disabled"
    assert infos["unheard"].error == "there is no plugin 'unheard' to disable"
    assert survey.validators(JOB, ANALYSIS) == []


def test_two_distributions_with_one_plugin_name_are_both_named(fake_plugins: FakePlugins) -> None:
    fake_plugins("acme-one", "1.0", team=NOTHING)
    fake_plugins("acme-two", "2.0", team=NOTHING)
    with pytest.raises(PluginLoadError, match=r"'team' is taken more than once: by acme-one 1\.0 and acme-two 2\.0"):
        Plugins.load()
    assert [info.disabled for info in Plugins.load(PluginSettings(disabled=("team",))).infos] == [True]


def test_disabling_a_plugin_that_is_not_there_suggests_one_that_is(fake_plugins: FakePlugins) -> None:
    fake_plugins(snowflake=NOTHING, duckdb=NOTHING)
    with pytest.raises(UsageError) as caught:
        Plugins.load(PluginSettings(disabled=("snowflaek",)))
    assert caught.value.message == "there is no plugin 'snowflaek' to disable"
    assert caught.value.advice == "Installed plugins: duckdb, snowflake. Did you mean snowflake?"


def test_a_disabled_plugin_is_not_even_imported(fake_plugins: FakePlugins) -> None:
    fake_plugins(off="raise SystemExit", on=NOTHING)
    plugins = Plugins.load(PluginSettings(disabled=("off",)))
    assert [(info.name, info.disabled) for info in plugins.infos] == [("off", True), ("on", False)]


@pytest.mark.parametrize(("disabled", "state"), [((), "not installed"), (("duckdb",), "disabled")])
def test_a_required_plugin_must_be_there(fake_plugins: FakePlugins, disabled: tuple[str, ...], state: str) -> None:
    fake_plugins(duckdb=NOTHING)
    wanted = "duckdb" if disabled else "duckdbb"
    with pytest.raises(PluginLoadError, match=f"the plugin '{wanted}' is required but {state}") as caught:
        Plugins.load(PluginSettings(disabled=disabled, required=(wanted,)))
    assert ("Did you mean duckdb?" in caught.value.advice) is not bool(disabled)


def test_a_required_plugin_that_is_broken_shows_why_it_is_broken(fake_plugins: FakePlugins) -> None:
    fake_plugins(team="import not_there")
    with pytest.raises(PluginLoadError, match="not_there") as caught:
        Plugins.load(PluginSettings(required=("team",)))
    assert "required" not in str(caught.value)


def test_plugins_can_be_required_after_loading(fake_plugins: FakePlugins) -> None:
    fake_plugins(team=NOTHING)
    plugins = Plugins.load()
    plugins.require(["team"])
    with pytest.raises(PluginLoadError, match="'other' is required but not installed"):
        plugins.require(["team", "other"])


def test_the_plugins_of_this_checkout_all_load() -> None:
    assert {"compression", "delimited", "duckdb", "executors", "reports"} <= set(names(Plugins.load()))


# Plugins in files


def test_a_file_is_a_plugin_by_the_stem_of_its_name(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    fake_plugins(zeta=NOTHING)
    checks = tmp_path / "team_checks.py"
    checks.write_text(NOTHING)
    file, _ = Plugins.load(PluginSettings(files=(checks,))).infos
    assert (file.name, file.origin, file.distribution, file.hooks) == ("team_checks", str(checks), "", ("etl_event",))


def test_two_files_of_one_stem_clash_unless_they_are_the_same(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    paths = tmp_path / "a" / "checks.py", tmp_path / "b" / "checks.py"
    for path in paths:
        path.parent.mkdir()
        path.write_text(NOTHING)
    assert names(Plugins.load(PluginSettings(files=(paths[0], tmp_path / "b" / ".." / "a" / "checks.py")))) == [
        "checks"
    ]
    with pytest.raises(PluginLoadError, match=f"by {paths[0]} and {paths[1]}"):
        Plugins.load(PluginSettings(files=paths))


def test_a_file_named_as_an_installed_plugin_clashes_with_it(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    fake_plugins(team=NOTHING)
    path = tmp_path / "team.py"
    path.write_text(NOTHING)
    with pytest.raises(PluginLoadError, match=rf"by {path} and team-dist 1\.0"):
        Plugins.load(PluginSettings(files=(path,)))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone.py", "cannot be read: No such file"), ("notes.txt", "must end with .py")],
)
def test_a_file_that_is_no_module_is_named(fake_plugins: FakePlugins, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "notes.txt").write_text("not Python")
    path = tmp_path / name
    with pytest.raises(PluginLoadError, match=reason) as caught:
        Plugins.load(PluginSettings(files=(path,)))
    assert str(path) in caught.value.message


def test_an_edited_file_is_a_new_plugin(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    path.write_text(NOTHING)
    assert Plugins.load(PluginSettings(files=(path,))).infos[0].hooks == ("etl_event",)
    path.write_text(NOTHING.replace("event", "report"))
    assert Plugins.load(PluginSettings(files=(path,))).infos[0].hooks == ("etl_report",)


def test_a_file_that_fails_to_import_fails_again_the_next_time(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    path.write_text(NOTHING + "raise ValueError('boom')\n")
    for _ in range(2):
        with pytest.raises(PluginLoadError, match="boom"):
            Plugins.load(PluginSettings(files=(path,)))


def test_two_runs_with_the_same_file_share_its_classes(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    path.write_text(NOTHING + "class Check: pass\n")
    Plugins.load(PluginSettings(files=(path,)))
    (module,) = [module for name, module in sys.modules.items() if name.startswith("etl_plugin_file_checks_")]
    check = module.Check()
    Plugins.load(PluginSettings(files=(path,)))
    assert isinstance(pickle.loads(pickle.dumps(check)), module.Check)


def test_the_flag_to_go_on_without_a_file_is_quoted_for_the_shell(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    path = tmp_path / "team checks.py"
    path.write_text("import not_there")
    with pytest.raises(PluginLoadError) as caught:
        Plugins.load(PluginSettings(files=(path,)))
    assert "etl --disable-plugin 'team checks' …" in caught.value.advice


def test_objects_of_a_file_s_classes_can_be_pickled(fake_plugins: FakePlugins, tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    path.write_text(
        HEADER + "class Check:\n"
        "    name = 'even'\n"
        "    def update(self, block): pass\n"
        "    def merge(self, other): pass\n"
        "    def finish(self): return ()\n"
        "@hookimpl\ndef etl_validate(): yield Check()\n"
    )
    plugins = Plugins.load(PluginSettings(files=(path,)))
    ((_, check),) = plugins.validators(JOB, ANALYSIS)
    state = pickle.dumps((plugins, check))
    del sys.modules[type(check).__module__]
    again, other = pickle.loads(state)
    assert names(again) == ["checks"]
    assert other.name == "even"


def test_registering_an_object_keeps_who_is_to_answer(fake_plugins: FakePlugins) -> None:
    codec = "class Codec:\n    name = {0!r}\n    suffix = ''\n    def compressor(self): pass\n    reader = compressor\n"
    source = HEADER + codec + "@hookimpl\ndef etl_compress(): return Codec()\n"
    fake_plugins(one=source.format("one"), two=source.format("two"))
    plugins = Plugins.load(PluginSettings(use={"compress": "two"}))
    plugins.register(plugin("etl_event", lambda: None), name="team")
    plugins.use({"compress": "one"})
    assert plugins.codec(JOB, "mem:").name == "two"


def test_registered_objects_cannot_travel_to_another_process(fake_plugins: FakePlugins) -> None:
    plugins = Plugins.load()
    plugins.register(plugin("etl_event", lambda: None), name="team")
    with pytest.raises(TypeError, match="cannot travel"):
        pickle.dumps(plugins)


# Calling


def test_every_hook_is_called_in_these_tests() -> None:
    assert set(CALLS) == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_right_answer_comes_through(hook: str) -> None:
    call, answer = CALLS[hook]
    result = call(loaded(team=plugin(hook, lambda: answer)))
    if hook in ("etl_configure", "etl_validate", "etl_check"):
        assert result == [("team", answer[0])]
    elif hook == "etl_commands":
        assert result == {"stats": (answer[0], "team")}
    elif hook in ASK_ONE:
        assert result is answer
    else:
        assert not result


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook not in OBSERVERS])
@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(0)], ids=repr)
def test_a_plugin_that_raises_in_a_hook_is_named(hook: str, error: BaseException) -> None:
    plugins = loaded(innocent=plugin("etl_event", lambda: None), team=plugin(hook, raising(error)))
    with pytest.raises(HookFailed) as caught:
        CALLS[hook][0](plugins)
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert caught.value.__cause__ is error
    assert caught.value.message.startswith(f"plugin 'team' (OneHook) failed in {hook}: {type(error).__name__}: {error}")
    assert "etl --disable-plugin team …" in caught.value.advice


def test_a_failure_names_distribution_version_and_place(fake_plugins: FakePlugins) -> None:
    source = HEADER + "@hookimpl\ndef etl_validate(job, analysis):\n    yield from ()\n    raise ValueError('boom')\n"
    fake_plugins("acme-checks", "2.1", team=source)
    with pytest.raises(HookFailed) as caught:
        Plugins.load().validators(JOB, ANALYSIS)
    assert caught.value.message == (
        "plugin 'team' (acme-checks 2.1) failed in etl_validate: ValueError: boom (at acme_checks_team.py:5)"
    )


def test_of_two_plugins_the_one_that_raised_is_blamed() -> None:
    plugins = loaded(
        alpha=plugin("etl_analyze", lambda: None),
        beta=plugin("etl_analyze", raising(ValueError("boom"))),
        gamma=plugin("etl_analyze", lambda: ANALYSIS),
    )
    with pytest.raises(HookFailed, match="plugin 'beta'"):
        plugins.analyze(SOURCE, JOB)


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook not in OBSERVERS])
@pytest.mark.parametrize("error", [ConnectError("no route"), KeyboardInterrupt()], ids=repr)
def test_errors_of_the_project_and_ctrl_c_come_through_unchanged(hook: str, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        CALLS[hook][0](loaded(team=plugin(hook, raising(error))))
    assert caught.value is error


WRONG = [
    (hook, answer)
    for hook in HOOKS
    for answer in ("text", 7, [7], [], {})
    # There, no items are a right answer.
    if answer or hook not in ("etl_configure", "etl_validate", "etl_check", "etl_commands")
]


@pytest.mark.parametrize(("hook", "answer"), WRONG)
def test_an_answer_of_the_wrong_type_is_named(hook: str, answer: object) -> None:
    plugins = loaded(team=plugin(hook, lambda: answer))
    if hook in OBSERVERS:
        (problem,) = CALLS[hook][0](plugins) or plugins.problems
    else:
        with pytest.raises(HookFailed) as caught:
            CALLS[hook][0](plugins)
        assert caught.value.exit_code == ExitCode.PLUGIN
        problem = caught.value.message
    assert f"plugin 'team' (OneHook) failed in {hook}: it answered " in problem


def test_an_analysis_without_a_format_is_a_wrong_answer() -> None:
    plugins = loaded(team=plugin("etl_analyze", lambda: replace(ANALYSIS, format="csv")))
    lacking = "name, split_exactly, read, text_layout, count_rows"
    with pytest.raises(HookFailed, match=f"answered str instead of Format: it lacks {lacking}"):
        plugins.analyze(SOURCE, JOB)


def test_a_hook_may_take_fewer_arguments_than_it_is_given() -> None:
    class Frugal:
        @hookimpl
        def etl_load(self, run: str) -> Receipt:
            return replace(RECEIPT, query_id=run)

    assert loaded(team=Frugal()).load_parts([STAGED], Anything(), "run-1").query_id == "run-1"


@pytest.mark.parametrize("hook", QUESTIONS)
def test_the_only_plugin_that_answers_is_heard_whatever_its_name(hook: str) -> None:
    call, answer = CALLS[hook]
    for names in (("alpha", "beta"), ("beta", "alpha")):
        asked, silent = names
        plugins = loaded(**{asked: plugin(hook, lambda: answer), silent: plugin(hook, lambda: None)})
        assert call(plugins) is answer


@pytest.mark.parametrize("hook", ASK_ONE)
def test_two_plugins_that_could_answer_are_an_error_that_names_both(hook: str, fake_plugins: FakePlugins) -> None:
    source = HEADER + f"class Closed:\n    def close(self): pass\n@hookimpl\ndef {hook}(): return Closed()\n"
    fake_plugins("acme-one", "1.0", one=source)
    fake_plugins("acme-two", "2.0", two=source)
    with pytest.raises(PluginError) as caught:
        CALLS[hook][0](Plugins.load())
    assert caught.value.exit_code == ExitCode.PLUGIN
    assert caught.value.message.startswith("more than one plugin ")
    assert caught.value.message.endswith(": plugin 'one' (acme-one 1.0) and plugin 'two' (acme-two 2.0)")
    question = hook.removeprefix("etl_")
    assert f"etl --use {question}=NAME …" in caught.value.advice
    assert f'use = {{ {question} = "NAME" }}' in caught.value.advice
    assert "etl --disable-plugin two …" in caught.value.advice


@pytest.mark.parametrize("hook", ASK_ONE)
@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_the_plugin_that_is_named_answers_and_the_other_is_not_asked(hook: str, name: str) -> None:
    call, answer = CALLS[hook]
    other = {"alpha": "beta", "beta": "alpha"}[name]
    plugins = loaded(**{name: plugin(hook, lambda: answer), other: plugin(hook, raising(ValueError("asked")))})
    plugins.use({hook.removeprefix("etl_"): name})
    assert call(plugins) is answer


def test_what_the_settings_name_is_stronger_than_what_a_job_names(fake_plugins: FakePlugins) -> None:
    codec = "class Codec:\n    name = {0!r}\n    suffix = ''\n    def compressor(self): pass\n    reader = compressor\n"
    source = HEADER + codec + "@hookimpl\ndef etl_compress(): return Codec()\n"
    fake_plugins(one=source.format("one"), two=source.format("two"))
    plugins = Plugins.load(PluginSettings(use={"compress": "two"}))
    assert plugins.codec(JOB, "mem:").name == "two"
    plugins.use({"compress": "one"})
    assert plugins.codec(JOB, "mem:").name == "two"
    asked = Plugins.load()
    asked.use({"compress": "one"})
    assert pickle.loads(pickle.dumps(asked)).codec(JOB, "mem:").name == "one"


@pytest.mark.parametrize("name", ["gamma", "delta", "beta"])
def test_a_plugin_that_does_not_answer_that_question_cannot_be_named(name: str) -> None:
    plugins = loaded(alpha=plugin("etl_analyze", lambda: ANALYSIS), beta=plugin("etl_event", lambda: None))
    with pytest.raises(PluginError, match=f"use.analyze names '{name}'") as caught:
        plugins.use({"analyze": name})
    assert (caught.value.exit_code, caught.value.key) == (ExitCode.PLUGIN, "use.analyze")
    assert "Name one that does: alpha." in caught.value.advice


class Connection(Anything):
    """A warehouse that knows whether it is connected."""

    def __init__(self) -> None:
        self.closed = False

    def close(self, *_: object) -> None:
        self.closed = True


def test_of_two_connections_none_is_left_open() -> None:
    connections = [Connection(), Connection()]
    one, two = (plugin("etl_connect", lambda connection=connection: connection) for connection in connections)
    with pytest.raises(PluginError, match="more than one plugin connects to a target 'mem:'"):
        loaded(one=one, two=two).connect("mem:")
    assert [connection.closed for connection in connections] == [True, True]


def test_a_connection_is_not_left_open_when_another_plugin_fails() -> None:
    connection = Connection()
    plugins = loaded(
        one=plugin("etl_connect", lambda: connection), two=plugin("etl_connect", raising(ConnectError("no route")))
    )
    with pytest.raises(ConnectError):
        plugins.connect("mem:")
    assert connection.closed


class Storage:
    """A plugin that may connect, and that counts what it was told to change."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.changes = 0

    @hookimpl
    def etl_connect(self, url: str) -> object:
        return Anything() if url.startswith(self.scheme) else None

    @hookimpl
    def etl_upload(self) -> StagedPart:
        self.changes += 1
        return STAGED

    @hookimpl
    def etl_load(self) -> Receipt:
        self.changes += 1
        return RECEIPT


def test_a_warehouse_is_changed_only_by_the_plugin_that_connected() -> None:
    other, ours = Storage("other:"), Storage("mem:")
    plugins = loaded(alpha=other, beta=ours)
    warehouse = plugins.connect("mem:")
    plugins.upload(PACKED, warehouse, Anything())
    plugins.load_parts([STAGED], warehouse, Anything())
    assert (other.changes, ours.changes) == (0, 2)


def test_a_job_may_name_another_plugin_for_its_uploads() -> None:
    stage, ours = Storage("stage:"), Storage("mem:")
    plugins = loaded(beta=stage, alpha=ours)
    plugins.use({"upload": "beta"})
    warehouse = plugins.connect("mem:")
    plugins.upload(PACKED, warehouse, Anything())
    assert (stage.changes, ours.changes) == (1, 0)
    plugins.load_parts([STAGED], warehouse, Anything())
    assert (stage.changes, ours.changes) == (1, 1)


def test_of_two_plugins_that_could_change_a_warehouse_none_is_told_to() -> None:
    storages = [Storage("a:"), Storage("b:")]
    plugins = loaded(one=storages[0], two=storages[1])
    with pytest.raises(PluginError, match="more than one plugin uploads to mem:"):
        plugins.upload(PACKED, Anything(), Anything())
    assert [storage.changes for storage in storages] == [0, 0]


def test_a_connecting_plugin_that_cannot_upload_does_not_have_a_stranger_do_it() -> None:
    stage = Storage("stage:")
    plugins = loaded(alpha=plugin("etl_connect", Anything), beta=stage)
    plugins.use({"connect": "alpha"})
    with pytest.raises(NoPluginError, match="no plugin uploads to mem:; not asked: beta") as caught:
        plugins.upload(PACKED, plugins.connect("mem:"), Anything())
    assert "etl --use upload=NAME …" in caught.value.advice
    assert stage.changes == 0


def test_whose_a_target_is_can_be_told_without_connecting() -> None:
    asked: list[str] = []

    class Addressed:
        @hookimpl
        def etl_connect(self, url: str) -> object:
            asked.append(url)
            raise UsageError("names no address")

    plugins = loaded(alpha=Addressed(), beta=plugin("etl_connect", lambda: None))
    plugins.insist_on_target("mem:some/where")
    assert asked == ["mem:"]
    with pytest.raises(NoPluginError, match="no plugin connects to a target 'mem:'"):
        loaded(beta=plugin("etl_connect", lambda: None)).insist_on_target("mem:some/where")
    with pytest.raises(PluginError, match="more than one plugin connects to a target 'mem:'"):
        loaded(alpha=Addressed(), beta=plugin("etl_connect", Connection)).insist_on_target("mem:x")


@pytest.mark.parametrize("hook", ASK_ONE)
def test_when_nobody_answers_the_error_says_what_was_asked_and_whom(hook: str) -> None:
    asked = ["alpha", "beta"] if hook in QUESTIONS else ["alpha"]
    with pytest.raises(NoPluginError) as caught:
        CALLS[hook][0](loaded(**{name: plugin(hook, lambda: None) for name in asked}))
    assert caught.value.message.startswith("no plugin ")
    assert caught.value.message.endswith(f"; asked: {', '.join(asked)}")
    assert "etl plugins list" in caught.value.advice
    with pytest.raises(NoPluginError, match=f"none implements {hook}"):
        CALLS[hook][0](loaded())


def test_a_target_that_nobody_knows_is_named_without_its_secrets(fake_plugins: FakePlugins) -> None:
    fake_plugins(duckdb=NOTHING)
    plugins = Plugins.load(PluginSettings(disabled=("duckdb",)))
    with pytest.raises(NoPluginError) as caught:
        plugins.connect("duckdb://me:hunter2@host")
    assert (
        caught.value.message
        == "no plugin connects to a target 'duckdb:'; none implements etl_connect; disabled: duckdb"
    )
    with pytest.raises(NoPluginError, match=r"'warehouse\.db', which has no scheme"):
        plugins.connect("warehouse.db")


def test_checks_come_from_everyone_in_name_order() -> None:
    checks = [Anything() for _ in range(3)]
    plugins = loaded(
        beta=plugin("etl_validate", lambda: iter(checks[1:])),
        alpha=plugin("etl_validate", lambda: (checks[0],)),
        gamma=plugin("etl_validate", lambda: None),
    )
    assert plugins.validators(JOB, ANALYSIS) == [("alpha", checks[0]), ("beta", checks[1]), ("beta", checks[2])]


def test_a_command_of_two_plugins_names_both() -> None:
    def stats() -> object:
        return [click.Command("stats")]

    plugins = loaded(one=plugin("etl_commands", stats), two=plugin("etl_commands", stats))
    with pytest.raises(PluginError, match=r"'stats' is added twice: by plugin 'one' \(OneHook\) and by plugin 'two'"):
        plugins.commands()


def test_a_command_that_the_program_has_itself_cannot_be_added() -> None:
    plugins = loaded(one=plugin("etl_commands", lambda: [click.Command("load")]))
    with pytest.raises(PluginError, match="'load' is added twice: by the command line itself and by plugin 'one'"):
        plugins.commands(taken=["load", "plan"])


def test_a_command_without_a_name_is_refused() -> None:
    with pytest.raises(HookFailed, match=r"plugin 'one'.*a command without a name"):
        loaded(one=plugin("etl_commands", lambda: [click.Command(None)])).commands()


# Observers


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(1), ConnectError("no route")], ids=repr)
def test_a_reporter_that_raises_is_named_and_the_others_report(error: BaseException) -> None:
    told: list[str] = []
    plugins = loaded(
        alpha=plugin("etl_report", lambda: told.append("alpha")),
        beta=plugin("etl_report", raising(error)),
        gamma=plugin("etl_report", lambda: told.append("gamma")),
    )
    (problem,) = plugins.report(Anything())
    assert told == ["alpha", "gamma"]
    assert problem.startswith(f"plugin 'beta' (OneHook) failed in etl_report: {type(error).__name__}: {error}")


def test_a_reporter_that_yields_by_mistake_is_named() -> None:
    class Lazy:
        @hookimpl
        def etl_report(self) -> Any:
            yield

    (problem,) = loaded(lazy=Lazy()).report(Anything())
    assert problem.endswith("it answered generator instead of nothing")


def test_an_observer_that_raises_is_named_once_and_not_called_again() -> None:
    told: list[str] = []

    def fails() -> object:
        told.append("alpha")
        raise ValueError("boom")

    plugins = loaded(alpha=plugin("etl_event", fails), beta=plugin("etl_event", lambda: told.append("beta")))
    for _ in range(3):
        plugins.event(EVENT)
    assert told == ["alpha", "beta", "beta", "beta"]
    (problem,) = plugins.problems
    assert problem.startswith("plugin 'alpha' (OneHook) failed in etl_event: ValueError: boom")


@pytest.mark.parametrize("hook", OBSERVERS)
def test_ctrl_c_in_an_observer_comes_through(hook: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        CALLS[hook][0](loaded(team=plugin(hook, raising(KeyboardInterrupt()))))


def test_events_of_several_threads_are_told_one_at_a_time() -> None:
    inside = threading.Lock()
    overlaps: list[bool] = []

    def observe() -> None:
        free = inside.acquire(blocking=False)
        overlaps.append(not free)
        threading.Event().wait(0.001)  # lets the other threads run into the call
        if free:
            inside.release()

    plugins = loaded(bar=plugin("etl_event", observe))
    threads = [threading.Thread(target=lambda: [plugins.event(EVENT) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [False] * 40


# Blame for what an answer does later


class LateFailure:
    """A check that fails when it is used."""


def test_a_check_that_fails_later_is_blamed_on_its_plugin() -> None:
    plugins = loaded(team=plugin("etl_validate", lambda: None))
    with (
        pytest.raises(
            HookFailed, match=r"plugin 'team' \(OneHook\) failed in etl_validate: ZeroDivisionError"
        ) as caught,
        plugins.blaming("team", "etl_validate"),
    ):
        _ = 1 / 0
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_object_is_blamed_on_the_plugin_whose_class_it_is(fake_plugins: FakePlugins) -> None:
    class_and_hook = NOTHING + "class Squeezer: pass\n"
    fake_plugins(alpha=class_and_hook, beta=class_and_hook)
    plugins = Plugins.load()
    culprit = sys.modules["beta_dist_beta"].Squeezer()
    with pytest.raises(HookFailed, match="plugin 'beta'"), plugins.blaming(culprit, "etl_compress"):
        raise ValueError("boom")


def test_the_core_s_own_plugin_is_blamed_only_for_its_own_classes() -> None:
    plugins = loaded(executors=executors)
    with pytest.raises(HookFailed, match="plugin 'executors'"), plugins.blaming(ThreadExecutor(1), "etl_executor"):
        raise ValueError("boom")
    with pytest.raises(HookFailed, match="Event, which etl_x answered"), plugins.blaming(EVENT, "etl_x"):
        raise ValueError("boom")


def test_an_object_of_another_module_of_a_plugin_s_package_is_blamed_on_it(fake_plugins: FakePlugins) -> None:
    fake_plugins(fine=NOTHING)
    plugins = Plugins.load()
    culprit = type("Elsewhere", (), {"__module__": "fine_dist_fine.checks"})()
    with pytest.raises(HookFailed, match="plugin 'fine'"), plugins.blaming(culprit, "etl_validate"):
        raise ValueError("boom")
    sibling = type("Sibling", (), {"__module__": "acme.checks"})()
    plugins.register(type("Team", (), {"__module__": "acme.plugin"})(), name="team")
    with pytest.raises(HookFailed, match="plugin 'team'"), plugins.blaming(sibling, "etl_validate"):
        raise ValueError("boom")


def test_an_object_of_nobody_is_still_named() -> None:
    with (
        pytest.raises(HookFailed, match="LateFailure, which etl_compress answered, failed: ValueError: boom"),
        loaded().blaming(LateFailure(), "etl_compress"),
    ):
        raise ValueError("boom")


@pytest.mark.parametrize(
    "signal",
    [MisplacedCut(0), TypesWidened((), ()), ConnectError("no route"), KeyboardInterrupt(), GeneratorExit()],
    ids=lambda signal: type(signal).__name__,
)
def test_signals_of_the_protocols_pass_the_blame(signal: BaseException) -> None:
    plugins = loaded(team=plugin("etl_event", lambda: None))
    with pytest.raises(type(signal)) as caught, plugins.blaming("team", "etl_analyze"):
        raise signal
    assert caught.value is signal


def test_finding_plugins_imports_nothing_heavy() -> None:
    code = (
        "import sys; from etl_framework.plugins import Plugins; Plugins.load()\n"
        "print(*{'pyarrow', 'duckdb', 'numpy', 'pandas', 'zstandard', 'rich', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
