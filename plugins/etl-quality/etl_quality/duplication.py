"""What repeats in a file or a table, asked for by itself: all that ``etl duplicates`` does."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import Check, UsageError
from etl_quality.duplicates import KEY, NAME, DuplicatesFinding

if TYPE_CHECKING:
    from etl_framework import Emit, Finding, Job, Sample, TableVerdict, Validation, Workspace

_SETTING = f"{KEY}.keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a row lies.

    :param file: path of the file.
    :param line: of the file, from 1.
    """

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedKey:
    """A key that more than one row has.

    :param key: its values, for people.
    :param rows: how many rows have it.
    :param places: the first of them; empty for those of a table.
    """

    key: str
    rows: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplication:
    """What repeats.

    :param where: the files or the table.
    :param keys: the columns of the key.
    :param rows: how many were looked at, without bad ones.
    :param duplicated_keys: how many keys more than one row has.
    :param extra_rows: rows beyond the first of each key.
    :param worst: the keys with the most rows.
    :param checks: names of the checks that were made.
    :param findings: those that forbid a load, or are odd, duplicates included.
    :param seconds: wall time.
    :param passed: whether there are rows, none of them bad, and no key twice.
    """

    where: str
    keys: tuple[str, ...]
    rows: int
    duplicated_keys: int
    extra_rows: int
    worst: tuple[DuplicatedKey, ...]
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float
    passed: bool


def duplication(
    workspace: Workspace,
    where: str,
    keys: Sequence[str] = (),
    *,
    job: str | None = None,
    options: Mapping[str, object] | None = None,
    observers: tuple[Emit, ...] = (),
) -> Duplication:
    """Find the keys that more than one row of a file, of a job's files or of a table has.

    Of a file only the columns of the key are read as what they are; of the others the structure is checked.

    :param where: path of a file or name of a job; what is neither is a table.
    :param keys: the columns of the key; those of the job, when there are none.
    :param job: how the file is to be read, or which job loads into the table.
    :param options: what is given beside the job's settings: ``period``, or its ends ``from_`` and ``to``, and of a
        table ``target`` and ``date_column``; None is not given.
    :raises UsageError: nobody says what the key is, there is no such column or table, or a period is given for a file.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    is_job = where in workspace.config.jobs and job is None
    # A table whose name holds a slash is written in quotes: without them a path is meant, be it a wrong one.
    is_file = is_job or os.path.lexists(where) or (os.sep in where and '"' not in where)
    if is_file:
        chosen = _job_of_files(workspace, where, given, is_job=is_job, job=job)
    else:
        chosen = workspace.table_job(where, job, given)
    asked = _only_duplicates(chosen, keys)
    try:
        verdict = _verdict(workspace, asked, observers, is_file=is_file)
    except UsageError as error:
        if keys and error.key == _SETTING:
            # No configuration names the key that somebody asked for.
            wrong = error.message.removeprefix(_SETTING).removeprefix(":").strip()
            raise UsageError(f"--keys {','.join(keys)}: {wrong}", advice=error.advice) from error
        if not is_file and error.key == "table":
            what = f"{where!r} is neither a file, nor a job, nor a table in {chosen.target}"
            raise UsageError(what, advice="Check the name, or load the table first.") from error
        raise
    found = next((finding for finding in verdict.findings if isinstance(finding, DuplicatesFinding)), None)
    return Duplication(
        where=where,
        keys=asked.keys,
        rows=verdict.rows,
        duplicated_keys=found.keys if found else 0,
        extra_rows=found.count if found else 0,
        worst=tuple(_worst(found)) if found else (),
        checks=verdict.checks,
        findings=verdict.findings,
        seconds=verdict.seconds,
        passed=verdict.passed,
    )


def _job_of_files(
    workspace: Workspace, where: str, given: Mapping[str, object], *, is_job: bool, job: str | None
) -> Job:
    if not is_job and not given.keys().isdisjoint(("period", "from_", "to")):
        raise UsageError(
            f"a period chooses among the files of a job or the rows of a table, and {where} is one file",
            advice="Leave the period out: every row of the file is looked at.",
            key="period",
        )
    # Nothing is loaded, so that no mode matters; one of them would insist on a period.
    reading = {**given, "mode": "append"}
    found = workspace.job(where, (), reading) if is_job else workspace.job(job, [where], reading)
    # Whether the rows of the period's files are of its days is another question.
    return dataclasses.replace(found, date_column=None)


def _verdict(
    workspace: Workspace, job: Job, observers: tuple[Emit, ...], *, is_file: bool
) -> Validation | TableVerdict:
    if is_file:
        return workspace.validate(job, columns=job.keys, observers=observers)
    return workspace.check(job)


def _only_duplicates(job: Job, keys: Sequence[str]) -> Job:
    """The job with this one check, whatever it says of others."""
    said = job.section("checks").get(NAME)
    of_check = said.get("keys", ()) if isinstance(said, Mapping) else ()
    of_check = (of_check,) if isinstance(of_check, str) else tuple(of_check)
    chosen = tuple(keys) or of_check or job.keys
    if not chosen:
        raise UsageError("nobody says which columns identify a row", advice="Name them: --keys a,b.", key=_SETTING)
    others = {name: section for name, section in job.sections.items() if name not in ("checks", "rules")}
    return dataclasses.replace(
        job,
        keys=chosen,
        check=Check.FILE,
        sections={**others, "checks": {NAME: {"keys": list(chosen)}}},
    )


def _worst(finding: DuplicatesFinding) -> Iterator[DuplicatedKey]:
    samples: Iterator[Sample] = iter(finding.samples)
    for named in finding.worst:
        placed = [next(samples) for _ in range(named.placed)]
        places = tuple(Place(file=at.file, line=at.line) for at in placed if at.file and at.line)
        yield DuplicatedKey(key=named.key, rows=named.rows, places=places)
