"""Expectation suites as checks: every row of a file is judged, block by block, by Great Expectations on pandas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import Analysis, Job, Validator


@hookimpl
def etl_validate(job: Job, analysis: Analysis) -> Iterable[Validator]:
    """Give a check for each expectation of the suite that the job's section ``great_expectations`` names."""
    if "great_expectations" not in job.sections:
        return ()
    from etl_great_expectations.checks import checks_of
    from etl_great_expectations.suites import read_suite

    return checks_of(read_suite(job), analysis.columns)
