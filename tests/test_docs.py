"""Every code block of the README and the documentation runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_framework import Plugins, PluginSettings, Refused, UsageError
from etl_framework.config import load_config
from etl_framework.config_check import problems
from etl_framework.scaffolding import write_plugin

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet
    from etl_snowflake.emulator.control import EmulatorControl

    from conftest import AsInstalled

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "adapters.md"})]
"""The page of the adapters is run by the tests of the adapters, which have environments of their own."""
BLOCK = re.compile(r"^```([\w. ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A language, behind it perhaps the file that is shown, if it is none of etl's."""
FILE = re.compile(r"^<!-- examples/\S+ -->\n\n```.*?^```$", re.MULTILINE | re.DOTALL)
"""A file of the example, as docs/generate.py put it there; the example is tested by itself."""
TUTORIAL = ROOT / "docs" / "tutorial.md"
SNOWFLAKE = ROOT / "docs" / "snowflake.md"
DRAWINGS = {"", "text"}
RUN_ELSEWHERE = {"sh", "sql"}
"""Shell blocks install things or run for long: the two of the README are what CI runs, word for word. SQL is run by the
tests of the plugin whose page it is on."""


def blocks(language: str) -> list[ParameterSet]:
    found = []
    for page in PAGES:
        for number, (said, code) in enumerate(BLOCK.findall(FILE.sub("", page.read_text(encoding="utf-8")))):
            if said == language and "def etl_" not in code.split("(")[0]:
                found.append(pytest.param(code, id=f"{page.stem}-{number}"))
    return found


