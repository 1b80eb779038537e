"""What a loader asks an account: warehouses, histories, stages, grants; and who may do what."""

import pytest

connector = pytest.importorskip("snowflake.connector")
CSV = "FILE_FORMAT = (TYPE = CSV)"


@pytest.fixture
def loaded(cursor, tmp_path):
    """A table `t` with one file loaded, and one that failed."""
    cursor.execute("CREATE TABLE t (n INT)")
    cursor.execute("CREATE STAGE st")
    for name, content in (("a.csv", b"1\n2\n"), ("b.csv", b"x\n")):
        (tmp_path / name).write_bytes(content)
        cursor.execute(f"PUT 'file://{tmp_path / name}' @st AUTO_COMPRESS=FALSE")
    cursor.execute(f"COPY INTO t FROM @st {CSV} ON_ERROR = CONTINUE")
    return cursor.sfqid


def test_copy_history_tells_what_was_loaded(cursor, loaded):
    """https://docs.snowflake.com/en/sql-reference/functions/copy_history."""
    found = cursor.execute(
        "SELECT file_name, row_count, row_parsed, status, first_error_message "
        "FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY("
        "TABLE_NAME => 'T', START_TIME => DATEADD(hours, -1, CURRENT_TIMESTAMP()))) ORDER BY 1"
    ).fetchall()
    assert found == [
        ("a.csv", 2, 2, "Loaded", None),
        ("b.csv", 0, 1, "Load failed", "Numeric value 'x' is not recognized"),
    ]


def test_load_history_is_a_view(cursor, loaded):
    found = cursor.execute(
        "SELECT file_name, status FROM INFORMATION_SCHEMA.LOAD_HISTORY WHERE table_name = 'T' ORDER BY 1"
    )
    assert found.fetchall() == [("a.csv", "LOADED"), ("b.csv", "LOAD FAILED")]


def test_query_history_is_found_by_id_and_by_tag(connect):
    """https://docs.snowflake.com/en/sql-reference/functions/query_history."""
    cursor = connect(session_parameters={"QUERY_TAG": "run-1"}).cursor()
    query_id = cursor.execute("SELECT 41").sfqid
    history = "SELECT query_text, execution_status FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())"
    assert cursor.execute(f"{history} WHERE query_id = '{query_id}'").fetchall() == [("SELECT 41", "SUCCESS")]
    assert ("SELECT 41", "SUCCESS") in cursor.execute(f"{history} WHERE query_tag = 'run-1'").fetchall()
    cursor.execute("ALTER SESSION SET QUERY_TAG = 'run-2'")
    cursor.execute("SELECT 42")
    assert ("SELECT 42", "SUCCESS") in cursor.execute(f"{history} WHERE query_tag = 'run-2'").fetchall()


def named(cursor):
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_show_warehouses_tells_size_and_state(emulator, cursor):
    """https://docs.snowflake.com/en/sql-reference/sql/show-warehouses."""
    emulator.warehouse(size="Large", state="SUSPENDED", auto_resume=False)
    (row,) = named(cursor.execute("SHOW WAREHOUSES LIKE 'compute%'"))
    assert (row["name"], row["size"], row["state"], row["auto_resume"]) == ("COMPUTE_WH", "Large", "SUSPENDED", "false")
    assert row["is_current"] == "Y"


def test_a_suspended_warehouse_resumes_by_itself_only_if_it_may(emulator, cursor, loaded, raises_snowflake):
    emulator.warehouse(state="SUSPENDED", auto_resume=False)
    with raises_snowflake(606):
        cursor.execute(f"COPY INTO t FROM @st {CSV}")
    with raises_snowflake(606):
        cursor.execute("SELECT n FROM t")
    emulator.warehouse(state="SUSPENDED", auto_resume=True)
    assert cursor.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (2,)]
    assert named(cursor.execute("SHOW WAREHOUSES"))[0]["state"] == "STARTED"


def test_show_stages_and_parameters(cursor):
    cursor.execute("CREATE STAGE one ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') COMMENT = 'mine'")
    cursor.execute("CREATE TEMPORARY STAGE two")
    found = {row["name"]: row for row in named(cursor.execute("SHOW STAGES"))}
    assert (found["ONE"]["type"], found["ONE"]["comment"]) == ("INTERNAL NO CSE", "mine")
    assert found["TWO"]["type"] == "INTERNAL TEMPORARY"
    assert [row["name"] for row in named(cursor.execute("SHOW STAGES LIKE 'on%' IN SCHEMA DB.PUBLIC"))] == ["ONE"]
    assert named(cursor.execute("SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT%'"))[0]["value"] == "172800"


def test_tables_are_shown_and_described(cursor):
    cursor.execute("CREATE TABLE t (n NUMBER(10,2) NOT NULL, s VARCHAR(5))")
    assert [row["name"] for row in named(cursor.execute("SHOW TABLES LIKE 'T'"))] == ["T"]
    found = [(row["name"], row["type"], row["null?"]) for row in named(cursor.execute("DESC TABLE t"))]
    assert found == [("N", "NUMBER(10,2)", "N"), ("S", "VARCHAR(5)", "Y")]


