"""What a suite expects of each row, as checks that find the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import great_expectations as gx
import numpy as np
import pyarrow as pa

from etl_framework import Column, Finding, RowCheck, Severity, UsageError, once_per_batch

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation

_SEVERITIES = {"critical": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}
_FORM = {"result_format": "COMPLETE", "partial_unexpected_count": 0, "include_unexpected_rows": False}

_ONE_AT_A_TIME = Lock()
"""Parts are read by several threads, and the library keeps its context in globals."""

Judged = list[tuple[int, pa.Array]]
"""Of each expectation, how many rows have a value to judge, and of each row whether it is as expected."""


def checks_of(expectations: Sequence[Expectation], columns: Sequence[Column]) -> list[ExpectationCheck]:
    """A check for each expectation about rows of these columns.

    :raises UsageError: the columns are not there, or cannot be judged so.
    """
    _judge(expectations, pa.schema([(column.name, column.type.arrow()) for column in columns]).empty_table())
    judging = once_per_batch(partial(_judge, expectations))
    return [ExpectationCheck(expectation, judging, place) for place, expectation in enumerate(expectations)]


class ExpectationCheck(RowCheck):
    """A validator of every row: one expectation, with its ``mostly`` reckoned of all rows together."""

    def __init__(self, expectation: Expectation, judging: Callable[[pa.RecordBatch], Judged], place: int) -> None:
        def good(batch: pa.RecordBatch) -> pa.Array:
            judged, verdict = judging(batch)[place]
            self._judged += judged
            return verdict

        arguments = expectation.configuration.kwargs
        super().__init__(
            expectation.expectation_type,
            good,
            column=arguments.get("column"),
            severity=_SEVERITIES[expectation.severity.value],
            reason=_said(expectation),
            advice="Mend the source, or correct the suite.",
        )
        self._mostly = float(arguments.get("mostly", 1))
        self._judged = 0

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        super().merge(other)
        self._judged += other._judged

    def finish(self) -> Iterable[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        for finding in super().finish():
            # Divided once, as the library does: 1 - 4/5 is less than 1/5 in floating point.
            if (self._judged - finding.count) / self._judged < self._mostly:
                message = f"{finding.count:,} of {self._judged:,} rows are not as expected: {finding.samples[0].reason}"
                yield replace(finding, message=message)


def _judge(expectations: Sequence[Expectation], rows: pa.Table | pa.RecordBatch) -> Judged:
    # Integers stay integers where there are nulls, too; pandas would make floats of them.
    frame = rows.to_pandas(integer_object_nulls=True)
    # An expectation with an id belongs to another suite. Results come in an order of their own.
    suite = gx.ExpectationSuite(name="etl", expectations=[one.copy(update={"id": None}) for one in expectations])
    for place, expectation in enumerate(suite.expectations):
        expectation.id = str(place)
    with _ONE_AT_A_TIME:
        results = _batches().get_batch({"dataframe": frame}).validate(suite, result_format=_FORM).results
    by_place = {int(result.expectation_config.id): result for result in results}
    return [_told(expectations[place], by_place[place], len(frame)) for place in range(len(expectations))]


def _told(expectation: Expectation, result: Any, rows: int) -> tuple[int, pa.Array]:
    for raised in result.exception_info.values():
        if isinstance(raised, dict):
            said = f"great_expectations.suite: {_said(expectation)} cannot be judged: {raised['exception_message']}"
            advice = "Correct the suite, or declare the columns of the job as it has them."
            raise UsageError(said.splitlines()[0], advice=advice, key="great_expectations.suite")
    good = np.ones(rows, bool)
    good[np.array(result.result.get("unexpected_index_list") or [], np.int64)] = False
    return result.result["element_count"] - result.result.get("missing_count", 0), pa.array(good)


def _said(expectation: Expectation) -> str:
    """The expectation as one would write it in Python."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.configuration.kwargs.items())
    return f"{expectation.expectation_type}({arguments})"


@cache
def _batches() -> BatchDefinition:
    """Where data frames are given to the library: in memory, without a project, and without a network."""
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    rows = context.data_sources.add_pandas("etl").add_dataframe_asset("rows")
    return rows.add_batch_definition_whole_dataframe("rows")
