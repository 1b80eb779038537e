"""The example of the tutorial, as others get it: built, installed from its wheel, and tested there."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import etl_framework
from etl_framework import testing

EXAMPLE = Path(__file__).parents[1] / "examples" / "acme-checks"


def python(*arguments: str, cwd: Path, path: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": path} if path else None
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example's wheel is installed in."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    # Copied, so that building leaves nothing in the checkout.
    source = shutil.copytree(EXAMPLE, folder / "source")
    python("pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(source), cwd=folder)
    [wheel] = folder.glob("*.whl")
    python("pip", "install", *offline, "--target", str(folder / "site"), str(wheel), cwd=folder)
    return folder / "site"


def test_its_tests_pass_where_its_wheel_is_installed(site: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    told = python("pytest", "-q", "-rs", "-W", "error", cwd=tmp_path, path=str(site))
    assert "skipped" not in told, told


def test_it_is_a_plugin_like_all_others(site: Path, tmp_path: Path) -> None:
    listed = python("etl_framework", "plugins", "info", "acme", cwd=tmp_path, path=str(site))
    assert "acme-checks 1.0.0" in listed
    assert "etl_validate, etl_report, etl_commands" in listed
    assert "Count the rows of each currency" in python("etl_framework", "--help", cwd=tmp_path, path=str(site))


@pytest.mark.parametrize("file", sorted(EXAMPLE.rglob("*.py")), ids=lambda file: file.name)
def test_it_is_built_on_public_names_only(file: Path) -> None:
    public = {"etl_framework": etl_framework.__all__, "etl_framework.testing": testing.__all__}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("etl_"):
            assert node.module in public
            assert {name.name for name in node.names} <= set(public[node.module])
        if isinstance(node, ast.Import):
            assert not [name.name for name in node.names if name.name.startswith("etl_")]


def test_a_check_of_it_takes_less_than_ten_lines() -> None:
    tree = ast.parse((EXAMPLE / "acme_checks" / "settlements.py").read_text(encoding="utf-8"))
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in ast.walk(tree) if isinstance(node, ast.Yield)]
    assert len(lengths) == 3
    assert max(lengths) < 10
