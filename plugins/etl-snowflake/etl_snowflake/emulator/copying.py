"""COPY INTO a table: which files, what each gives, what is kept."""

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from etl_snowflake.emulator import transactions
from etl_snowflake.emulator.conversion import Column, quoted
from etl_snowflake.emulator.copy_statement import CopyStatement, parse_copy
from etl_snowflake.emulator.delimited import plain_text
from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.file_formats import FileFormat, resolve
from etl_snowflake.emulator.load_metadata import LoadRecord
from etl_snowflake.emulator.parsing import ParsedFile, RowError, Target, parse
from etl_snowflake.emulator.results import COPY, SELECT, Result, rows
from etl_snowflake.emulator.stage_statements import files_below, find_stage
from etl_snowflake.emulator.stages import Stage, StagedFile
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

Name = tuple[str, str, str]
_ADVICE = (
    "\n  If you would like to continue loading when an error is encountered, use other values such as 'SKIP_FILE' or 'CONTINUE' "
    "for the ON_ERROR option. For more information on loading options, please run 'info loading_data' in a SQL client."
)
_CONCURRENTLY = (
    " If you are running a copy command, please make sure files are not deleted when they are being loaded or files are not "
    "being loaded into two different tables concurrently with auto purge option."
)
_CAUSES = " There are several potential causes. The file might not exist. The required credentials may be missing or invalid."
_COLUMNS = (
    "file",
    "status",
    ("rows_parsed", "fixed"),
    ("rows_loaded", "fixed"),
    ("error_limit", "fixed"),
    ("errors_seen", "fixed"),
    "first_error",
    ("first_error_line", "fixed"),
    ("first_error_character", "fixed"),
    "first_error_column_name",
)
_VALIDATION_COLUMNS = (
    "ERROR",
    "FILE",
    ("LINE", "fixed"),
    ("CHARACTER", "fixed"),
    ("BYTE_OFFSET", "fixed"),
    "CATEGORY",
    ("CODE", "fixed"),
    "SQL_STATE",
    "COLUMN_NAME",
    ("ROW_NUMBER", "fixed"),
    ("ROW_START_LINE", "fixed"),
)


