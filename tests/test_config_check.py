"""A configuration is checked as far as its settings go: no source is read, no warehouse connected to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_framework import (
    ConfigError,
    EtlError,
    NoPluginError,
    Plugins,
    PluginSettings,
    UsageError,
    Workspace,
    executors,
)
from etl_framework.config import load_config
from etl_framework.config_check import check_config, problems, unproved, unread
from etl_framework.errors import ExitCode

if TYPE_CHECKING:
    from etl_framework.testing import FakePlugins

JOB = '[jobs.sales]\nsource = "data/sales_{month}.csv"\ntable = "sales"\n'
HEADER = "from etl_framework import *\n"


def found(folder: Path, text: str, plugins: Plugins | None = None, **environment: str) -> tuple[EtlError, ...]:
    """What is wrong with a project in ``folder`` whose ``etl.toml`` says ``text``."""
    (folder / "etl.toml").write_text(text)
    config = load_config(folder / "etl.toml", environment={"HOME": str(folder), **environment})
    return problems(config, plugins or Plugins.load())


@pytest.mark.parametrize(
    ("settings", "line", "said", "code"),
    [
        ("[jobs.sales.format]\nheadr = true", 5, "[jobs.sales.format] headr is not a setting", ExitCode.USAGE),
        ('[jobs.sales.format]\nheader = "no"', 5, "[jobs.sales.format] header = 'no': must be", ExitCode.USAGE),
        ("format.quote = 7", 4, "[jobs.sales.format] quote = 7", ExitCode.USAGE),
        (
            '[jobs.sales.format]\nquote = ";"\ndelimiter = ";"',
            4,
            "jobs.sales.format: [jobs.sales.format]: the delimiter must not hold the quote",
            ExitCode.USAGE,
        ),
        ('compress = "zst"', 4, "jobs.sales.compress: no plugin compresses with 'zst'", ExitCode.PLUGIN),
        (
            'compress = "gzip"\ncompress_level = 9',
            5,
            "jobs.sales.compress_level: codec gzip has no level",
            ExitCode.USAGE,
        ),
        ('columns = { id = "bigint" }\nchecks.dtes = true', 5, "checks.dtes is no check", ExitCode.USAGE),
        ('executor = "dask://x"', 4, "jobs.sales.executor: no plugin understands the executor", ExitCode.PLUGIN),
        ('executor = "threads:many"', 4, "jobs.sales.executor: executor 'threads:many'", ExitCode.USAGE),
        ('target = "nowhere:x"', 4, "jobs.sales.target: no plugin connects to a target 'nowhere:'", ExitCode.PLUGIN),
        ('target = "duckdb:x.duckdb?bogus=1"', 4, "jobs.sales.target: target 'duckdb:' has no option", ExitCode.USAGE),
        ('target = "duckdb:x.duckdb?memory_limit=foo"', 4, "jobs.sales.target: memory_limit 'foo'", ExitCode.USAGE),
        ('use = { load = "me" }', 4, "use.load names 'me', but no usable plugin", ExitCode.PLUGIN),
        ('required_plugins = "team"', 4, "jobs.sales.required_plugins: the plugin 'team' is required", ExitCode.PLUGIN),
    ],
)
def test_a_setting_that_no_plugin_understands_is_named_with_file_line_and_key(
    tmp_path: Path, settings: str, line: int, said: str, code: ExitCode
) -> None:
    (error,) = found(tmp_path, JOB + settings)
    assert error.message.startswith(f"{tmp_path}/etl.toml:{line}: {said}")
    assert error.exit_code == code
    assert error.advice


def test_right_options_of_a_target_are_right_and_connect_to_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, JOB + 'target = "duckdb:sub/x.duckdb?memory_limit=1GB&threads=2"') == ()
    assert [path.name for path in tmp_path.iterdir()] == ["etl.toml"]


def test_what_a_named_target_says_is_named_where_the_target_is_declared(tmp_path: Path) -> None:
    target = '[targets.prod]\nurl = "nowhere:x"\n[defaults]\ntarget = "prod"\n'
    (error,) = found(tmp_path, target + JOB + JOB.replace("jobs.sales", "jobs.costs"))
    assert error.message.startswith(f"{tmp_path}/etl.toml:2: targets.prod.url: no plugin connects")


def test_what_a_variable_says_is_named_by_variable_and_job(tmp_path: Path) -> None:
    (error,) = found(tmp_path, JOB, ETL_COMPRESS="zst")
    assert error.message.startswith("job 'sales': compress (ETL_COMPRESS): no plugin compresses with 'zst'")


def test_nothing_is_created_or_connected_to(tmp_path: Path) -> None:
    (tmp_path / "w.duckdb").write_text("no database")
    assert found(tmp_path, JOB + 'target = "duckdb:w.duckdb"') == ()
    assert {path.name for path in tmp_path.iterdir()} == {"etl.toml", "w.duckdb"}


def test_a_cluster_that_is_not_there_is_no_mistake_of_the_configuration(
    tmp_path: Path, fake_plugins: FakePlugins
) -> None:
    fake_plugins(
        dask=HEADER + "@hookimpl\ndef etl_executor(url):\n    raise ConnectError('no scheduler')\n",
        mem=HEADER + "@hookimpl\ndef etl_connect(url):\n    raise UsageError('no address')\n",
    )
    assert found(tmp_path, JOB + 'executor = "dask://x"') == ()


def test_a_plugin_that_the_job_names_checks_the_format_alone(tmp_path: Path, fake_plugins: FakePlugins) -> None:
    refuse = HEADER + "@hookimpl\ndef etl_analyze():\n    raise UsageError({0!r}, key='format.x')\n"
    connect = HEADER + "@hookimpl\ndef etl_connect():\n    raise UsageError('no address')\n"
    fake_plugins(one=refuse.format("one says no"), two=refuse.format("two says no"), mem=connect)
    plugins = Plugins.load()
    plugins.register(executors, name="executors")
    (error,) = found(tmp_path, JOB + 'use.analyze = "two"\nformat.x = 1', plugins)
    assert error.message == f"{tmp_path}/etl.toml:5: two says no"


def test_everything_is_told_at_once_and_wrong_settings_come_before_missing_plugins(tmp_path: Path) -> None:
    text = JOB + 'compress = "zst"\n[jobs.sales.format]\nheadr = true\n'
    (tmp_path / "etl.toml").write_text(text)
    config = load_config(tmp_path / "etl.toml", environment={})
    with pytest.raises(UsageError) as caught:
        check_config(config, Plugins.load())
    assert f"{tmp_path}/etl.toml:4: " in caught.value.message
    assert f"{tmp_path}/etl.toml:6: " in caught.value.message
    assert "Did you mean 'header'?" in caught.value.message


def test_a_single_problem_keeps_its_kind_and_its_advice(tmp_path: Path) -> None:
    (tmp_path / "etl.toml").write_text(JOB)
    config = load_config(tmp_path / "etl.toml", environment={})
    with pytest.raises(NoPluginError, match="no plugin connects to a target 'duckdb:'") as caught:
        check_config(config, Plugins.load(PluginSettings(disabled=("duckdb",))))
    assert "install a plugin" in caught.value.advice
    (tmp_path / "etl.toml").write_text(JOB + 'mode = "merge"')
    with pytest.raises(ConfigError, match=r"etl\.toml:4: jobs\.sales\.mode"):
        check_config(load_config(tmp_path / "etl.toml", environment={}), Plugins.load())


OWN_ERROR = (
    HEADER
    + """