def test_a_role_may_do_what_was_granted_to_it(connect, raises_snowflake):
    """https://docs.snowflake.com/en/user-guide/security-access-control-privileges."""
    admin = connect().cursor()
    admin.execute("CREATE TABLE t (n INT)")
    admin.execute("CREATE STAGE st")
    admin.execute("CREATE ROLE loader")
    with raises_snowflake(2003):
        connect(role="LOADER").cursor().execute("SELECT * FROM db.public.t")
    admin.execute("GRANT USAGE ON WAREHOUSE compute_wh TO ROLE loader")
    admin.execute("GRANT USAGE ON DATABASE db TO ROLE loader")
    admin.execute("GRANT USAGE ON SCHEMA db.public TO ROLE loader")
    loader = connect(role="LOADER").cursor()
    admin.execute("GRANT SELECT ON TABLE t TO ROLE loader")
    assert loader.execute("SELECT * FROM t").fetchall() == []
    for statement in ("INSERT INTO t VALUES (1)", "CREATE TABLE u (n INT)", "DELETE FROM t"):
        with raises_snowflake(3001):
            loader.execute(statement)
    with raises_snowflake(2003):
        loader.execute("LIST @st")
    admin.execute("GRANT CREATE TABLE, CREATE STAGE ON SCHEMA db.public TO ROLE loader")
    admin.execute("GRANT READ ON STAGE st TO ROLE loader")
    loader.execute("CREATE TABLE u (n INT)")
    loader.execute("INSERT INTO u VALUES (1)")
    assert loader.execute("LIST @st").fetchall() == []
    with raises_snowflake(3001):
        loader.execute("REMOVE @st")
    privileges = {row["privilege"] for row in named(admin.execute("SHOW GRANTS TO ROLE loader"))}
    assert privileges == {"USAGE", "SELECT", "CREATE TABLE", "CREATE STAGE", "READ", "OWNERSHIP"}


def test_the_administrator_owns_what_no_other_role_does(cursor):
    """https://docs.snowflake.com/en/sql-reference/sql/show-grants."""
    cursor.execute("CREATE TABLE t (n INT)")
    found = {(row["granted_on"], row["name"]) for row in named(cursor.execute("SHOW GRANTS TO ROLE ACCOUNTADMIN"))}
    expected = {("DATABASE", "DB"), ("SCHEMA", "DB.PUBLIC"), ("TABLE", "DB.PUBLIC.T"), ("WAREHOUSE", "COMPUTE_WH")}
    assert found == expected
    (row,) = named(cursor.execute("SHOW GRANTS ON SCHEMA db.public"))
    assert (row["privilege"], row["grantee_name"]) == ("OWNERSHIP", "ACCOUNTADMIN")


def test_a_role_that_does_not_exist_is_refused_at_login(connect):
    with pytest.raises(connector.errors.Error, match="NOBODY"):
        connect(role="NOBODY")


@pytest.mark.parametrize(("named", "left"), [({"database": "NOPE"}, (None, None)), ({"schema": "NOPE"}, ("DB", None))])
def test_a_database_or_schema_that_does_not_exist_is_none_of_the_session(connect, raises_snowflake, named, left):
    """https://github.com/snowflakedb/snowflake-connector-python/issues/26: the login itself does not fail."""
    cursor = connect(**named).cursor()
    assert cursor.execute("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()").fetchone() == left
    with raises_snowflake(90105 if left[0] is None else 90106):
        cursor.execute("CREATE TABLE t (n INT)")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE SCHEMA IF NOT EXISTS nope.public", "Database 'NOPE' does not exist or not authorized."),
        ("SELECT * FROM nope.public.t", "Database 'NOPE' does not exist or not authorized."),
        ("DESCRIBE TABLE nope.public.t", "Database 'NOPE' does not exist or not authorized."),
        ("SELECT * FROM db.nope.t", "Schema 'NOPE' does not exist or not authorized."),
    ],
)
def test_a_database_or_schema_that_does_not_exist_is_told_as_such(cursor, raises_snowflake, statement, said):
    with raises_snowflake(2003) as caught:
        cursor.execute(statement)
    assert said in caught.value.raw_msg


def test_no_schemas_of_a_database_that_does_not_exist_are_shown(cursor, raises_snowflake):
    with raises_snowflake(2043):
        cursor.execute("SHOW SCHEMAS IN DATABASE nope")
    assert "PUBLIC" in [row[1] for row in cursor.execute("SHOW SCHEMAS IN DATABASE db").fetchall()]


def test_a_wrong_password_is_refused(emulator, connect):
    emulator.reset(passwords={"TESTER": "right"})
    with pytest.raises(connector.errors.Error) as caught:
        connect(password="wrong")
    assert "Incorrect username or password was specified" in str(caught.value)
    assert connect(password="right").cursor().execute("SELECT 1").fetchone() == (1,)


