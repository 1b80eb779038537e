"""What a profile says of data, column by column: figures for people who do not know the data yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_framework.columns import ColumnType
    from etl_framework.totals import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """The smallest value that a share of the values does not exceed.

    :param share: of the values, 0 to 1: 0.5 for the median.
    :param value: the quantile, or an estimate between ``low`` and ``high``.
    :param low: the true quantile is no smaller.
    :param high: the true quantile is no larger; equal to ``low`` when the value is exact.
    """

    share: float
    value: Scalar
    low: Scalar
    high: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class TopValue:
    """A frequent value.

    :param value: text is shortened.
    :param count: in how many rows it stands.
    :param share: of the column's values, nulls left out, 0 to 1.
    """

    value: Scalar
    count: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A shape of text: ``A`` stands for a capital letter, ``a`` for any other one, ``9`` for a digit.

    :param shape: such as ``AA-9999``; ``+`` after a letter or a digit means one or more, where shapes differ too much.
    :param share: of the sampled values, 0 to 1.
    :param example: a value of that shape, shortened.
    """

    shape: str
    share: float
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """The lengths of a column's texts, in characters."""

    shortest: int
    longest: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """One dimension of quality.

    :param dimension: ``validity``, ``completeness``, ``uniqueness``, ``consistency``, or a plugin's own.
    :param value: 0 to 1, more is better.
    :param weight: in the score, 0 to 1; the weights of a score add up to 1.
    :param reason: one sentence: what was counted.
    """

    dimension: str
    value: float
    weight: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A quality score and how it comes about.

    :param value: 0 to 100, the weighted mean of the parts; None when nothing could be judged.
    :param parts: the heaviest first.
    """

    value: float | None = None
    parts: tuple[ScorePart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What is known of one column.

    :param name: of the column.
    :param type: declared or inferred.
    :param rows: good rows.
    :param nulls: those without a value.
    :param bad: bad rows whose fault lies in this column.
    :param distinct: how many different values, exact or an estimate.
    :param distinct_error: relative standard error of ``distinct``; 0 when it is exact.
    :param minimum: smallest value, of floating point numbers the smallest finite one; text compares by its UTF-8 bytes.
    :param maximum: largest value.
    :param mean: of the finite numbers; None for other types.
    :param deviation: their standard deviation (of a sample: n - 1).
    :param not_finite: how many floating point numbers are infinite or no number.
    :param quantiles: in order; none of text and booleans.
    :param top: the most frequent values, the first ones first.
    :param top_error: largest standard error of the shares in ``top``; 0 when they are exact.
    :param no_top: why ``top`` is empty although there are values: they are all different; empty where it is not.
    :param lengths: of text.
    :param patterns: of text, the most frequent first.
    :param score: the column's quality.
    """

    name: str
    type: ColumnType
    rows: int
    nulls: int
    bad: int
    distinct: int
    distinct_error: float
    minimum: Scalar | None
    maximum: Scalar | None
    mean: float | None
    deviation: float | None
    not_finite: int
    quantiles: tuple[Quantile, ...]
    top: tuple[TopValue, ...]
    top_error: float
    lengths: Lengths | None
    patterns: tuple[Pattern, ...]
    score: Score
    no_top: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of data.

    :param rows: good rows.
    :param bad_rows: the others.
    :param sampled: how many rows patterns and estimated top values come from.
    :param columns: one each, in order.
    :param score: the quality of the data as a whole.
    """

    rows: int
    bad_rows: int
    sampled: int
    columns: tuple[ColumnProfile, ...]
    score: Score


def sound_profile(answer: object) -> Profile:
    """The profile that a profiler gave; call it within ``blaming``.

    :raises TypeError: it is none, or holds what is none of a column.
    """
    if not isinstance(answer, Profile):
        raise TypeError(f"finish() gave {type(answer).__qualname__} instead of Profile")
    if strange := next((column for column in answer.columns if not isinstance(column, ColumnProfile)), None):
        raise TypeError(f"finish() gave a column that is {type(strange).__qualname__} instead of ColumnProfile")
    return answer
