"""Checks by SQL: of the rows that a load is about to publish, and of a table that is there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_framework.causes import NO_ROWS, told_once
from etl_framework.errors import RunFailed, UsageError
from etl_framework.findings import rules_of, sound_findings, sound_measures
from etl_framework.keeping import keep, kept
from etl_framework.rows import RELATION
from etl_framework.sql import Statement
from etl_framework.values import Check, Finding, PeriodFilter, Severity
from etl_framework.verdict import gravest_first, pass_gate

if TYPE_CHECKING:
    from pathlib import Path

    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Warehouse
    from etl_framework.rows import Rows
    from etl_framework.values import Figure, Job, Measures

_KEPT = "audited"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVerdict:
    """What the checks of a table gave.

    :param table: its name.
    :param target: URL of the warehouse.
    :param rows: how many were looked at.
    :param checks: names of the rules that were made, in their order.
    :param findings: the gravest first.
    :param seconds: wall time.
    :param measures: what the checks measured.
    """

    table: str
    target: str
    rows: int
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float
    measures: Measures = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether there is no error among the findings."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCheck:
    """What one check of rows gave.

    :param name: of the check.
    :param rules: names of the rules that it made; its own where it could not be made.
    :param findings: of it.
    :param could: whether its queries could be run; where not, an error among the findings says why.
    :param measures: its figures, where it measures any.
    """

    name: str
    rules: tuple[str, ...]
    findings: tuple[Finding, ...]
    could: bool = True
    measures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What the checks of the rows gave that a run was about to publish.

    :param findings: none of them an error.
    :param measures: what was measured.
    """

    findings: tuple[Finding, ...] = ()
    measures: Measures = field(default_factory=dict)


def audit(job: Job, rows: Rows, plugins: Plugins, folder: Path) -> tuple[Finding, ...]:
    """Check rows before they are published, where the job wants them checked in the warehouse.

    The checks after one whose query failed are not made: within a transaction nothing more could be asked.

    :param folder: of the run, which keeps what was found: once the rows are committed, nobody asks again.
    :returns: the findings, none of them an error.
    :raises Refused: one is an error; ``findings`` holds all.
    """
    if job.check not in (Check.WAREHOUSE, Check.BOTH):
        return ()
    made = tuple(_until_one_fails(check_rows(job, rows, plugins)))
    findings = [finding for check in made for finding in check.findings]
    # Where a query failed no other can be asked; the count is wanted only where a check says that there are no rows.
    asked = all(check.could for check in made) and any(finding.cause == NO_ROWS for finding in findings)
    found = gravest_first(told_once(findings, rows=count_of(rows) if asked else 1))
    pass_gate(found)
    keep(folder, _KEPT, Audited(findings=found, measures=_measures(made)))
    return found


def audited(folder: Path) -> Audited:
    """What :func:`audit` found last in a run's rows.

    :raises UnreadableRun: another version found it.
    """
    return kept(folder, _KEPT) or Audited()


def check_rows(job: Job, rows: Rows, plugins: Plugins) -> Iterator[MadeCheck]:
    """Make every check of everybody.

    :returns: what each gave; a check that cannot be made is an error, never a pass.
    :raises HookFailed: a plugin is broken.
    """
    for plugin, check in plugins.table_checks(job, rows.columns):
        with plugins.blaming(plugin, "etl_check"):
            try:
                found = sound_findings(check.run(rows))
                made = MadeCheck(name=check.name, rules=rules_of(check), findings=found, measures=sound_measures(check))
            except (RunFailed, UsageError) as error:
                said = could_not_be_made(check.name, error, job)
                made = MadeCheck(name=check.name, rules=(check.name,), findings=(said,), could=False)
        yield made


def refuse_without_sql(job: Job, warehouse: Warehouse) -> None:
    """Insist on a warehouse that can be asked, where the job wants its rows checked in it.

    :raises UsageError: it understands no SQL.
    """
    if job.check in (Check.WAREHOUSE, Check.BOTH) and not warehouse.dialect:
        raise UsageError(
            f"check = {job.check}: {warehouse.url} understands no SQL, so that nothing can be checked in it",
            advice="Check the file (--check file), or nothing but its structure (--check none).",
            key="check",
        )


def count_of(rows: Rows) -> int:
    """How many rows there are.

    :raises RunFailed: the warehouse cannot tell.
    """
    return int(rows.query(Statement(f"SELECT count(*) FROM {RELATION}")).rows[0][0])  # noqa: S608 - a constant


def could_not_be_made(name: str, error: RunFailed | UsageError, job: Job) -> Finding:
    """The finding of a check that failed itself: nobody knows whether the data are good.

    :param error: its message names the key of the job that is at fault, where it has one.
    """
    said = error.message.removeprefix(f"{error.key}: ")
    message = f"{error.key} of job {job.name!r}: {said}" if error.key and said != error.message else error.message
    return Finding(
        rule=name,
        severity=Severity.ERROR,
        count=1,
        message=f"the check could not be made: {message}",
        advice=error.advice or "Correct the check, or leave it out.",
    )


def _until_one_fails(made: Iterable[MadeCheck]) -> Iterator[MadeCheck]:
    for check in made:
        yield check
        if not check.could:
            return


def check_table(job: Job, plugins: Plugins) -> TableVerdict:
    """Make every check of the job's table, or of its rows of the job's period.

    Nothing is changed. An empty table, and an empty period, is an error: there is nothing that could be valid.

    :raises UsageError: there is no such table, or a period is asked for without a date column.
    :raises EtlError: the warehouse cannot be reached, or a plugin is broken.
    """
    began = time.perf_counter()
    where = _period_of(job)
    with closing(plugins.connect(job.target)) as warehouse:
        if not warehouse.dialect:
            raise UsageError(
                f"{warehouse.url} understands no SQL, so that nothing can be checked in it",
                advice="Check the files instead: `etl validate FILE…`.",
            )
        rows = warehouse.rows(job.table, where)
        count = count_of(rows)
        made = tuple(check_rows(job, rows, plugins))
    findings = [*(() if count else (_nothing_there(job),)), *(finding for check in made for finding in check.findings)]
    return TableVerdict(
        table=str(job.table),
        target=job.target,
        rows=count,
        checks=tuple(dict.fromkeys(rule for check in made for rule in check.rules)),
        findings=gravest_first(told_once(findings, rows=count)),
        seconds=time.perf_counter() - began,
        measures=_measures(made),
    )


def _measures(made: Iterable[MadeCheck]) -> Measures:
    return {check.name: check.measures for check in made if check.measures}


def _period_of(job: Job) -> PeriodFilter | None:
    if job.period is None:
        return None
    if job.date_column is None:
        raise UsageError(
            f"which rows of {job.table} are of {job.period} cannot be told without a date column",
            advice="Name it: date_column in etl.toml, or --date-column.",
            key="date_column",
        )
    return PeriodFilter(column=job.date_column, first=job.period.first, last=job.period.last)


def _nothing_there(job: Job) -> Finding:
    where = f"period {job.period} of table {job.table}" if job.period else f"table {job.table}"
    return Finding(
        rule=NO_ROWS,
        severity=Severity.ERROR,
        count=1,
        message=f"{where} holds no rows",
        advice="Was it ever loaded, and into this target? `etl runs list` shows the loads.",
        cause=NO_ROWS,
    )
