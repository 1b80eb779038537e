"""Faults on demand reach the real driver as what they imitate."""

import gzip
import time
from contextlib import suppress

import pytest

connector = pytest.importorskip("snowflake.connector")


@pytest.fixture
def part(tmp_path):
    """A file of a megabyte, ready to PUT."""
    path = tmp_path / "part.csv.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d,text\n" % i for i in range(300_000)), 1))
    return path


def put(cursor, part, options=""):
    return cursor.execute(f"PUT 'file://{part}' '@st' AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=GZIP {options}").fetchall()


@pytest.mark.parametrize("fault", [{"action": "status", "status": 503}, {"action": "reset"}, {"action": "reset_body"}])
def test_the_driver_repeats_an_upload_that_broke(emulator, cursor, part, fault):
    cursor.execute("CREATE STAGE st")
    emulator.faults({"endpoint": "put", **fault})
    assert put(cursor, part)[0][6] == "UPLOADED"
    assert len(emulator.log("put")) == 2
    assert len(cursor.execute("LIST @st").fetchall()) == 1


def test_the_driver_asks_for_a_new_url_when_the_stage_token_expired(emulator, cursor, part):
    """https://cloud.google.com/storage/docs/xml-api/reference-status: 400 ExpiredToken."""
    cursor.execute("CREATE STAGE st")
    emulator.faults({"endpoint": "put", "action": "stage_token_expired"})
    assert put(cursor, part)[0][6] == "UPLOADED"
    assert len([s for s in emulator.statements() if s.startswith("PUT")]) >= 2


def test_an_upload_that_stored_nothing_reports_success(emulator, cursor, part):
    cursor.execute("CREATE STAGE st")
    emulator.faults({"endpoint": "put", "action": "store_nothing"})
    assert put(cursor, part)[0][6] == "UPLOADED"
    assert cursor.execute("LIST @st").fetchall() == []


def test_an_upload_that_stored_half_shows_in_the_size(emulator, cursor, part):
    cursor.execute("CREATE STAGE st")
    emulator.faults({"endpoint": "put", "action": "store_half"})
    put(cursor, part)
    assert cursor.execute("LIST @st").fetchall()[0][1] < part.stat().st_size * 0.6


def test_an_upload_that_stalls_midway_goes_on_when_it_may(emulator, cursor, part):
    cursor.execute("CREATE STAGE st")
    emulator.faults({"endpoint": "put", "action": "stall_body", "seconds": 0.3})
    assert put(cursor, part)[0][6] == "UPLOADED"
    (entry,) = emulator.log("put")
    assert entry["faults"] == ["stall_body"]
    assert len(cursor.execute("LIST @st").fetchall()) == 1


def test_a_throttled_link_passes_no_more_than_its_rate(emulator, cursor, part):
    cursor.execute("CREATE STAGE st")
    emulator.faults({"endpoint": "put", "action": "throttle", "bytes_per_second": 500_000})
    put(cursor, part)
    (entry,) = emulator.log("put")
    assert entry["bytes_in"] / entry["seconds"] < 1_000_000


def test_a_statement_whose_answer_is_lost_runs_once(emulator, cursor):
    cursor.execute("CREATE TABLE t (n INT)")
    emulator.faults({"endpoint": "query", "sql": "INSERT", "action": "lose_answer"})
    cursor.execute("INSERT INTO t VALUES (1)")
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (1,)
    assert len([s for s in emulator.statements() if s.startswith("INSERT")]) == 2


def test_a_statement_whose_answer_is_cut_in_its_body_ran_once(emulator, cursor):
    """Driver 4.8 raises an error of its HTTP library, which is none of PEP 249's; 5.2 asks again."""
    cursor.execute("CREATE TABLE t (n INT)")
    emulator.faults({"endpoint": "query", "sql": "INSERT", "action": "reset_body"})
    with suppress(Exception):
        cursor.execute("INSERT INTO t VALUES (1)")
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_an_expired_session_token_is_renewed_without_notice(emulator, cursor):
    """https://docs.snowflake.com/en/user-guide/session-policies: 390112 sends the driver to its master token."""
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "session_expired"})
    assert cursor.execute("SELECT 5").fetchone() == (5,)
    assert len(emulator.log("renew")) == 1


def test_an_expired_master_token_ends_the_session(emulator, cursor):
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "master_expired"})
    with pytest.raises(connector.errors.Error) as caught:
        cursor.execute("SELECT 5")
    assert caught.value.errno == 390114


