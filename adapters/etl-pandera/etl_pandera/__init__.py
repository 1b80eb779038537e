"""Schemas of pandera as checks: every row of a file is judged, block by block, on pandera's polars backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import Analysis, Job, Validator


@hookimpl
def etl_validate(job: Job, analysis: Analysis) -> Iterable[Validator]:
    """Give the checks of the schema that the job's section ``pandera`` names."""
    if "pandera" not in job.sections:
        return ()
    from etl_pandera.checks import checks_of
    from etl_pandera.schemas import read_schema

    return checks_of(read_schema(job), analysis.columns)
