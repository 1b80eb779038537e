"""What a load survives, and how it says what it does not: faults of the network, of the stage and of the account."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector as connector
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.failing import ConnectionLost
from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.pool import Pool
from etl_snowflake.session import Session

from etl_framework import ConnectError, EtlError, Event, ExitCode, Refused, RunFailed, Status, Workspace, load, resume
from etl_framework.cli import run

from .conftest import Ask

ROWS = 4000
SETTINGS: dict[str, Any] = {"part_size": "16KiB", "block_size": "8KiB", "table": "t"}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of several parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("sales.csv")
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))
    return path


def assert_exact(ask: Ask) -> None:
    """The table holds the file, once, and nothing else is left in the account."""
    assert ask("SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID) FROM T") == [(ROWS, ROWS, sum(range(ROWS)))]
    assert ask("LIST @_ETL_STAGE") == []
    assert not ask("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE '\\\\_ETL\\\\_LANDING%'")


BROKEN_UPLOADS: dict[str, dict[str, Any]] = {
    "answers 503": {"action": "status", "status": 503, "count": 2},
    "reset before the body": {"action": "reset"},
    "reset within the body": {"action": "reset_body"},
    "success reported, nothing stored": {"action": "store_nothing", "count": 2},
    "success reported, half stored": {"action": "store_half", "count": 2},
    "expired stage token": {"action": "stage_token_expired", "status": 403},
    "answer lost": {"action": "lose_answer"},
}


@pytest.mark.parametrize("fault", BROKEN_UPLOADS)
def test_an_upload_that_goes_wrong_is_done_again(target: str, emulator: EmulatorControl, ask: Ask, fault: str) -> None:
    emulator.faults({"endpoint": "put", "nth": 2, **BROKEN_UPLOADS[fault]})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize(
    ("replacement", "said"), [(None, "is gone"), (b"half", r"has \d+ bytes, not [\d,]+")], ids=["removed", "replaced"]
)
def test_a_part_that_is_not_whole_any_more_is_missed_before_anything_is_copied(
    target: str, ask: Ask, replacement: bytes | None, said: str
) -> None:
    lost: list[str] = []

    def lose(event: Event) -> None:
        if (event.name, event.step) == ("step_started", "load"):
            folder = f"@_ETL_STAGE/{event.run}/"
            part = Path(ask(f"LIST '{folder}'")[1][0])
            ask(f"REMOVE '{folder}{part.name}'")
            lost.append(part.name)
            if replacement is not None:
                Path(part.name).write_bytes(replacement)
                ask(f"PUT 'file://{Path(part.name).resolve()}' '{folder}' AUTO_COMPRESS=FALSE")

    with pytest.raises(RunFailed) as caught:
        load("sales.csv", target=target, observers=(lose,), **SETTINGS)
    assert re.fullmatch(f"staged part {lost[0]} {said}", caught.value.message)
    assert "A resumed run uploads it again." in caught.value.advice
    assert ask("SHOW TABLES LIKE 'T'") == []
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    assert_exact(ask)


@pytest.mark.skipif(not IS_NEW_LINE, reason="line 4 of the driver lets nobody say how often it tries")
def test_the_driver_tries_an_upload_more_often_than_it_would_by_itself(
    target: str, emulator: EmulatorControl, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_snowflake.stage._ATTEMPTS", 1)
    # By itself it tries six times.
    emulator.faults({"endpoint": "put", "action": "status", "status": 503, "count": 6})
    assert load("sales.csv", target=target, **{**SETTINGS, "part_size": "1MiB"}).status is Status.DONE
    assert [entry["status"] for entry in emulator.log("put")] == [503] * 6 + [200]
    assert_exact(ask)


def test_what_is_told_of_a_repeated_upload_stays_out_of_the_results(
    target: str, emulator: EmulatorControl, capfd: pytest.CaptureFixture[str]
) -> None:
    emulator.faults({"endpoint": "put", "action": "store_nothing", "count": 1})
    assert run(["load", "sales.csv", "--target", target, "--json"]) == ExitCode.DONE
    out, err = capfd.readouterr()
    assert json.loads(out)["status"] == "done"
    assert "attempt 2 of 6 in " in err


@pytest.mark.parametrize("async_above_mb", [0, 1000], ids=["asked for", "waited for"])
@pytest.mark.parametrize("action", ["lose_answer", "kill_session"])
def test_a_copy_whose_answer_is_lost_counts_once(
    target: str, emulator: EmulatorControl, ask: Ask, action: str, async_above_mb: int
) -> None:
    Path("etl.toml").write_text(f"[defaults]\nsnowflake = {{ async_above_mb = {async_above_mb} }}\n")
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": action, "after": True})
    report = finished(target)
    assert report.status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize("async_above_mb", [0, 1000], ids=["asked for", "waited for"])
def test_a_copy_whose_answer_is_lost_with_its_session_is_found_by_its_mark(
    target: str, emulator: EmulatorControl, ask: Ask, async_above_mb: int
) -> None:
    Path("etl.toml").write_text(f"[defaults]\nsnowflake = {{ async_above_mb = {async_above_mb} }}\n")
    # The driver asks again, by the same request: then its session is gone, and nobody has told the id of the query.
    emulator.faults(
        {"endpoint": "query", "sql": "^COPY INTO", "action": "lose_answer"},
        {"endpoint": "query", "sql": "^COPY INTO", "action": "kill_session", "nth": 2},
    )
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    ran = ask("SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT LIKE 'COPY INTO %'")
    assert ran == [(1,)]
    assert_exact(ask)


def test_a_copy_that_the_history_of_queries_has_forgotten_is_told_by_what_it_loaded(
    target: str, emulator: EmulatorControl, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_snowflake.load.Load._query_of", lambda *_: None)
    emulator.faults(
        {"endpoint": "query", "sql": "^COPY INTO", "action": "lose_answer"},
        {"endpoint": "query", "sql": "^COPY INTO", "action": "kill_session", "nth": 2},
    )
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    ran = ask("SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT LIKE 'COPY INTO %'")
    assert ran == [(1,)]
    assert_exact(ask)


def test_a_copy_that_is_lost_twice_is_sent_twice_at_most(target: str, emulator: EmulatorControl, ask: Ask) -> None:
    copy = {"endpoint": "query", "sql": "^COPY INTO", "action": "kill_session"}
    # Snowflake never saw the first one, and ran the second.
    emulator.faults({**copy, "nth": 1, "after": False}, {**copy, "nth": 2, "after": True})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)
    sent = ask("SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT LIKE 'COPY INTO %'")
    assert sent[0][0] <= 2


def test_a_load_is_done_though_its_landing_table_stays(target: str, emulator: EmulatorControl, ask: Ask) -> None:
    emulator.faults({"endpoint": "query", "sql": "^DROP TABLE", "action": "fail", "errno": 1234, "count": 1})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)


def test_a_table_that_an_attempt_left_empty_holds_no_older_load(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    Path("older.csv").write_text("id,name\n-1,older\n")
    load("older.csv", target=target, table="t")
    ask("DROP TABLE T")
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "fail", "errno": 1234})
    with pytest.raises(RunFailed):
        load("sales.csv", target=target, **SETTINGS)
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    assert load("older.csv", target=target, table="t").rows_loaded == 1
    assert ask("SELECT COUNT(*) FROM T") == [(ROWS + 1,)]


def test_a_table_that_is_changed_while_the_load_copies_is_not_rounded_into(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    Path("etl.toml").write_text("[defaults]\nsnowflake = { async_above_mb = 0 }\n")
    Path("sales.csv").write_text("price\n1.25\n")
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "slow"})

    def change(event: Event) -> None:
        if event.name == "load_progress":
            ask("CREATE OR REPLACE TABLE T (PRICE NUMBER(5,0))")
            emulator.release()

    with pytest.raises(Refused, match="which cannot hold every"):
        load("sales.csv", target=target, table="t", columns={"price": "decimal(5,2)"}, observers=(change,))
    assert ask("SELECT COUNT(*) FROM T") == [(0,)]


def test_what_took_long_is_done_again_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, passed = time.monotonic, [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock() + passed[0])
    attempts = []

    def work(session: Session) -> int:
        attempts.append(session)
        if len(attempts) == 1:
            passed[0] += 3600
            raise ConnectionLost("no answer", advice="")
        return 1

    assert Pool(lambda tag: Session(Broken(None), tag, timeout=60), "tag").do(work) == 1


class Broken:
    """A connection on which every statement fails with the same error."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def cursor(self) -> nullcontext[Broken]:
        return nullcontext(self)

    def execute(self, sql: str, values: object) -> None:
        assert self.error is not None
        raise self.error

    def close(self, *, retry: bool = True) -> None:
        pass