class Puzzled(UsageError):
    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")

@hookimpl
def etl_executor(url):
    if url == "own:x":
        raise Puzzled("no idea", "the door")
"""
)
SUFFIXES = (
    HEADER
    + """
@hookimpl
def etl_analyze(source, job):
    if source.path.endswith(".foo"):
        raise UsageError("foo is set wrongly")
    if source.path.endswith(".bar"):
        raise InputError("it is empty")
"""
)
BROKEN = HEADER + "@hookimpl\ndef etl_analyze(source, job): raise KeyError('boom')\n"


def with_plugin(folder: Path, source: str) -> Plugins:
    (folder / "team.py").write_text(source)
    return Plugins.load(PluginSettings(files=(folder / "team.py",)))


def test_an_error_class_of_a_plugin_s_own_is_told_as_any_other(tmp_path: Path) -> None:
    (error,) = found(tmp_path, JOB + 'executor = "own:x"', with_plugin(tmp_path, OWN_ERROR))
    assert error.message.endswith("no idea at the door")
    assert error.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("patterns", ['["a.foo", "b.bar"]', '["b.bar", "a.foo"]'])
def test_every_kind_of_file_is_asked_about_whatever_another_says(tmp_path: Path, patterns: str) -> None:
    text = f'[jobs.sales]\nsource = {patterns}\ntable = "sales"\n'
    (error,) = found(tmp_path, text, with_plugin(tmp_path, SUFFIXES))
    assert "foo is set wrongly" in error.message


def test_a_plugin_that_breaks_while_it_is_asked_is_named(tmp_path: Path) -> None:
    (error,) = found(tmp_path, JOB, with_plugin(tmp_path, BROKEN))
    assert "failed in etl_analyze: KeyError" in error.message
    assert error.exit_code == ExitCode.PLUGIN


WRONG_CHECKS = """
[jobs.s]
source = "s.csv"
table = "s"
columns = { id = "varchar", day = "date" }
date_column = "day"

