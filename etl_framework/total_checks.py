"""Checks over all rows together: mergeable validators made from figures and the question whether they are good."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, Self

from etl_framework.causes import NO_ROWS
from etl_framework.figures import Figures, exact_sum, in_words, insist_on_figures, values_of
from etl_framework.origins import MadeAt
from etl_framework.values import Finding, Severity

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.protocols import Block

_EXACT = Context(prec=100)


def total_check(
    name: str,
    figures: Figures,
    good: Callable[[Mapping[str, Any]], bool],
    *,
    severity: Severity = Severity.ERROR,
    reason: str = "",
    advice: str = "",
) -> TotalCheck:
    """A validator from figures over all rows and a predicate over them.

    >>> total_check(
    ...     "balanced",
    ...     {"debit": ("debit", "sum"), "credit": ("credit", "sum")},
    ...     lambda total: total["debit"] == total["credit"],
    ... ).name
    'balanced'

    :param name: the rule's name in findings.
    :param figures: by name, a pair: a column, or a function that computes an array from a batch with one value per row;
        and ``sum``, ``min``, ``max`` or ``count`` of its values that are not null. ``(None, "count")`` counts rows.
        Sums are exact, those of floats are rounded once, at the end.
    :param good: given the figures, whether they are as they should be. Not asked without rows, or when a figure has no
        value since all are null: those are findings of their own.
    :param severity: what it means for the run when they are not; without rows, it is always an error.
    :param reason: what is wrong then, for people; the figures are added.
    :param advice: the likely cause and what to do.
    :raises ValueError: a figure is unknown.
    """
    insist_on_figures(name, figures)
    return TotalCheck(name, figures, good, severity=severity, reason=reason, advice=advice)


class TotalCheck:
    """See :func:`total_check`.

    Leaves its functions behind when pickled: an accumulator that travelled is merged into a new one, which finishes.
    """

    def __init__(
        self,
        name: str,
        figures: Figures,
        good: Callable[[Mapping[str, Any]], bool],
        *,
        severity: Severity,
        reason: str,
        advice: str,
    ) -> None:
        self.name = name
        self._figures: Figures | None = figures
        self._good: Callable[[Mapping[str, Any]], bool] | None = good
        self._severity = severity
        self._reason = reason or f"fails {name}"
        self._advice = advice
        self._made = MadeAt(name)
        self._rows = 0
        self._totals = {figure: _TOTALS[how]() for figure, (_, how) in figures.items()}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_figures": None, "_good": None}

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.protocols.Validator.update`."""
        assert self._figures is not None, "an accumulator that travelled only merges"
        batch = block.batch
        self._rows += batch.num_rows
        with self._made:
            for figure, (of, _) in self._figures.items():
                total = self._totals[figure]
                values = batch.column(0) if of is None else values_of(self.name, batch, of).drop_null()
                if len(values):
                    total.add(self.name, values)

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.protocols.Validator.merge`."""
        self._rows += other._rows
        with self._made:
            for figure, total in self._totals.items():
                total.merge(other._totals[figure])

    def finish(self) -> Iterable[Finding]:
        """See :meth:`etl_framework.protocols.Validator.finish`."""
        assert self._good is not None, "an accumulator that travelled only merges"
        if not self._rows:
            yield self._finding("there are no rows to check", Severity.ERROR, NO_ROWS)
            return
        found = {figure: total.value for figure, total in self._totals.items()}
        if without := [figure for figure, value in found.items() if value is None]:
            yield self._finding(f"all values are null, so there is no {', '.join(without)}", self._severity)
        elif not self._judged(found, self._good):
            yield self._finding(f"{self._reason}: {in_words(found)}", self._severity)

    def _judged(self, found: Mapping[str, Any], good: Callable[[Mapping[str, Any]], object]) -> bool:
        import numpy as np
        import pyarrow as pa

        with self._made:
            verdict = good(found)
            if isinstance(verdict, pa.BooleanScalar):
                verdict = verdict.as_py()
            # A number, or the None of a forgotten `return`, would be taken for an answer.
            if not isinstance(verdict, (bool, np.bool_)):
                raise TypeError(f"{self.name}: the predicate gives {type(verdict).__name__}, not bool")
        return bool(verdict)

    def _finding(self, message: str, severity: Severity, cause: str = "") -> Finding:
        return Finding(rule=self.name, severity=severity, count=1, message=message, advice=self._advice, cause=cause)


class _Total(Protocol):
    """A figure in the making; None while there was no value."""

    @property
    def value(self) -> Any: ...

    def add(self, check: str, values: pa.Array) -> None: ...

    def merge(self, other: Any) -> None: ...


class _Count:
    def __init__(self) -> None:
        self.value = 0

    def add(self, check: str, values: pa.Array) -> None:  # noqa: ARG002 - any values can be counted
        self.value += len(values)

    def merge(self, other: _Count) -> None:
        self.value += other.value


class _Extreme:
    def __init__(self, choose: Callable[[Any, Any], Any], which: int) -> None:
        self.value: Any = None
        self._choose = choose
        self._which = which

    def add(self, check: str, values: pa.Array) -> None:  # noqa: ARG002 - Arrow names the type that has no order
        import pyarrow as pa
        import pyarrow.compute as pc

        from etl_framework.bounds import extremes

        if pa.types.is_floating(values.type):
            values = values.filter(pc.invert(pc.is_nan(values)))
        self._take(extremes(values)[self._which])

    def merge(self, other: _Extreme) -> None:
        self._take(other.value)

    def _take(self, value: Any) -> None:
        if value is not None:
            self.value = value if self.value is None else self._choose(self.value, value)


class _Sum:
    """Exact; the type of the values decides what it is rounded to."""

    def __init__(self) -> None:
        self._exact = Fraction(0)
        self._type: type[int | float | Decimal] | None = None
        self._beyond = 0.0  # infinities and NaN add up in any order

    def add(self, check: str, values: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._type = int
        if pa.types.is_decimal(values.type):
            self._type = Decimal
        elif pa.types.is_floating(values.type):
            self._type = float
            finite = pc.is_finite(values)
            self._beyond += sum(set(values.filter(pc.invert(finite)).unique().to_pylist()))
            values = values.filter(finite)
        self._exact += exact_sum(check, values)

    def merge(self, other: _Sum) -> None:
        self._exact += other._exact
        self._beyond += other._beyond
        self._type = self._type or other._type

    @property
    def value(self) -> Any:
        if self._type is Decimal:
            return _EXACT.divide(Decimal(self._exact.numerator), Decimal(self._exact.denominator))
        if self._type is float:
            try:
                return float(self._exact) + self._beyond
            except OverflowError:
                return (math.inf if self._exact > 0 else -math.inf) + self._beyond
        return None if self._type is None else int(self._exact)


_TOTALS: Mapping[str, Callable[[], _Total]] = {
    "count": _Count,
    "min": lambda: _Extreme(min, 0),
    "max": lambda: _Extreme(max, 1),
    "sum": _Sum,
}