@dataclass(frozen=True, slots=True)
class _Job:
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
        return self.stage.prefix + staged.path


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a COPY INTO a table."""
    parsed = parse_copy(statement)
    if parsed is None:
        return None
    job = _resolve(account, query, parsed)
    account.warehouses.require_running(query.session.warehouse)
    if parsed.validation is not None:
        return _validate(account, job)
    files = [f for f in job.files if parsed.options.get("FORCE") or not _is_loaded(account, job, f)]
    limit = parsed.options.get("SIZE_LIMIT")
    if isinstance(limit, int):
        files = _within(files, limit)
    try:
        outcomes = _load(account, job, files)
    finally:
        transactions.after_statement(account, query.session)
    return _report(account, job, files, outcomes)


def _resolve(account: "Account", query: "Query", parsed: CopyStatement) -> _Job:
    session = query.session
    table = session.qualify(parsed.table)
    stage = find_stage(account, session, parsed.stage)
    if stage.name[2].startswith("%") and (*stage.name[:2], stage.name[2][1:]) != table:
        raise SnowflakeError(
            f"SQL compilation error:\nAccess to the stage area of a table ({stage.name[2][1:]}) with the schema of another table "
            f"({table[2]}) is not allowed.",
            1023,
            "42601",
        )
    options = parsed.options.get("FILE_FORMAT")
    fmt = resolve(account, session, options if isinstance(options, dict) else stage.options)
    files, missing = _select_files(stage, parsed)
    if missing and parsed.on_error == "ABORT_STATEMENT":
        raise SnowflakeError(_not_found(stage, missing[0]) + _CONCURRENTLY, 91016, "22000")
    return _Job(parsed, query, table, stage, tuple(files), tuple(missing), fmt, _target(query, table, parsed))


def _select_files(stage: Stage, parsed: CopyStatement) -> tuple[list[StagedFile], list[str]]:
    """The files that the statement means, and the names in FILES that the stage does not hold. FILES outranks PATTERN."""
    path = parsed.stage.path
    names = parsed.options["FILES"]
    if isinstance(names, tuple) and names:
        folder = f"{path.rstrip('/')}/" if path else ""
        wanted = list(dict.fromkeys(folder + name for name in names))
        return [stage.files[p] for p in wanted if p in stage.files], [p for p in wanted if p not in stage.files]
    pattern = parsed.options.get("PATTERN")
    found = files_below(stage, path)
    if pattern is not None:
        found = [f for f in found if re.fullmatch(str(pattern), f.path) or re.fullmatch(str(pattern), stage.prefix + f.path)]
    return found, []


def _not_found(stage: Stage, path: str) -> str:
    return f"Remote file '@{stage.prefix or stage.name[2] + '/'}{path}' was not found."


def table_columns(duck: duckdb.DuckDBPyConnection, table: Name) -> list[tuple[Column, bool]]:
    """A table's columns, and of each whether it has a default.

    :raises SnowflakeError: 2003, there is no such table.
    """
    found = duck.execute(
        """SELECT c.column_name, c.data_type, e.ext_character_maximum_length, c.is_nullable, c.column_default IS NOT NULL
        FROM duckdb_columns() c LEFT JOIN _fs_global._fs_information_schema._fs_columns_ext e
        ON e.ext_table_catalog = c.database_name AND e.ext_table_schema = c.schema_name
        AND e.ext_table_name = c.table_name AND e.ext_column_name = c.column_name
        WHERE ((c.database_name = ? AND c.schema_name = ?) OR c.database_name = 'temp') AND c.table_name = ?
        ORDER BY c.database_name = 'temp' DESC, c.column_index""",
        list(table),
    ).fetchall()
    if not found:
        raise SnowflakeError(f"SQL compilation error:\nTable '{'.'.join(table)}' does not exist or not authorized.", 2003, "42S02")
    return [(Column(n, k, length, nullable, i + 1), default) for i, (n, k, length, nullable, default) in enumerate(found)]


def _target(query: "Query", table: Name, parsed: CopyStatement) -> Target:
    known = {c.name: (c, default) for c, default in table_columns(query.session.duck, table)}
    names = parsed.columns or tuple(known)
    for name in names:
        if name not in known:
            raise SnowflakeError(f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{name}'", 904, "42000")
    columns = tuple(known[n][0] for n in names)
    missing = tuple(c for n, (c, default) in known.items() if n not in names and not c.nullable and not default)
    select = parsed.select
    if select is not None:
        select, count = _translate(query, select)
        if not parsed.columns:
            columns = columns[:count]
        if count != len(columns):
            raise SnowflakeError(
                f"SQL compilation error:\nInsert value list does not match column list expecting {len(columns)} but got {count}", 2020, "21S01"
            )
    truncate = bool(parsed.options.get("TRUNCATECOLUMNS")) or parsed.options.get("ENFORCE_LENGTH") is False
    counted = not parsed.columns and select is None
    return Target(table=table[2], columns=columns, counts_fields=counted, select=select, width=parsed.width, missing_required=missing, truncate=truncate)


def _translate(query: "Query", select: str) -> tuple[str, int]:
    """The SELECT list in DuckDB's SQL, and how many values it gives."""
    from fakesnow.dialect import parse_one  # noqa: PLC0415
    from sqlglot import exp  # noqa: PLC0415

    expression = query.session.connection.cursor()._transform(parse_one(f"SELECT {select}"), None)
    if not isinstance(expression, exp.Select):
        raise SnowflakeError("SQL compilation error:\nCOPY statement only supports simple SELECT from stage statements for import.", 2104, "0A000")
    return ", ".join(e.sql(dialect="duckdb") for e in expression.expressions), len(expression.expressions)