[jobs.s.checks]
dates = { every = "hour" }

[jobs.s.checks.columns]
id = { length = { min = -1 } }

[[jobs.s.rules]]
name = "right"
sql = "day IS NOT NULL"

[[jobs.s.rules]]
name = "wrong"
sql = "day IS NOT"
"""


@pytest.mark.parametrize(
    ("left_out", "line"),
    [
        ("", "etl.toml:9: checks.dates.every"),
        ('dates = { every = "hour" }', "etl.toml:12: checks.columns.id.length.min"),
        ('dates = { every = "hour" }|id = { length = { min = -1 } }', "etl.toml:20: rules.wrong.sql"),
    ],
)
def test_a_key_deep_in_a_plugin_s_table_is_named_with_its_own_line_also_by_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = WRONG_CHECKS
    for said in filter(None, left_out.split("|")):
        text = text.replace(said, "")
    Path("s.csv").write_text("id,day\na,2024-01-31\n")
    [error] = found(tmp_path, text, Plugins.load(PluginSettings()))
    assert f"{line}: " in str(error)
    workspace = Workspace.open()
    job = workspace.job("s", (), {})
    for run in (workspace.validate, workspace.plan, workspace.load):
        with pytest.raises(UsageError) as caught:
            run(job)
        assert str(caught.value).startswith(f"{line}: ")


PANDERA = """
@hookimpl
def etl_validate(job):
    if "pandera" in job.sections:
        yield row_check("never", lambda batch: batch["id"].is_null())
"""
NAMING = '@hookimpl\ndef etl_configure(job):\n    return ["settlements"]\n'
SALES = '[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ncolumns = { id = "bigint" }\n'


def plugin_files(folder: Path, **sources: str) -> str:
    """Plugins in files, and the line of ``etl.toml`` that names them."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(HEADER + source)
    return f"plugins = {[f'{name}.py' for name in sources]}\n"


