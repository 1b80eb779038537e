"""What each command answers, on which stream, with which exit code, and what it leaves alone."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import duckdb
import pytest

from etl_framework import Status
from etl_framework.cli import run
from etl_framework.cli.group import etl as program

if TYPE_CHECKING:
    from etl_framework.testing import FakePlugins

pytestmark = pytest.mark.usefixtures("roomy")

GOOD = "id,name,day\n1,x,2024-01-01\n2,y,2024-01-02\n"
BAD = "id,name,day\n" + "1,x,2024-01-01\n" * 20 + "2,y\n"
TABLE = ("--table", "t", "--target", "duckdb:w.duckdb")
PERIODIC = """\
[jobs.sales]
source = "sales_{month}.csv"
table = "sales"
target = "duckdb:w.duckdb"
mode = "replace-period"
date_column = "day"
"""


@dataclass(frozen=True)
class Answer:
    """What a call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """All of standard output, which must be one JSON document."""
        document = json.loads(self.out)
        assert document["schema_version"] == 1
        assert document["kind"]
        return dict(document)


Etl = Callable[..., Answer]


@pytest.fixture
def etl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Etl]:
    """Run a command in a folder that holds ``t.csv`` and ``bad.csv``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    Path("t.csv").write_text(GOOD)
    Path("bad.csv").write_text(BAD)

    def call(*words: str) -> Answer:
        capsys.readouterr()
        code = run(words)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    log = logging.getLogger("etl_framework")
    before = log.handlers, log.propagate, log.level
    yield call
    # Commands send the log to a stream that ends with the test.
    log.handlers, log.propagate = before[:2]
    log.setLevel(before[2])


@pytest.fixture
def loaded(etl: Etl) -> str:
    """The id of a run that loaded ``t.csv`` into ``t``."""
    return str(etl("load", "t.csv", *TABLE, "--json").document["run"])


def rows(statement: str = "SELECT id, name FROM t ORDER BY ALL", database: str = "w.duckdb") -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def assert_untouched() -> None:
    assert {path.name for path in Path().iterdir()} <= {"t.csv", "bad.csv", "etl.toml"}


# --- runs ---


def test_runs_are_listed_the_latest_first(etl: Etl, loaded: str) -> None:
    refused = etl("load", "bad.csv", *TABLE, "--json").document["run"]
    answer = etl("runs", "list")
    assert answer.code == 0
    assert answer.out.index(refused) < answer.out.index(loaded)
    listed = etl("runs", "list", "--json").document["items"]
    assert [(entry["run"], entry["status"], entry["table"]) for entry in listed] == [
        (refused, "refused", "t"),
        (loaded, "done", "t"),
    ]
    assert [entry["run"] for entry in etl("runs", "list", "--last", "1", "--json").document["items"]] == [refused]


def test_without_runs_the_list_says_so_and_creates_nothing(etl: Etl) -> None:
    answer = etl("runs", "list")
    assert answer.code == 0
    assert "No runs" in answer.out
    assert etl("runs", "list", "--json").document["items"] == []
    assert_untouched()


def test_the_latest_run_is_shown_unless_another_is_named(etl: Etl, loaded: str) -> None:
    latest = etl("load", "t.csv", *TABLE, "--again", "--json").document["run"]
    assert latest != loaded
    answer = etl("runs", "show")
    assert answer.code == 0
    assert latest in answer.out
    assert loaded not in answer.out
    named = etl("runs", "show", loaded)
    assert named.code == 0
    assert loaded in named.out
    assert latest not in named.out


def test_a_shown_run_is_the_report_of_its_load(etl: Etl, loaded: str) -> None:
    document = etl("runs", "show", "--json").document
    assert document["run"]["run"] == loaded
    assert document["report"]["rows_loaded"] == 2
    assert document["report"]["reconciled"] is True
    assert document["log"] == []


def test_the_journal_of_a_run_is_shown_on_demand(etl: Etl, loaded: str) -> None:
    without, with_log = etl("runs", "show"), etl("runs", "show", "--log")
    assert "part 0 piece 0 staged" in with_log.out
    assert "part 0 piece 0 staged" not in without.out
    events = [entry["event"] for entry in etl("runs", "show", loaded, "--log", "--json").document["log"]]
    assert events[0] == "begun"
    assert events.index("part 0 piece 0 staged") < events.index("loaded") < events.index("done")


@pytest.mark.parametrize("words", [("runs", "show", "nope"), ("resume", "nope"), ("runs", "show")])
def test_an_unknown_run_is_a_usage_error_that_creates_nothing(etl: Etl, words: tuple[str, ...]) -> None:
    answer = etl(*words)
    assert answer.code == 2, answer.err
    assert "no run" in answer.err
    assert answer.out == ""
    assert_untouched()


@pytest.mark.parametrize("words", [("runs", "show", "nope"), ("resume", "nope")])
def test_an_unknown_run_among_others_is_named(etl: Etl, loaded: str, words: tuple[str, ...]) -> None:
    answer = etl(*words)
    assert answer.code == 2, answer.err
    assert "'nope'" in answer.err


def test_with_nothing_to_resume_it_says_so(etl: Etl) -> None:
    answer = etl("resume")
    assert (answer.code, answer.err) == (0, "")
    assert "othing to resume" in answer.out
    assert_untouched()


def test_a_run_that_is_done_leaves_nothing_to_resume(etl: Etl, loaded: str) -> None:
    assert "othing to resume" in etl("resume", "--json").document["message"]
    assert rows() == [(1, "x"), (2, "y")]


# --- plan ---


def test_a_plan_shows_columns_parts_and_sql_and_changes_nothing(etl: Etl) -> None:
    answer = etl("plan", "t.csv", *TABLE, "--part-size", "16")
    assert answer.code == 0, answer.err
    assert "t (will be created)" in answer.out
    assert 'CREATE TABLE "main"."t"' in answer.out
    assert_untouched()
    document = etl("plan", "t.csv", *TABLE, "--part-size", "16", "--json").document
    assert [(column["name"], column["type"]) for column in document["columns"]] == [
        ("id", "bigint"),
        ("name", "varchar"),
        ("day", "date"),
    ]
    parts = document["parts"]
    assert len(parts) > 1
    assert [part["start"] for part in parts] == [0, *(part["end"] for part in parts[:-1])]
    assert parts[-1]["end"] == len(GOOD)
    assert all(f"{part['end']:,}" in answer.out for part in parts)
    assert_untouched()


def test_a_plan_objects_to_a_source_that_is_there_already(etl: Etl, loaded: str) -> None:
    answer = etl("plan", "t.csv", *TABLE)
    assert answer.code == 3
    assert "would be refused: t already holds t.csv" in answer.out
    assert loaded in answer.out
    assert "If that is meant, say --again" in answer.out
    assert rows() == [(1, "x"), (2, "y")]
    assert etl("plan", "t.csv", *TABLE, "--again").code == 0
    assert [entry["run"] for entry in etl("runs", "list", "--json").document["items"]] == [loaded]


def test_of_many_earlier_loads_the_first_are_named(etl: Etl) -> None:
    for number in range(5):
        Path(f"part{number}.csv").write_text(f"id\n{number}\n")
        assert etl("load", f"part{number}.csv", *TABLE).code == 0
    objections = etl("plan", "part*.csv", *TABLE, "--json").document["objections"]
    assert ["t already holds" in sentence for sentence in objections] == [True, True, True, False]
    assert objections[-1] == "and 2 more such loads"


# --- analyze and validate ---


def test_an_analysis_tells_format_columns_and_rows(etl: Etl) -> None:
    answer = etl("analyze", "t.csv")
    assert answer.code == 0
    words = answer.out.split()
    assert {"t.csv", "comma", "bigint", "varchar", "date"} <= {word.rpartition("/")[2] for word in words}
    assert "exactly" not in answer.out
    assert_untouched()


def test_an_exact_analysis_counts(etl: Etl) -> None:
    Path("t.csv").write_text("a,b\n" + '1,"two\nlines"\n' * 5000)
    assert "exactly 5,000" in etl("analyze", "t.csv", "--exact").out
    [analysis] = etl("analyze", "t.csv", "--exact", "--json").document["items"]
    assert (analysis["rows"], analysis["rows_exact"]) == (5000, True)
    [estimate] = etl("analyze", "t.csv", "--json").document["items"]
    assert estimate["rows_exact"] is False


def test_an_analysis_of_many_files_tells_what_is_alike_once(etl: Etl) -> None:
    for number in range(40):
        Path(f"many{number}.csv").write_text("id,day\n1,2024-01-01\n")
    Path("odd.csv").write_text("id;day\n1;2024-01-01\n")
    answer = etl("analyze", "many*.csv", "odd.csv", "bad.csv")
    assert answer.code == 0
    assert "many0.csv and 39 alike: many1.csv, many2.csv, many3.csv and 36 more" in answer.out
    assert "about 40" in answer.out
    assert "delimiter  semicolon, not comma" in answer.out
    assert len(answer.out.splitlines()) < 45
    analyses = etl("analyze", "many*.csv", "odd.csv", "--json").document["items"]
    assert len(analyses) == 41
    assert all(len(analysis["columns"]) == 2 for analysis in analyses)


def test_findings_of_many_files_are_told_once(etl: Etl) -> None:
    for number in range(40):
        Path(f"many{number}.csv").write_text("id,day\n1,2024-01-01\n" if number % 4 else "other\n1\n")
    answer = etl("validate", "many*.csv")
    assert answer.code == 3
    assert "10 files have other columns than many1.csv: many0.csv (missing: id, day; extra: other), " in answer.out
    assert "and 2 more" in answer.out
    assert len(answer.out.splitlines()) < 10


def test_a_plan_of_many_parts_shows_the_first_ones(etl: Etl) -> None:
    Path("t.csv").write_text("id\n" + "".join(f"{number}\n" for number in range(1000)))
    words = ("plan", "t.csv", *TABLE, "--part-size", "16")
    answer = etl(*words)
    parts = etl(*words, "--json").document["parts"]
    assert f"and {len(parts) - 50:,} more parts" in answer.out
    assert len(answer.out.splitlines()) < 90


def test_a_valid_file_is_valid_and_loads_nothing(etl: Etl) -> None:
    answer = etl("validate", "t.csv")
    assert answer.code == 0
    assert "valid: 2 good rows, 0 bad rows" in answer.out
    assert_untouched()


def test_valid_files_for_a_merge_are_told_with_what_was_not_looked_at(etl: Etl) -> None:
    merge = '[jobs.sales]\nsource = "{}"\ntable = "t"\nmode = "merge"\nkeys = ["id"]\n{}'
    for source, more, told in (
        ("t.csv", "", True),
        ("t.csv", 'checks.duplicates = "error"\n', False),
        ("bad.csv", "", False),
    ):
        Path("etl.toml").write_text(merge.format(source, more))
        said = etl("validate", "sales").err
        assert ("whether two rows share the key id was not looked at, and a merge refuses such rows" in said) is told


def test_a_file_with_bad_rows_is_not_valid(etl: Etl) -> None:
    answer = etl("validate", "bad.csv")
    assert answer.code == 3
    assert "bad.csv:22" in answer.out
    assert "not valid: 20 good rows, 1 bad row " in answer.out
    document = etl("validate", "bad.csv", "--json").document
    assert document["bad_rows"] == 1
    assert_untouched()


# --- config ---


def test_a_wrong_setting_of_a_plugin_is_named_with_its_line(etl: Etl) -> None:
    Path("etl.toml").write_text(PERIODIC + "[jobs.sales.format]\nheadr = true\n")
    answer = etl("config", "validate")
    assert answer.code == 2
    assert "etl.toml:8: [jobs.sales.format] headr is not a setting of delimited files" in answer.err
    assert "Did you mean 'header'?" in answer.err
    assert "headr" in etl("config", "validate", "--json").document["message"]
    assert etl("doctor").code == 2
    assert_untouched()


def test_what_checks_ask_of_columns_that_are_not_declared_does_not_pass_for_right(etl: Etl) -> None:
    job = '[jobs.{0}]\nsource = "t.csv"\ntable = "t"\ntarget = "duckdb:w.duckdb"\n{1}\n'
    checked = "[jobs.{0}.checks.columns]\nidd.unique = true\n".format
    declared = 'columns = { id = "bigint" }\n'
    Path("etl.toml").write_text(
        job.format("unknown", checked("unknown"))
        + job.format("unchecked", 'check = "none"\n' + checked("unchecked"))
        + job.format("plain", "")
        + job.format("partly", f"{declared}{checked('partly')}")
        + job.format("declared", f"{declared}[jobs.declared.checks.columns.id]\nunique = true")
    )
    valid = etl("config", "validate")
    assert (valid.code, valid.err.count("hint: ")) == (0, 2)
    assert "hint: job unknown declares no columns, so what its checks ask of them was not looked at: " in valid.err
    assert "`etl plan unknown` looks at its files, too" in valid.err
    assert (
        ": checks.columns.idd: there is no column 'idd' among those that job partly declares "
        "(Did you mean 'id'? The columns are id): `etl plan partly` looks at its files, too"
    ) in valid.err
    assert etl("doctor").code == 0
    for name in ("unknown", "partly"):
        assert "there is no column 'idd'" in etl("plan", name).err
    assert not etl("-q", "config", "validate").err


def test_a_check_of_a_column_that_only_the_files_have_is_right_for_validate_as_it_is_for_a_load(etl: Etl) -> None:
    header = Path("t.csv").read_text().partition("\n")[0].split(",")
    Path("etl.toml").write_text(
        f'[jobs.t]\nsource = "t.csv"\ntable = "t"\ncolumns = {{ {header[0]} = "bigint" }}\n'
        f"[jobs.t.checks.columns]\n{header[1]}.not_null = false\n"
    )
    assert [etl(*words).code for words in (("config", "validate"), ("doctor",), ("plan", "t"), ("load", "t"))] == [
        0
    ] * 4


def test_a_check_that_cannot_be_understood_is_told_whether_or_not_columns_are_declared(etl: Etl) -> None:
    for wrong in (
        "checks.dutes = true",
        'checks.duplicates = "eror"',
        'checks.dates = "compleet"',
        'rules = [{ sql = "1" }]',
    ):
        Path("etl.toml").write_text(f'[jobs.t]\nsource = "t.csv"\ntable = "t"\n{wrong}\n')
        answer = etl("config", "validate")
        assert answer.code == 2
        assert "etl.toml:4: " in answer.err


def test_a_global_option_behind_the_command_is_told_where_it_stands(etl: Etl) -> None:
    for option in ("-q", "--debug", "--state-dir"):
        answer = etl("runs", "list", option)
        assert (answer.code, answer.out) == (2, "")
        assert f"error: {option} stands before the command\n  Write `etl {option} runs list …`." in answer.err
    assert "No such option" in etl("runs", "list", "--nothing").err


def test_runs_are_a_line_each_on_a_terminal(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    assert etl("load", "t.csv", *TABLE).code == 0
    assert etl("load", "bad.csv", *TABLE).code == 3
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    refused, why, done = etl("runs", "list").out.splitlines()
    assert re.fullmatch(r"\S+  \S+ \S+  refused: \w+", refused)
    assert why.startswith("  refused at the gate: 1 bad row")
    assert re.fullmatch(r"\S+  \S+ \S+  done: \w+", done)


def test_who_is_to_answer_is_said_on_the_command_line(etl: Etl) -> None:
    assert etl("--use", "analyze=delimited", "--use", "connect=duckdb", "load", "t.csv", *TABLE).code == 0
    unable = etl("--use", "analyze=duckdb", "analyze", "t.csv")
    assert unable.code == 4
    assert "Name one that does: delimited." in unable.err
    for wrong in ("analyse=delimited", "delimited", "analyze="):
        answer = etl("--use", wrong, "load", "t.csv", "--json")
        assert answer.code == 2
        assert "connect, executor, analyze, profile, compress, upload, load" in answer.document["message"]


def test_a_starter_configuration_is_written_valid_and_explained(etl: Etl) -> None:
    written = etl("config", "init")
    assert written.code == 0
    assert "etl.toml" in written.out
    assert etl("config", "validate", "--json").document["jobs"] == ["sales"]
    valid = etl("config", "validate")
    assert valid.code == 0
    assert "1 job, nothing wrong" in valid.out
    shown = etl("config", "show")
    assert shown.code == 0
    assert "job sales" in shown.out
    assert "data/sales_{month}.csv" in shown.out


def test_a_configuration_is_not_overwritten_unless_forced(etl: Etl) -> None:
    Path("etl.toml").write_text("# mine\n")
    refused = etl("config", "init")
    assert refused.code == 2
    assert "--force" in refused.err
    assert Path("etl.toml").read_text() == "# mine\n"
    assert etl("config", "init", "other.toml").code == 0
    assert etl("config", "init", "--force").code == 0
    assert Path("etl.toml").read_text() == Path("other.toml").read_text()


def test_a_job_whose_period_comes_with_the_command_is_valid_and_shown(etl: Etl) -> None:
    Path("etl.toml").write_text(PERIODIC)
    valid = etl("config", "validate")
    assert valid.code == 0, valid.err
    shown = etl("config", "show", "sales")
    assert shown.code == 0, shown.err
    assert "replace-period" in shown.out
    settings = {item["key"]: item for item in etl("config", "show", "--json").document["jobs"]["sales"]}
    assert settings["mode"]["value"] == "replace-period"
    assert "etl.toml" in settings["mode"]["origin"]
    # A period that nobody gave is not made up.
    assert not settings["period"]["value"]


def test_without_jobs_the_defaults_are_shown_with_where_they_come_from(
    etl: Etl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_COMPRESS", "zstd")
    bare = etl("config", "show")
    assert '  on_bad_rows = "abort"  # default\n' in bare.out
    assert '  compress = "zstd"  # ETL_COMPRESS\n' in bare.out
    assert "  # period is not set  # default\n" in bare.out
    Path("etl.toml").write_text('[defaults]\nmode = "replace-period"\ndate_column = "day"\n')
    settings = {setting["key"]: setting for setting in etl("config", "show", "--json").document["defaults"]}
    assert settings["mode"] == {"key": "mode", "value": "replace-period", "origin": "etl.toml:2"}
    assert settings["period"]["value"] is None
    assert not settings.keys() & {"source", "table"}


def test_settings_in_a_pipe_are_toml_and_no_line_is_wider_than_what_it_says(etl: Etl) -> None:
    columns = ", ".join(f'"column {number}" = "varchar"' for number in range(50))
    asked = '[jobs.sales.checks]\nduplicates = { keys = ["it\'s", "a\\"b"], severity = "error" }\n'
    rule = '[[jobs.sales.rules]]\nname = "one"\nsql = "count(*) > 0"\n'
    Path("etl.toml").write_text(f"{PERIODIC}recursive = true\ncolumns = {{ {columns} }}\n{asked}{rule}")
    shown = etl("config", "show", "sales").out
    assert [line for line in shown.splitlines() if line.endswith(" ")] == []
    read = tomllib.loads(shown.partition("job sales\n")[2])
    assert (read["recursive"], read["mode"], read["part_size"]) == (True, "replace-period", 128 << 20)
    assert read["columns"]["column 49"] == "varchar"
    assert read["checks"]["duplicates"]["keys"] == ["it's", 'a"b']
    assert read["rules"] == [{"name": "one", "sql": "count(*) > 0"}]
    assert "period" not in read


def test_a_wrong_configuration_is_named_with_its_line(etl: Etl) -> None:
    Path("etl.toml").write_text(PERIODIC + 'moode = "append"\n')
    for words in (["config", "validate"], ["config", "show"]):
        answer = etl(*words)
        assert answer.code == 2
        assert "etl.toml" in answer.err
        assert "moode" in answer.err
    assert etl("config", "show", "nope").code == 2


# --- doctor ---


def test_a_healthy_project_is_healthy(etl: Etl) -> None:
    Path("etl.toml").write_text('[targets.here]\nurl = "duckdb:w.duckdb"\n')
    answer = etl("doctor")
    assert answer.code == 0, answer.out
    assert "FAIL" not in answer.out
    assert "target here" in answer.out
    checks = etl("doctor", "--json").document["checks"]
    assert {"python", "configuration", "state folder", "plugin duckdb", "target here"} <= {c["subject"] for c in checks}
    assert_untouched()


def test_an_unreachable_target_is_found(etl: Etl) -> None:
    Path("text.duckdb").write_text("this is no database" * 1000)
    Path("etl.toml").write_text('[targets.broken]\nurl = "duckdb:text.duckdb"\n')
    answer = etl("doctor")
    assert answer.code == 5
    [line] = [line for line in answer.out.splitlines() if line.startswith("FAIL")]
    assert "target broken" in line
    document = etl("doctor", "--json").document
    assert [check["subject"] for check in document["checks"] if not check["ok"]] == ["target broken"]


def test_little_room_for_parts_is_found(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    room = shutil.disk_usage(".")._replace(free=1 << 29)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: room)
    document = etl("doctor", "--json")
    assert document.code == 1
    [check] = [check for check in document.document["checks"] if not check["ok"]]
    assert (check["subject"], check["detail"].endswith(".etl: 537 MB free")) == ("state folder", True)
    assert "Make room" in check["advice"]


@pytest.mark.parametrize("toml", ['[jobs.j]\nsource = "t.csv"\n', "[jobs", '[jobs.j]\nmoode = "x"\n'])
def test_a_broken_configuration_is_found(etl: Etl, toml: str) -> None:
    Path("etl.toml").write_text(toml)
    answer = etl("doctor")
    assert answer.code == 2
    assert "etl.toml" in answer.out + answer.err


# --- plugins ---


def test_plugins_are_listed_with_their_hooks(etl: Etl) -> None:
    answer = etl("plugins", "list")
    assert answer.code == 0
    [line] = [line for line in answer.out.splitlines() if line.split()[:1] == ["duckdb"]]
    assert "etl_connect" in line
    disabled = etl("--disable-plugin", "duckdb", "plugins", "list", "--json").document["items"]
    assert [info["name"] for info in disabled if info["disabled"]] == ["duckdb"]


def test_a_broken_plugin_is_listed_as_broken(etl: Etl) -> None:
    Path("ours.py").write_text("import nothing_of_that_name\n")
    Path("etl.toml").write_text('plugins = ["ours.py"]\n')
    answer = etl("plugins", "list")
    assert answer.code == 4
    assert "nothing_of_that_name" in answer.out
    assert etl("plugins", "info", "ours").code == 4
    assert etl("plugins", "info", "duckdb").code == 0


def test_one_plugin_is_shown(etl: Etl) -> None:
    answer = etl("plugins", "info", "duckdb")
    assert answer.code == 0
    assert "etl-duckdb" in answer.out
    assert etl("plugins", "info", "duckdb", "--json").document["name"] == "duckdb"
    unknown = etl("plugins", "info", "nope")
    assert unknown.code == 2
    assert "duckdb" in unknown.err


# --- demo ---


def test_the_demo_s_commands_can_be_copied_from_any_folder(etl: Etl) -> None:
    answer = etl("demo", "--folder", "my demo")
    hints = answer.out[answer.out.index("Look around:") :].splitlines()[2:]
    assert len({hint.index(what) for hint, what in zip(hints, ("what", "this", "your own"), strict=True)}) == 1
    for hint in hints[:2]:
        command = re.split(r"  +", hint.strip())[0]
        assert command.startswith("etl -c 'my demo/etl.toml' ")
        assert etl(*shlex.split(command)[1:]).code == 0


def test_the_demo_loads_what_its_files_hold_however_often_it_runs(etl: Etl) -> None:
    first = etl("demo", "--folder", "try")
    assert first.code == 0, first.err
    assert "etl -c try/etl.toml plan sales" in first.out
    assert etl("demo", "--folder", "try", "--json").document["reconciled"] is True
    written = []
    for path in sorted(Path("try/data").iterdir()):
        with path.open(encoding="utf-8", newline="") as file:
            written += [
                (int(row["sale_id"]), row["store"], Decimal(row["unit_price"]), row["note"] or None)
                for row in csv.DictReader(file)
            ]
    select = "SELECT sale_id, store, unit_price, note FROM sales ORDER BY sale_id"
    assert len(written) > 50_000
    assert rows(select, "try/demo.duckdb") == sorted(written)
    assert not Path("etl-demo").exists()
    assert etl("-c", "try/etl.toml", "runs", "show").code == 0


# --- prompts ---


@pytest.mark.parametrize("mode", [("--mode", "replace"), ("--mode", "merge")])
def test_without_a_terminal_rows_are_replaced_only_with_yes(etl: Etl, loaded: str, mode: tuple[str, str]) -> None:
    Path("new.csv").write_text("id,name,day\n1,z,2024-01-01\n")
    Path("etl.toml").write_text(
        '[jobs.j]\nsource = "new.csv"\ntable = "t"\ntarget = "duckdb:w.duckdb"\nkeys = ["id"]\n'
    )
    answer = etl("load", "j", *mode)
    assert answer.code == 2
    assert "--yes" in answer.err
    assert rows() == [(1, "x"), (2, "y")]
    assert [entry["run"] for entry in etl("runs", "list", "--json").document["items"]] == [loaded]
    assert etl("load", "j", *mode, "--yes").code == 0
    assert rows() == {"replace": [(1, "z")], "merge": [(1, "z"), (2, "y")]}[mode[1]]


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, 1), ("n\n", 1, 2), ("\n", 1, 2)])
def test_on_a_terminal_it_asks_before_it_replaces(
    etl: Etl, loaded: str, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, left: int
) -> None:
    Path("new.csv").write_text("id,name,day\n3,z,2024-01-01\n")
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    answer = etl("load", "new.csv", *TABLE, "--mode", "replace", "--json")
    assert answer.code == code
    assert "every row of t" in answer.err
    assert answer.document["schema_version"] == 1
    assert len(rows()) == left


# --- JSON ---

SUCCEEDS = {
    "load": ("t.csv", *TABLE),
    "plan": ("t.csv", *TABLE),
    "resume": (),
    "runs list": (),
    "runs show": (),
    "runs prune": (),
    "analyze": ("t.csv",),
    "validate": ("t.csv",),
    "check": ("t", "--target", "duckdb:w.duckdb"),
    "config init": (),
    "config validate": (),
    "config show": (),
    "targets list": (),
    "targets test": ("duckdb:w.duckdb",),
    "stage list": ("--target", "duckdb:w.duckdb"),
    "stage clean": ("--target", "duckdb:w.duckdb"),
    "doctor": (),
    "plugins list": (),
    "plugins info": ("duckdb",),
    "plugins check": ("delimited",),
    "plugins new": ("acme-sales", "--kind", "validator"),
    "demo": (),
    "compress": ("t.csv",),
    "duplicates": ("t.csv", "--keys", "id"),
}
FAILS = {
    "load": (("bad.csv", *TABLE), 3),
    "plan": (("missing.csv",), 2),
    "resume": (("nope",), 2),
    "runs show": (("nope",), 2),
    "runs prune": (("nope",), 2),
    "analyze": (("missing.csv",), 2),
    "validate": (("bad.csv",), 3),
    "check": (("nope",), 2),
    "config init": (("nowhere/etl.toml",), 2),
    "config show": (("nope",), 2),
    "targets test": (("nope",), 2),
    "stage list": (("--target", "nope"), 2),
    "stage clean": (("--target", "nope"), 2),
    "plugins info": (("nope",), 2),
    "plugins check": (("missing",), 2),
    "plugins new": (("duckdb", "--kind", "validator"), 2),
    "demo": (("--folder", "."), 2),
    "compress": (("missing.csv",), 2),
    "duplicates": (("t.csv", "--keys", "nope"), 2),
}


def commands() -> list[str]:
    """Every command that does something, as it is typed."""

    def leaves(group: click.Group, prefix: str) -> Iterator[str]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                yield from leaves(command, f"{prefix}{name} ")
            else:
                yield prefix + name

    return list(leaves(program, ""))


def test_every_command_is_tried_here() -> None:
    # The emulator serves until it is stopped; its own tests start it.
    assert set(commands()) - {"snowflake-emulator"} == set(SUCCEEDS)


@pytest.mark.parametrize("command", SUCCEEDS)
def test_with_json_a_command_prints_one_document(etl: Etl, command: str) -> None:
    if command in ("runs show", "check"):
        etl("load", "t.csv", *TABLE)
    answer = etl(*command.split(), *SUCCEEDS[command], "--json")
    assert answer.code == 0, answer.err
    assert answer.document["kind"] != "error"


@pytest.mark.parametrize("command", FAILS)
def test_with_json_a_failure_is_one_document_too(etl: Etl, command: str) -> None:
    arguments, code = FAILS[command]
    answer = etl(*command.split(), *arguments, "--json")
    assert answer.code == code, answer.err
    document = answer.document
    assert document.get("exit_code", code) == code
    assert document["kind"] == "error" or document["findings"]


@pytest.mark.parametrize("command", SUCCEEDS)
def test_with_json_an_unknown_option_is_one_document_wherever_it_stands(etl: Etl, command: str) -> None:
    for options in (("--json", "--nope"), ("--nope", "--json")):
        answer = etl(*command.split(), *options)
        assert answer.code == 2
        assert (answer.document["kind"], answer.document["exit_code"]) == ("error", 2)
        assert "--nope" in answer.document["message"]
        assert "--nope" in answer.err
    assert_untouched()


@pytest.mark.parametrize(
    "words",
    [
        ("nope", "--json"),
        ("runs", "nope", "--json"),
        ("--nope", "load", "t.csv", "--json"),
        ("plugins", "info", "--json"),
        ("load", "t.csv", "--jobs", "none", "--json"),
    ],
)
def test_with_json_every_usage_error_is_one_document(etl: Etl, words: tuple[str, ...]) -> None:
    answer = etl(*words)
    assert answer.code == 2
    assert answer.document["kind"] == "error"


@pytest.mark.parametrize("command", ["config validate", "doctor", "load", "plugins list", "resume", "runs list"])
def test_with_json_a_broken_configuration_is_one_document(etl: Etl, command: str) -> None:
    Path("etl.toml").write_text("[jobs")
    answer = etl(*command.split(), "--json")
    assert answer.code == 2
    assert "etl.toml" in answer.document["message"]


# --- quiet, and the log ---


def test_a_quiet_load_prints_nothing(etl: Etl) -> None:
    answer = etl("-q", "load", "t.csv", *TABLE)
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert rows() == [(1, "x"), (2, "y")]


def test_a_quiet_load_still_says_why_it_failed(etl: Etl) -> None:
    answer = etl("-q", "load", "bad.csv", *TABLE)
    assert (answer.code, answer.out) == (3, "")
    assert "bad.csv:22" in answer.err


def test_a_quiet_load_still_prints_the_document_that_was_asked_for(etl: Etl) -> None:
    answer = etl("-q", "load", "t.csv", *TABLE, "--json")
    assert answer.document["rows_loaded"] == 2
    assert answer.err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("runs", "list"), "done"),
        (("analyze", "t.csv"), "bigint"),
        (("plan", "t.csv"), "CREATE TABLE"),
        (("plugins", "list"), "duckdb"),
        (("config", "show"), "state"),
    ],
)
def test_a_quiet_question_is_answered(etl: Etl, loaded: str, words: tuple[str, ...], said: str) -> None:
    answer = etl("-q", *words)
    assert answer.code == 0
    assert said in answer.out


def test_the_log_is_json_lines_on_standard_error(etl: Etl) -> None:
    answer = etl("-q", "--log-format", "json", "--log-level", "info", "load", "t.csv", *TABLE)
    assert (answer.code, answer.out) == (0, "")
    events = [json.loads(line) for line in answer.err.splitlines()]
    assert events
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)


def test_with_a_log_for_programs_progress_and_errors_break_no_line_of_it(etl: Etl) -> None:
    answer = etl("--log-format", "json", "-v", "load", "t.csv", *TABLE, "--json")
    assert answer.document["status"] == "done"
    events = [json.loads(line)["event"] for line in answer.err.splitlines()]
    assert events[0] == "run_started"
    [failure] = etl("--log-format", "json", "load", "nope.csv").err.splitlines()
    failure = json.loads(failure)
    assert (failure["event"], failure["level"]) == ("command_failed", "error")
    assert failure["message"].startswith("nothing matches ")
    assert failure["advice"]


@pytest.mark.parametrize(
    "words",
    [
        ["--bogus"],
        ["--log-level", "loud"],
        ["lod", "t.csv"],
        ["load", "t.csv", "--bogus"],
        ["load", "t.csv", "--mode", "rows"],
        ["runs"],
        ["--disable-plugin", "nobody", "load", "t.csv"],
        ["--debug", "load", "nope.csv"],
    ],
)
def test_with_a_log_for_programs_every_mistake_is_a_line_of_it(etl: Etl, words: list[str]) -> None:
    for option in (["--log-format", "json"], ["--log-format=json"]):
        answer = etl(*option, *words)
        assert answer.code == 2
        told = [json.loads(line) for line in answer.err.splitlines()]
        assert [line["event"] for line in told if line["event"] != "traceback"] == ["command_failed"]


def test_with_a_log_for_programs_a_broken_plugin_is_a_line_of_it(etl: Etl, fake_plugins: FakePlugins) -> None:
    fake_plugins(broken="import nothing_of_the_kind")
    answer = etl("--log-format", "json", "--help")
    assert answer.code == 0
    [told] = map(json.loads, answer.err.splitlines())
    assert (told["event"], told["level"]) == ("command_warning", "warning")
    assert "plugin broken is broken" in told["message"]


@pytest.mark.parametrize(("wanted", "coloured"), [("1", False), ("", True)])
def test_no_color_is_honoured_on_a_terminal(etl: Etl, wanted: str, coloured: bool) -> None:
    for words in (["load", "nope.csv"], ["validate", "bad.csv"], ["-v", "load", "t.csv", *TABLE, "--again"]):
        master, slave = pty.openpty()
        program = [sys.executable, "-c", "import sys; from etl_framework.cli import main; main(sys.argv[1:])", *words]
        environment = {**os.environ, "NO_COLOR": wanted, "TERM": "xterm-256color"}
        with subprocess.Popen(program, env=environment, stdin=slave, stdout=slave, stderr=slave):
            os.close(slave)
            shown = b""
            with contextlib.suppress(OSError):  # how a terminal ends that nobody has open any more
                while chunk := os.read(master, 65536):
                    shown += chunk
        os.close(master)
        assert bool(re.search(rb"\x1b\[[0-9;]*3[0-7]", shown)) == coloured


# --- signals ---


def test_sigterm_stops_a_load_that_resume_carries_on(etl: Etl) -> None:
    content = "a,b\n" + "".join(f"{number},some text\n" for number in range(50_000))
    Path("t.csv").write_text(content)
    script = (
        "import os, signal, sys\n"
        "from etl_framework.cli import run\n"
        "from etl_framework.cli.session import Session\n"
        "def observe(event):\n"
        "    if event.name == 'part_staged' and not struck:\n"
        "        struck.append(event)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "struck = []\n"
        "Session.observers = lambda self: (observe,)\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    words = ["load", "t.csv", *TABLE, "--part-size", "32KiB", "--json"]
    ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 6, ended.stderr
    report = json.loads(ended.stdout)
    assert report["status"] == Status.INTERRUPTED
    assert "etl resume" in ended.stderr
    [listed] = etl("runs", "list", "--json").document["items"]
    assert listed["resumable"] is True
    assert "resumable" in etl("runs", "list").out
    resumed = etl("resume", report["run"], "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.document["rows_loaded"] == 50_000
    assert rows("SELECT count(*), count(DISTINCT a) FROM t") == [(50_000, 50_000)]
