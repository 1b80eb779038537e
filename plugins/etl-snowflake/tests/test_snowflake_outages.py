"""What a load survives of the network and of the account: silence, expired tokens, killed sessions, missing rights."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.address import Address
from etl_snowflake.connecting import connect as connect_session
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import ConnectError, EtlError, Event, ExitCode, RunFailed, Status, Workspace, load, resume

from .conftest import Ask

ROWS = 3000
SETTINGS: dict[str, Any] = {"part_size": "16KiB", "block_size": "8KiB", "table": "t"}


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of several parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("sales.csv")
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))
    return path


@pytest.fixture
def quick(emulator: EmulatorControl) -> EmulatorControl:
    """An emulator that soon says of a statement that it is still running."""
    emulator.reset(in_progress_after=0.1)
    return emulator


def assert_exact(ask: Ask, table: str = "T") -> None:
    """The table holds the file, once, and nothing else is left in the account."""
    assert ask(f"SELECT COUNT(*), COUNT(DISTINCT ID), SUM(ID) FROM {table}") == [(ROWS, ROWS, sum(range(ROWS)))]
    assert left_behind(ask) == ([], [])


def left_behind(ask: Ask) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Staged files, and landing tables."""
    landing = ask("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, '_ETL_LANDING')")
    return ask("LIST @_ETL_STAGE"), landing


def loaded(target: str) -> Any:
    """Load, and resume as long as that is advised: what an operator does."""
    try:
        return load("sales.csv", target=target, **SETTINGS)
    except EtlError as error:
        if "etl resume" not in error.advice:
            raise
        return resume()


# Silence


@pytest.mark.parametrize("action", ["stall", "stall_body"])
def test_an_upload_that_is_never_answered_is_done_again(
    target: str, emulator: EmulatorControl, ask: Ask, action: str
) -> None:
    emulator.faults({"endpoint": "put", "nth": 2, "action": action})
    assert load("sales.csv", target=f"{target}?timeout=1", **SETTINGS).status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize("sql", ["^COPY", "^COMMIT", "^LIST"])
def test_a_statement_that_is_never_answered_is_asked_for_again(
    target: str, emulator: EmulatorControl, ask: Ask, sql: str
) -> None:
    emulator.faults({"endpoint": "query", "sql": sql, "action": "stall"})
    assert loaded(f"{target}?timeout=2").status is Status.DONE
    assert_exact(ask)


def test_a_login_that_is_never_answered_ends_in_exit_code_5(target: str, emulator: EmulatorControl) -> None:
    emulator.faults({"endpoint": "login", "action": "stall", "count": None})
    assert_cannot_connect(f"{target}?timeout=2")
    assert len(emulator.log("login")) < 10


# Both lines try a login again by themselves, line 4 once.
@pytest.mark.parametrize("login", ["first", "later"])
@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 503, "count": 2},
        {"action": "status", "status": 429, "count": 2},
        {"action": "reset", "count": 2},
        {"action": "reset_body", "count": 1},
    ],
    ids=lambda fault: f"{fault['action']}{fault.get('status', '')}",
)
def test_a_login_that_meets_an_outage_is_tried_again(
    target: str, emulator: EmulatorControl, ask: Ask, fault: dict[str, str | int], login: str
) -> None:
    interrupt_login(emulator, 1 if login == "first" else 2, fault)
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)


def test_an_outage_in_mid_run_may_last(target: str, emulator: EmulatorControl, ask: Ask) -> None:
    interrupt_login(emulator, 2, {"action": "status", "status": 503, "count": 8})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    assert_exact(ask)


def test_a_login_that_counts_once_is_not_tried_again(
    emulator: EmulatorControl, write_connections: Callable[..., None]
) -> None:
    write_connections(test=emulator.connection(passcode="123456"))
    emulator.faults({"endpoint": "login", "action": "reset_body"})
    assert_cannot_connect("snowflake:test")
    assert len(emulator.log("login")) == 1


