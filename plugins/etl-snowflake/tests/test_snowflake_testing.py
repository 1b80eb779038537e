"""The fixture that starts the emulator for anybody's tests, and a live run that has no account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEST = """
def test_a_statement_arrives(snowflake_emulator):
    snowflake_emulator.reset()
    assert snowflake_emulator.statements() == []
"""


def pytest_of_its_own(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as somebody does who has neither an account nor another interpreter for the emulator."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SNOWFLAKE_", "ETL_"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *words]
    return subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False)


def test_without_the_extra_the_tests_are_skipped_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\n\nsys.modules['fakesnow'] = None\n")
    (tmp_path / "test_loads.py").write_text(TEST)
    ended = pytest_of_its_own(folder=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert "the emulator is not installed: pip install 'etl-snowflake[emulator]'" in ended.stdout


def test_another_interpreter_may_have_the_extra_instead(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\n\nsys.modules['fakesnow'] = None\n")
    (tmp_path / "test_loads.py").write_text(TEST)
    other = os.environ.get("ETL_EMULATOR_PYTHON", sys.executable)
    ended = pytest_of_its_own(folder=tmp_path, ETL_EMULATOR_PYTHON=other)
    assert "1 passed" in ended.stdout, ended.stdout


def test_pytest_starts_without_the_emulator_and_the_driver() -> None:
    told = "import sys, etl_snowflake.testing; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pyarrow", "duckdb", "fakesnow", "pydantic", "snowflake.connector", "etl_snowflake.emulator.control"}
    assert heavy & {*imported} == set()


def test_a_live_run_without_an_account_says_that_nothing_was_run() -> None:
    tests = "plugins/etl-snowflake/tests/test_snowflake_contract.py"
    ended = pytest_of_its_own(tests, folder=ROOT, ETL_LIVE="1")
    assert "nothing was run: set SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, " in ended.stdout + ended.stderr
    assert " passed" not in ended.stdout
    assert ended.returncode == 0
