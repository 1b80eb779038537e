"""Every code block of the README and the documentation runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_framework import Plugins, PluginSettings, Refused
from etl_framework.config import load_config
from etl_framework.config_check import problems

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from conftest import AsInstalled

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "adapters.md"})]
"""The page of the adapters is run by the tests of the adapters, which have environments of their own."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^<!-- examples/\S+ -->\n\n```.*?^```$", re.MULTILINE | re.DOTALL)
"""A file of the example, as docs/generate.py put it there; the example is tested by itself."""
TUTORIAL = ROOT / "docs" / "tutorial.md"
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
    assert languages <= {"console", "python", "toml"} | DRAWINGS | RUN_ELSEWHERE


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
    """Run the commands of a block, and give what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shown = ""
    for line in code.splitlines():
        if line.startswith("$ "):
            ended = subprocess.run(
                ["bash", "-c", line[2:]],
                cwd=folder,
                env={**os.environ, "PATH": path, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
            shown += ended.stdout
    return shown


@pytest.mark.parametrize("code", [block for block in blocks("console") if not str(block.id).startswith(TUTORIAL.stem)])
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
    in_file, in_table = [code for _, code in BLOCK.findall(page) if "@hookimpl" in code]
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