def test_stage_files_are_listed_and_removed_by_path_and_pattern(cursor, tmp_path):
    """https://docs.snowflake.com/en/sql-reference/sql/remove."""
    cursor.execute("CREATE STAGE st")
    for name in ("a.csv", "b.csv", "c.txt"):
        (tmp_path / name).write_bytes(b"1\n")
        cursor.execute(f"PUT 'file://{tmp_path / name}' @st/run AUTO_COMPRESS=FALSE")
    assert [r[0] for r in cursor.execute("LIST @st PATTERN = '.*[.]csv'").fetchall()] == [
        "st/run/a.csv",
        "st/run/b.csv",
    ]
    assert cursor.execute("REMOVE @st/run PATTERN = '.*a[.]csv'").fetchall() == [("st/run/a.csv", "removed")]
    cursor.execute("RM @st/run/b.csv")
    assert [r[0] for r in cursor.execute("LS @st").fetchall()] == ["st/run/c.txt"]


@pytest.mark.parametrize("stage", ["@~", "@%t"])
def test_the_users_and_a_tables_stage_exist_by_themselves(cursor, tmp_path, stage):
    """https://docs.snowflake.com/en/user-guide/data-load-local-file-system-create-stage."""
    cursor.execute("CREATE TABLE t (n INT)")
    (tmp_path / "a.csv").write_bytes(b"1\n")
    cursor.execute(f"PUT 'file://{tmp_path / 'a.csv'}' {stage}/x AUTO_COMPRESS=FALSE")
    assert [r[0] for r in cursor.execute(f"LIST {stage}").fetchall()] == ["x/a.csv"]
    cursor.execute(f"COPY INTO t FROM {stage} {CSV}")
    assert cursor.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_a_file_that_exists_is_kept_without_overwrite(cursor, tmp_path):
    """https://docs.snowflake.com/en/sql-reference/sql/put, OVERWRITE."""
    cursor.execute("CREATE STAGE st ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    path = tmp_path / "a.csv"
    for content in (b"1\n", b"22\n"):
        path.write_bytes(content)
        cursor.execute(f"PUT 'file://{path}' @st AUTO_COMPRESS=FALSE OVERWRITE=FALSE")
    assert cursor.execute("LIST @st").fetchone()[1] == 2
    cursor.execute(f"PUT 'file://{path}' @st AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
    assert cursor.execute("LIST @st").fetchone()[1] == 3


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT $1 FROM @st",
        "CALL p()",
        "SHOW PIPES",
        "DESC PIPE p",
        "SELECT * FROM TABLE(VALIDATE(t, JOB_ID => '_last'))",
        "ALTER STAGE st SET COMMENT = 'x'",
    ],
)
def test_what_is_not_emulated_is_refused_with_a_number_of_its_own(cursor, raises_snowflake, statement):
    cursor.execute("CREATE STAGE st")
    with raises_snowflake(391999):
        cursor.execute(statement)


def test_a_second_writer_waits_for_the_first(connect):
    """https://docs.snowflake.com/en/sql-reference/transactions#resource-locking: until the transaction ends."""
    first, second = connect(), connect()
    one, two = first.cursor(), second.cursor()
    one.execute("CREATE TABLE t (n INT)")
    one.execute("INSERT INTO t VALUES (1)")
    one.execute("BEGIN")
    one.execute("DELETE FROM t")
    one.execute("INSERT INTO t VALUES (2)")
    two.execute_async("DELETE FROM t WHERE n = 2")
    query_id = two.sfqid
    assert second.is_still_running(second.get_query_status(query_id))
    one.execute("COMMIT")
    while second.is_still_running(second.get_query_status(query_id)):
        pass
    assert one.execute("SELECT count(*) FROM t").fetchone() == (0,)


def orphaned(connect):
    """A session that holds a table in a transaction and whose client says no more."""
    cursor = connect().cursor()
    cursor.execute("CREATE TABLE t AS SELECT 1 AS n")
    cursor.execute("BEGIN")
    cursor.execute("DELETE FROM t")
    return cursor


def test_an_abandoned_transaction_is_found_and_aborted(connect):
    """https://docs.snowflake.com/en/sql-reference/transactions#aborting-transactions."""
    orphan, cursor = orphaned(connect), connect().cursor()
    (row,) = named(cursor.execute("SHOW TRANSACTIONS IN ACCOUNT"))
    assert named(cursor.execute("SHOW LOCKS IN ACCOUNT"))[0]["resource"] == "DB.PUBLIC.T"
    cursor.execute(f"SELECT SYSTEM$ABORT_TRANSACTION({row['id']})")
    cursor.execute("DELETE FROM t")
    assert cursor.rowcount == 1
    assert orphan.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_lock_is_waited_for_no_longer_than_lock_timeout(connect, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/parameters#lock-timeout."""
    orphaned(connect)
    cursor = connect().cursor()
    cursor.execute("ALTER SESSION SET LOCK_TIMEOUT = 1")
    with raises_snowflake(625):
        cursor.execute("DELETE FROM t")


def test_an_abandoned_transaction_that_was_idle_for_long_gives_way(emulator, connect):
    """https://docs.snowflake.com/en/sql-reference/transactions: rolled back after four hours, here in an instant."""
    emulator.reset(idle_transaction_seconds=0.0)
    orphaned(connect)
    cursor = connect().cursor()
    cursor.execute("DELETE FROM t")
    assert cursor.rowcount == 1
