"""Configuration: what is read, what wins, and what an error says."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import (
    Allowance,
    Check,
    ColumnType,
    ConfigError,
    Gate,
    Job,
    Mode,
    OnBadRows,
    Period,
    Plugins,
    TableName,
    UsageError,
)
from etl_framework.config import STARTER, Config, explain, load_config, name_or_files, resolve_job, who_answers
from etl_framework.config_check import problems
from etl_framework.config_lines import KeyPath, key_lines
from etl_framework.config_models import Use
from etl_framework.plugins.plugin import QUESTIONS

LENDING = """\
[targets.prod]
url = "snowflake:prod"

[jobs.lending]
source = "data/factLending_{date_range}.tsv"
table = "FACT_LENDING"
target = "prod"
columns = { recordDate = "date", assetId = "bigint not null", price = "decimal(18,4)" }
date_column = "recordDate"
keys = ["recordDate", "assetId"]
mode = "replace-period"

[jobs.lending.checks]
dates = "complete"

[[jobs.lending.rules]]
name = "positive_price"
sql = "price > 0"
"""


def configured(folder: Path, text: str, **environment: str) -> Config:
    """The configuration of a project in ``folder`` that says ``text``."""
    path = folder / "etl.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environment={"HOME": str(folder / "home"), **environment})


def refusal(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        configured(folder, text)
    return caught.value


def job_text(settings: str = "") -> str:
    return f'[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\n{settings}\n'


def test_a_job_comes_out_with_everything_that_its_file_says(tmp_path: Path) -> None:
    job = resolve_job(configured(tmp_path, LENDING), "lending", {"period": "2024-01"})
    assert job.patterns == (f"{tmp_path}/data/factLending_{{date_range}}.tsv",)
    assert (job.name, str(job.table), job.target, job.mode) == (
        "lending",
        "FACT_LENDING",
        "snowflake:prod",
        Mode.REPLACE_PERIOD,
    )
    assert [(column.name, str(column.type), column.required, column.declared) for column in job.columns] == [
        ("recordDate", "date", False, True),
        ("assetId", "bigint", True, True),
        ("price", "decimal(18,4)", False, True),
    ]
    assert job.keys == ("recordDate", "assetId")
    assert job.period == Period(date(2024, 1, 1), date(2024, 1, 31))
    assert job.section("checks") == {"dates": "complete"}
    assert job.sections["rules"] == [{"name": "positive_price", "sql": "price > 0"}]


def test_what_nobody_says_is_the_default_of_the_job(tmp_path: Path) -> None:
    job = resolve_job(configured(tmp_path, job_text()))
    expected = Job(
        name="sales",
        patterns=(f"{tmp_path}/sales.csv",),
        table=TableName(("sales",)),
        target=f"duckdb:{tmp_path}/warehouse.duckdb",
        folder=tmp_path,
    )
    assert job == expected


@pytest.mark.parametrize(
    ("line", "attribute", "expected"),
    [
        ('part_size = "64MiB"', "part_bytes", 64 << 20),
        ('part_size = "1.5 GB"', "part_bytes", 1_500_000_000),
        ("block_size = 4096", "block_bytes", 4096),
        ('on_bad_rows = "quarantine"\nmax_bad_rows = "5%"', "max_bad_rows", Allowance(share=0.05)),
        ('on_bad_rows = "quarantine"\nmax_bad_rows = 7', "max_bad_rows", Allowance(rows=7)),
        ("period = 2024-02-29", "period", Period(date(2024, 2, 29), date(2024, 2, 29))),
        ('period = "2024-01..2024-02"', "period", Period(date(2024, 1, 1), date(2024, 2, 29))),
        ('check = "both"', "check", Check.BOTH),
        ("check_timeout = 20", "check_timeout", 20),
        ('gate = "before-upload"', "gate", Gate.BEFORE_UPLOAD),
        ('on_bad_rows = "quarantine"', "on_bad_rows", OnBadRows.QUARANTINE),
        ('compress = "gzip"', "compress", "gzip"),
        ("compress_level = 3", "compress_level", 3),
        ("jobs = 4", "executor", "threads:4"),
        ('executor = "processes:"', "executor", "processes:"),
        ('executor = "processes:8"\njobs = 2', "executor", "processes:2"),
        ('executor = "dask://cluster:8786"', "executor", "dask://cluster:8786"),
        ("recursive = true", "recursive", True),
        ('required_plugins = ["team"]', "required_plugins", ("team",)),
    ],
)
def test_each_setting_reaches_the_job(tmp_path: Path, line: str, attribute: str, expected: object) -> None:
    assert getattr(resolve_job(configured(tmp_path, job_text(line))), attribute) == expected


def test_a_column_may_say_that_it_is_required_and_how_it_is_written(tmp_path: Path) -> None:
    text = job_text(
        'columns.day = { type = "date", required = true, format = "%d.%m.%Y" }\ncolumns.n = "INT NOT  NULL"'
    )
    day, number = resolve_job(configured(tmp_path, text)).columns
    assert (day.required, day.format) == (True, "%d.%m.%Y")
    assert (number.required, number.type) == (True, ColumnType.parse("integer"))


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        ('mode = "upsert"', "jobs.sales.mode", ["'upsert'", "append", "replace-period", "merge"]),
        ('dat_column = "day"', "jobs.sales.dat_column", ["not a known key", "Did you mean 'date_column'?"]),
        ('colums = { day = "date" }', "jobs.sales.colums", ["Did you mean 'columns'?"]),
        ("cheks = { dates = 1 }", "jobs.sales.cheks", ["Did you mean 'check"]),
        ('checks = "file"', "jobs.sales.checks", ["must be a table"]),
        (
            "rules = { sql = '1' }",
            "jobs.sales.rules",
            ["list of tables: [[jobs.NAME.rules]], in double brackets"],
        ),
        ('columns = { day = "dat" }', "jobs.sales.columns.day", ["'dat'", "timestamptz"]),
        ('columns = { day = "bigit" }', "jobs.sales.columns.day", ["Did you mean 'bigint'?"]),
        ("columns = { day = 5 }", "jobs.sales.columns.day", ["must be a type or a table, not 5", "bigint not null"]),
        ('target = ""', "jobs.sales.target", ["must not be empty"]),
        ('columns = { "my day" = "dat" }', 'jobs.sales.columns."my day"', ["'dat'"]),
        ("columns = { day = { required = true } }", "jobs.sales.columns.day.type", ["missing"]),
        (
            'columns = { d = { type = "date", fromat = "%Y" } }',
            "jobs.sales.columns.d.fromat",
            ["Did you mean 'format'?"],
        ),
        ('columns = { d = { type = "text", format = "%Y" } }', "jobs.sales.columns.d", ["format is for dates"]),
        ('part_size = "128 bananas"', "jobs.sales.part_size", ["bananas", "128MiB"]),
        ("part_size = 0", "jobs.sales.part_size", ["not a size"]),
        ('max_bad_rows = "101%"', "jobs.sales.max_bad_rows", ["'101%' is more than all rows", "at most 100 %"]),
        ('period = "2024-13"', "jobs.sales.period", ["2024-13", "2024-01..2024-03"]),
        ("jobs = 0", "jobs.sales.jobs", ["greater than or equal to 1"]),
        ('executor = "threads"', "jobs.sales.executor", ["processes:"]),
        ('recursive = "perhaps"', "jobs.sales.recursive", ["perhaps"]),
        ("keys = [1]", "jobs.sales.keys", ["must be a text"]),
        ("target = 5", "jobs.sales.target", ["must be a text"]),
        ('use.analize = "x"', "jobs.sales.use.analize", ["not a known key", "Did you mean 'analyze'?", "compress"]),
        ("use = { load = 1 }", "jobs.sales.use.load", ["must be a text"]),
    ],
)
def test_an_error_names_file_line_and_key_and_what_is_allowed(
    tmp_path: Path, line: str, key: str, said: list[str]
) -> None:
    error = refusal(tmp_path, job_text(f"\n# a comment\n{line}"))
    assert error.message.startswith(f"{tmp_path}/etl.toml:6: {key}: ")
    for words in said:
        assert words in str(error)


def test_every_error_of_a_file_is_told_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    error = refusal(tmp_path, job_text('mode = "x"\ngate = "y"') + "[targets.prod]\n")
    assert [int(number) for number in re.findall(r"etl\.toml:(\d+):", str(error))] == [4, 5, 6]
    assert "targets.prod.url: is missing" in str(error)


def test_a_misspelt_key_at_the_top_is_refused(tmp_path: Path) -> None:
    assert "Did you mean 'jobs'?" in str(refusal(tmp_path, "[job.sales]\nsource = 'x'"))


def test_broken_toml_keeps_line_and_column(tmp_path: Path) -> None:
    assert "at line 2, column" in refusal(tmp_path, "[jobs.sales]\nmode = = 3\n").message


def test_a_file_that_is_not_utf8_is_named_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "etl.toml"
    path.write_bytes(b"# fine\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"etl\.toml:2: is not UTF-8"):
        load_config(path, environment={})


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "etl.toml"
    path.write_bytes(b"\xef\xbb\xbf" + job_text().encode())
    assert list(load_config(path, environment={}).jobs) == ["sales"]


def test_an_explicit_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(tmp_path / "other.toml", environment={})
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(tmp_path, environment={})


def test_without_a_file_the_configuration_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(environment={"HOME": str(tmp_path)})
    assert (config.path, config.folder, config.state_dir, dict(config.jobs)) == (None, tmp_path, tmp_path / ".etl", {})


def test_the_file_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("etl.toml").write_text(job_text())
    config = load_config(environment={"HOME": str(tmp_path)})
    assert (config.path, list(config.jobs)) == (tmp_path / "etl.toml", ["sales"])


SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{SECRET}"',
        f'[targets.prod]\nurl = "snowflake://me:{SECRET}@acme/db"',
        f'[targets.prod]\nurl = "snowflake:me:{SECRET}@acme"',
        f'[targets.prod]\nurl = "duckdb:md:db?motherduck_token={SECRET}"',
        f'[targets.prod]\nurl = "snowflake:prod"\nprivate_key = "{SECRET}"',
        f'[jobs.x.mail]\nsmtp_password = "{SECRET}"',
        f'[jobs.x.hooks]\nurls = ["https://example.com/?x=1", "https://u:{SECRET}@example.com"]',
        f'[[jobs.x.chats]]\napi-key = "{SECRET}"',
        f'[jobs.x.deep]\na.b.token = "{SECRET}"',
        f'[jobs.x.deep]\npem = """-----BEGIN RSA PRIVATE KEY-----\n{SECRET}"""',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_repeated(tmp_path: Path, line: str) -> None:
    error = refusal(tmp_path, line)
    assert "secret must not stand in a configuration file" in error.message
    assert "connections.toml" in error.advice
    assert SECRET not in f"{error}{error!r}{error.__cause__!r}{error.__context__!r}"


def test_what_only_sounds_like_a_secret_is_fine(tmp_path: Path) -> None:
    text = job_text('columns = { token = "varchar", password = "varchar" }\nkeys = ["token"]')
    text += (
        '[jobs.sales.mail]\npassword_env = "MAIL_PASSWORD"\nkeep_tokens = true\nsee = "https://example.com:443/a@b"\n'
    )
    assert resolve_job(configured(tmp_path, text)).keys == ("token",)


def test_a_password_in_a_url_from_outside_is_refused_as_well(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text())
    with pytest.raises(UsageError) as caught:
        resolve_job(config, "sales", {"target": f"snowflake://me:{SECRET}@acme"})
    assert "--target" in str(caught.value)
    assert SECRET not in str(caught.value)


def layered(folder: Path, *places: str) -> tuple[Config, dict[str, object]]:
    """A configuration that sets ``max_bad_rows`` in the given places, and options that quarantine bad rows."""
    (folder / "home/.config/etl").mkdir(parents=True)
    user = "[defaults]\nmax_bad_rows = 1\n" if "user" in places else ""
    (folder / "home/.config/etl/config.toml").write_text(user)
    text = "[defaults]\nmax_bad_rows = 2\n" if "defaults" in places else ""
    text += job_text("max_bad_rows = 3" if "job" in places else "")
    environment = {"ETL_MAX_BAD_ROWS": "4"} if "environment" in places else {}
    overrides = {"max_bad_rows": "5"} if "flag" in places else {}
    return configured(folder, text, **environment), {"on_bad_rows": "quarantine", **overrides}


def test_the_stronger_place_wins(tmp_path: Path) -> None:
    places = ["user", "defaults", "job", "environment", "flag"]
    origins = ["config.toml:2", "etl.toml:2", "etl.toml:6", "ETL_MAX_BAD_ROWS", "--max-bad-rows"]
    for strongest, origin in enumerate(origins, start=1):
        folder = tmp_path / str(strongest)
        config, overrides = layered(folder, *places[:strongest])
        assert resolve_job(config, "sales", overrides).max_bad_rows == Allowance(rows=strongest)
        shown = {setting.key: setting for setting in explain(config, "sales", overrides)}["max_bad_rows"]
        assert (shown.value, Path(shown.origin).name) == (str(strongest), origin)


def test_an_empty_variable_counts_as_not_given(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text('compress = "gzip"'), ETL_COMPRESS="")
    assert resolve_job(config).compress == "gzip"


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text(), ETL_JOBS="many")
    with pytest.raises(UsageError, match=r"ETL_JOBS: .*'many'"):
        resolve_job(config)


def test_a_wrong_option_is_named_and_is_no_error_of_the_file(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text())
    with pytest.raises(UsageError, match=r"--max-bad-rows: 'lots'") as caught:
        resolve_job(config, "sales", {"max_bad_rows": "lots"})
    assert not isinstance(caught.value, ConfigError)


def test_workers_given_more_strongly_than_the_executor_replace_its_number(tmp_path: Path) -> None:
    config = configured(tmp_path, "[defaults]\njobs = 2\n" + job_text('executor = "processes:8"'))
    assert resolve_job(config).executor == "processes:8"
    assert resolve_job(config, "sales", {"jobs": 3}).executor == "processes:3"


def test_workers_of_an_executor_that_counts_its_own_are_refused(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text('executor = "dask://cluster:8786"'))
    with pytest.raises(UsageError, match=r"--jobs: .*dask"):
        resolve_job(config, "sales", {"jobs": 3})


def test_sections_of_a_job_add_to_those_of_the_defaults(tmp_path: Path) -> None:
    text = '[defaults.format]\nencoding = "cp1252"\nheader = true\n' + job_text("[jobs.sales.format]\nheader = false")
    assert resolve_job(configured(tmp_path, text)).section("format") == {"encoding": "cp1252", "header": False}


def test_who_is_to_answer_is_said_question_by_question_by_the_strongest(tmp_path: Path) -> None:
    text = '[defaults.use]\nconnect = "one"\nanalyze = "one"\n' + job_text('use = { analyze = "two", load = "two" }')
    config = configured(tmp_path, text)
    assert resolve_job(config).use == {"connect": "one", "analyze": "two", "load": "two"}
    assert resolve_job(config, None, {"use": {"load": "three"}}).use["load"] == "three"
    assert who_answers(config) == {"connect": "one", "analyze": "one"}


def test_every_question_that_one_plugin_answers_can_be_given_to_one() -> None:
    assert tuple(Use.model_fields) == QUESTIONS


@pytest.mark.parametrize("source", ["a_{moth}.csv", "data/{}/a.csv", "s3://bucket/a.csv"])
def test_a_pattern_that_cannot_be_meant_is_named_with_its_line(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigError, match=r"etl\.toml:2: jobs\.sales\.source: "):
        resolve_job(configured(tmp_path, job_text().replace("sales.csv", source)))


def test_a_file_whose_name_looks_like_a_pattern_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a_{moth}.csv").touch()
    config = configured(tmp_path, job_text().replace("sales.csv", "a_{moth}.csv"))
    assert resolve_job(config).patterns == (f"{tmp_path}/a_{{moth}}.csv",)


@pytest.mark.parametrize("name", ["copy", "json", "schema", "notify"])
def test_a_plugin_may_call_its_section_anything_that_is_no_setting(tmp_path: Path, name: str) -> None:
    config = configured(tmp_path, job_text(f"[jobs.sales.{name}]\nx = 1"))
    assert resolve_job(config).section(name) == {"x": 1}
    assert {setting.key: setting.origin for setting in explain(config)}[name] == f"{tmp_path}/etl.toml:4"


def test_the_configuration_keeps_nothing_of_the_environment_but_its_own_variables(tmp_path: Path) -> None:
    config = configured(tmp_path, "", ETL_MODE="merge", SNOWFLAKE_PASSWORD=SECRET)
    assert dict(config.environment) == {"ETL_MODE": "merge"}
    assert SECRET not in repr(config)


def test_required_plugins_of_project_and_job_add_up(tmp_path: Path) -> None:
    text = 'required_plugins = ["a", "b"]\n' + job_text('required_plugins = ["b", "c"]')
    assert resolve_job(configured(tmp_path, text)).required_plugins == ("a", "b", "c")


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = 'plugins = ["checks/team.py"]\nstate_dir = "var/state"\n[targets.t]\nurl = "duckdb:db/w.duckdb"\n'
    config = configured(tmp_path, text + job_text('target = "t"'))
    assert config.plugins == (tmp_path / "checks/team.py",)
    assert config.state_dir == tmp_path / "var/state"
    job = resolve_job(config)
    assert (job.patterns, job.target) == ((f"{tmp_path}/sales.csv",), f"duckdb:{tmp_path}/db/w.duckdb")
    # What the command line names is relative to where it was typed.
    typed = resolve_job(config, "sales", {"files": ["x.csv"], "target": "duckdb:w.duckdb"})
    assert (typed.patterns, typed.target) == (
        (f"{tmp_path}/elsewhere/x.csv",),
        f"duckdb:{tmp_path}/elsewhere/w.duckdb",
    )


@pytest.mark.parametrize("url", ["duckdb:/var/w.duckdb", "duckdb::memory:", "snowflake:prod", "snowflake://acme/db.x"])
def test_a_url_that_names_no_relative_file_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert resolve_job(configured(tmp_path, job_text()), "sales", {"target": url}).target == url


def test_the_state_lies_where_option_variable_or_file_say(tmp_path: Path) -> None:
    assert configured(tmp_path, "").state_dir == tmp_path / ".etl"
    assert configured(tmp_path, "state_dir = '/s'", ETL_STATE_DIR="/env").state_dir == Path("/env")
    given = load_config(tmp_path / "etl.toml", state_dir=Path("/flag"), environment={"ETL_STATE_DIR": "/env"})
    assert given.state_dir == Path("/flag")


def test_targets_of_the_user_serve_every_project(tmp_path: Path) -> None:
    user = tmp_path / "xdg/etl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[targets.mine]\nurl = "snowflake:me"\n[targets.both]\nurl = "snowflake:user"\n')
    text = '[targets.both]\nurl = "snowflake:project"\n' + job_text()
    config = configured(tmp_path, text, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert resolve_job(config, "sales", {"target": "mine"}).target == "snowflake:me"
    assert resolve_job(config, "sales", {"target": "both"}).target == "snowflake:project"


def test_the_users_file_declares_no_jobs(tmp_path: Path) -> None:
    user = tmp_path / "xdg/etl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(job_text())
    with pytest.raises(ConfigError, match=r"config\.toml:1: jobs: is not a known key"):
        configured(tmp_path, "", XDG_CONFIG_HOME=str(tmp_path / "xdg"))


def test_an_unknown_target_is_named_with_its_line_and_the_likely_one(tmp_path: Path) -> None:
    config = configured(tmp_path, '[targets.prod]\nurl = "snowflake:prod"\n' + job_text('target = "prd"'))
    with pytest.raises(ConfigError, match=r"etl\.toml:6: jobs\.sales\.target: 'prd'.*\n.*Did you mean 'prod'"):
        resolve_job(config)


def test_the_only_job_needs_no_name(tmp_path: Path) -> None:
    assert resolve_job(configured(tmp_path, job_text())).name == "sales"


def test_of_several_jobs_one_must_be_named(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text() + job_text().replace("jobs.sales", "jobs.costs"))
    with pytest.raises(UsageError, match="sales, costs"):
        resolve_job(config)
    with pytest.raises(UsageError, match="Did you mean 'sales'"):
        resolve_job(config, "sale")


def test_with_neither_job_nor_file_there_is_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to load"):
        resolve_job(configured(tmp_path, ""))


@pytest.mark.parametrize("missing", ["source", "table"])
def test_a_job_without_source_or_table_is_named_with_its_line(tmp_path: Path, missing: str) -> None:
    text = re.sub(f"{missing} = .*\n", "", job_text())
    with pytest.raises(ConfigError, match=rf"etl\.toml:1: jobs\.sales: {missing} is missing"):
        resolve_job(configured(tmp_path, text))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('mode = "merge"', "merge needs keys"),
        ('mode = "replace-period"\nperiod = "2024-01"', "replace-period needs date_column"),
        ('mode = "replace-period"\ndate_column = "day"', "replace-period needs a period"),
        ('date_column = "n"\ncolumns = { n = "integer" }', "column 'n' is of type integer"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path: Path, settings: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"etl\.toml:4: .*{said}"):
        resolve_job(configured(tmp_path, job_text(settings)))


@pytest.mark.parametrize(
    ("toml", "options", "place"),
    [
        (job_text("max_bad_rows = 1"), {}, "etl.toml:4: jobs.sales.max_bad_rows: "),
        ("[defaults]\nmax_bad_rows = 1\n" + job_text(), {}, "etl.toml:2: defaults.max_bad_rows: "),
        (job_text(), {"max_bad_rows": "1%"}, "--max-bad-rows: "),
        (job_text('on_bad_rows = "abort"'), {"max_bad_rows": "1%"}, "--max-bad-rows: "),
    ],
)
def test_a_limit_of_a_quarantine_without_a_quarantine_is_refused(
    tmp_path: Path, toml: str, options: dict[str, object], place: str
) -> None:
    config = configured(tmp_path, toml)
    with pytest.raises(UsageError) as caught:
        resolve_job(config, "sales", options)
    assert place in caught.value.message
    assert isinstance(caught.value, ConfigError) == ("etl.toml" in place)
    assert "--on-bad-rows quarantine" in caught.value.advice
    assert resolve_job(config, "sales", {**options, "on_bad_rows": "quarantine"}).max_bad_rows != Allowance()


def test_a_limit_of_a_quarantine_is_no_hindrance_to_who_wants_none_this_time(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text('on_bad_rows = "quarantine"\nmax_bad_rows = 1'))
    assert resolve_job(config, "sales", {"on_bad_rows": "abort"}).on_bad_rows is OnBadRows.ABORT


def test_the_ends_of_a_period_go_together(tmp_path: Path) -> None:
    config = configured(tmp_path, job_text())
    job = resolve_job(config, "sales", {"from_": "2024-01-10", "to": date(2024, 2, 9)})
    assert job.period == Period(date(2024, 1, 10), date(2024, 2, 9))
    for wrong in ({"from_": "2024-01-10"}, {"from_": "2024-01", "to": "2024-02", "period": "2024-01"}):
        with pytest.raises(UsageError, match="--from and --to"):
            resolve_job(config, "sales", wrong)


def test_bare_files_are_loaded_into_a_table_of_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = configured(tmp_path, job_text())
    job = resolve_job(config, None, {"files": ["flights.csv.gz", "/data/more.csv"], "again": True})
    assert (job.name, str(job.table), job.again) == ("flights", "flights", True)
    assert job.patterns == (f"{tmp_path}/flights.csv.gz", "/data/more.csv")
    assert job.target == f"duckdb:{tmp_path}/warehouse.duckdb"


@pytest.mark.parametrize(
    ("file", "table"),
    [("a b-c.tsv.zst", "a_b_c"), ("2024.csv", "t_2024"), ("***.csv", "data"), ("Käse.TXT", "Käse"), ("x.y.csv", "x_y")],
)
def test_a_table_is_named_after_the_file_in_letters_that_need_no_quotes(file: str, table: str, tmp_path: Path) -> None:
    assert str(resolve_job(configured(tmp_path, ""), None, {"files": [file]}).table) == table


def test_a_word_on_the_command_line_is_a_job_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    config = configured(tmp_path, job_text() + job_text().replace("jobs.sales", "jobs.costs"))
    assert name_or_files(config, []) == (None, ())
    assert name_or_files(config, ["sales"]) == ("sales", ())
    assert name_or_files(config, ["data"]) == (None, ("data",))
    assert name_or_files(config, ["a.csv", "b.csv"]) == (None, ("a.csv", "b.csv"))
    with pytest.raises(UsageError, match="Did you mean 'sales'"):
        name_or_files(config, ["sakes"])
    with pytest.raises(UsageError, match="one job runs at a time"):
        name_or_files(config, ["sales", "costs"])


def test_validating_does_not_ask_for_a_period_that_is_given_when_running(tmp_path: Path) -> None:
    text = job_text('mode = "replace-period"\ndate_column = "day"')
    text += '[jobs.broken]\nsource = "x"\ntable = "x"\nmode = "merge"\n'
    (error,) = problems(configured(tmp_path, text), Plugins.load())
    assert "jobs.broken.mode: merge needs keys" in str(error)


def test_the_starter_file_is_valid(tmp_path: Path) -> None:
    config = configured(tmp_path, STARTER)
    assert problems(config, Plugins.load()) == ()
    assert resolve_job(config).target == f"duckdb:{tmp_path}/warehouse.duckdb"


def test_the_commented_lines_of_the_starter_file_are_valid_too(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=\[|\w+ = )", "", STARTER, flags=re.MULTILINE)
    assert text.count("\n# ") < 5
    config = configured(tmp_path, text)
    assert problems(config, Plugins.load()) == ()
    assert [column.name for column in resolve_job(config).columns] == ["sale_id", "sold_on", "price"]


def test_every_effective_setting_is_shown_with_its_origin(tmp_path: Path) -> None:
    shown = {
        setting.key: setting
        for setting in explain(configured(tmp_path, LENDING), "lending", {"period": "2024-01", "jobs": 2})
    }
    assert shown["columns"].value == {"recordDate": "date", "assetId": "bigint not null", "price": "decimal(18,4)"}
    assert (shown["target"].value, shown["target"].origin) == ("snowflake:prod", f"{tmp_path}/etl.toml:7")
    assert (shown["executor"].value, shown["executor"].origin) == ("threads:2", "--jobs")
    assert (shown["gate"].value, shown["gate"].origin) == ("before-load", "default")
    assert (shown["checks"].value, shown["checks"].origin) == ({"dates": "complete"}, f"{tmp_path}/etl.toml:13")
    assert shown["period"].origin == "--period"


NASTY = r"""
# a comment with [table] and key = "value"
top = '''
[not.a.table]
not_a_key = 1
still ''''
basic = "a \" quote # no comment"
after = 1
'quoted [key]'.sub = 's # ] }'
[jobs."my job"]
list = [ # comment ]
  "a ] b",
  { k = 1, "l" = [1, [2,
     3]] }, # }
]
inline = { a = { b = '}' }, c.d = 2024-01-01 10:00:00 }
[[jobs.rules]]
x = '''multi
line'''
y = 1
[[jobs.rules]]
z = 2
[jobs.rules.below]
w = 3
"""


def paths_of(data: Any, path: KeyPath = ()) -> set[KeyPath]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return {path}.union(*(paths_of(value, (*path, key)) for key, value in inner)) - {()}


def test_every_key_has_its_line_however_it_is_written() -> None:
    text = NASTY + 'multi = """\nu = 1 \\""" ""\n"""""\n'
    lines = key_lines(text)
    assert set(lines) == paths_of(tomllib.loads(text))
    wanted = {("after",): "after", ("jobs", "my job", "inline", "c", "d"): "inline", ("jobs", "rules", 1, "z"): "z ="}
    for path, start in wanted.items():
        assert text.splitlines()[lines[path] - 1].startswith(start)
    assert lines["jobs", "my job", "list", 1, "l", 1, 1] == lines["jobs", "my job", "list", 1] + 1
    assert key_lines(text.replace("\n", "\r\n")) == lines


