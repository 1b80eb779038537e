"""Figures over rows for checks: which there are, and their values in a batch.

What a figure is does not depend on how rows are cut into batches and parts, or on the order in which these are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from etl_framework.checks import insist_on_column, shown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

How: TypeAlias = Literal["count", "max", "min", "sum"]

Measured: TypeAlias = "str | Callable[[pa.RecordBatch], pa.Array] | None"
"""A column, or what is computed from a batch with one value per row; None for the rows themselves."""

Figures: TypeAlias = Mapping[str, tuple[Measured, How]]
"""Figures by name: of what, and which. ``count`` counts values that are not null, and with None the rows."""

_HALF = 27
"""Bits of a double's mantissa, of which there are 53, that are summed at a time."""


def insist_on_figures(check: str, figures: Figures) -> None:
    """Make sure that every figure can be computed.

    :raises ValueError: there are none, or one of them is unknown.
    """
    if not figures:
        raise ValueError(f"{check}: there are no figures to look at")
    for name, (of, how) in figures.items():
        if how not in get_args(How):
            raise ValueError(f"{check}: figure {name!r} is {how!r}, but there are {', '.join(get_args(How))}")
        if of is None and how != "count":
            raise ValueError(
                f"{check}: figure {name!r} is the {how} of no column; only rows can be counted without one"
            )


def values_of(check: str, batch: pa.RecordBatch, of: str | Callable[[pa.RecordBatch], pa.Array]) -> pa.Array:
    """The values that a figure is computed from, one per row.

    :raises KeyError: there is no such column.
    :raises TypeError: what was computed is no array.
    :raises ValueError: it has another length.
    """
    import pyarrow as pa

    if isinstance(of, str):
        insist_on_column(check, batch, of)
        return batch[of]
    values = of(batch)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pa.Array):
        raise TypeError(f"{check}: values must be an Arrow array, not {type(values).__name__}")
    if len(values) != batch.num_rows:
        raise ValueError(f"{check}: {len(values)} values for {batch.num_rows} rows")
    return values


def exact_sum(check: str, values: pa.Array) -> Fraction:
    """The sum of an array without rounding: sums of floats would depend on the order in which they are added.

    :param values: without nulls, NaN and infinities.
    :raises TypeError: the values are no numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from etl_framework.totals import decimal_sum, integer_sum

    kind = values.type
    if pa.types.is_floating(kind):
        return _sum_of_floats(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if pa.types.is_integer(kind):
        extremes = pc.min_max(values).as_py()
        return Fraction(integer_sum(values, max(map(abs, extremes.values()))))
    if pa.types.is_decimal(kind):
        return Fraction(decimal_sum(values))
    raise TypeError(f"{check}: values of type {kind} have no sum")


def _sum_of_floats(values: npt.NDArray[np.float64]) -> Fraction:
    import numpy as np

    total = Fraction(0)
    for begin in range(0, len(values), 1 << 25):
        # Mantissas are summed for each exponent, in halves whose sums are whole numbers below 2**53.
        mantissas, exponents = np.frexp(values[begin : begin + (1 << 25)])
        whole = np.ldexp(mantissas, 53).astype(np.int64)
        least = int(exponents.min())
        high = np.bincount(exponents - least, weights=whole >> _HALF)
        low = np.bincount(exponents - least, weights=whole & ((1 << _HALF) - 1))
        for exponent in np.flatnonzero((high != 0) | (low != 0)).tolist():
            mantissa = (int(high[exponent]) << _HALF) + int(low[exponent])
            total += mantissa * Fraction(2) ** (exponent + least - 53)
    return total


def in_words(figures: Mapping[str, Any]) -> str:
    """Figures in one line: ``debit = 1,200, credit = 1,180``."""
    return ", ".join(f"{name} = {_in_words(value)}" for name, value in figures.items())


def _in_words(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(shown(value))
