# ruff: noqa: SLF001 - fakesnow offers its parts only under private names
"""A COPY with its names resolved: table, stage, files, format, and what the fields become."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from fakesnow.dialect import parse_one
from sqlglot import exp

from etl_snowflake.emulator.conversion import Column
from etl_snowflake.emulator.copy_statement import CopyStatement
from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.file_formats import FileFormat, resolve
from etl_snowflake.emulator.parsed_file import Target
from etl_snowflake.emulator.stage_statements import files_below, find_stage
from etl_snowflake.emulator.stages import Stage, StagedFile

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

Name = tuple[str, str, str]
CONCURRENTLY = (
    " If you are running a copy command, please make sure files are not deleted when they are being loaded or files "
    "are not being loaded into two different tables concurrently with auto purge option."
)


@dataclass(frozen=True, slots=True)
class CopyJob:
    """A COPY with its names resolved."""

    statement: CopyStatement
    query: "Query"
    table: Name
    stage: Stage
    files: tuple[StagedFile, ...]
    missing: tuple[str, ...]
    fmt: FileFormat
    target: Target

    def display(self, staged: StagedFile) -> str:
        """A file's name as the answer of COPY shows it."""
        return self.stage.prefix + staged.path


def resolve_job(account: "Account", query: "Query", parsed: CopyStatement) -> CopyJob:
    """Look up all that a COPY names.

    :raises SnowflakeError: something that does not exist, or may not be loaded this way.
    """
    session = query.session
    table = session.qualify(parsed.table)
    stage = find_stage(account, session, parsed.stage)
    if stage.name[2].startswith("%") and (*stage.name[:2], stage.name[2][1:]) != table:
        raise SnowflakeError(
            f"SQL compilation error:\nAccess to the stage area of a table ({stage.name[2][1:]}) with the schema of "
            f"another table ({table[2]}) is not allowed.",
            1023,
            "42601",
        )
    options = parsed.options.get("FILE_FORMAT")
    fmt = resolve(account, session, options if isinstance(options, dict) else stage.options)
    files, missing = _select_files(stage, parsed)
    if missing and parsed.on_error == "ABORT_STATEMENT":
        raise SnowflakeError(not_found(stage, missing[0]) + CONCURRENTLY, 91016, "22000")
    return CopyJob(parsed, query, table, stage, tuple(files), tuple(missing), fmt, _target(query, table, parsed))


def _select_files(stage: Stage, parsed: CopyStatement) -> tuple[list[StagedFile], list[str]]:
    """The files that the statement means, and those named in FILES that are missing. FILES outranks PATTERN."""
    path = parsed.stage.path
    names = parsed.options["FILES"]
    if isinstance(names, tuple) and names:
        folder = f"{path.rstrip('/')}/" if path else ""
        wanted = list(dict.fromkeys(folder + name for name in names))
        return [stage.files[p] for p in wanted if p in stage.files], [p for p in wanted if p not in stage.files]
    pattern = parsed.options.get("PATTERN")
    found = files_below(stage, path)
    if pattern is not None:
        found = [
            f for f in found if re.fullmatch(str(pattern), f.path) or re.fullmatch(str(pattern), stage.prefix + f.path)
        ]
    return found, []


def not_found(stage: Stage, path: str) -> str:
    """How Snowflake says that a file named in FILES is missing."""
    if stage.url:
        return f"Remote file '{stage.prefix}{path}' was not found."
    return f"Remote file '@{stage.prefix or stage.name[2] + '/'}{path}' was not found."


def table_columns(duck: duckdb.DuckDBPyConnection, table: Name) -> list[tuple[Column, bool]]:
    """A table's columns, and of each whether it has a default.

    :raises SnowflakeError: 2003, there is no such table.
    """
    found = duck.execute(
        """SELECT c.column_name, c.data_type, e.ext_character_maximum_length, c.is_nullable,
            c.column_default IS NOT NULL
        FROM duckdb_columns() c LEFT JOIN _fs_global._fs_information_schema._fs_columns_ext e
        ON e.ext_table_catalog = c.database_name AND e.ext_table_schema = c.schema_name
        AND e.ext_table_name = c.table_name AND e.ext_column_name = c.column_name
        WHERE ((c.database_name = ? AND c.schema_name = ?) OR c.database_name = 'temp') AND c.table_name = ?
        ORDER BY c.database_name = 'temp' DESC, c.column_index""",
        list(table),
    ).fetchall()
    if not found:
        raise SnowflakeError(
            f"SQL compilation error:\nTable '{'.'.join(table)}' does not exist or not authorized.", 2003, "42S02"
        )
    return [
        (Column(n, k, length, nullable, i + 1), default) for i, (n, k, length, nullable, default) in enumerate(found)
    ]


def _target(query: "Query", table: Name, parsed: CopyStatement) -> Target:
    known = {c.name: (c, default) for c, default in table_columns(query.session.duck, table)}
    names = parsed.columns or tuple(known)
    for name in names:
        if name not in known:
            raise SnowflakeError(
                f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{name}'", 904, "42000"
            )
    columns = tuple(known[n][0] for n in names)
    missing = tuple(c for n, (c, default) in known.items() if n not in names and not c.nullable and not default)
    select = parsed.select
    if select is not None:
        select, count = _translate(query, select)
        if not parsed.columns:
            columns = columns[:count]
        if count != len(columns):
            raise SnowflakeError(
                "SQL compilation error:\nInsert value list does not match column list "
                f"expecting {len(columns)} but got {count}",
                2020,
                "21S01",
            )
    truncate = bool(parsed.options.get("TRUNCATECOLUMNS")) or parsed.options.get("ENFORCE_LENGTH") is False
    counted = not parsed.columns and select is None
    return Target(
        table=table[2],
        columns=columns,
        counts_fields=counted,
        select=select,
        width=parsed.width,
        missing_required=missing,
        truncate=truncate,
    )


def _translate(query: "Query", select: str) -> tuple[str, int]:
    """The SELECT list in DuckDB's SQL, and how many values it gives."""

    expression = query.session.connection.cursor()._transform(parse_one(f"SELECT {select}"), None)
    if not isinstance(expression, exp.Select):
        raise SnowflakeError(
            "SQL compilation error:\nCOPY statement only supports simple SELECT from stage statements for import.",
            2104,
            "0A000",
        )
    return ", ".join(e.sql(dialect="duckdb") for e in expression.expressions), len(expression.expressions)
