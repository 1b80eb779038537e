"""What a suite expects of the columns and of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from etl_framework import Finding, Severity, UsageError, row_check
from etl_great_expectations.judging import Outcome, judged
from etl_great_expectations.suites import OF_COLUMNS

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

    from etl_framework import Block, Column

_SEVERITIES = {"critical": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}


class SuiteCheck:
    """A validator of every row: a finding per expectation that is not met."""

    name = "great_expectations"

    def __init__(self, expectations: Sequence[Expectation], columns: Sequence[Column]) -> None:
        nothing = pa.schema([(column.name, column.type.arrow()) for column in columns]).empty_table()
        outcomes = judged(expectations, nothing)
        unmet = [_unmet(*pair) for pair in zip(expectations, outcomes, strict=True) if not pair[1].met]
        self._unmet = {finding.message: finding for finding in unmet}
        self._expectations: Sequence[Expectation] | None = [
            expectation
            for expectation, outcome in zip(expectations, outcomes, strict=True)
            if outcome.met and expectation.expectation_type not in OF_COLUMNS
        ]
        self._rules = [_Rule(expectation) for expectation in self._expectations]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_expectations": None}

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.Validator.update`."""
        assert self._expectations is not None, "an accumulator that travelled only merges"
        for rule, outcome in zip(self._rules, judged(self._expectations, block.batch), strict=True):
            rule.update(block, outcome)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.Validator.merge`."""
        self._unmet |= other._unmet
        for rule, more in zip(self._rules, other._rules, strict=True):
            rule.merge(more)

    def finish(self) -> Iterable[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        return chain(self._unmet.values(), *(rule.findings() for rule in self._rules))


class _Rule:
    """How many rows do not meet an expectation, of how many that it judged."""

    def __init__(self, expectation: Expectation) -> None:
        self._said = _said(expectation)
        self._mostly = float(expectation.configuration.kwargs.get("mostly", 1))
        self._judged = 0
        self._verdict: pa.Array | None = None
        self._check = row_check(
            expectation.expectation_type,
            lambda _: self._verdict,
            column=expectation.configuration.kwargs.get("column"),
            severity=_severity(expectation),
            reason=f"not as expected: {self._said}",
        )

    def update(self, block: Block, outcome: Outcome) -> None:
        if outcome.error:
            raise UsageError(f"great_expectations.suite: {self._said} cannot be judged: {outcome.error}")
        good = np.ones(block.batch.num_rows, bool)
        good[np.array(outcome.unexpected, np.int64)] = False
        self._verdict = pa.array(good)
        self._check.update(block)
        self._verdict = None
        self._judged += outcome.judged

    def merge(self, other: _Rule) -> None:
        self._judged += other._judged
        self._check.merge(other._check)

    def findings(self) -> Iterable[Finding]:
        for finding in self._check.finish():
            # As Great Expectations reckons it: of the rows that have a value.
            if 1 - finding.count / self._judged < self._mostly:
                message = f"{finding.count:,} of {self._judged:,} rows are not as expected: {self._said}"
                yield replace(finding, message=message)


def _unmet(expectation: Expectation, outcome: Outcome) -> Finding:
    """What is wrong before any row was looked at."""
    return Finding(
        rule=expectation.expectation_type,
        severity=Severity.ERROR if outcome.error else _severity(expectation),
        count=1,
        message=f"could not be made: {_said(expectation)}: {outcome.error}"
        if outcome.error
        else f"the columns are not as expected: {_said(expectation)}",
        advice="Declare the columns of the job as the suite has them, or correct the suite.",
    )


def _said(expectation: Expectation) -> str:
    """The expectation as one would write it in Python."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.configuration.kwargs.items())
    return f"{expectation.expectation_type}({arguments})"


def _severity(expectation: Expectation) -> Severity:
    return _SEVERITIES[expectation.severity.value]
