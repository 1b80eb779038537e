"""The emulator speaks the protocol of the real drivers: sessions, statements, transactions, asynchronous queries."""

import time


def test_a_session_knows_its_role_warehouse_database_and_schema(cursor):
    row = cursor.execute("SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()").fetchone()
    assert row == ("ACCOUNTADMIN", "COMPUTE_WH", "DB", "PUBLIC")


def test_rows_that_were_inserted_are_read_back(cursor):
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR, d DATE)")
    cursor.executemany("INSERT INTO t VALUES (%s, %s, %s)", [(1, "a", "2024-01-31"), (2, None, None)])
    assert cursor.rowcount == 2
    rows = cursor.execute("SELECT n, s, to_char(d) FROM t ORDER BY n").fetchall()
    assert rows == [(1, "a", "2024-01-31"), (2, None, None)]


def test_binds_travel_to_the_server(connect):
    cursor = connect(paramstyle="qmark").cursor()
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [(1, "it's"), (2, None)])
    assert cursor.execute("SELECT n FROM t WHERE s = ?", ("it's",)).fetchall() == [(1,)]


def test_a_rollback_undoes_the_transaction_and_nothing_else_sees_it(connect):
    first, second = connect().cursor(), connect().cursor()
    first.execute("CREATE TABLE t (n INT)")
    first.execute("INSERT INTO t VALUES (1)")
    first.execute("BEGIN")
    first.execute("DELETE FROM t")
    assert second.execute("SELECT count(*) FROM t").fetchone() == (1,)
    first.execute("ROLLBACK")
    assert first.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_a_missing_table_is_error_2003(cursor, raises_snowflake):
    with raises_snowflake(2003):
        cursor.execute("SELECT * FROM nowhere")


def test_an_asynchronous_query_is_polled_and_fetched(connect):
    connection = connect()
    cursor = connection.cursor()
    cursor.execute_async("SELECT 7")
    query_id = cursor.sfqid
    while connection.is_still_running(connection.get_query_status(query_id)):
        time.sleep(0.02)
    cursor.get_results_from_sfqid(query_id)
    assert cursor.fetchall() == [(7,)]