def test_a_killed_session_rolls_back_and_refuses_the_next_statement(emulator, connect, raises_snowflake):
    first, second = connect().cursor(), connect().cursor()
    first.execute("CREATE TABLE t (n INT)")
    first.execute("BEGIN")
    first.execute("INSERT INTO t VALUES (1)")
    emulator.faults({"endpoint": "query", "sql": "COMMIT", "action": "kill_session"})
    with raises_snowflake(390111):
        first.execute("COMMIT")
    assert second.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_session_killed_after_commit_has_committed(emulator, connect, raises_snowflake):
    first, second = connect().cursor(), connect().cursor()
    first.execute("CREATE TABLE t (n INT)")
    first.execute("BEGIN")
    first.execute("INSERT INTO t VALUES (1)")
    emulator.faults({"endpoint": "query", "sql": "COMMIT", "action": "kill_session", "after": True})
    first.execute("COMMIT")
    with raises_snowflake(390111):
        first.execute("SELECT 1")
    assert second.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_a_slow_statement_is_answered_as_in_progress_until_it_ends(emulator, connect):
    emulator.reset(in_progress_after=0.1)
    cursor = connect().cursor()
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "slow", "seconds": 0.5})
    assert cursor.execute("SELECT 5").fetchone() == (5,)
    assert emulator.log("result")


def test_a_slow_statement_is_cancelled_by_its_id(emulator, connect):
    """https://docs.snowflake.com/en/sql-reference/functions/system_cancel_query."""
    connection = connect()
    cursor = connection.cursor()
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "slow", "seconds": 600})
    cursor.execute_async("SELECT 5")
    query_id = cursor.sfqid
    assert connection.is_still_running(connection.get_query_status(query_id))
    answer = connection.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')").fetchone()
    assert answer == (f"query [{query_id}] terminated.",)
    while connection.is_still_running(connection.get_query_status(query_id)):
        time.sleep(0.02)
    with pytest.raises(connector.errors.Error, match="000604"):
        connection.get_query_status_throw_if_error(query_id)


def test_all_queries_of_a_session_are_cancelled_by_another_session(emulator, connect, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/functions/system_cancel_all_queries."""
    connection = connect()
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "slow", "seconds": 600})
    cursor = connection.cursor()
    cursor.execute_async("SELECT 5")
    connect().cursor().execute(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({connection.session_id})")
    with raises_snowflake(604):
        cursor.get_results_from_sfqid(cursor.sfqid)
        cursor.fetchall()


def test_a_statement_over_its_timeout_is_cancelled(emulator, cursor, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/parameters#statement-timeout-in-seconds."""
    cursor.execute("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "slow", "seconds": 600})
    with raises_snowflake(630):
        cursor.execute("SELECT 5")


def test_a_stalled_statement_goes_on_when_released(emulator, connect):
    connection = connect()
    emulator.faults({"endpoint": "query", "sql": "SELECT 5", "action": "slow"})
    cursor = connection.cursor()
    cursor.execute_async("SELECT 5")
    # Whatever is asked meanwhile takes longer than an undisturbed statement.
    for _ in range(20):
        assert connection.cursor().execute("SELECT 1").fetchone() == (1,)
    assert connection.is_still_running(connection.get_query_status(cursor.sfqid))
    emulator.release()
    query_id = cursor.sfqid
    while connection.is_still_running(connection.get_query_status(query_id)):
        time.sleep(0.02)
    assert connection.get_query_status(query_id).name == "SUCCESS"


def test_a_statement_fails_with_the_error_that_a_rule_names(emulator, cursor, raises_snowflake):
    emulator.faults(
        {"endpoint": "query", "sql": "SELECT 5", "action": "fail", "errno": 625, "message": "Statement was aborted"}
    )
    with raises_snowflake(625):
        cursor.execute("SELECT 5")


def test_an_unknown_fault_is_refused(emulator):
    with pytest.raises(ValueError, match="no such fault"):
        emulator.faults({"endpoint": "put", "action": "explode"})


def test_the_log_holds_no_token_and_no_signature(emulator, cursor, part):
    cursor.execute("CREATE STAGE st")
    put(cursor, part)
    text = str(emulator.log())
    assert "emulated" not in text
    assert "Signature" not in text
    assert "hint:" not in text
