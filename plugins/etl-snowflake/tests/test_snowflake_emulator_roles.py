"""Roles of the emulated account: what they inherit, secondary ones, and what a session lacks without privileges."""

import pytest

pytest.importorskip("snowflake.connector")


def named(cursor):
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def admin(connect):
    """A cursor that may do everything, in an account with a table and the roles `loader` and `reader`."""
    cursor = connect().cursor()
    for sql in (
        "CREATE TABLE t (n INT)",
        "CREATE ROLE loader",
        "CREATE ROLE reader",
        "GRANT USAGE ON WAREHOUSE compute_wh TO ROLE reader",
        "GRANT USAGE ON DATABASE db TO ROLE reader",
        "GRANT USAGE, CREATE TABLE ON SCHEMA db.public TO ROLE reader",
        "GRANT SELECT ON TABLE t TO ROLE reader",
    ):
        cursor.execute(sql)
    return cursor


def test_a_session_begins_without_what_its_role_may_not_use(admin, connect):
    cursor = connect(role="LOADER").cursor()
    asked = "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_WAREHOUSE()"
    assert cursor.execute(asked).fetchone() == (None, None, None)
    assert cursor.execute("SHOW WAREHOUSES").fetchall() == []


def test_a_role_has_what_the_roles_below_it_have(admin, connect):
    """https://docs.snowflake.com/en/user-guide/security-access-control-overview."""
    admin.execute("GRANT ROLE reader TO ROLE loader")
    cursor = connect(role="LOADER").cursor()
    assert cursor.execute("SELECT * FROM t").fetchall() == []
    cursor.execute("CREATE TABLE mine (n INT)")
    [row] = named(cursor.execute("SHOW GRANTS TO ROLE loader"))[-1:]
    assert (row["privilege"], row["granted_on"], row["name"]) == ("USAGE", "ROLE", "READER")
    admin.execute("REVOKE ROLE reader FROM ROLE loader")
    assert connect(role="LOADER").cursor().execute("SELECT CURRENT_DATABASE()").fetchone() == (None,)


def test_secondary_roles_allow_everything_but_creating(admin, connect, raises_snowflake):
    """https://docs.snowflake.com/en/sql-reference/sql/use-secondary-roles."""
    admin.execute("GRANT ROLE reader TO USER tester")
    cursor = connect(role="LOADER").cursor()
    assert cursor.execute("SELECT CURRENT_SECONDARY_ROLES()").fetchone() == ('{"roles": "READER", "value": "ALL"}',)
    assert cursor.execute("SELECT * FROM t").fetchall() == []
    with raises_snowflake(3001):
        cursor.execute("CREATE TABLE mine (n INT)")
    cursor.execute("USE SECONDARY ROLES NONE")
    with raises_snowflake(2003):
        cursor.execute("SELECT * FROM t")


def test_what_exists_unseen_is_not_made_nor_taken_over(admin, connect, raises_snowflake):
    cursor = connect(role="READER").cursor()
    admin.execute("CREATE TABLE hidden (n INT)")
    with raises_snowflake(3041):
        cursor.execute("CREATE TABLE IF NOT EXISTS hidden (n INT)")
    with raises_snowflake(2003):
        cursor.execute("DESCRIBE TABLE hidden")
    with raises_snowflake(3001):
        cursor.execute("CREATE SCHEMA IF NOT EXISTS db.public")
    with raises_snowflake(2003):
        cursor.execute("SHOW GRANTS TO ROLE loader")
    admin.execute("CREATE SCHEMA unseen")
    for schema in ("db.unseen", "db.nope"):
        with raises_snowflake(2043):
            cursor.execute(f"SHOW TABLES IN SCHEMA {schema}")


def test_existing_things_stay_whose_they_are(admin, connect, raises_snowflake):
    cursor = connect(role="READER").cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS t (n INT)")
    with raises_snowflake(3001):
        cursor.execute("INSERT INTO t VALUES (1)")


def test_nothing_is_granted_on_what_is_not_there(admin, raises_snowflake):
    for kind, name in (("WAREHOUSE", "nope"), ("DATABASE", "nope"), ("SCHEMA", "db.nope")):
        with raises_snowflake(2003):
            admin.execute(f"GRANT USAGE ON {kind} {name} TO ROLE loader")
    for kind in ("TABLE", "STAGE"):
        with raises_snowflake(2003):
            admin.execute(f"GRANT OWNERSHIP ON {kind} nope TO ROLE loader")
