"""The findings: what is wrong, how often, where, and what to do about it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from etl_framework import Finding, Sample, Severity, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.text import Text

    from etl_framework import RunReport
    from etl_reports.page import Page

MOST_FINDINGS = 20
MOST_SAMPLES = 5
VALUE_CHARACTERS = 60

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_ORDER = list(_STYLES)


def print_findings(page: Page, report: RunReport) -> None:
    """Print the section, the most severe first; nothing when there are none."""
    if not report.findings:
        return
    page.heading("Findings")
    where = _places(report)
    ordered = sorted(report.findings, key=lambda finding: _ORDER.index(finding.severity))
    for finding in ordered[:MOST_FINDINGS]:
        _print_finding(page, finding, where)
    if len(ordered) > MOST_FINDINGS:
        page.print(page.text((f"and {counted(len(ordered) - MOST_FINDINGS, 'more finding')}", "dim")), indent=2)


def _print_finding(page: Page, finding: Finding, where: Callable[[Sample], str]) -> None:
    # What was not looked at, or has nothing to be compared with, was found no number of times.
    times = f"  {finding.count:,} x" if finding.count else ""
    head = page.text((finding.severity.upper(), _STYLES[finding.severity]), "  ", (finding.rule, "bold"), times)
    page.print(head, indent=2)
    page.print(page.text(finding.message), indent=4)
    for sample in finding.samples[:MOST_SAMPLES]:
        page.pairs([(page.text(page.dot), _sample(page, sample, where(sample)))], indent=4)
    shown = min(len(finding.samples), MOST_SAMPLES)
    # Only a sample with a place is one of what is counted: others are of a gap of days, or of all rows with a key.
    if shown and finding.count > shown and all(sample.line is not None for sample in finding.samples):
        page.print(page.text((f"and {finding.count - shown:,} more", "dim")), indent=4)
    if finding.advice:
        page.pairs([(page.text((page.arrow, "green")), page.text(finding.advice))], indent=4)
    if finding.also:
        page.print(page.text((f"the same was found by {', '.join(finding.also)}", "dim")), indent=4)


def _sample(page: Page, sample: Sample, place: str) -> Text:
    pieces: list[str | tuple[str, str]] = [(place, "cyan")] if place else []
    if sample.column is not None:
        pieces.append(f"{' ' if pieces else ''}{sample.column}")
    if sample.value is not None:
        sign = " = " if sample.column is not None else " "
        pieces.extend([sign, (f'"{page.safe(sample.value, VALUE_CHARACTERS)}"', "bold")])
    if sample.reason:
        pieces.append(f"{': ' if pieces else ''}{sample.reason}")
    return page.text(*pieces)


def _places(report: RunReport) -> Callable[[Sample], str]:
    """How to write where a sample is: the file's name when that is unambiguous, else its path, and the line."""
    names = Counter(source.name for source in report.sources)
    short = {source.path: source.name for source in report.sources if names[source.name] == 1}

    def place(sample: Sample) -> str:
        if sample.file is None:
            return f"line {sample.line:,}" if sample.line is not None else ""
        file = short.get(sample.file, sample.file)
        return file if sample.line is None else f"{file}:{sample.line}"

    return place