def interrupt_login(emulator: EmulatorControl, login: int, fault: dict[str, str | int]) -> None:
    """Have a login fail; there is a second one, since a session is lost early on."""
    emulator.faults(
        {"endpoint": "query", "sql": "^PUT", "action": "kill_session"}, {"endpoint": "login", "nth": login, **fault}
    )


def assert_cannot_connect(target: str) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        load("sales.csv", target=target, **SETTINGS)
    assert caught.value.exit_code is ExitCode.CONNECT
    assert "connections.toml" in caught.value.advice
    return caught.value


@pytest.mark.parametrize("status", [403, 404])
def test_a_wrong_account_is_told_after_few_requests(target: str, emulator: EmulatorControl, status: int) -> None:
    emulator.reset(accounts=["OTHER"], unknown_account_status=status)
    assert_cannot_connect(target)
    assert len(emulator.log("login")) < 10


@pytest.mark.parametrize("place", ["no such host", "nobody listens"])
def test_an_account_that_is_not_there_is_told(
    emulator: EmulatorControl, write_connections: Callable[..., None], place: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    where = {"host": "nowhere.invalid"} if place == "no such host" else {"port": port}
    write_connections(test=emulator.connection(**where))
    assert "Check host, port and proxy" in assert_cannot_connect("snowflake:test?timeout=2").advice


def test_a_session_that_is_lost_is_not_asked_what_became_of_its_queries(target: str, emulator: EmulatorControl) -> None:
    session = connect_session(Address.parse(target), tag="a run")
    emulator.faults({"endpoint": "query", "sql": "^SELECT 1", "action": "slow"})
    session.submit("SELECT 1")
    session.abandon().result()
    assert not session.is_open
    assert emulator.log("monitoring") == []


def test_a_slow_link_loads_as_well(target: str, emulator: EmulatorControl, ask: Ask) -> None:
    rate = 20_000
    emulator.faults({"endpoint": "put", "action": "throttle", "bytes_per_second": rate, "count": None})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    # The link makes up for 0.05 s of idleness.
    assert all(entry["seconds"] > entry["bytes_in"] / rate - 0.06 > 0 for entry in emulator.log("put"))
    assert_exact(ask)


def test_a_part_that_is_uploaded_twice_counts_once(target: str, emulator: EmulatorControl, ask: Ask) -> None:
    emulator.faults({"endpoint": "put", "action": "lose_answer"})
    assert load("sales.csv", target=target, **SETTINGS).status is Status.DONE
    paths = [entry["path"] for entry in emulator.log("put")]
    assert len(paths) == len(set(paths)) + 1
    assert_exact(ask)


# Tokens and sessions


@pytest.mark.parametrize("sql", ["^PUT", "^COPY", "^SELECT COUNT", "^DROP"])
@pytest.mark.parametrize("action", ["session_expired", "master_expired", "kill_session"])
def test_a_session_that_ends_in_the_middle_of_a_run_is_renewed(
    target: str, emulator: EmulatorControl, ask: Ask, action: str, sql: str
) -> None:
    emulator.faults({"endpoint": "query", "sql": sql, "action": action})
    assert loaded(target).status is Status.DONE
    assert_exact(ask)


@pytest.mark.parametrize("async_above_mb", [0, 1000], ids=["asked for", "waited for"])
@pytest.mark.parametrize("action", ["session_expired", "master_expired"])
def test_a_copy_may_outlast_the_tokens_of_its_session(
    target: str, quick: EmulatorControl, ask: Ask, action: str, async_above_mb: int
) -> None:
    Path("etl.toml").write_text(f"[defaults]\nsnowflake = {{ async_above_mb = {async_above_mb} }}\n")
    asking = "monitoring" if async_above_mb == 0 else "result"
    quick.faults(
        {"endpoint": "query", "sql": "^COPY", "action": "slow", "seconds": 0.5},
        {"endpoint": asking, "action": action},
    )
    assert loaded(target).status is Status.DONE
    assert any(action in entry.get("faults", ()) for entry in quick.log(asking))
    assert_exact(ask)


def test_a_warehouse_that_is_suspended_in_the_middle_of_a_run_is_told_and_the_run_goes_on_later(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    def suspend(event: Event) -> None:
        if (event.name, event.step) == ("step_started", "load"):
            emulator.warehouse(state="SUSPENDED", auto_resume=False)

    with pytest.raises(RunFailed) as caught:
        load("sales.csv", target=target, observers=(suspend,), **SETTINGS)
    assert "AUTO_RESUME" in caught.value.advice
    emulator.warehouse(state="STARTED")
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    assert_exact(ask)


# Rights


RIGHTS = {
    "stage": "READ, WRITE ON STAGE db.public._etl_stage",
    "tables": "CREATE TABLE ON SCHEMA db.public",
    "target": "INSERT ON TABLE db.public.t",
    "ledger": "INSERT, UPDATE, SELECT ON TABLE db.public._etl_loads",
}


def test_without_a_right_on_the_warehouse_both_reasons_are_told(
    emulator: EmulatorControl, ask: Ask, write_connections: Callable[..., None]
) -> None:
    write_connections(poor=emulator.connection(role="LOADER"))
    ask("CREATE ROLE loader")
    for right in (
        "USAGE ON DATABASE db",
        "USAGE ON SCHEMA db.public",
        "CREATE TABLE, CREATE STAGE ON SCHEMA db.public",
    ):
        ask(f"GRANT {right} TO ROLE loader")
    with pytest.raises(RunFailed, match="No active warehouse") as caught:
        load("sales.csv", target="snowflake:poor", **SETTINGS)
    assert "?warehouse=" in caught.value.advice
    assert "USAGE" in caught.value.advice


def test_an_upload_that_is_not_allowed_is_tried_once(
    emulator: EmulatorControl, ask: Ask, write_connections: Callable[..., None]
) -> None:
    write_connections(poor=emulator.connection(role="LOADER"))
    ask("CREATE ROLE loader")
    ask("CREATE STAGE _etl_stage")
    for right in ("USAGE ON DATABASE db", "USAGE ON SCHEMA db.public", "READ ON STAGE _etl_stage"):
        ask(f"GRANT {right} TO ROLE loader")
    with pytest.raises(RunFailed) as caught:
        load("sales.csv", target="snowflake:poor", table="t")
    assert "GRANT" in caught.value.advice
    assert [sql.split()[0] for sql in emulator.statements()].count("PUT") == 1


@pytest.mark.parametrize("lacking", RIGHTS)
def test_a_missing_right_is_told_and_nothing_is_left_half_done(
    emulator: EmulatorControl, ask: Ask, write_connections: Callable[..., None], lacking: str
) -> None:
    write_connections(test=emulator.connection(), poor=emulator.connection(role="LOADER"))
    Path("first.csv").write_text("id,name\n-1,first\n")
    load("first.csv", target="snowflake:test", table="t")
    ask("CREATE ROLE loader")
    for thing in ("WAREHOUSE compute_wh", "DATABASE db", "SCHEMA db.public"):
        ask(f"GRANT USAGE ON {thing} TO ROLE loader")
    ask("GRANT CREATE SCHEMA ON DATABASE db TO ROLE loader")
    ask("GRANT SELECT, DELETE ON TABLE db.public.t TO ROLE loader")
    for name, right in RIGHTS.items():
        if name != lacking:
            ask(f"GRANT {right} TO ROLE loader")
    with pytest.raises(RunFailed) as caught:
        load("sales.csv", target="snowflake:poor", **SETTINGS)
    assert "GRANT" in caught.value.advice, str(caught.value)
    assert ask("SELECT ID FROM T") == [(-1,)]
    ask(f"GRANT {RIGHTS[lacking]} TO ROLE loader")
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    assert ask("SELECT COUNT(*) FROM T") == [(ROWS + 1,)]
    assert left_behind(ask) == ([], [])
    assert not Workspace.open().runs()[0].resumable
