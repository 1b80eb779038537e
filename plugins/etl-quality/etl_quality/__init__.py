"""Data quality: the checks that stand in ``[jobs.NAME.checks]`` and ``[[jobs.NAME.rules]]``.

Each check is a module that reads its settings and gives two things that ask the same: a mergeable validator for files,
and a query for tables. Both have the same name and tell their findings in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    import click

    from etl_framework import Analysis, Column, Job, Profiler, TableCheck, Validator


@hookimpl
def etl_validate(job: Job, analysis: Analysis) -> Iterator[Validator]:
    """Give the checks that the job asks for, for files."""
    from etl_quality.sections import asked

    # What cannot be understood at all comes before what does not suit these columns.
    for check in tuple(asked(job)):
        yield from check.validators(job, analysis)


@hookimpl
def etl_check(job: Job, columns: tuple[Column, ...]) -> Iterable[TableCheck]:
    """Give the checks that the job asks for, for rows in a warehouse."""
    from etl_quality.sections import asked

    for check in tuple(asked(job)):
        yield from check.table_checks(job, columns)


@hookimpl
def etl_profile(job: Job, analysis: Analysis) -> Profiler:
    """Profile whatever can be read."""
    from etl_quality.profile import ProfileMaker

    return ProfileMaker(analysis.columns, job.keys)


@hookimpl
def etl_commands() -> Iterable[click.Command]:
    """Add ``etl duplicates``."""
    from etl_quality.duplicates_command import duplicates

    return [duplicates]
