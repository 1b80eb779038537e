"""Schemas of pandera as checks: every row of a file is judged, block by block, on pandera's polars backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import Analysis, Job, Validator


@hookimpl
def etl_validate(job: Job, analysis: Analysis) -> Iterator[Validator]:
    """Give the check of the schema that the job's section ``pandera`` names."""
    if "pandera" in job.sections:
        from etl_pandera.schema_check import SchemaCheck
        from etl_pandera.schemas import read_schema

        yield SchemaCheck(read_schema(job), analysis.columns)
