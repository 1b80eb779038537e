"""What Acme adds to ``etl``: checks of settlements, notices of runs, and a command.

Each hook imports what it needs when it is called, since every call of ``etl`` imports this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from etl_framework import Analysis, Job, RunReport, Validator


@hookimpl
def etl_configure(job: Job) -> Iterable[str]:
    """Look at the section ``settlements``."""
    from acme_checks.settlements import settled

    settled(job.section("settlements"))
    return ["settlements"]


@hookimpl
def etl_validate(job: Job, analysis: Analysis) -> Iterable[Validator]:
    """Check settlements: files that have a column ``currency``."""
    from acme_checks.settlements import checks

    if any(column.name == "currency" for column in analysis.columns):
        yield from checks(job.section("settlements"))


@hookimpl
def etl_report(report: RunReport) -> None:
    """Leave a notice of each new run."""
    from acme_checks.notices import leave_notice

    if not report.replayed:
        leave_notice(report)


@hookimpl
def etl_commands() -> Iterable[click.Command]:
    """Add ``etl currencies``."""
    from acme_checks.command import currencies

    return [currencies]
