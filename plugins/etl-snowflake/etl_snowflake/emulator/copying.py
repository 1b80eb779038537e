"""COPY INTO a table: parse each file, insert what ON_ERROR lets in, keep all of it or nothing."""

import re
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from etl_framework import usable_cores
from etl_snowflake.emulator import transactions
from etl_snowflake.emulator.conversion import quoted
from etl_snowflake.emulator.copy_job import CopyJob, resolve_job
from etl_snowflake.emulator.copy_report import (
    Outcome,
    abort_on_error,
    error_rows,
    load_record,
    outcome,
    report,
    sample_rows,
)
from etl_snowflake.emulator.copy_statement import parse_copy
from etl_snowflake.emulator.delimited import plain_text
from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.parsed_file import ParsedFile
from etl_snowflake.emulator.parsing import parse
from etl_snowflake.emulator.results import Result
from etl_snowflake.emulator.stages import StagedFile
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a COPY INTO a table."""
    parsed = parse_copy(statement)
    if parsed is None:
        return None
    job = resolve_job(account, query, parsed)
    account.warehouses.require_running(query.session.warehouse)
    if parsed.validation is not None:
        return _validate(account, job)
    files = [f for f in job.files if parsed.options.get("FORCE") or not _is_loaded(account, job, f)]
    limit = parsed.options.get("SIZE_LIMIT")
    if isinstance(limit, int):
        files = _within(files, limit)
    outcomes = _load(account, job, files)
    _remember(account, job, outcomes)
    return report(job, outcomes)


def _is_loaded(account: "Account", job: CopyJob, staged: StagedFile) -> bool:
    pending = any(
        r.table == job.table and r.stage == job.stage.key and r.file == staged.path and r.etag == staged.md5
        for r in job.query.session.pending_loads
    )
    return pending or account.load_metadata.is_loaded(job.table, job.stage.key, staged.path, staged.md5)


def _within(files: list[StagedFile], limit: int) -> list[StagedFile]:
    """The files until the size limit is reached; one at least is loaded."""
    chosen: list[StagedFile] = []
    size = 0
    for staged in files:
        if chosen and size >= limit:
            break
        chosen.append(staged)
        size += staged.size
    return chosen


def _parse(account: "Account", job: CopyJob, staged: StagedFile) -> ParsedFile:
    job.query.check()
    name = staged.path
    try:
        data = plain_text(staged.read(), name, job.fmt)
    except ValueError as error:
        raise SnowflakeError(f"Failed to decrypt the file '{name}': {error}", 100096, "22000") from error
    with account.fakesnow.duck_conn.cursor() as scratch:
        # A SELECT may call what fakesnow puts into each database, such as its cast to a timestamp.
        scratch.execute(f"USE {quoted(job.table[0])}.main")
        try:
            return parse(data, name, staged.modified, job.fmt, job.target, scratch)
        except duckdb.ConversionException as error:
            raise SnowflakeError(f"{str(error).splitlines()[0]}\n  File '{name}'", 100038, "22018") from error


def _parse_each(account: "Account", job: CopyJob, files: Sequence[StagedFile]) -> Generator[ParsedFile, None, None]:
    """The files one after the other, each read by a thread of its own: as many at once as there are cores to use."""
    at_once = min(len(files), usable_cores())
    with ThreadPoolExecutor(max(at_once, 1), f"copy-{job.query.query_id}") as threads:
        pending = [threads.submit(_parse, account, job, staged) for staged in files[:at_once]]
        try:
            for following in [*files[at_once:], *[None] * at_once]:
                parsed = pending.pop(0).result()
                if following is not None:
                    pending.append(threads.submit(_parse, account, job, following))
                yield parsed
        finally:
            for each in pending:
                each.cancel()


def _load(account: "Account", job: CopyJob, files: list[StagedFile]) -> list[Outcome]:
    """Parse and insert; nothing is kept when the statement fails."""
    session = job.query.session
    strict = job.statement.on_error == "ABORT_STATEMENT"
    own = not session.in_transaction
    if not own:
        # the transaction cannot be taken back to where it was, so what is wrong is found before the first insert
        with closing(_parse_each(account, job, files)) as each:
            for staged, parsed in zip(files, each, strict=True):
                if strict:
                    abort_on_error(parsed, staged.path)
    if own:
        session.duck.begin()
    outcomes = []
    try:
        with closing(_parse_each(account, job, files)) as each:
            for staged, parsed in zip(files, each, strict=True):
                if strict:
                    abort_on_error(parsed, staged.path)
                outcomes.append(outcome(job, staged, parsed))
                if outcomes[-1].status != "LOAD_FAILED":
                    _insert(session.duck, job, parsed.table)
        job.query.check()
        if own:
            session.duck.commit()
    except BaseException:
        if own:
            session.duck.rollback()
        raise
    finally:
        transactions.after_statement(account, session)
    session.has_written = session.has_written or session.in_transaction
    return outcomes


def _insert(duck: duckdb.DuckDBPyConnection, job: CopyJob, table: pa.Table) -> None:
    target = ".".join(quoted(p) for p in job.table)
    columns = ", ".join(quoted(c.name) for c in job.target.columns)
    duck.register("_copy_rows", table)
    try:
        duck.execute(f"INSERT INTO {target} ({columns}) SELECT * FROM _copy_rows")  # noqa: S608 - names are quoted
    finally:
        # In a transaction that was aborted it stays, until the next rows take its name.
        with suppress(duckdb.Error):
            duck.unregister("_copy_rows")


def _remember(account: "Account", job: CopyJob, outcomes: list[Outcome]) -> None:
    """Note what was loaded, at once or when the transaction commits, and purge it if asked to."""
    records = [load_record(job, o) for o in outcomes]
    if job.query.session.in_transaction:
        job.query.session.pending_loads += records
    else:
        account.load_metadata.record(records)
    if job.statement.options.get("PURGE"):
        for o in outcomes:
            if o.status == "LOADED":
                account.stages.remove(job.stage, o.staged.path)


def _validate(account: "Account", job: CopyJob) -> Result:
    """What VALIDATION_MODE answers: errors as rows, or the first rows as they would be loaded."""
    parsed = [(staged, _parse(account, job, staged)) for staged in job.files]
    wanted = re.fullmatch(r"RETURN_(\d+)_ROWS", str(job.statement.validation))
    if wanted is None:
        return error_rows(job, parsed)
    for staged, file in parsed:
        abort_on_error(file, staged.path)
    return sample_rows(job, [file.table for _, file in parsed], int(wanted[1]))
