"""What is told when Snowflake goes away and something is tried again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.failing import ConnectionLost
from etl_snowflake.retrying import attempts

from etl_framework import Event, Status, load


@pytest.fixture
def hooks() -> Iterator[None]:
    """Whatever becomes of stamina's hooks, which are the program's, is undone."""
    yield
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize(
    ("sql", "step", "told"),
    [
        ("^PUT", "validate", r"part \S+: Snowflake did not answer; attempt 2 of 6 in "),
        ("^COPY", "load", r"Snowflake did not answer; attempt 2 of 4 in "),
    ],
)
def test_what_is_tried_again_is_told_in_words_of_our_own(
    target: str,
    emulator: EmulatorControl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    sql: str,
    step: str,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("id\n1\n")
    stamina.instrumentation.set_on_retry_hooks(None)
    emulator.faults({"endpoint": "query", "sql": sql, "action": "kill_session"})
    events: list[Event] = []
    assert load("a.csv", target=f"{target}?timeout=77", observers=(events.append,)).status is Status.DONE
    [again] = [event for event in events if event.name == "load_again"]
    assert again.step == step
    assert re.match(told, again.message)
    assert "up to 77 s for each answer" in again.message
    assert "stamina" not in "".join(capfd.readouterr())


@pytest.mark.usefixtures("hooks")
def test_the_hooks_of_the_program_hear_of_its_own_retries_alone() -> None:
    heard: list[str] = []
    told: list[str] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: heard.append(str(details.caused_by))])
    with stamina.set_testing(True, attempts=3, cap=True):
        for attempt in attempts(ConnectionLost, 3, longest_wait=1, tell=told.append):
            with attempt:
                if attempt.num < 3:
                    raise ConnectionLost("it is gone: http://long", advice="")
                break
        for attempt in stamina.retry_context(on=ValueError, attempts=2):
            with attempt:
                if attempt.num < 2:
                    raise ValueError("theirs")
    assert heard == ["theirs"]
    assert told == [f"it is gone; attempt {number} of 3 in 0.00 s" for number in (2, 3)]
