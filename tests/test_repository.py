"""What stands in several places of the repository agrees."""

from __future__ import annotations

import ast
import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from etl_framework.cli.demo import demo

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
ADAPTERS = sorted(path.parent for path in ROOT.glob("adapters/*/pyproject.toml"))
"""Plugins around libraries that not everybody wants along."""


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def package(plugin: Path) -> str:
    return plugin.name.replace("-", "_")


def test_tox_installs_the_core_and_every_plugin() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    installed = [line.partition("[")[0] for line in tox["checkout"]["deps"].split("\n")[1:]]
    assert installed == ["-e .", *(f"-e ./plugins/{plugin.name}" for plugin in PLUGINS)]


def test_tox_installs_every_adapter_where_it_is_tested_and_where_its_imports_are_checked() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    for named in (tox["testenv:adapters"]["deps"], tox["testenv:lint"]["commands_pre"]):
        assert re.findall(r"-e ./adapters/([\w-]+)", named) == [adapter.name for adapter in ADAPTERS]


def test_every_plugin_is_in_every_import_contract() -> None:
    contracts = project(ROOT)["tool"]["importlinter"]
    packages = [package(plugin) for plugin in (*PLUGINS, *ADAPTERS)]
    assert contracts["root_packages"] == ["etl_framework", *packages]
    core, independent, public = contracts["contracts"][:3]
    assert core["forbidden_modules"] == independent["modules"] == public["source_modules"] == packages


@pytest.mark.parametrize("plugin", [*PLUGINS, *ADAPTERS], ids=lambda plugin: plugin.name)
def test_a_plugin_s_project_file_is_metadata_dependencies_and_entry_point(plugin: Path) -> None:
    written = project(plugin)
    metadata = written["project"]
    assert metadata["name"] == plugin.name
    assert metadata["version"] == project(ROOT)["project"]["version"]
    assert "etl-framework>=0.1,<0.2" in metadata["dependencies"]
    # Some bring fixtures for tests, too.
    assert {"etl_framework"} <= set(metadata["entry-points"]) <= {"etl_framework", "pytest11"}
    assert list(metadata["entry-points"]["etl_framework"].values()) == [package(plugin)]
    assert written["tool"] == {"hatch": {"build": {"targets": {"wheel": {"packages": [package(plugin)]}}}}}


@pytest.mark.parametrize("plugin", [*PLUGINS, *ADAPTERS], ids=lambda plugin: plugin.name)
def test_a_plugin_is_typed(plugin: Path) -> None:
    assert (plugin / package(plugin) / "py.typed").is_file()


def code_lines(path: Path) -> int:
    """How many lines of a module hold code: neither blank, nor comment, nor docstring."""
    code = path.read_text(encoding="utf-8")
    said = {
        line
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = enumerate(code.splitlines(), 1)
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") and at not in said for at, line in lines)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_an_adapter_takes_less_than_150_lines_of_code(adapter: Path) -> None:
    assert 0 < sum(code_lines(path) for path in (adapter / package(adapter)).rglob("*.py")) < 150


def test_no_two_test_modules_have_the_same_name() -> None:
    patterns = ("tests/**/test_*.py", "plugins/*/tests/**/test_*.py", "adapters/*/tests/**/test_*.py")
    paths = [path for pattern in patterns for path in ROOT.glob(pattern)]
    names = [path.name for path in paths]
    assert sorted(names) == sorted(set(names))
    misnamed = [
        path
        for path in paths
        if path.relative_to(ROOT).parts[0] != "tests"
        and not path.name.startswith(f"test_{path.relative_to(ROOT).parts[1].removeprefix('etl-').replace('-', '_')}_")
    ]
    assert misnamed == []


PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert dead == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    missing = [page.name for page in PAGES if page.parent.name == "docs" and f"]({page.name})" not in index]
    assert missing == ["index.md"]


def test_what_the_demo_writes_into_a_checkout_is_ignored_by_git() -> None:
    [folder] = [parameter for parameter in demo.params if parameter.name == "folder"]
    assert f"/{folder.default}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