@pytest.mark.skipif(IS_NEW_LINE, reason="line 5 of the driver raises one error for all of them")
@pytest.mark.parametrize("name", ["ServiceUnavailableError", "BadGatewayError", "GatewayTimeoutError"])
def test_what_a_gateway_answers_tells_nothing_of_the_statement(name: str) -> None:
    error = getattr(connector.errors, name)(msg="gateway")
    with pytest.raises(ConnectionLost):
        Session(Broken(error), "tag", timeout=60).rows("COMMIT")


@pytest.mark.parametrize(
    "sql", ["^BEGIN", "^UPDATE", '^INSERT INTO .*SELECT "', "^INSERT INTO .*_ETL_LOADS", "^COMMIT"]
)
@pytest.mark.parametrize("action", ["lose_answer", "kill_session", "session_expired"])
def test_a_publication_that_is_cut_off_counts_once_or_not_at_all(
    target: str, emulator: EmulatorControl, ask: Ask, sql: str, action: str
) -> None:
    emulator.faults({"endpoint": "query", "sql": sql, "action": action, "after": True})
    report = finished(target)
    assert report.status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize("publish", ["landing", "direct"])
def test_a_commit_whose_answer_is_lost_with_its_session_is_found_in_the_ledger(
    target: str, emulator: EmulatorControl, ask: Ask, publish: str
) -> None:
    Path("etl.toml").write_text(f'[defaults]\nsnowflake = {{ publish = "{publish}" }}\n')
    # The driver asks again, by the same request: then its session is gone.
    emulator.faults(
        {"endpoint": "query", "sql": "^COMMIT", "action": "lose_answer"},
        {"endpoint": "query", "sql": "^COMMIT", "action": "kill_session", "nth": 2},
    )
    # Without the ledger, nothing would keep the rows from coming once more.
    assert load("sales.csv", target=target, again=True, **SETTINGS).rows_loaded == ROWS
    assert [sql.split()[0] for sql in emulator.statements()].count("BEGIN") == 2
    assert_exact(ask)


