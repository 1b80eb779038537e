"""What a load survives when no answer comes to a statement of its, or to a question after its COPY."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.line import IS_NEW_LINE

from etl_framework import Event, Status, load

from .conftest import Ask

ROWS = 2000
SETTINGS: dict[str, Any] = {"part_size": "16KiB", "block_size": "8KiB", "table": "t"}

REPEATED: dict[str, dict[str, Any]] = {
    "answers 503": {"action": "status", "status": 503, "count": 2},
    "reset before it runs": {"action": "reset"},
}
"""After which the driver asks again by itself."""

GIVEN_UP: dict[str, dict[str, Any]] = {"reset within the answer": {"action": "reset_body"}}
"""After which its session is given up and logged out, which may end the COPY that it runs."""

NO_ANSWER = {**REPEATED, **GIVEN_UP}

STATEMENTS = {
    "PUT": "^PUT",
    "LIST": "^LIST",
    "CREATE": "^CREATE OR REPLACE TRANSIENT TABLE",
    "COPY": "^COPY INTO",
    "BEGIN": "^BEGIN",
    "INSERT": '^INSERT INTO .*SELECT "',
    "COMMIT": "^COMMIT",
    "DROP": "^DROP TABLE",
}

SLOW_COPY = {"endpoint": "query", "sql": "^COPY INTO", "action": "slow", "seconds": 1.5}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of several parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("sales.csv")
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))
    return path


@pytest.fixture
def patient(emulator: EmulatorControl) -> EmulatorControl:
    """An emulator that says of a statement held back by a fault, and of no other, that it is still running."""
    emulator.reset(in_progress_after=0.5)
    return emulator


def ask_for_copies_above(megabytes: int) -> None:
    Path("etl.toml").write_text(f"[defaults]\nsnowflake = {{ async_above_mb = {megabytes} }}\n")


def assert_exact(ask: Ask) -> None:
    """The table holds the file, once, and nothing else is left in the account."""
    assert ask("SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID) FROM T") == [(ROWS, ROWS, sum(range(ROWS)))]
    assert ask("LIST @_ETL_STAGE") == []
    assert not ask("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, '_ETL_LANDING')")


def assert_copied_once(emulator: EmulatorControl) -> None:
    assert sum(sql.startswith("COPY INTO") for sql in emulator.statements()) == 1


@pytest.mark.parametrize("fault", NO_ANSWER)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_is_not_answered_takes_effect_once(
    target: str, emulator: EmulatorControl, ask: Ask, statement: str, fault: str
) -> None:
    emulator.faults({"endpoint": "query", "sql": STATEMENTS[statement], **NO_ANSWER[fault]})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_whether_a_copy_still_runs_is_asked_again(target: str, emulator: EmulatorControl, ask: Ask, fault: str) -> None:
    ask_for_copies_above(0)
    emulator.faults(
        {"endpoint": "query", "sql": "^COPY INTO", "action": "slow"},
        {"endpoint": "monitoring", **NO_ANSWER[fault]},
    )

    def let_it_end(event: Event) -> None:
        if event.name == "load_progress":
            emulator.release()

    assert load("sales.csv", target=target, observers=(let_it_end,), **SETTINGS).status is Status.DONE
    assert_exact(ask)
    # Line 5 logs a session that is given up out without asking whether what it submitted still runs, and so ends it.
    if fault in REPEATED or not IS_NEW_LINE:
        assert_copied_once(emulator)


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_the_answer_of_a_copy_that_was_asked_for_is_fetched_again(
    target: str, emulator: EmulatorControl, ask: Ask, fault: str
) -> None:
    ask_for_copies_above(0)
    fetching = {"endpoint": "result"} if IS_NEW_LINE else {"endpoint": "query", "sql": "RESULT_SCAN"}
    emulator.faults({**fetching, **NO_ANSWER[fault]})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_copied_once(emulator)
    assert_exact(ask)


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_the_answer_of_a_copy_that_is_waited_for_is_fetched_again(
    target: str, patient: EmulatorControl, ask: Ask, fault: str
) -> None:
    ask_for_copies_above(1000)
    patient.faults(SLOW_COPY, {"endpoint": "result", **NO_ANSWER[fault]})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)
    # A session that is given up is logged out, which ends what it runs.
    if fault in REPEATED:
        assert_copied_once(patient)


def test_a_copy_that_is_sent_again_is_told_from_the_one_before(target: str, patient: EmulatorControl, ask: Ask) -> None:
    ask_for_copies_above(1000)
    second = {"endpoint": "query", "sql": "^COPY INTO", "action": "lose_answer", "nth": 2, "after": True}
    patient.faults(SLOW_COPY, {"endpoint": "result", **GIVEN_UP["reset within the answer"]}, second)
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)
    # The driver may ask for one of them more than once.
    assert len({sql for sql in patient.statements() if sql.startswith("COPY INTO")}) == 2
