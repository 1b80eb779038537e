"""New plugins: what `etl plugins new` writes installs, and its tests pass, before anybody changed a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_framework import UsageError
from etl_framework.cli import main
from etl_framework.scaffolding import KINDS, NewPlugin, write_plugin

if TYPE_CHECKING:
    from conftest import AsInstalled

KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_works(plugin: NewPlugin, site: Path) -> None:
    tests = run("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", site=site, cwd=plugin.folder)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    listed = run("etl_framework", "plugins", "info", plugin.name, "--json", site=site, cwd=plugin.folder.parent)
    info = json.loads(listed.stdout)
    assert (info["distribution"], info["version"], info["error"]) == (plugin.distribution, "0.1.0", "")
    tried = run("etl_framework", "plugins", "check", plugin.name, site=site, cwd=plugin.folder.parent)
    assert tried.returncode == 0, tried.stdout + tried.stderr


@KIND
def test_its_tests_pass_at_once(kind: str, folder: Path, as_installed: AsInstalled) -> None:
    plugin = write_plugin(f"acme-{kind}", kind)
    as_installed(plugin.folder, folder / "site")
    assert_works(plugin, folder / "site")


@KIND
def test_pip_installs_it(kind: str, folder: Path) -> None:
    plugin = write_plugin("Acme.Own", kind)
    site = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*install, "--target", str(site), str(plugin.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (plugin.name, plugin.package) == ("acme-own", "acme_own")
    assert_works(plugin, site)


def test_the_wheel_of_the_framework_holds_the_scaffolds(folder: Path) -> None:
    root = Path(__file__).parents[1]
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", str(root)]
    done = subprocess.run([*build, "--wheel-dir", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".tmpl")}
    assert packed == {str(path.relative_to(root)) for path in root.glob("etl_framework/scaffolds/**/*.tmpl")}
    assert len(packed) > 3 * len(KINDS)


@KIND
def test_it_is_as_ruff_would_have_it(kind: str) -> None:
    plugin = write_plugin(f"acme-{kind}", kind)
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,B,UP,SIM"], ["format", "--check", "--diff"]):
        told = subprocess.run([*ruff, *command, "."], cwd=plugin.folder, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr


@KIND
def test_it_is_said_which_files_were_written(kind: str) -> None:
    plugin = write_plugin("acme", kind)
    there = sorted(str(path.relative_to(plugin.folder)) for path in plugin.folder.rglob("*") if path.is_file())
    assert list(plugin.files) == there
    assert {"pyproject.toml", "README.md", "acme/py.typed", "tests/test_acme.py"} < set(there)
    assert not any("$" in (plugin.folder / path).read_text() for path in there)


def test_it_needs_the_framework_of_today() -> None:
    plugin = write_plugin("acme", "codec")
    [requirement] = tomllib.loads((plugin.folder / "pyproject.toml").read_text())["project"]["dependencies"]
    major, minor, *_ = version("etl-framework").split(".")
    assert requirement == f"etl-framework>={major}.{minor},<{major}.{int(minor) + 1}"


@pytest.mark.parametrize(("name", "plugin"), [("etl-acme", "acme"), ("acme_checks", "acme-checks"), ("A", "a")])
def test_the_plugin_is_called_as_its_distribution(name: str, plugin: str) -> None:
    assert write_plugin(name, "reporter").name == plugin


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "cannot be the name of a distribution"),
        ("../acme", "cannot be the name of a distribution"),
        ("acme checks", "cannot be the name of a distribution"),
        ("-acme", "cannot be the name of a distribution"),
        ("acmé", "cannot be the name of a distribution"),
        ("1st-checks", "'1st_checks', which is no name in Python"),
        ("class", "'class', which is Python's own"),
        ("json", "'json', which is Python's own"),
        ("pyarrow", "there is a package of that name here"),
        ("etl-framework", "there is a package of that name here"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: str, reason: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        write_plugin(name, "validator")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("name", "kind"), [("delimited", "validator"), ("etl-snowflake", "warehouse"), ("load", "command")]
)
def test_a_name_that_is_taken_is_refused(
    name: str, kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plugins", "new", name, "--kind", kind])
    assert left.value.code == 2
    assert f"the name {name.removeprefix('etl-')!r} is taken" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_a_folder_that_is_there_is_left_as_it_is(folder: Path) -> None:
    (folder / "acme").mkdir()
    with pytest.raises(UsageError, match=r"acme is there already"):
        write_plugin("acme", "validator")
    assert not list((folder / "acme").iterdir())
    assert write_plugin("acme", "validator", folder / "deep" / "er").folder == folder / "deep" / "er"


def test_what_cannot_be_written_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_plugin("acme", "validator")
    assert not list(folder.iterdir())


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no kind 'oracle' of plugin"):
        write_plugin("acme", "oracle")


def test_the_command_tells_what_was_written_and_what_to_do_next(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plugins", "new", "acme-checks", "--folder", str(folder / "a folder")])
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert f"Wrote {folder / 'a folder'}: README.md, acme_checks/__init__.py" in shown
    assert f"pip install -e '{folder / 'a folder'}'" in shown
