"""The run report on the console: the outcome first, then its proof, then what is wrong and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.panel import Panel
from rich.text import Text

from etl_framework import RunReport, Severity, Status, bytes_in_words, counted, seconds_in_words
from etl_reports.control_totals import print_control_totals
from etl_reports.findings import print_findings
from etl_reports.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_SOURCES = 5
_BAR_CELLS = 30

_STYLES = {
    Status.RUNNING: "cyan",
    Status.DONE: "green",
    Status.REFUSED: "yellow",
    Status.FAILED: "red",
    Status.INTERRUPTED: "yellow",
    Status.SUPERSEDED: "dim",
}


def print_report(report: RunReport, stream: TextIO) -> None:
    """Print the report.

    :param stream: where to; plain text without colour when it is no terminal.
    """
    page = Page(stream)
    _print_headline(page, report)
    _print_facts(page, report)
    print_control_totals(page, report)
    print_findings(page, report)
    _print_steps(page, report)
    _print_list(page, "Reject files", report.rejects, page.dot, "yellow")
    _print_list(page, "Problems that did not change the outcome", report.problems, "!", "yellow")
    _print_next(page, report)


def _print_headline(page: Page, report: RunReport) -> None:
    style = _STYLES[report.status]
    lines = [page.text((report.status.upper(), f"bold {style}"), "  ", (_outcome(report), "bold"))]
    if speed := _speed(report):
        lines.append(page.text(f" {page.dot} ".join(speed)))
    if report.error:
        lines.append(page.text((report.error, style)))
    if report.advice:
        lines.append(page.text((page.arrow, "green"), " ", report.advice))
    whole = Text("\n").join(lines)
    page.print(Panel(whole, box=box.ROUNDED, border_style=style) if page.framed else whole)


def _outcome(report: RunReport) -> str:
    if report.status is Status.DONE:
        replaced = f", {report.rows_deleted:,} replaced or removed" if report.rows_deleted else ""
        loaded = counted(report.rows_loaded, "row")
        return f"{loaded} loaded into {report.table} in {seconds_in_words(report.seconds)}{replaced}"
    if report.status is Status.REFUSED:
        return f"nothing was loaded into {report.table}{_why_refused(report)}"
    if report.status in (Status.FAILED, Status.INTERRUPTED) and not report.rows_loaded:
        return f"nothing was loaded into {report.table}"
    return report.table


def _why_refused(report: RunReport) -> str:
    """Bad rows, unless they were set aside and no more than allowed: then something else is the reason."""
    errors = [finding.rule for finding in report.findings if finding.severity is Severity.ERROR]
    if report.rows_bad and (not report.rejects or {"too_many_bad_rows", "no_good_rows"} & {*errors}):
        return f": {counted(report.rows_bad, 'bad row')} of {report.rows_read:,}"
    return f": {counted(len(errors), 'error')} found" if errors else ""


def _speed(report: RunReport) -> list[str]:
    """What was read and how fast, in pieces."""
    pieces = []
    if report.rows_read:
        pieces.append(f"{counted(report.rows_read, 'row')} read")
    if report.bytes_read:
        pieces.append(bytes_in_words(report.bytes_read))
    if report.bytes_read and report.seconds:
        pieces.append(f"{bytes_in_words(report.bytes_read / report.seconds)}/s")
    if report.status is Status.DONE:
        agreed = "rows reconciled" if report.counted_only else "reconciled"
        pieces.append(agreed if report.reconciled else "NOT RECONCILED")
    return pieces


def _print_facts(page: Page, report: RunReport) -> None:
    covered = f", {report.period}" if report.period else ""
    attempts = f" (attempt {report.attempts})" if report.attempts > 1 else ""
    facts = [
        ("job", f"{report.job}: {report.mode}{covered}"),
        ("table", f"{report.table} in {report.target}"),
        ("run", f"{report.run}{attempts}"),
        ("ended", f"{report.finished:%Y-%m-%d %H:%M:%S %Z}"),
        *(("sources" if index == 0 else "", line) for index, line in enumerate(_source_lines(report))),
    ]
    if report.query_id:
        facts.append(("loaded by", report.query_id))
    if report.rows_quarantined:
        facts.append(("set aside", counted(report.rows_quarantined, "bad row")))
    if report.bytes_staged:
        # Of a run that stopped on its way, nobody has counted how many of its parts got there.
        parts = f"{counted(report.parts, 'part')}, " if report.status is Status.DONE else ""
        facts.append(("staged", f"{parts}{bytes_in_words(report.bytes_staged)}"))
    page.print()
    page.pairs([(page.text((label, "dim")), page.text(value)) for label, value in facts])


def _source_lines(report: RunReport) -> list[str]:
    lines = [f"{source.name} ({bytes_in_words(source.size)})" for source in report.sources[:MOST_SOURCES]]
    if rest := report.sources[MOST_SOURCES:]:
        lines.append(f"and {len(rest):,} more ({bytes_in_words(sum(source.size for source in rest))})")
    return lines


def _print_steps(page: Page, report: RunReport) -> None:
    if not report.steps:
        return
    page.heading("Steps", seconds_in_words(report.seconds))
    longest = max(step.seconds for step in report.steps) or 1.0
    for step in report.steps:
        bar = page.bar * max(1, round(_BAR_CELLS * step.seconds / longest))
        label = page.safe(step.step, limit=12)
        page.print(page.text(f"{label:<12} {seconds_in_words(step.seconds):>12}  ", (bar, "blue")), indent=2)


def _print_list(page: Page, title: str, items: Sequence[str], sign: str, style: str) -> None:
    if not items:
        return
    page.heading(title)
    page.pairs([(page.text((sign, style)), page.text(item)) for item in items])


def _print_next(page: Page, report: RunReport) -> None:
    steps = []
    if report.resumable:
        steps.append((f"{report.program} resume {report.run}", "go on where this run stopped"))
    if report.status is Status.REFUSED and report.rows_bad and not report.rejects:
        steps.append(("add --on-bad-rows quarantine", "load the good rows, set the bad ones aside"))
    if not report.replayed:
        steps.append((f"{report.program} runs show {report.run}", "see this report again"))
    if steps:
        page.heading("Next")
        page.pairs([(page.text((command, "bold")), page.text(what)) for command, what in steps])
