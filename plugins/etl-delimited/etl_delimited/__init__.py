"""Analyze, split, parse and check delimited text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import Analysis, Job, Source


@hookimpl
def etl_analyze(source: Source, job: Job) -> Analysis | None:
    from etl_delimited.analyze import analyze

    return analyze(source, job)
