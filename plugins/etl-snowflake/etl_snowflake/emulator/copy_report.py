"""What COPY answers: a row per file, the load metadata it leaves, and what VALIDATION_MODE shows."""

import re
import time
from dataclasses import dataclass

import pyarrow as pa

from etl_snowflake.emulator.copy_job import CONCURRENTLY, CopyJob, not_found
from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.load_metadata import LoadRecord
from etl_snowflake.emulator.parsed_file import ParsedFile, RowError
from etl_snowflake.emulator.results import COPY, SELECT, Result, rows
from etl_snowflake.emulator.stages import StagedFile

_ADVICE = (
    "\n  If you would like to continue loading when an error is encountered, use other values such as 'SKIP_FILE' or "
    "'CONTINUE' for the ON_ERROR option. For more information on loading options, please run 'info loading_data' in a "
    "SQL client."
)
_CAUSES = (
    " There are several potential causes. The file might not exist. The required credentials may be missing or invalid."
)
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

_HISTORY_STATUS = {"LOADED": "Loaded", "PARTIALLY_LOADED": "Partially loaded", "LOAD_FAILED": "Load failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file.

    :param parsed: its rows; `good`: those without an error; `loaded`: those in the table.
    """

    staged: StagedFile
    status: str
    parsed: int
    good: int
    error_limit: int
    first: RowError | None

    @property
    def loaded(self) -> int:
        """Rows that are in the table."""
        return 0 if self.status == "LOAD_FAILED" else self.good

    @property
    def bad(self) -> int:
        """Rows with an error."""
        return self.parsed - self.good


def outcome(job: CopyJob, staged: StagedFile, parsed: ParsedFile) -> Outcome:
    """Decide by ON_ERROR what becomes of a parsed file."""
    limit = _error_limit(job.statement.on_error, parsed.rows)
    good = parsed.table.num_rows
    bad = parsed.rows - good
    dropped = job.statement.on_error.startswith("SKIP_FILE") and bad >= limit
    status = "LOAD_FAILED" if dropped or (bad and not good) else "PARTIALLY_LOADED" if bad else "LOADED"
    first = parsed.errors[0] if parsed.errors else None
    return Outcome(staged=staged, status=status, parsed=parsed.rows, good=good, error_limit=limit, first=first)


def _error_limit(on_error: str, parsed: int) -> int:
    """How many bad rows a file may hold: from there on it is skipped."""
    if on_error == "CONTINUE":
        return max(parsed, 1)
    allowed = re.fullmatch(r"SKIP_FILE_(\d+)(%?)", on_error)
    if allowed is None:
        return 1
    return max(1, int(allowed[1]) * parsed // 100) if allowed[2] else int(allowed[1])


def abort_on_error(parsed: ParsedFile, name: str) -> None:
    """Fail the statement when a file has an error.

    :raises SnowflakeError: the first error, with file, line, character, row and column.
    """
    if parsed.errors:
        error = parsed.errors[0]
        row = f"Row {error.row}"
        if error.line != error.start_line:
            row += f" starts at line {error.start_line}"
        where = f"\n  File '{name}', line {error.line}, character {error.character}\n  {row}, column {error.column}"
        raise SnowflakeError(error.message + where + _ADVICE, error.errno, error.sqlstate)


def report(job: CopyJob, outcomes: list[Outcome]) -> Result:
    """The answer of a COPY that ran: a row per file, or that there was none."""
    shown = [_row(job, o) for o in outcomes]
    if job.statement.options.get("RETURN_FAILED_ONLY"):
        shown = [row for row in shown if row[1] != "LOADED"]
    elif job.statement.options["FILES"]:
        # a file that the statement names is answered for, even when the load metadata knows it
        loaded = [o.staged for o in outcomes]
        skipped = [f for f in job.files if f not in loaded]
        shown += [_other(job.display(f), "LOAD_SKIPPED", "File was loaded before.") for f in skipped]
    for path in job.missing:
        message = not_found(job.stage, path) + _CAUSES + CONCURRENTLY
        shown.append(_other(job.stage.prefix + path, "LOAD_FAILED", message))
    if not shown and not outcomes:
        return rows(["status"], [["Copy executed with 0 files processed."]], COPY)
    return rows(_COLUMNS, shown, COPY)


def _row(job: CopyJob, o: Outcome) -> list[object]:
    located = [o.first.message, o.first.line, o.first.character, o.first.column] if o.first else [None] * 4
    return [job.display(o.staged), o.status, o.parsed, o.loaded, o.error_limit, o.bad, *located]


def _other(name: str, status: str, message: str) -> list[object]:
    return [name, status, 0, 0, 1, 1, message, None, None, None]


def load_record(job: CopyJob, o: Outcome) -> LoadRecord:
    """What the load metadata keeps of a file."""
    return LoadRecord(
        table=job.table,
        stage=job.stage.key,
        stage_name=".".join(job.stage.name),
        file=o.staged.path,
        etag=o.staged.md5,
        size=o.staged.size,
        rows_parsed=o.parsed,
        rows_loaded=o.loaded,
        errors_seen=o.bad,
        error_limit=o.error_limit,
        status=_HISTORY_STATUS[o.status],
        first_error=o.first.message if o.first else None,
        first_error_line=o.first.line if o.first else None,
        first_error_character=o.first.character if o.first else None,
        first_error_column=o.first.column if o.first else None,
        loaded_at=time.time(),
        query_id=job.query.query_id,
    )


def error_rows(job: CopyJob, parsed: list[tuple[StagedFile, ParsedFile]]) -> Result:
    """What VALIDATION_MODE = RETURN_ERRORS answers."""
    found = []
    for staged, file in parsed:
        for e in file.errors:
            category = "parsing" if e.is_structural else "conversion"
            where = (e.line, e.character, e.offset, category, e.errno, e.sqlstate, e.column, e.row, e.start_line)
            found.append((e.message, job.display(staged), *where))
    return rows(_VALIDATION_COLUMNS, found, SELECT)


def sample_rows(job: CopyJob, tables: list[pa.Table], count: int) -> Result:
    """What VALIDATION_MODE = RETURN_n_ROWS answers."""
    values = pa.concat_tables(tables).slice(0, count).to_pylist() if tables else []
    texts = [[None if v is None else str(v) for v in row.values()] for row in values]
    return rows([c.name for c in job.target.columns], texts, SELECT)
