"""The verdict: what all parts together say about the sources, and whether they may be loaded."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.causes import NO_ROWS, no_date, outside_period, told_once
from etl_framework.checks import BadRowTally
from etl_framework.errors import Refused
from etl_framework.keyless import KeylessRows
from etl_framework.merging import MergedChecks
from etl_framework.terminal import counted, seconds_in_words
from etl_framework.totals import Totals, TotalsAccumulator
from etl_framework.values import Finding, Mode, OnBadRows, Severity, in_file

if TYPE_CHECKING:
    from datetime import date

    from etl_framework.plugins import Plugins
    from etl_framework.reading import PartOutcome
    from etl_framework.survey import Survey
    from etl_framework.values import Job, Measures, Sample


SLOW_SECONDS = 10.0
"""Below it, nobody minds how long the checks of a plugin take; of all workers together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all parts together say.

    :param rows: good records.
    :param bad: bad records.
    :param totals: control totals of the good records.
    :param findings: of all checks, the gravest first.
    :param lines_before: by part number, the lines of the same source that precede the part.
    :param checks: names of the rules that were made.
    :param measures: what they measured.
    """

    rows: int
    bad: int
    totals: Totals
    findings: tuple[Finding, ...]
    lines_before: Mapping[int, int]
    checks: tuple[str, ...] = ()
    measures: Measures = field(default_factory=dict)


def judge(job: Job, survey: Survey, outcomes: Mapping[int, PartOutcome], plugins: Plugins) -> Verdict:
    """Merge what the parts learned, in the order of the data."""
    totals, tally, keyless = TotalsAccumulator(survey.columns), BadRowTally(), KeylessRows()
    checks = MergedChecks(job, survey, plugins)
    for part in survey.parts:
        outcome = outcomes[part.number]
        totals.merge(outcome.totals)
        tally.merge(outcome.bad_rows)
        keyless.merge(outcome.keyless)
        checks.merge(outcome.validators, part)
    rows = sum(outcomes[part.number].rows for part in survey.parts)
    figures = totals.finish()
    found, measures = checks.finish()
    findings = (
        *survey.findings,
        *_bad_rows(job, tally, rows),
        *_scope(job, figures, tally.rows),
        *_keyless(job, figures, keyless),
        *found,
        *_slow(outcomes.values()),
    )
    lines_before = _lines_before(survey, outcomes)
    return Verdict(
        rows=rows,
        bad=tally.rows,
        totals=figures,
        lines_before=lines_before,
        findings=tuple(
            dataclasses.replace(finding, samples=tuple(in_file(sample, lines_before) for sample in finding.samples))
            for finding in gravest_first(told_once(findings, rows=rows))
        ),
        checks=checks.names,
        measures=measures,
    )


def _lines_before(survey: Survey, outcomes: Mapping[int, PartOutcome]) -> dict[int, int]:
    before: dict[int, int] = {}
    of_source: Counter[int] = Counter()
    for part in survey.parts:
        before[part.number] = of_source[part.source]
        of_source[part.source] += outcomes[part.number].lines
    return before


def _slow(outcomes: Iterable[PartOutcome]) -> Iterator[Finding]:
    """Name the plugin whose checks took more than everything else together, where anybody waited for them."""
    reading = 0.0
    checking: dict[str, float] = {}
    for outcome in outcomes:
        reading += outcome.seconds
        for plugin, seconds in outcome.seconds_of.items():
            checking[plugin] = checking.get(plugin, 0.0) + seconds
    for plugin, seconds in checking.items():
        if seconds > SLOW_SECONDS and seconds > reading / 2:
            yield Finding(
                rule="slow_checks",
                severity=Severity.INFO,
                count=1,
                message=f"the checks of plugin {plugin!r} took {seconds_in_words(seconds)} "
                f"of the {seconds_in_words(reading)} that were spent on reading and checking",
                advice="Checks are fast when they ask Arrow about whole columns, and slow when they look at each row.",
            )


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then what is only worth knowing; each in the order that they came in."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def pass_gate(findings: Iterable[Finding]) -> None:
    """Insist that nothing forbids the load.

    :raises Refused: a finding is an error; the message names the first ones, and ``findings`` holds all.
    """
    findings = tuple(findings)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if not errors:
        return
    shown = "; ".join(_in_short(finding) for finding in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    advice = errors[0].advice or "Mend the source and load again."
    raise Refused(f"refused at the gate: {shown}{more}", advice=advice, findings=findings)


def _in_short(finding: Finding) -> str:
    if not finding.samples:
        return finding.message
    sample = finding.samples[0]
    if sample.file and Path(sample.file).name in finding.message:
        return finding.message
    where = f"{sample.file}:{sample.line}" if sample.line else sample.file
    shown = ": ".join(filter(None, (where, sample.reason or _value_of(sample))))
    return f"{finding.message} (first: {shown})" if where else finding.message


def _value_of(sample: Sample) -> str:
    value = "" if sample.value is None else f"= {sample.value!r}"
    return " ".join(filter(None, (sample.column and repr(sample.column), value)))


def _bad_rows(job: Job, tally: BadRowTally, good: int) -> Iterable[Finding]:
    if not tally.rows:
        return
    quarantine = job.on_bad_rows is OnBadRows.QUARANTINE
    yield from tally.findings(Severity.WARNING if quarantine else Severity.ERROR)
    if quarantine and not job.max_bad_rows.permits(tally.rows, of=good + tally.rows):
        yield _error(
            "too_many_bad_rows",
            tally.rows,
            f"{counted(tally.rows, 'bad row')} of {good + tally.rows:,}; at most {job.max_bad_rows} may be quarantined",
            "Mend the source, or raise max_bad_rows (--max-bad-rows).",
        )
    elif quarantine and not good:
        yield _error(
            "no_good_rows",
            tally.rows,
            f"{'the only row is' if tally.rows == 1 else f'all {tally.rows:,} rows are'} bad: nothing is left to load",
            "The format or the columns are most likely declared wrongly: see `etl analyze`.",
            NO_ROWS,
        )


def _scope(job: Job, totals: Totals, bad: int) -> Iterable[Finding]:
    """What leaves nothing to load, or would make the mode's replacement of rows wrong the next time."""
    columns = {column.name: column for column in totals.columns}
    if not totals.rows and not bad:
        yield _error(
            NO_ROWS,
            1,
            "the sources hold no rows",
            f"Mode {job.mode} would leave nothing in place of what is there: check the source."
            if job.mode in (Mode.REPLACE, Mode.REPLACE_PERIOD)
            else "Nothing is to be loaded, which is no good load: fetch the files again if they should hold rows.",
            NO_ROWS,
        )
    if job.period and (days := columns.get(job.date_column or "")):
        low, high = (_day(value) for value in (days.minimum, days.maximum))
        if low and high and (low < job.period.first or high > job.period.last):
            yield _error(
                "outside_period",
                1,
                f"column {days.name!r} spans {low} to {high}, but the period is {job.period}",
                "Correct --period, or the source: what a run loads is what its period says.",
                outside_period(days.name),
            )
        if days.nulls and job.mode is Mode.REPLACE_PERIOD:
            yield _error(
                "null_date",
                days.nulls,
                f"{counted(days.nulls, 'row has', 'rows have')} no {days.name!r}: they belong to no period",
                "Supply the dates, or declare the column `not null` and quarantine the rows.",
                no_date(days.name),
            )


def _keyless(job: Job, totals: Totals, keyless: KeylessRows) -> Iterator[Finding]:
    """Rows that cannot be merged."""
    if job.mode is not Mode.MERGE:
        return
    nulls = {column.name: column.nulls for column in totals.columns}
    for key in job.keys:
        if count := nulls.get(key):
            yield Finding(
                rule="null_key",
                severity=Severity.ERROR,
                count=count,
                message=f"{counted(count, 'row has', 'rows have')} no {key!r}, which is part of the key",
                advice="Supply the values, or declare the column `not null` and quarantine the rows.",
                samples=keyless.samples(key),
            )


def _day(value: object) -> date | None:
    from datetime import date, datetime

    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


def _error(rule: str, count: int, message: str, advice: str, cause: str = "") -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, count=count, message=message, advice=advice, cause=cause)