def _is_loaded(account: "Account", job: _Job, staged: StagedFile) -> bool:
    pending = any(r.table == job.table and r.stage == job.stage.key and r.file == staged.path and r.etag == staged.md5 for r in job.query.session.pending_loads)
    return pending or account.load_metadata.is_loaded(job.table, job.stage.key, staged.path, staged.md5)


def _within(files: list[StagedFile], limit: int) -> list[StagedFile]:
    """The files until the size limit is reached; one at least is loaded."""
    chosen, size = [], 0
    for staged in files:
        if chosen and size >= limit:
            break
        chosen.append(staged)
        size += staged.size
    return chosen


def _parse(account: "Account", job: _Job, staged: StagedFile) -> ParsedFile:
    job.query.check()
    name = staged.path
    try:
        data = plain_text(staged.read(), name, job.fmt)
    except ValueError as error:
        raise SnowflakeError(f"Failed to decrypt the file '{name}': {error}", 100096, "22000") from error
    with account.fakesnow.duck_conn.cursor() as scratch:
        try:
            return parse(data, name, staged.modified, job.fmt, job.target, scratch)
        except duckdb.ConversionException as error:
            raise SnowflakeError(f"{str(error).splitlines()[0]}\n  File '{name}'", 100038, "22018") from error


def _load(account: "Account", job: _Job, files: list[StagedFile]) -> list[tuple[ParsedFile, str]]:
    """Parse and insert; nothing is kept when the statement fails."""
    session = job.query.session
    strict = job.statement.on_error == "ABORT_STATEMENT"
    if session.in_transaction and strict:
        # a failed insert would abort the session's transaction in DuckDB, so the errors are found before the first
        for staged in files:
            _abort_on_error(_parse(account, job, staged), staged.path)
    own = not session.in_transaction
    if own:
        session.duck.begin()
    outcomes = []
    try:
        for staged in files:
            parsed = _parse(account, job, staged)
            if strict:
                _abort_on_error(parsed, staged.path)
            status = _status(job, parsed)
            if status != "LOAD_FAILED":
                _insert(session.duck, job, parsed.table)
            outcomes.append((parsed, status))
        job.query.check()
        if own:
            session.duck.commit()
    except BaseException:
        if own:
            session.duck.rollback()
        raise
    session.has_written = session.has_written or session.in_transaction
    return outcomes


def _insert(duck: duckdb.DuckDBPyConnection, job: _Job, table: pa.Table) -> None:
    duck.register("_copy_rows", table)
    columns = ", ".join(quoted(c.name) for c in job.target.columns)
    try:
        duck.execute(f"INSERT INTO {'.'.join(quoted(p) for p in job.table)} ({columns}) SELECT * FROM _copy_rows")
    finally:
        duck.unregister("_copy_rows")


def _abort_on_error(parsed: ParsedFile, name: str) -> None:
    if parsed.errors:
        error = parsed.errors[0]
        raise SnowflakeError(_located(error, name) + _ADVICE, error.errno, error.sqlstate)


def _located(error: RowError, name: str) -> str:
    row = f"Row {error.row}" if error.line == error.start_line else f"Row {error.row} starts at line {error.start_line}"
    return f"{error.message}\n  File '{name}', line {error.line}, character {error.character}\n  {row}, column {error.column}"


def _status(job: _Job, parsed: ParsedFile) -> str:
    bad = parsed.rows - parsed.table.num_rows
    dropped = job.statement.on_error.startswith("SKIP_FILE") and bad >= _error_limit(job, parsed)
    if dropped or (bad and parsed.table.num_rows == 0):
        return "LOAD_FAILED"
    return "PARTIALLY_LOADED" if bad else "LOADED"