TEXTS = st.text(alphabet="ab'\"#[]{}=,.\n \\é", max_size=6)
VALUES = st.recursive(
    st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def written(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)} = {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return str(value)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
@settings(max_examples=150, deadline=None)
def test_each_key_is_found_on_the_line_where_it_was_written(data: dict[str, Any]) -> None:
    text = "".join(f"{written(key)} = {written(value)}\n" for key, value in data.items())
    lines = key_lines(text)
    assert set(lines) == paths_of(data)
    assert [lines[key,] for key in data] == list(range(1, len(data) + 1))


@pytest.mark.parametrize(
    ("options", "missing"),
    [({"mode": "merge"}, "keys"), ({"mode": "replace-period", "period": "2024-01"}, "date_column")],
)
def test_a_bare_file_takes_from_the_defaults_what_has_no_option(
    tmp_path: Path, options: dict[str, object], missing: str
) -> None:
    (tmp_path / "a.csv").write_text("day\n")
    given = {**options, "files": [str(tmp_path / "a.csv")]}
    with pytest.raises(UsageError) as caught:
        resolve_job(configured(tmp_path, ""), None, given)
    assert caught.value.advice.startswith(f"Set {missing} in [defaults] of etl.toml to ")
    said = '["day"]' if missing == "keys" else '"day"'
    assert getattr(resolve_job(configured(tmp_path, f"[defaults]\n{missing} = {said}\n"), None, given), missing)
