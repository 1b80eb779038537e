"""What the tests themselves leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENDS = """
import os, signal, tempfile
from pathlib import Path

def test_it_ends():
    assert [path.name[:18] for path in Path(tempfile.gettempdir()).glob("etl-*")] == ["etl-snowflake-home"]
    END
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [("pass", pytest.ExitCode.OK), ("os.kill(os.getpid(), signal.SIGTERM)", pytest.ExitCode.INTERRUPTED)],
    ids=["normally", "by SIGTERM"],
)
def test_tests_that_end_leave_no_folder_for_the_driver(tmp_path: Path, end: str, code: int) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "test_it.py").write_text(ENDS.replace("END", end))
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "conftest", "-p", "no:cacheprovider"]
    environment = {**os.environ, "TMPDIR": str(temporary), "ETL_LIVE": "", "PYTEST_ADDOPTS": ""}
    ended = subprocess.run(
        [*command, str(tmp_path / "test_it.py")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert list(temporary.glob("etl-*")) == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_ends_by_sigterm_as_if_there_were_no_tests() -> None:
    ready, telling = os.pipe()
    if child := os.fork():
        # Python forgets a signal that strikes a process while it is forked.
        assert os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
        return
    os.write(telling, b"!")
    while True:  # A call that waits would not see a signal that strikes just before it.
        pass
