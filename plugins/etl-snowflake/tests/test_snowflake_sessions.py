"""The sessions of a run: one for each upload worker, kept alive, and ended with the run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from etl_snowflake.address import Address
from etl_snowflake.connecting import connect as connect_to
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Event, RunFailed, Status, load
from etl_framework.uploads import UPLOADS_AT_A_TIME

ROWS = 9000
SETTINGS = {"part_size": "8KiB", "block_size": "4KiB", "table": "t"}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of many parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("sales.csv")
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))
    return path


def test_each_upload_worker_has_a_session_and_none_outlives_the_run(target: str, emulator: EmulatorControl) -> None:
    report = load("sales.csv", target=target, **SETTINGS)
    assert report.parts > 2 * UPLOADS_AT_A_TIME
    opened = len(emulator.log("login"))
    # One more for what the run itself asks meanwhile.
    assert 1 < opened <= UPLOADS_AT_A_TIME + 1
    assert len(emulator.log("close")) == opened


@pytest.mark.parametrize("sql", ["^COPY INTO", "^PUT"])
def test_no_session_outlives_a_run_that_fails(
    target: str, emulator: EmulatorControl, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_snowflake.stage._ATTEMPTS", 1)
    emulator.faults({"endpoint": "query", "sql": sql, "action": "fail", "errno": 1234, "count": None})
    with pytest.raises(RunFailed):
        load("sales.csv", target=target, **SETTINGS)
    assert len(emulator.log("close")) == len(emulator.log("login")) >= 1


def test_a_part_that_is_stuck_does_not_hold_up_the_others(target: str, emulator: EmulatorControl) -> None:
    emulator.faults({"endpoint": "put", "action": "stall"})

    def let_go(event: Event) -> None:
        if event.name == "part_staged":
            emulator.release()

    assert load("sales.csv", target=f"{target}?timeout=60", observers=(let_go,), **SETTINGS).status is Status.DONE
    paths = [entry["path"] for entry in emulator.log("put")]
    # It was let go by one that came after it; had none come, it would have been given up and sent again.
    assert len(paths) == len(set(paths))


def test_sessions_are_kept_alive(target: str) -> None:
    with closing(connect_to(Address.parse(target), tag="x")) as session:
        [parameter] = session.table("SHOW PARAMETERS LIKE 'CLIENT_SESSION_KEEP_ALIVE'")
    assert parameter["value"].lower() == "true"
