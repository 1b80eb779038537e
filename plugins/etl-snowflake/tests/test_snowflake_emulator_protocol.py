"""The emulator speaks the protocol of the real drivers: sessions, statements, transactions, asynchronous queries."""

import time
from decimal import Decimal


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


def test_a_merge_counts_what_it_did_and_is_rolled_back_with_its_transaction(cursor):
    """https://docs.snowflake.com/en/sql-reference/sql/merge."""
    cursor.execute("CREATE TABLE t (n INT, s VARCHAR)")
    cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    merge = (
        "MERGE INTO t USING (SELECT 1 AS n, 'x' AS s UNION ALL SELECT 3, 'y') AS q ON t.n = q.n "
        "WHEN MATCHED THEN UPDATE SET t.s = q.s WHEN NOT MATCHED THEN INSERT (n, s) VALUES (q.n, q.s)"
    )
    cursor.execute("BEGIN")
    assert cursor.execute(merge).fetchall() == [(1, 1)]
    assert cursor.execute("SELECT * FROM t ORDER BY n").fetchall() == [(1, "x"), (2, "b"), (3, "y")]
    cursor.execute("ROLLBACK")
    assert cursor.execute("SELECT * FROM t ORDER BY n").fetchall() == [(1, "a"), (2, "b")]


def test_a_merge_of_two_rows_into_one_is_refused(cursor, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/sql/merge: nondeterministic results of UPDATE and DELETE."""
    cursor.execute("CREATE TABLE t (n INT)")
    cursor.execute("INSERT INTO t VALUES (1)")
    with raises_snowflake(100090):
        cursor.execute(
            "MERGE INTO t USING (SELECT 1 AS n UNION ALL SELECT 1) AS q ON t.n = q.n WHEN MATCHED THEN UPDATE SET n = 2"
        )


def test_a_definition_commits_the_open_transaction(connect):
    """https://docs.snowflake.com/en/sql-reference/transactions#ddl."""
    first, second = connect().cursor(), connect().cursor()
    first.execute("CREATE TABLE t (n INT)")
    first.execute("BEGIN")
    first.execute("INSERT INTO t VALUES (1)")
    first.execute("CREATE TABLE u (n INT)")
    first.execute("ROLLBACK")
    assert second.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_a_statement_in_a_transaction_sees_what_others_committed_before_it(connect):
    """https://docs.snowflake.com/en/sql-reference/transactions: READ COMMITTED is the isolation of tables."""
    first, second = connect().cursor(), connect().cursor()
    first.execute("CREATE TABLE t (n INT)")
    first.execute("BEGIN")
    assert first.execute("SELECT * FROM t").fetchall() == []
    second.execute("INSERT INTO t VALUES (1)")
    assert first.execute("SELECT * FROM t").fetchall() == [(1,)]
    first.execute("COMMIT")


def test_two_tables_swap_names_at_once(cursor):
    cursor.execute("CREATE TABLE t AS SELECT 1 AS n")
    cursor.execute("CREATE TABLE u AS SELECT 2 AS n")
    cursor.execute("ALTER TABLE t SWAP WITH u")
    assert cursor.execute("SELECT t.n, u.n FROM t, u").fetchone() == (2, 1)


def test_a_database_has_a_schema_public_that_becomes_current(cursor):
    """https://docs.snowflake.com/en/sql-reference/sql/create-database."""
    cursor.execute("CREATE DATABASE d2")
    assert cursor.execute("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()").fetchone() == ("D2", "PUBLIC")
    cursor.execute("USE DATABASE db")
    assert cursor.execute("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()").fetchone() == ("DB", "PUBLIC")


def test_dates_are_written_in_a_format(cursor):
    """https://docs.snowflake.com/en/sql-reference/functions/to_char."""
    row = cursor.execute(
        "SELECT TO_CHAR('2024-02-01'::DATE, 'YYYY/MM'), TO_VARCHAR('2024-02-01'::DATE, 'DD.MM.YYYY')"
    ).fetchone()
    assert row == ("2024/02", "01.02.2024")


def test_several_statements_at_once_are_refused(cursor, raises_snowflake):
    with raises_snowflake(8):
        cursor.execute("SELECT 1; SELECT 2")


def test_keys_are_not_enforced_but_a_primary_key_takes_no_null(cursor, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/constraints-overview: only NOT NULL is enforced."""
    cursor.execute("CREATE TABLE t (n INT PRIMARY KEY, u INT UNIQUE)")
    cursor.execute("CREATE TABLE v (n INT, m INT, s VARCHAR DEFAULT 'd', CONSTRAINT pk PRIMARY KEY (n, m))")
    cursor.execute("INSERT INTO t VALUES (1, 1), (1, 1)")
    cursor.execute("INSERT INTO v (n, m) VALUES (1, 1), (1, 1)")
    for statement in ("INSERT INTO t VALUES (NULL, 1)", "INSERT INTO v (n, m) VALUES (1, NULL)"):
        with raises_snowflake(100072):
            cursor.execute(statement)
    assert cursor.execute("SELECT * FROM v").fetchall() == [(1, 1, "d"), (1, 1, "d")]


def test_a_text_longer_than_its_column_is_refused(cursor, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/data-types-text: a longer string is an error."""
    cursor.execute('CREATE TABLE t (n INT, "a b" VARCHAR(3))')
    cursor.execute("INSERT INTO t VALUES (1, 'abc'), (2, NULL)")
    with raises_snowflake(100078):
        cursor.execute("INSERT INTO t VALUES (3, 'abcd')")
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert [row[1] for row in cursor.execute("DESC TABLE t").fetchall()] == ["NUMBER(38,0)", "VARCHAR(3)"]


def test_sums_of_numbers_are_exact(cursor):
    """https://docs.snowflake.com/en/sql-reference/functions/sum: the sum of numbers is a number."""
    cursor.execute("CREATE TABLE T (A NUMBER(10,2), B NUMBER(38,0))")
    cursor.execute("INSERT INTO T VALUES (0.10, 9007199254740993), (0.20, 0), (1410177.68, 0)")
    assert cursor.execute("SELECT SUM(A), SUM(B) FROM T").fetchall() == [(Decimal("1410177.98"), 9007199254740993)]


def test_a_null_timestamp_comes_as_null(cursor):
    cursor.execute("CREATE TABLE T (N NUMBER, S TIMESTAMP_NTZ, Z TIMESTAMP_TZ)")
    cursor.execute("INSERT INTO T VALUES (1, NULL, NULL), (2, '2024-01-02 03:04:05', '2024-01-02 03:04:05+00:00')")
    rows = cursor.execute("SELECT S, Z FROM T ORDER BY N").fetchall()
    assert rows[0] == (None, None)
    assert [str(moment)[:19] for moment in rows[1]] == ["2024-01-02 03:04:05"] * 2


def test_a_stage_needs_its_schema(cursor, raises_snowflake):
    with raises_snowflake(2003):
        cursor.execute("CREATE STAGE IF NOT EXISTS NOWHERE.S")


def test_a_schema_that_is_there_needs_the_privilege_to_make_it_all_the_same(connect, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/sql/create-schema: access control requirements."""
    cursor = connect().cursor()
    cursor.execute("CREATE ROLE LOADER")
    cursor.execute("GRANT USAGE ON DATABASE DB TO ROLE LOADER")
    with raises_snowflake(3001):
        connect(role="LOADER").cursor().execute("CREATE SCHEMA IF NOT EXISTS PUBLIC")