def test_every_block_is_of_a_language_that_is_tested() -> None:
    languages = {said for page in PAGES for said, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
    foreign = {"toml connections.toml", "toml pyproject.toml"}
    assert languages <= {"console", "python", "toml"} | foreign | DRAWINGS | RUN_ELSEWHERE


def test_no_session_passes_for_a_drawing() -> None:
    drawn = [code for page in PAGES for said, code in BLOCK.findall(page.read_text("utf-8")) if said in DRAWINGS]
    assert [line for code in drawn for line in code.splitlines() if line.startswith("$ ")] == []


def test_the_shell_blocks_of_the_readme_are_what_ci_runs() -> None:
    shell = [code.strip() for said, code in BLOCK.findall(PAGES[0].read_text(encoding="utf-8")) if said == "sh"]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert shell == re.findall(r"^as_documented .* '(.*)'$", ci, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the pages assume it: a file of flights, one with a bad row, and a month of lending."""
    flights = "".join(f"2013-01-{day:02},{day * 10},UA{day}\n" for day in range(1, 32))
    (tmp_path / "flights.csv").write_text("day,dep_time,flight\n" + flights)
    good = "".join(f"{number},{number}.5\n" for number in range(200))
    (tmp_path / "broken.csv").write_text(f"id,price\n{good}200\n")
    (tmp_path / "data").mkdir()
    lending = "".join(f"2024-01-{day:02}\t{day}\t1.25\tbond {day}\n" for day in range(1, 32))
    (tmp_path / "data" / "factLending_20240101-20240131.tsv").write_text(f"recordDate\tassetId\tprice\tname\n{lending}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def readme_configuration() -> str:
    [configuration] = re.findall(
        r"^```toml\n(.*?)^```$", PAGES[0].read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(configuration)


def run(code: str, folder: Path, **environment: str) -> str:
    """Run the commands of a block in one shell, insist on what it shows, and give all that they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = [line[2:] for line in code.splitlines() if line.startswith("$ ")]
    # What a session leaves in the background ends with it.
    session = "\n".join(["trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", "set -ex", *commands])
    ended = subprocess.run(
        ["bash", "-c", session],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    for line in code.splitlines():
        assert line.startswith("$ ") or line in ended.stdout.splitlines(), f"{line}\n{ended.stdout}"
    return ended.stdout


@pytest.mark.parametrize(
    "code", [block for block in blocks("console") if str(block.id).partition("-")[0] not in {"tutorial", "snowflake"}]
)
def test_commands_of_the_pages_run(code: str, folder: Path) -> None:
    (folder / "etl.toml").write_text(readme_configuration())
    run(code, folder)


def test_the_tutorial_can_be_followed_where_its_example_is_installed(tmp_path: Path, as_installed: AsInstalled) -> None:
    site, folder = tmp_path / "site", tmp_path / "folder"
    folder.mkdir()
    as_installed(ROOT / "examples" / "acme-checks", site)
    page = FILE.sub("", TUTORIAL.read_text(encoding="utf-8"))
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    shown = ""
    for said, code in BLOCK.findall(page):
        if said == "console":
            shown = run(code, folder, PYTHONPATH=path)
        elif said == "text":
            for line in code.splitlines():
                assert line.strip() in shown, shown


def of_snowflake(language: str) -> list[str]:
    return [code for said, code in BLOCK.findall(SNOWFLAKE.read_text(encoding="utf-8")) if said == language]


def test_a_target_is_tested_as_the_page_about_snowflake_shows(
    folder: Path, snowflake_emulator: EmulatorControl
) -> None:
    connector = pytest.importorskip("snowflake.connector")
    snowflake_emulator.reset()
    # The role has all that the page tells of, but for what the session finds missing.
    grants = of_snowflake("sql")[0].replace("CREATE TABLE, CREATE STAGE ON", "CREATE TABLE ON")
    with closing(connector.connect(**snowflake_emulator.connection())) as admin:
        for statement in grants.split(";")[:-1]:
            admin.cursor().execute(statement)
    connection = snowflake_emulator.connection(role="LOADER")
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in connection.items())
    (folder / "connections.toml").touch(0o600)
    (folder / "connections.toml").write_text(f"[prod]\n{settings}")
    (folder / "etl.toml").write_text(of_snowflake("toml")[0])
    run(of_snowflake("console")[0], folder, SNOWFLAKE_HOME=str(folder))


def test_a_rehearsal_can_be_followed(folder: Path, snowflake_emulator: EmulatorControl) -> None:
    # The fixture is not asked, but skips where there is no emulator. The usual port may be somebody else's here.
    [rehearsal] = of_snowflake("console")[1:]
    run(rehearsal.replace("snowflake-emulator ", "snowflake-emulator --port 0 "), folder)


@pytest.mark.parametrize("code", of_snowflake("toml connections.toml"))
def test_connections_of_the_page_about_snowflake_are_told_in_the_driver_s_words(code: str) -> None:
    known = pytest.importorskip("snowflake.connector.connection").DEFAULT_CONFIGURATION
    assert tomllib.loads(code).keys() <= known.keys()


def test_the_page_about_snowflake_tells_every_option_of_a_target() -> None:
    options = pytest.importorskip("etl_snowflake.address").OPTIONS
    page = SNOWFLAKE.read_text(encoding="utf-8")
    assert [option for option in options if not re.search(rf"[?&]{option}=", page)] == []


def test_the_entry_point_of_the_page_about_plugins_is_that_of_its_package(folder: Path) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    [shown] = [tomllib.loads(code) for said, code in BLOCK.findall(page) if said == "toml pyproject.toml"]
    write_plugin("acme-payments", "validator")
    written = tomllib.loads((folder / "acme-payments" / "pyproject.toml").read_text(encoding="utf-8"))
    assert shown["project"]["entry-points"] == written["project"]["entry-points"]


@pytest.mark.parametrize("code", blocks("toml"))
def test_configurations_of_the_pages_are_right(code: str, folder: Path) -> None:
    (folder / "etl.toml").write_text(code)
    assert not problems(load_config(folder / "etl.toml"), Plugins.load())


@pytest.mark.parametrize("code", blocks("python"))
def test_python_of_the_pages_runs(code: str, folder: Path) -> None:
    if "@hookimpl" in code:
        (folder / "team_checks.py").write_text(code)
        plugins = Plugins.load(PluginSettings(files=(folder / "team_checks.py",)))
        assert "team_checks" in [info.name for info in plugins.infos]
    else:
        exec(compile(code, "page", "exec"), {"__name__": "page"})


def test_the_check_of_the_readme_finds_what_it_is_for(folder: Path) -> None:
    from etl_framework import Workspace

    [code] = [code for _, code in BLOCK.findall(PAGES[0].read_text(encoding="utf-8")) if "@hookimpl" in code]
    (folder / "checks").mkdir()
    (folder / "checks" / "team_checks.py").write_text(code)
    (folder / "etl.toml").write_text('plugins = ["checks/team_checks.py"]\n')
    (folder / "late.csv").write_text("day,dep_time\n2013-01-01,2359\n2013-01-02,2500\n")
    workspace = Workspace.open()
    validation = workspace.validate(workspace.job(None, ["late.csv"], {}))
    [finding] = validation.findings
    assert (finding.rule, finding.count, finding.samples[0].line) == ("time_of_day", 1, 3)


def test_the_checks_of_the_page_about_plugins_find_the_same_in_a_file_and_in_a_table(folder: Path) -> None:
    from etl_framework import Workspace

    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    in_file, _, in_table = [code for _, code in BLOCK.findall(page) if "@hookimpl" in code]
    (folder / "in_file.py").write_text(in_file)
    (folder / "in_table.py").write_text(in_table)
    (folder / "pay.csv").write_text("account,currency,amount\n1,EUR,5\n1,EUR,0\n2,USD,-5\n3,EUR,\n")
    (folder / "etl.toml").write_text('plugins = ["in_file.py", "in_table.py"]\n')
    workspace = Workspace.open()
    with pytest.raises(Refused) as caught:
        workspace.load(workspace.job(None, ["pay.csv"], {"target": "duckdb:w.duckdb", "check": "warehouse"}))
    validation = workspace.validate(workspace.job(None, ["pay.csv"], {}))
    assert [(each.rule, each.count) for each in validation.findings] == [("has_amount", 1)]
    assert [(each.rule, each.count) for each in caught.value.findings] == [("has_amount", 1)]


def test_the_settings_of_the_page_about_plugins_are_looked_at_and_a_misspelt_section_is_refused(folder: Path) -> None:
    from etl_framework import Workspace

    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    [code] = [code for _, code in BLOCK.findall(page) if "def etl_configure" in code]
    (folder / "team.py").write_text(code)
    (folder / "pay.csv").write_text("account\n1\n")
    head = 'plugins = "team.py"\n[jobs.pay]\nsource = "pay.csv"\ntable = "pay"\n'
    for wrong, said in (
        ('payments.currencies = "EUR"', "payments.currencies must be a list"),
        ('paymnts.currencies = ["EUR"]', "jobs.pay.paymnts: nobody reads this section"),
    ):
        (folder / "etl.toml").write_text(head + wrong)
        workspace = Workspace.open()
        with pytest.raises(UsageError, match=rf"etl\.toml:5: {said}"):
            workspace.validate(workspace.job("pay", (), {}))


def test_the_commands_that_are_said_to_be_missing_are_missing() -> None:
    [listed] = re.findall(r"- Of the commands: (.*?)\.\n", PAGES[0].read_text(encoding="utf-8"), re.DOTALL)
    known = re.findall(
        r"^## `etl (.*)`$", (PAGES[0].parent / "docs" / "cli.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    group = ""
    for words in (name.split() for name in re.findall(r"`([a-z ]+)`", listed)):
        # "`runs tail` and `export`" are two commands of one group.
        group = words[0] if len(words) > 1 else group
        assert " ".join(words) not in known
        assert len(words) > 1 or f"{group} {words[0]}" not in known


def test_the_tests_of_the_page_about_testing_pass(folder: Path) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    examples = [code for said, code in BLOCK.findall(page) if said == "python"]
    for number, code in enumerate(examples):
        (folder / f"test_example_{number}.py").write_text(code)
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    ended = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout
    assert all("def test_" in code or "Contract" in code for code in examples)