@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ("[jobs.sales.pandra]", "pandera"),
        ("[[jobs.sales.pandera_]]", "pandera"),
        ("[jobs.sales.Pandera]", "pandera"),
        ("[jobs.sales.setlements]", "settlements"),
        ("[jobs.sales.snowfalke]", "snowflake"),
        ("[defaults.snowflak]", "snowflake"),
    ],
)
def test_a_section_whose_name_looks_misspelt_is_refused_wherever_the_job_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, meant: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id\n1\n")
    head = plugin_files(tmp_path, pandera=PANDERA, acme=NAMING) + 'required_plugins = ["pandera"]\n'
    Path("etl.toml").write_text(f'{head}{SALES}{section}\nschema = "x"\n')
    workspace = Workspace.open()
    place = f"etl.toml:7: {section.strip('[]')}: nobody reads this section"
    with pytest.raises(UsageError) as caught:
        check_config(workspace.config, Plugins.load(workspace.settings))
    assert caught.value.message.startswith(place)
    job = workspace.job("sales", (), {})
    for run in (workspace.plan, workspace.validate, workspace.load):
        with pytest.raises(UsageError) as caught:
            run(job)
        assert caught.value.message.startswith(place)
        assert f"Did you mean {meant!r}?" in caught.value.advice
    assert not Path(".etl").exists()


@pytest.mark.parametrize("name", ["exports", "equality_", "limited", "snowflake_dev"])
def test_a_section_that_only_sounds_like_a_plugin_is_allowed(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, f"{JOB}[jobs.sales.{name}]\nx = 1\n") == ()


def test_a_section_of_a_plugin_that_is_not_installed_is_allowed_and_noted_once(tmp_path: Path) -> None:
    text = JOB + "[jobs.sales.elsewhere]\nx = 1\n[defaults.everywhere]\nx = 1\n" + JOB.replace("sales", "costs")
    assert found(tmp_path, text) == ()
    config = load_config(tmp_path / "etl.toml", environment={"HOME": str(tmp_path)})
    said = ": no installed plugin is called so: perhaps nothing reads it here"
    assert unread(config, Plugins.load()) == (
        f"{tmp_path}/etl.toml:6: defaults.everywhere{said}",
        f"{tmp_path}/etl.toml:4: jobs.sales.elsewhere{said}",
    )


def test_a_section_that_a_plugin_names_or_is_called_as_is_read(tmp_path: Path) -> None:
    plugin_files(tmp_path, acme=NAMING, payments="")
    plugins = Plugins.load(PluginSettings(files=(tmp_path / "acme.py", tmp_path / "payments.py")))
    sections = "".join(f"[jobs.sales.{name}]\nx = 1\n" for name in ("acme", "payments", "settlements"))
    assert found(tmp_path, JOB + sections, plugins) == ()
    assert unread(load_config(tmp_path / "etl.toml", environment={}), plugins) == ()


def test_a_section_of_a_plugin_that_is_disabled_is_no_misspelt_one(tmp_path: Path) -> None:
    plugins = Plugins.load(PluginSettings(disabled=("snowflake",)))
    assert found(tmp_path, JOB + "[jobs.sales.snowflake]\nx = 1\n", plugins) == ()


def test_any_section_that_may_ask_for_checks_is_told_of_where_columns_are_not_declared(tmp_path: Path) -> None:
    checking = "@hookimpl\ndef etl_validate(job): return ()\n"
    plugin_files(tmp_path, team=checking, acme=NAMING + checking, bell="@hookimpl\ndef etl_report(report): pass\n")
    plugins = Plugins.load(PluginSettings(files=tuple(tmp_path.glob("*.py"))))
    text = "".join(
        JOB.replace("jobs.sales", f"jobs.{section}") + f"{section}.x = 1\n"
        for section in ("team", "settlements", "elsewhere", "bell")
    )
    text += JOB + 'format.header = true\nsnowflake.publish = "direct"\n'
    assert found(tmp_path, text, plugins) == ()
    hinted = unproved(load_config(tmp_path / "etl.toml", environment={}), plugins)
    assert [*hinted] == ["team", "settlements", "elsewhere"]
