"""Which of many files are alike, and what is found in many alike: ten thousand files are told in a few lines."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etl_framework.checks import MOST_SAMPLES
from etl_framework.terminal import counted
from etl_framework.values import Fact

if TYPE_CHECKING:
    from etl_framework.columns import Column
    from etl_framework.values import Analysis, Finding


def alike(analyses: Iterable[Analysis]) -> tuple[tuple[Analysis, ...], ...]:
    """Files by format and columns, the largest group first."""
    groups: dict[object, list[Analysis]] = {}
    for analysis in analyses:
        groups.setdefault((analysis.facts, analysis.columns), []).append(analysis)
    return tuple(map(tuple, sorted(groups.values(), key=len, reverse=True)))


def differences(usual: Analysis, other: Analysis) -> tuple[Fact, ...]:
    """In what the format and the columns of a file differ from those of another, for people."""
    mine, theirs = ({fact.label: fact.value for fact in analysis.facts} for analysis in (usual, other))
    facts = [
        Fact(label=label, value=f"{theirs.get(label, 'none')}, not {mine.get(label, 'none')}")
        for label in {**mine, **theirs}
        if mine.get(label) != theirs.get(label)
    ]
    return (*facts, *_differing_columns(usual.columns, other.columns))


def in_many_files(found: Iterable[Iterable[Finding]]) -> tuple[Finding, ...]:
    """The findings of files, with those that several files share told once: counts added, the first samples kept.

    :param found: the findings of each file.
    """
    shared: dict[tuple[object, ...], list[Finding]] = {}
    for findings in found:
        namesakes: Counter[str] = Counter()
        for finding in findings:
            # A file may have two findings of one rule: only those of different files are the same.
            key = (finding.rule, finding.severity, namesakes[finding.rule])
            namesakes[finding.rule] += 1
            shared.setdefault(key, []).append(finding)
    return tuple(_as_one(findings) for findings in shared.values())


def _as_one(findings: list[Finding]) -> Finding:
    first, others = findings[0], len(findings) - 1
    if not others:
        return first
    return dataclasses.replace(
        first,
        count=sum(finding.count for finding in findings),
        message=f"{first.message} (and the like in {counted(others, 'more file')})",
        samples=tuple(sample for finding in findings for sample in finding.samples)[:MOST_SAMPLES],
    )


def _differing_columns(usual: tuple[Column, ...], others: tuple[Column, ...]) -> Iterator[Fact]:
    mine, theirs = ({column.name: column for column in columns} for columns in (usual, others))
    for name in {**mine, **theirs}:
        if mine.get(name) == theirs.get(name):
            continue
        words = [_said(columns[name]) if name in columns else "missing" for columns in (theirs, mine)]
        yield Fact(label=f"column {name}", value=words[0] if name not in mine else ", not ".join(words))
    if list(mine) != list(theirs) and set(mine) == set(theirs):
        yield Fact(label="columns", value="in another order")


def _said(column: Column) -> str:
    return f"{column.type}{' not null' * column.required}{f' as {column.format}' if column.format else ''}"
