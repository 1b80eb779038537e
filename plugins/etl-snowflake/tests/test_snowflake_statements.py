"""What a plain load asks of Snowflake: each statement is a round trip that somebody waits for."""

from pathlib import Path

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Status, load

BEFORE = ["SELECT", "DESCRIBE", "SELECT"]
"""Who we are there, what the table looks like, and whether it has any row."""

UPLOAD = ["ALTER", "CREATE STAGE", "PUT", "LIST"]

AGAIN = ["SELECT", "SELECT", "DESCRIBE", "LIST"]
"""Any row by now, any commit of this run, the table as it is now, and the staged parts."""

LEDGER = ["CREATE TABLE", "INSERT"]

LANDED = ["CREATE OR", "COPY", "SELECT", "SELECT"]
"""The landing table, filled and measured; sums of floats take a query of their own."""

PUBLISHED = ["SHOW", "BEGIN", "UPDATE", "SELECT", "SELECT", "DESCRIBE", "INSERT", "INSERT", "COMMIT"]
DISCARDED = ["REMOVE", "DROP"]


def verbs(emulator: EmulatorControl) -> list[str]:
    """What each statement does; of a PUT, the driver sends a second one to ask where the file goes."""
    said: list[str] = []
    for sql in emulator.statements():
        verb, second, *_ = f"{sql} ".split(" ", 2)
        said.append(f"{verb} {second}" if verb == "CREATE" else verb)
        if said[-2:] == ["PUT", "PUT"]:
            said.pop()
    return said


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file."""
    monkeypatch.chdir(tmp_path)
    write("sales.csv")
    return tmp_path


def write(name: str) -> None:
    """Write three rows that tell the file's name."""
    Path(name).write_text("id,amount,name\n" + "".join(f"{row},{row}.5,{name}\n" for row in range(3)))


def test_a_load_that_makes_its_table_sends_these_statements(target: str, emulator: EmulatorControl) -> None:
    assert load("sales.csv", target=target).status is Status.DONE
    # Without a ledger and a table, asking whether there is anything in them is over sooner.
    made = ["CREATE SCHEMA", *LEDGER, "CREATE TABLE"]
    assert verbs(emulator) == [*BEFORE, *UPLOAD, *AGAIN, *made, *LANDED, *PUBLISHED, *DISCARDED]


def test_a_load_into_a_table_that_is_there_sends_these_statements(target: str, emulator: EmulatorControl) -> None:
    load("sales.csv", target=target, table="t")
    write("more.csv")
    sent = len(verbs(emulator))
    assert load("more.csv", target=target, table="t").status is Status.DONE
    # What earlier loads brought is asked for before the pass, before the load, and while it is published.
    before, again = [*BEFORE, "SELECT"], [AGAIN[0], "SELECT", *AGAIN[1:]]
    published = [*PUBLISHED[:5], "SELECT", *PUBLISHED[5:]]
    assert verbs(emulator)[sent:] == [*before, *UPLOAD, *again, *LEDGER, *LANDED, *published, *DISCARDED]
