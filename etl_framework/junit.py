"""Findings as a JUnit XML report, which CI systems show beside those of tests.

The shape is the one that the readers of Jenkins, GitLab and GitHub's actions agree on: one ``testsuite`` with a
``testcase`` per check; a check with an error has a ``failure``, warnings stand in ``system-out``. Where no check could
be made, its one ``testcase`` has an ``error``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from etl_framework.errors import RunFailed, UsageError
from etl_framework.values import Severity

if TYPE_CHECKING:
    from etl_framework.values import Finding, Sample

STRUCTURE = "structure"
"""The check that every source undergoes: what it finds has no name among the checks, and a test case of its own."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""

_BEGINNING = 1024
"""Bytes of a report within which its root element begins, whoever wrote it."""


def junit_report(suite: str, checks: Iterable[str], findings: Sequence[Finding], seconds: float) -> str:
    """The report as text.

    :param suite: what was checked: a job, or a table.
    :param checks: names of the checks that were made, those without findings and :data:`STRUCTURE` included.
    :param findings: of these checks and of the structure.
    :param seconds: wall time.
    """
    made = tuple(checks)
    broken = [(finding, _rules(finding, made)) for finding in findings]
    names = dict.fromkeys([*made, *(rule for _, rules in broken for rule in rules)])
    failed = {rule for finding, rules in broken if finding.severity is Severity.ERROR for rule in rules}
    attributes = {"name": _valid(suite), "tests": str(len(names)), "failures": str(len(failed)), "errors": "0"}
    root = ET.Element("testsuites")
    group = ET.SubElement(root, "testsuite", {**attributes, "time": f"{seconds:.3f}"})
    for name in names:
        case = ET.SubElement(group, "testcase", {"classname": _valid(suite), "name": _valid(name)})
        theirs = [finding for finding, rules in broken if name in rules]
        errors = [finding for finding in theirs if finding.severity is Severity.ERROR]
        if errors:
            said = {"message": _valid(errors[0].message), "type": _valid(name)}
            ET.SubElement(case, "failure", said).text = _valid("\n\n".join(map(_in_words, errors)))
        if others := [finding for finding in theirs if finding.severity is not Severity.ERROR]:
            ET.SubElement(case, "system-out").text = _valid("\n\n".join(map(_in_words, others)))
    return _document(root)


def junit_error(message: str, advice: str) -> str:
    """The report, as text, of a command that ended with an error before there were findings."""
    root = ET.Element("testsuites")
    group = ET.SubElement(root, "testsuite", {"name": "etl", "tests": "1", "failures": "0", "errors": "1", "time": "0"})
    case = ET.SubElement(group, "testcase", {"classname": "etl", "name": "the checks could be made"})
    told = _valid("\n".join(filter(None, (message, advice))))
    ET.SubElement(case, "error", {"message": _valid(message), "type": "error"}).text = told
    return _document(root)


def insist_on_report(path: Path) -> None:
    """Insist that what a report would replace is a report, too, or empty: whatever else it is would be lost.

    :raises UsageError: it is another file.
    :raises OSError: it cannot be read.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    if beginning.strip() and b"<testsuite" not in beginning:
        raise UsageError(
            f"{path} is there, and is no JUnit report",
            advice="--junit takes the path of the report to write: name another one, or remove the file.",
        )


def write_junit(path: Path, text: str) -> None:
    """Write a report, in the place of an earlier one.

    :raises UsageError: the file that is there is none.
    :raises RunFailed: the file cannot be written.
    """
    try:
        insist_on_report(path)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunFailed(
            f"cannot write {path}: {error.strerror or error}", advice="Choose a folder that is there and writable."
        ) from error


def _document(root: ET.Element) -> str:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _rules(finding: Finding, made: Sequence[str]) -> tuple[str, ...]:
    """The checks that a finding speaks for: none of them passed."""
    rules = (finding.rule, *finding.also)
    return (*rules, STRUCTURE) if STRUCTURE in made and finding.rule not in made else rules


def _in_words(finding: Finding) -> str:
    lines = [f"{finding.severity}: {finding.message}", *map(_place, finding.samples), finding.advice]
    return "\n".join(filter(None, lines))


def _place(sample: Sample) -> str:
    where = f"{sample.file}:{sample.line}" if sample.file and sample.line else sample.file or ""
    value = "" if sample.value is None else f"= {sample.value!r}"
    return "  " + " ".join(filter(None, (where, sample.column, value, sample.reason)))


def _valid(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