def _error_limit(job: _Job, parsed: ParsedFile) -> int:
    """How many bad rows a file may hold: from there on it is skipped."""
    if job.statement.on_error == "CONTINUE":
        return max(parsed.rows, 1)
    allowed = re.fullmatch(r"SKIP_FILE_(\d+)(%?)", job.statement.on_error)
    if allowed is None:
        return 1
    return max(1, int(allowed[1]) * parsed.rows // 100) if allowed[2] else int(allowed[1])


def _report(account: "Account", job: _Job, files: list[StagedFile], outcomes: list[tuple[ParsedFile, str]]) -> Result:
    session = job.query.session
    records = [_record(job, staged, parsed, status) for staged, (parsed, status) in zip(files, outcomes, strict=True)]
    if session.in_transaction:
        session.pending_loads += records
    else:
        account.load_metadata.record(records)
    if job.statement.options.get("PURGE"):
        for staged, (_, status) in zip(files, outcomes, strict=True):
            if status == "LOADED":
                account.stages.remove(job.stage, staged.path)
    shown = [_row(job, job.display(staged), parsed, status) for staged, (parsed, status) in zip(files, outcomes, strict=True)]
    if job.statement.options.get("RETURN_FAILED_ONLY"):
        shown = [row for row in shown if row[1] != "LOADED"]
    elif job.statement.options["FILES"]:
        # a file that the statement names is answered for, even when the load metadata knows it
        skipped = [f for f in job.files if f not in files]
        shown += [[job.display(f), "LOAD_SKIPPED", 0, 0, 1, 1, "File was loaded before.", None, None, None] for f in skipped]
    for path in job.missing:
        message = _not_found(job.stage, path) + _CAUSES + _CONCURRENTLY
        shown.append([job.stage.prefix + path, "LOAD_FAILED", 0, 0, 1, 1, message, None, None, None])
    if not shown and not files:
        return rows(["status"], [["Copy executed with 0 files processed."]], COPY)
    return rows(_COLUMNS, shown, COPY)


def _row(job: _Job, name: str, parsed: ParsedFile, status: str) -> list[object]:
    first = parsed.errors[0] if parsed.errors else None
    loaded = parsed.table.num_rows if status != "LOAD_FAILED" else 0
    return [
        name,
        status,
        parsed.rows,
        loaded,
        _error_limit(job, parsed),
        parsed.rows - parsed.table.num_rows,
        first and first.message,
        first and first.line,
        first and first.character,
        first and first.column,
    ]


def _record(job: _Job, staged: StagedFile, parsed: ParsedFile, status: str) -> LoadRecord:
    row = _row(job, "", parsed, status)
    first = parsed.errors[0] if parsed.errors else None
    return LoadRecord(
        table=job.table,
        stage=job.stage.key,
        stage_name=".".join(job.stage.name),
        file=staged.path,
        etag=staged.md5,
        size=staged.size,
        rows_parsed=parsed.rows,
        rows_loaded=int(str(row[3])),
        errors_seen=int(str(row[5])),
        error_limit=int(str(row[4])),
        status={"LOADED": "Loaded", "PARTIALLY_LOADED": "Partially loaded", "LOAD_FAILED": "Load failed"}[status],
        first_error=first.message if first else None,
        first_error_line=first.line if first else None,
        first_error_character=first.character if first else None,
        first_error_column=first.column if first else None,
        loaded_at=time.time(),
        query_id=job.query.query_id,
    )


def _validate(account: "Account", job: _Job) -> Result:
    """What VALIDATION_MODE answers: errors as rows, or the first rows as they would be loaded."""
    found: list[list[object]] = []
    wanted = re.fullmatch(r"RETURN_(\d+)_ROWS", str(job.statement.validation))
    sample: list[pa.Table] = []
    for staged in job.files:
        parsed = _parse(account, job, staged)
        if wanted:
            _abort_on_error(parsed, staged.path)
            sample.append(parsed.table)
        for e in parsed.errors:
            category = "parsing" if e.is_structural else "conversion"
            found.append([e.message, job.display(staged), e.line, e.character, e.offset, category, e.errno, e.sqlstate, e.column, e.row, e.start_line])
    if wanted is None:
        return rows(_VALIDATION_COLUMNS, found, SELECT)
    names = [c.name for c in job.target.columns]
    values = pa.concat_tables(sample).slice(0, int(wanted[1])).to_pylist() if sample else []
    return rows(names, [[str(v) if v is not None else None for v in row.values()] for row in values], SELECT)


