"""What findings come of: of several checks that come upon one cause, one tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from etl_framework.values import Finding, Sample, Severity

NO_ROWS = "no_rows"
"""The cause of what a check says because there are no rows. Where there are some, it is taken for none."""


def outside_period(column: str) -> str:
    """The cause of what is said because days in a column are not those of the job's period.

    :param column: its name; the case of letters does not matter.
    """
    return f"outside_period {column.casefold()}"


def no_date(column: str) -> str:
    """The cause of what is said because a column that tells the day of a row has no value.

    :param column: its name; the case of letters does not matter.
    """
    return f"no_date {column.casefold()}"


def told_once(findings: Iterable[Finding], *, rows: int) -> Iterator[Finding]:
    """Findings with those of an equal cause told by one of them, whose ``also`` names the rules of the others.

    It is the gravest, and among equals the one with the most samples, then the first: no severity is lost.

    :param rows: how many good rows the checks saw.
    """
    causes: dict[object, list[Finding]] = {}
    for number, finding in enumerate(findings):
        told_by_many = finding.cause and (finding.cause != NO_ROWS or not rows)
        causes.setdefault(finding.cause if told_by_many else number, []).append(finding)
    yield from map(_most_telling, causes.values())


def _most_telling(findings: list[Finding]) -> Finding:
    if len(findings) == 1:
        return findings[0]
    order = list(Severity)
    first = min(findings, key=lambda finding: (order.index(finding.severity), -len(finding.samples)))
    rules = dict.fromkeys(rule for finding in findings for rule in (finding.rule, *finding.also))
    return dataclasses.replace(
        first,
        samples=first.samples or _borrowed(first, findings),
        also=tuple(rule for rule in rules if rule != first.rule),
    )


def _borrowed(teller: Finding, findings: list[Finding]) -> tuple[Sample, ...]:
    most = max((finding.samples for finding in findings), key=len)
    # No more places of another than it counts itself, or people would take them for its own. But where there are no
    # rows at all, each of the places is a source.
    return most if teller.cause == NO_ROWS else most[: max(teller.count, 1)]
