"""What PUT uploads: content from memory, large files from where they lie, and nothing once it has been given up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake import putting
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.failing import ConnectionLost
from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.session import Session

from etl_framework import Status, load

from .conftest import Ask

ROWS = 4000
SETTINGS: dict[str, Any] = {"part_size": "16KiB", "block_size": "8KiB", "table": "t"}
HARD_NAMES = ["it's [a] folder*", "two\nlines", "back\\slash", "q?"]


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of several parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("sales.csv")
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))
    return path


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large."""
    monkeypatch.setattr(putting, "LARGEST_IN_MEMORY", 0)


def puts(emulator: EmulatorControl) -> set[str]:
    """The statements; line 4 sends each again for the URL of the one file."""
    return {sql for sql in emulator.statements() if sql.startswith("PUT")}


def test_parts_go_from_memory_under_their_bare_names(target: str, emulator: EmulatorControl, ask: Ask) -> None:
    report = load("sales.csv", target=target, **SETTINGS)
    assert report.status is Status.DONE
    assert len(puts(emulator)) == report.parts > 1
    options = "OVERWRITE=FALSE" if IS_NEW_LINE else "OVERWRITE=TRUE PARALLEL=1"
    assert all("'file://0" in sql and sql.endswith(options) for sql in puts(emulator))
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(ROWS, sum(range(ROWS)))]


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("name", HARD_NAMES)
def test_large_parts_go_from_their_files_whatever_leads_there(
    target: str, emulator: EmulatorControl, ask: Ask, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    Path("sales.csv").rename(folder / "sales.csv")
    monkeypatch.chdir(folder)
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    # What may have been copied is never replaced: encrypted anew, it would be loaded once more.
    assert all("OVERWRITE=FALSE" in sql for sql in puts(emulator))
    assert any("'file:///" in sql for sql in puts(emulator))
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(ROWS, sum(range(ROWS)))]


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("action", ["store_half", "store_nothing", "reset_body", "stage_token_expired"])
def test_the_upload_of_a_large_part_that_goes_wrong_is_done_again(
    target: str, emulator: EmulatorControl, ask: Ask, action: str
) -> None:
    emulator.faults({"endpoint": "put", "nth": 2, "action": action, "status": 403})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(ROWS, sum(range(ROWS)))]


def test_an_upload_that_was_given_up_replaces_nothing_later(
    connect: Callable[..., Any], emulator: EmulatorControl, tmp_path: Path
) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"1\n")
    with closing(Session(connect(), "a run", timeout=0.2)) as session:
        emulator.faults({"endpoint": "query", "sql": "^PUT", "action": "stall"})
        with pytest.raises(ConnectionLost, match="does not get on"):
            session.put(path, "'@~/x/'")
        with closing(Session(connect(), "a run", timeout=60)) as again:
            again.put(path, "'@~/x/'")
        emulator.release()
        for thread in threading.enumerate():
            if thread.name == "etl-put":
                thread.join()
    assert len(emulator.log("put")) == 1


def test_content_ends_with_its_upload(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"1\n")
    with putting.source_of(path) as source:
        content = source.content
        assert content is not None
        assert content.read() == b"1\n"
    with pytest.raises(ValueError, match="closed"):
        content.read()
