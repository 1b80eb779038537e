"""PUT: whatever leads to the file, and nothing any more once the upload was given up."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.failing import ConnectionLost
from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.session import Session

HARD_NAMES = ["plain", "it's [a] folder*", "two\nlines", "back\\slash", "q?"]


def session_of(connection: Any, timeout: float = 60) -> closing[Session]:
    return closing(Session(connection, "a run", timeout=timeout))


def part_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "part"
    path.write_bytes(b"1\n")
    return path


@pytest.mark.parametrize("where", ["of the file", "of temporary files"])
@pytest.mark.parametrize("name", HARD_NAMES)
def test_a_file_is_uploaded_whatever_leads_there(
    connect: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    path = part_in(tmp_path / (name if where == "of the file" else "plain"))
    temporary = tmp_path / ("temporary" if where == "of the file" else name)
    temporary.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with session_of(connect()) as session:
        assert session.put(path, "'@~/x/'")["status"] == "UPLOADED"
        assert [row["name"] for row in session.table("LIST '@~/x/'")] == ["x/part"]
    assert [entry.name for entry in (*path.parent.iterdir(), *temporary.iterdir()) if entry.name != "part"] == []


def test_only_line_4_which_would_make_a_second_digest_replaces_a_file(
    connect: Callable[..., Any], tmp_path: Path
) -> None:
    """https://docs.snowflake.com/en/sql-reference/sql/put, OVERWRITE."""
    path = part_in(tmp_path)
    with session_of(connect()) as session:
        answers = [session.put(path, "'@~/x/'")["status"] for _ in range(2)]
    assert answers == ["UPLOADED", "SKIPPED" if IS_NEW_LINE else "UPLOADED"]


def test_an_upload_that_was_given_up_before_it_read_its_file_replaces_nothing_later(
    connect: Callable[..., Any], emulator: EmulatorControl, tmp_path: Path
) -> None:
    path = part_in(tmp_path)
    with session_of(connect(), timeout=0.2) as session:
        emulator.faults({"endpoint": "query", "sql": "^PUT", "action": "stall"})
        with pytest.raises(ConnectionLost, match="does not get on"):
            session.put(path, "'@~/x/'")
        with session_of(connect()) as again:
            again.put(path, "'@~/x/'")
        emulator.release()
        for thread in threading.enumerate():
            if thread.name == "etl-put":
                thread.join()
    assert len(emulator.log("put")) == 1
