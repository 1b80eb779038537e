"""INFORMATION_SCHEMA.TABLES as Snowflake has it: with views, of which neither rows nor bytes are known."""

from string import Template

from fakesnow import info_schema

_VIEWS = """
UNION ALL BY NAME
SELECT
    views.database_name AS "TABLE_CATALOG",
    views.schema_name AS "TABLE_SCHEMA",
    views.view_name AS "TABLE_NAME",
    'SYSADMIN' AS "TABLE_OWNER",
    'VIEW' AS "TABLE_TYPE",
    'NO' AS "IS_TRANSIENT",
    to_timestamp(0)::timestamptz AS "CREATED",
    to_timestamp(0)::timestamptz AS "LAST_ALTERED",
    to_timestamp(0)::timestamptz AS "LAST_DDL",
    views.comment AS "COMMENT"
FROM duckdb_views() views
WHERE views.database_name = '${catalog}' AND NOT views.internal AND views.schema_name != '_fs_information_schema'
"""
_TABLES = info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW


def list_views() -> None:
    """Have every database that is made from now on list its views among its tables.

    https://docs.snowflake.com/en/sql-reference/info-schema/tables
    """
    info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW = Template(_TABLES.template + _VIEWS)
