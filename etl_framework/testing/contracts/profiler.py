"""The contract of profilers."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from etl_framework.jsonable import dumps, to_jsonable
from etl_framework.profiles import ColumnProfile, Profile, Quantile
from etl_framework.testing.checking import literal_job
from etl_framework.testing.contracts.base import PluginContract, travelled
from etl_framework.testing.contracts.validator import for_every_cutting
from etl_framework.testing.literal import Cutting, LiteralRows

if TYPE_CHECKING:
    from etl_framework.protocols import Profiler
    from etl_framework.testing.blocks import PlainBlock
    from etl_framework.testing.literal import ColumnTypes

_TOLERANCE = 1e-9


class ProfilerContract(PluginContract):
    """A profile is the same however the rows are cut, as far as its figures claim to be exact.

    >>> class TestOurProfiles(ProfilerContract):
    ...     rows = {"id": [1, 2, 2], "name": ["a", None, "b"]}
    ...
    ...     def plugin(self):
    ...         return acme_profiles

    :cvar rows: lists of values by column name, or an Arrow table.
    :cvar types: of columns whose type the values do not tell, such as ``{"price": "decimal(18,4)"}``.
    :cvar keys: the columns that the job declares to identify a row.
    """

    rows: ClassVar[Any]
    types: ClassVar[ColumnTypes] = {}
    keys: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def plugin(self) -> object:
        """The plugin that makes profiles."""

    def profiler(self, literal: LiteralRows) -> Profiler:
        """A new accumulator, as the core asks for it."""
        return self.plugins().profiler(literal_job(columns=literal.columns, keys=self.keys), literal.analysis())

    def profile(self, literal: LiteralRows, cutting: Cutting | None = None, *, lasting: bool = False) -> Profile:
        """The profile of rows that are cut in a certain way, with accumulators that travelled.

        :param lasting: whether blocks stay as they are; otherwise their memory is zeroed once the next one is read.
        """
        cutting = cutting or Cutting.whole(literal.table.num_rows)
        parts = {part: self._gathered(literal, blocks, lasting) for part, blocks in literal.blocks(cutting)}
        merged = self.profiler(literal)
        for part in cutting.order:
            merged.merge(parts[part])
        return merged.finish()

    def test_it_is_of_all_rows_and_columns(self) -> None:
        """In order, with the nulls counted."""
        literal = self._literal()
        profile = self.profile(literal)
        assert profile.rows == literal.table.num_rows
        assert [(column.name, column.type) for column in profile.columns] == [
            (column.name, column.type) for column in literal.columns
        ]
        nulls = [values.null_count for values in literal.table.columns]
        assert [column.nulls for column in profile.columns] == nulls

    def test_it_is_the_same_however_the_rows_are_cut_and_merged(self) -> None:
        """Exact figures exactly; estimates keep within what they say of themselves."""
        literal = self._literal()
        whole = self.profile(literal)

        def as_whole(cutting: Cutting) -> None:
            assert_alike(self.profile(literal, cutting), whole)

        for_every_cutting(literal.table.num_rows, as_whole)

    def test_it_neither_changes_nor_keeps_its_blocks(self) -> None:
        """A block is read-only, and worthless once the next one is asked for."""
        literal = self._literal().repeated(3)
        cutting = Cutting.even(literal.table.num_rows, 1, 5)
        assert to_jsonable(self.profile(literal, cutting)) == to_jsonable(self.profile(literal, cutting, lasting=True))

    @pytest.mark.parametrize("parts", [((),), ((), ()), ((0,), (0, 0))], ids=["a part", "parts", "blocks"])
    def test_no_rows_have_a_profile(self, parts: tuple[tuple[int, ...], ...]) -> None:
        """Of a file without rows, and of blocks in which all are bad."""
        literal = self._literal()
        nothing = LiteralRows.of(literal.table.slice(0, 0), literal.types)
        profile = self.profile(nothing, Cutting(parts=parts, order=tuple(range(len(parts)))))
        assert profile.rows == 0
        assert len(profile.columns) == len(literal.columns)
        assert_sane_profile(profile)

    def test_its_figures_make_sense(self) -> None:
        """Shares are shares, bounds are bounds, a score's weights add up; all of it as JSON and pickled."""
        for literal in (self._literal(), self._literal().repeated(20)):
            assert_sane_profile(self.profile(literal))

    def _literal(self) -> LiteralRows:
        return LiteralRows.of(self.rows, self.types)

    def _gathered(self, literal: LiteralRows, blocks: Iterable[PlainBlock], lasting: bool) -> Profiler:
        profiler = self.profiler(literal)
        for block in blocks:
            profiler.update(block)
            assert not block.changed, "the profiler wrote into the block; checks and the warehouse see it, too"
            if not lasting:
                block.end()
        return travelled(profiler)


def assert_alike(found: Profile, expected: Profile) -> None:
    """Insist that two profiles of the same rows differ in no figure that claims to be exact."""
    assert (found.rows, found.bad_rows) == (expected.rows, expected.bad_rows)
    for one, other in zip(found.columns, expected.columns, strict=True):
        for name in ("name", "type", "rows", "nulls", "bad", "minimum", "maximum", "not_finite", "lengths"):
            assert to_jsonable(getattr(one, name)) == to_jsonable(getattr(other, name)), f"{one.name}: another {name}"
        for name in ("mean", "deviation"):
            assert _close(getattr(one, name), getattr(other, name)), f"{one.name}: another {name}"
        if not one.distinct_error and not other.distinct_error:
            assert one.distinct == other.distinct, f"{one.name}: another number of different values"
        if not one.top_error and not other.top_error:
            assert to_jsonable(one.top) == to_jsonable(other.top), f"{one.name}: other frequent values"
        exact = _exact(other)
        for share, mine in _exact(one).items():
            assert mine == exact.get(share, mine), f"{one.name}: another quantile that claims to be exact"


def assert_sane_profile(profile: Profile) -> None:
    """Insist that a profile is one, and that it can be shown and stored."""
    assert isinstance(profile, Profile), f"finish() gave {type(profile).__name__} instead of Profile"
    for column in profile.columns:
        assert 0 <= column.nulls <= column.rows
        assert column.distinct >= 0
        assert column.distinct_error >= 0
        for quantile in column.quantiles:
            assert 0 <= quantile.share <= 1
            low, value, high = (_any(each) for each in (quantile.low, quantile.value, quantile.high))
            assert low <= value <= high, f"{column.name}: the quantile {value} is not within {low} and {high}"
        shares = [each.share for each in column.top] + [each.share for each in column.patterns]
        assert all(0 <= share <= 1 for share in shares), f"{column.name}: a share is none: {shares}"
    for score in (profile.score, *(column.score for column in profile.columns)):
        assert score.value is None or 0 <= score.value <= 100, f"a score is {score.value}, not 0 to 100"
        assert all(0 <= part.value <= 1 and part.reason for part in score.parts)
        assert not score.parts or math.isclose(sum(part.weight for part in score.parts), 1)
    # A value that is no number is equal to nothing, itself included; as JSON it is.
    assert dumps("profile", travelled(profile)) == dumps("profile", profile)


def _exact(column: ColumnProfile) -> dict[float, Quantile]:
    return {quantile.share: quantile for quantile in column.quantiles if quantile.low == quantile.high}


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _any(value: Any) -> Any:
    return value
