"""The log of the command line: on standard error, whoever logs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

AFTERWARDS = """
import logging, sys
from etl_framework.cli.log import configure
configure("json", "info")
configure("json", sys.argv[1])
assert "structlog" not in sys.modules
import structlog
structlog.get_logger().info("of_a_library", name="\\x1b[1mloud")
from etl_framework.logs import get_logger
get_logger().info("of_ours", rows=1)
get_logger().warning("of_ours_too")
logging.getLogger("etl_framework").error("of the standard library")
"""

BEFORE = "import structlog; structlog.get_logger(); " + AFTERWARDS.replace('assert "structlog" not in sys.modules', "")

SILENT = """
import sys
from etl_framework.cli import run
run(["-q", "validate", sys.argv[1]])
print(sorted({"structlog", "asyncio"} & set(sys.modules)))
"""


def logged(code: str, level: str) -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", code, level], capture_output=True, text=True, check=True)
    assert not done.stdout
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("code", [AFTERWARDS, BEFORE], ids=["imported afterwards", "imported before"])
def test_what_libraries_log_goes_to_standard_error_in_the_same_form(code: str) -> None:
    lines = logged(code, "info")
    assert [line["event"] for line in lines] == ["of_a_library", "of_ours", "of_ours_too", "of the standard library"]
    assert [line["level"] for line in lines] == ["info", "info", "warning", "error"]
    assert "\x1b" not in str(lines[0]["name"])
    assert lines[1]["rows"] == 1


def test_the_level_holds_for_libraries_too() -> None:
    assert [line["event"] for line in logged(AFTERWARDS, "warning")] == ["of_ours_too", "of the standard library"]


def test_a_command_that_has_nothing_to_log_does_not_wait_for_what_would_log_it(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    command = [sys.executable, "-c", SILENT, "a.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
