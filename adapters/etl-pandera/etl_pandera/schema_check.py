"""What a schema asks of the columns and of each row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Self

import polars as pl
import pyarrow as pa
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrors
from pandera.polars import Check, DataFrameSchema

from etl_framework import Finding, RowCheck, Severity, UsageError, row_check

if TYPE_CHECKING:
    from etl_framework import Block, Column

Judge = Callable[[pl.DataFrame], pl.Series]
"""Of each row of a frame, whether it is good; null counts as good."""


class SchemaCheck:
    """A validator of every row: a finding per check of the schema and column.

    Where columns are missing, or have another type than the schema says, only that is found.
    """

    name = "pandera"

    def __init__(self, schema: DataFrameSchema, columns: Sequence[Column]) -> None:
        frame = _frame(pa.schema([(column.name, column.type.arrow()) for column in columns]).empty_table())
        self._shape = {finding.message: finding for finding in _misfits(schema, frame)}
        self._frame: pl.DataFrame | None = None
        self._rules = () if self._shape else tuple(self._made(*rule) for rule in _rules(schema, frame))

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        self._frame = _frame(block.batch)
        for rule in self._rules:
            rule.update(block)
        # A block is not to be kept.
        self._frame = None

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._shape |= other._shape
        for rule, more in zip(self._rules, other._rules, strict=True):
            rule.merge(more)

    def finish(self) -> Iterable[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        return chain(self._shape.values(), *(rule.finish() for rule in self._rules))

    def _made(
        self, rule: str, judge: Judge, reason: str, column: str | None, severity: Severity = Severity.ERROR
    ) -> RowCheck:
        """A check from what pandera says of each row, which must not depend on the rows beside it."""
        proved = False

        def good(batch: pa.RecordBatch) -> pa.Array:
            nonlocal proved
            frame = self._frame if self._frame is not None else _frame(batch)
            half = 0 if proved else len(frame) // 2
            try:
                verdict = judge(frame)
                alone = [*judge(frame[:half]), *judge(frame[half:])] if half else None
            except Exception as error:
                raise UsageError(f"pandera: {rule} of {column or 'rows'} cannot be made: {error}") from error
            if len(verdict) != len(frame) or (alone is not None and alone != verdict.to_list()):
                raise UsageError(
                    f"pandera: {rule} of {column or 'rows'} judges rows by those beside them",
                    advice="Rows are judged block by block: the check must tell of a row alone whether it is good.",
                )
            proved = proved or half > 0
            return verdict.to_arrow()

        reason = f"{column} {reason}" if column else reason
        return row_check(rule, good, column=column, severity=severity, reason=reason)


def _misfits(schema: DataFrameSchema, frame: pl.DataFrame) -> Iterator[Finding]:
    """Why a frame of these columns, without rows, is none of the schema."""
    try:
        with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
            schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        for error in errors.schema_errors:
            yield Finding(
                rule=str(error.check).partition("(")[0],
                severity=Severity.ERROR,
                count=1,
                message=f"{str(error).splitlines()[0]}: no row was checked against the schema",
                advice="Declare the columns of the job as the schema has them, or correct the schema.",
            )


def _rules(schema: DataFrameSchema, frame: pl.DataFrame) -> Iterator[tuple[str, Judge, str, str | None, Severity]]:
    casts: dict[str, pl.DataType] = {}
    for pattern, column in schema.columns.items():
        for name in frame.columns:
            if name != pattern and not (column.regex and re.fullmatch(pattern, name)):
                continue
            if (schema.coerce or column.coerce) and column.dtype is not None:
                casts[name] = column.dtype.type
                yield "coerce_dtype", _fits(name, casts[name]), f"is no {column.dtype}", name, Severity.ERROR
            if not column.nullable:
                yield "not_nullable", _is_there(name), "is null", name, Severity.ERROR
            for check in column.checks:
                yield _rule(check, name, casts)
    for check in schema.checks:
        yield _rule(check, None, casts)


def _rule(
    check: Check, column: str | None, casts: dict[str, pl.DataType]
) -> tuple[str, Judge, str, str | None, Severity]:
    def judge(frame: pl.DataFrame) -> pl.Series:
        rows = frame.with_columns(pl.col(name).cast(to, strict=False) for name, to in casts.items()).lazy()
        result: pl.Series = check(rows, column).check_output.collect().to_series()
        return result

    said = str(check.error or check.name)
    return str(check.name or said), judge, f"fails {said}", column, _SEVERITIES[bool(check.raise_warning)]


_SEVERITIES = {False: Severity.ERROR, True: Severity.WARNING}


def _is_there(column: str) -> Judge:
    def judge(frame: pl.DataFrame) -> pl.Series:
        values = frame[column]
        return values.is_not_null() & values.is_not_nan() if values.dtype.is_float() else values.is_not_null()

    return judge


def _fits(column: str, to: pl.DataType) -> Judge:
    return lambda frame: frame[column].is_null() | frame[column].cast(to, strict=False).is_not_null()


def _frame(rows: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    """The rows as polars has them: values stay what they are, nulls too, and little but texts is copied."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame
