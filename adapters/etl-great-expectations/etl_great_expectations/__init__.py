"""Expectation suites as checks: every row of a file is judged, block by block, by Great Expectations on pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import Analysis, Job, Validator


@hookimpl
def etl_validate(job: Job, analysis: Analysis) -> Iterator[Validator]:
    """Give the check of the suite that the job's section ``great_expectations`` names."""
    if "great_expectations" in job.sections:
        from etl_great_expectations.suite_check import SuiteCheck
        from etl_great_expectations.suites import read_suite

        yield SuiteCheck(read_suite(job), analysis.columns)
