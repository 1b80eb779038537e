"""Great Expectations itself: in memory, without a project, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import great_expectations as gx

if TYPE_CHECKING:
    import pyarrow as pa
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.expectations.expectation import Expectation

_FORM = {"result_format": "COMPLETE", "partial_unexpected_count": 0, "include_unexpected_rows": False}

_ONE_AT_A_TIME = Lock()
"""Parts are read by several threads, and the library keeps its context in globals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one expectation for some rows.

    :param met: whether it was met.
    :param error: why it could not be judged; empty when it could.
    :param judged: rows that have a value to judge.
    :param unexpected: the rows that do not meet it.
    """

    met: bool
    error: str
    judged: int
    unexpected: tuple[int, ...]


def judged(expectations: Sequence[Expectation], rows: pa.Table | pa.RecordBatch) -> list[Outcome]:
    """What becomes of each expectation for these rows."""
    # Numbers stay numbers where there are no nulls, and become Python's own where pandas would make them floats.
    frame = rows.to_pandas(integer_object_nulls=True)
    # One with an id belongs to another suite. Results come in an order of their own.
    suite = gx.ExpectationSuite(name="etl", expectations=[one.copy(update={"id": None}) for one in expectations])
    for place, expectation in enumerate(suite.expectations):
        expectation.id = str(place)
    with _ONE_AT_A_TIME:
        results = _batches().get_batch({"dataframe": frame}).validate(suite, result_format=_FORM).results
    outcomes = {result.expectation_config.id: _outcome(result) for result in results}
    return [outcomes[str(place)] for place in range(len(expectations))]


@cache
def _batches() -> BatchDefinition:
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    return (
        context.data_sources.add_pandas("etl").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")
    )


def _outcome(result: Any) -> Outcome:
    raised = [told["exception_message"] for told in result.exception_info.values() if isinstance(told, dict)]
    told = result.result
    return Outcome(
        met=bool(result.success),
        error=str(raised[0]).splitlines()[0] if raised else "",
        judged=told.get("element_count", 0) - told.get("missing_count", 0),
        unexpected=tuple(told.get("unexpected_index_list") or ()),
    )
