"""What fakesnow asks and tells of its catalog, put right where Snowflake's names and views would not come through."""

from string import Template
from typing import Any

from fakesnow import cursor, info_schema
from fakesnow.transforms import transforms

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
_note_lengths = info_schema.insert_text_lengths_sql


class _OfLiterals(Template):
    """A statement with names between apostrophes, of which names may hold some."""

    def substitute(self, *mapping: Any, **names: Any) -> str:
        """The statement."""
        return super().substitute(*mapping, **{key: _inside_literal(str(name)) for key, name in names.items()})


def _inside_literal(name: str) -> str:
    return name.replace("'", "''")


def _note_lengths_of(catalog: str, schema: str, table: str, text_lengths: list[tuple[str, int]]) -> str:
    catalog, schema, table = map(_inside_literal, (catalog, schema, table))
    return _note_lengths(catalog, schema, table, [(_inside_literal(column), size) for column, size in text_lengths])


def take_apostrophes() -> None:
    """Have tables and columns defined, described and dropped whose names hold an apostrophe."""
    for name, statement in vars(cursor).items():
        if isinstance(statement, Template):
            setattr(cursor, name, _OfLiterals(statement.template))
    transforms.SQL_DESCRIBE_TABLE = _OfLiterals(transforms.SQL_DESCRIBE_TABLE.template)
    info_schema.insert_text_lengths_sql = _note_lengths_of


def list_views() -> None:
    """Have every database that is made from now on list its views among its tables, without rows and bytes.

    https://docs.snowflake.com/en/sql-reference/info-schema/tables
    """
    info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW = Template(_TABLES.template + _VIEWS)
