"""What a schema asks of each row, as checks that find the lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import polars as pl
import pyarrow as pa
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrors
from pandera.polars import Check, DataFrameSchema, PolarsData

from etl_framework import Column, Severity, Validator, once_per_batch, row_check
from etl_pandera.schemas import refusal

Frames = Callable[[pa.RecordBatch], pl.DataFrame]
"""Gives a batch as polars has it. Values stay what they are, nulls too, and little but texts is copied."""


def checks_of(schema: DataFrameSchema, columns: Sequence[Column]) -> list[Validator]:
    """A check for each of the schema's and column, for rows of these columns.

    :raises UsageError: the schema wants other columns, or other types.
    """
    frame = _frame(pa.schema([(column.name, column.type.arrow()) for column in columns]).empty_table())
    try:
        with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
            schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        said = "; ".join(dict.fromkeys(str(error).splitlines()[0] for error in errors.schema_errors))
        advice = "Declare the columns of the job as the schema has them, or correct the schema."
        raise refusal(said, advice) from errors
    return list(_checks(schema, frame.columns, once_per_batch(_frame)))


def _frame(rows: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(rows))


def _checks(schema: DataFrameSchema, columns: Sequence[str], frames: Frames) -> Iterator[Validator]:
    for pattern, column in schema.columns.items():
        for name in columns:
            if name == pattern or (column.regex and re.fullmatch(pattern, name)):
                for check in (*([] if column.nullable else [_NOT_NULLABLE]), *column.checks):
                    yield _of_rows(check, name, frames)
    for check in schema.checks:
        yield _of_rows(check, None, frames)


def _is_there(data: PolarsData) -> pl.LazyFrame:
    value = pl.col(data.key)
    # As pandera has it, a column that is not nullable has no NaN either.
    no_nan = value.is_not_nan() if data.lazyframe.collect_schema()[data.key].is_float() else True
    return data.lazyframe.select(value.is_not_null() & no_nan)


_NOT_NULLABLE = Check(_is_there, name="not_nullable")


def _of_rows(check: Check, column: str | None, frames: Frames) -> Validator:
    """A check from what pandera says of each row, which must not depend on the rows beside it."""
    said = f"{column or 'the row'} fails {check.error or check.name}"
    proved = False

    def judged(frame: pl.DataFrame) -> pl.Series:
        verdict: pl.Series = check(frame.lazy(), column).check_output.collect().to_series()
        return verdict

    def good(batch: pa.RecordBatch) -> pa.Array:
        nonlocal proved
        frame = frames(batch)
        half = 0 if proved else len(frame) // 2
        try:
            verdict = judged(frame)
            alone = pl.concat([judged(frame[:half]), judged(frame[half:])]) if half else verdict
        except Exception as error:  # whatever the code of a check raises
            raise refusal(f"whether {said} cannot be told: {error}", "Correct the check.") from error
        if len(verdict) != len(frame) or not verdict.equals(alone):
            advice = "Rows are judged block by block: the check must tell of a row alone whether it is good."
            raise refusal(f"whether {said} depends on the rows beside it", advice)
        proved = proved or half > 0
        return verdict.to_arrow()

    severity = Severity.WARNING if check.raise_warning else Severity.ERROR
    return row_check(str(check.name), good, column=column, severity=severity, reason=said)