@pytest.mark.parametrize("publish", ["landing", "direct"])
def test_only_the_transaction_that_an_earlier_attempt_left_open_is_aborted(
    target: str, emulator: EmulatorControl, connect: Callable[..., Any], ask: Ask, publish: str
) -> None:
    Path("etl.toml").write_text(f'[defaults]\nsnowflake = {{ publish = "{publish}" }}\n')
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "fail", "errno": 1234})
    with pytest.raises(RunFailed):
        # Whoever waits for a lock of a transaction that nobody ends waits for hours.
        load("sales.csv", target=f"{target}?statement_timeout=20", **SETTINGS)
    [failed] = Workspace.open().to_resume()
    # As a client leaves them that is killed in the midst of its transaction: their sessions go on.
    left, theirs = connect().cursor(), connect().cursor()
    theirs.execute("CREATE TABLE THEIRS (N NUMBER)")
    for cursor, name in ((left, failed.run), (theirs, "20240131t235959-3f9a1c")):
        cursor.execute(f"BEGIN NAME ETL_{name.upper().replace('-', '_')}")
    theirs.execute("INSERT INTO THEIRS VALUES (1)")
    left.execute("UPDATE _ETL_LOADS SET JOB = 'x' WHERE RUN = 'guard'")
    left.execute("INSERT INTO T VALUES (-1, 'half')")
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    assert_exact(ask)
    theirs.execute("COMMIT")
    assert ask("SELECT N FROM THEIRS") == [(1,)]


def finished(target: str) -> Any:
    """Load, and resume as long as that is advised: what an operator does."""
    try:
        return load("sales.csv", target=target, **SETTINGS)
    except EtlError as error:
        if "etl resume" not in error.advice:
            raise
        return resume()


def test_a_row_that_snowflake_does_not_take_is_named_by_file_and_line(target: str) -> None:
    rows = [f"{number},n{number}" for number in range(ROWS)]
    rows[3210] = '3210,"n" 3210'
    Path("sales.csv").write_text("id,name\n" + "\n".join(rows) + "\n")
    with pytest.raises(RunFailed, match=r"sales\.csv, line 3212, column name: Snowflake does not take the row"):
        load("sales.csv", target=target, **SETTINGS)


@pytest.mark.parametrize("at", [40, 3210])
def test_neither_bad_rows_nor_records_of_several_lines_before_it_shift_the_line_of_such_a_row(
    target: str, ask: Ask, at: int
) -> None:
    rows = [f'{number},"n\n{number}"' if number % 7 == 0 else f"{number},n{number}" for number in range(ROWS)]
    for number in range(5, ROWS, 50):
        rows[number : number + 3] = [f"{number},too,many", f"x{number},text", f'y{number},"two\nlines"']
    rows[at] = f'{at},"n" {at}'
    text = "id,name\n" + "\n".join(rows) + "\n"
    Path("sales.csv").write_text(text)
    line = text[: text.index(rows[at])].count("\n") + 1
    with pytest.raises(RunFailed, match=rf"sales\.csv, line {line}, column name: Snowflake does not take the row"):
        load("sales.csv", target=target, columns={"id": "integer"}, on_bad_rows="quarantine", **SETTINGS)
    assert ask("SELECT ID FROM T") == []


def test_a_warehouse_that_does_not_resume_is_told_with_what_to_do(target: str, emulator: EmulatorControl) -> None:
    emulator.warehouse(state="SUSPENDED", auto_resume=False)
    with pytest.raises(RunFailed) as caught:
        load("sales.csv", target=target, **SETTINGS)
    assert "AUTO_RESUME" in caught.value.advice


def test_a_statement_over_the_time_limit_of_the_target_fails_with_what_to_do(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "slow", "seconds": 600})
    with pytest.raises(RunFailed, match="timeout of 1 second") as caught:
        load("sales.csv", target=f"{target}?statement_timeout=1", **SETTINGS)
    assert "statement_timeout" in caught.value.advice
    assert resume().status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize("fault", [{"action": "status", "status": 403}, {"action": "status", "status": 404}])
def test_a_wrong_account_cannot_be_connected_to(target: str, emulator: EmulatorControl, fault: dict[str, Any]) -> None:
    emulator.faults({"endpoint": "login", "count": None, **fault})
    with pytest.raises(ConnectError) as caught:
        load("sales.csv", target=target, **SETTINGS)
    assert caught.value.exit_code is ExitCode.CONNECT
