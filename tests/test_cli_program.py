"""The program as the operating system starts it."""

from __future__ import annotations

import os
import subprocess
import sys

from etl_framework import __main__

SEEN = """
import os
from etl_framework import __main__, cli
cli.main = lambda: print(os.environ["MIMALLOC_PURGE_DELAY"], os.environ["OPENBLAS_NUM_THREADS"])
__main__.main()
"""


def seen(**environment: str) -> list[str]:
    others = {name: value for name, value in os.environ.items() if name not in __main__.LIBRARIES}
    command = [sys.executable, "-c", SEEN]
    return subprocess.run(command, env=others | environment, capture_output=True, text=True, check=True).stdout.split()


def test_libraries_keep_their_memory_and_start_no_threads() -> None:
    assert seen() == ["1000", "1"]


def test_what_the_user_sets_for_libraries_stays() -> None:
    assert seen(MIMALLOC_PURGE_DELAY="10", OPENBLAS_NUM_THREADS="4") == ["10", "4"]
