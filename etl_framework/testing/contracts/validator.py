"""The contract of validators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from etl_framework.checks import MOST_SAMPLES
from etl_framework.jsonable import dumps, to_jsonable
from etl_framework.protocols import Spilling
from etl_framework.testing.blocks import PlainBlock
from etl_framework.testing.checking import Makes, in_one_pass, observe
from etl_framework.testing.contracts.base import travelled
from etl_framework.testing.literal import Cutting, LiteralRows
from etl_framework.values import Finding, Sample, Severity

if TYPE_CHECKING:
    import pytest

    from etl_framework.protocols import Validator
    from etl_framework.testing.literal import ColumnTypes, RowsLike

_MANY = 40
"""Rows that the given ones are repeated to, about, so that there is something to cut."""


class ValidatorContract(ABC):
    """A validator finds the same however its rows are cut, travels, merges, and leaves its blocks alone.

    Subclass it, give :attr:`rows` that it objects to, and :meth:`validator`:

    >>> class TestSettled(ValidatorContract):
    ...     rows = {"currency": ["EUR", "XXX", None]}
    ...
    ...     def validator(self):
    ...         return settled_currency()

    :cvar rows: lists of values by column name, or an Arrow table; some should be such that the check objects.
    :cvar types: of columns whose type the values do not tell, such as ``{"price": "decimal(18,4)"}``.
    :cvar expected: what the check finds in the rows, how often by rule; None for whatever it finds.
    :cvar finds_something: False where there is nothing in the rows that the check could object to.
    """

    rows: ClassVar[Any]
    types: ClassVar[ColumnTypes] = {}
    expected: ClassVar[Mapping[str, int] | None] = None
    finds_something: ClassVar[bool] = True

    @abstractmethod
    def validator(self) -> Validator | Iterable[Validator]:
        """New accumulators, one or several: the same ones in the same order at each call."""

    def test_it_finds_what_is_wrong_with_the_rows(self) -> None:
        """Each rule is found as often as is expected."""
        found = self._find(self._literal())
        assert found or not self.finds_something or self.expected is not None, (
            "the check finds nothing: give rows that it objects to, or its contract proves little"
        )
        if self.expected is not None:
            counts: dict[str, int] = {}
            for finding in found:
                counts[finding.rule] = counts.get(finding.rule, 0) + finding.count
            assert counts == dict(self.expected), f"it finds {counts} instead of {dict(self.expected)}"

    def test_its_name_is_a_word_that_stays_the_same(self) -> None:
        """Parts are merged by name, so every accumulator of a check has one and keeps it."""
        names = [check.name for check in self._make()]
        for name in names:
            assert isinstance(name, str), f"the name is {name!r}, which is no text"
            assert name.strip() == name != "", f"the name is {name!r}: give it letters, without blanks around them"
            assert name.isprintable(), f"the name {name!r} cannot be printed"
        assert [check.name for check in self._make()] == names, "two calls give different names"
        assert [check.name for check in travelled(self._make())] == names, "the name changes on its way"

    def test_each_call_gives_accumulators_of_their_own(self) -> None:
        """What one part's accumulator saw must not show in another's."""
        one, other = self._make(), self._make()
        assert not {id(check) for check in one} & {id(check) for check in other}, (
            "two calls give the same object: make a new one each time"
        )
        literal = self._literal()
        alone = self._find(literal)
        assert self._find(literal) == alone, "a second look at the same rows finds something else"

    def test_it_finds_the_same_however_the_rows_are_cut_and_merged(self) -> None:
        """Parts, blocks and the order of merging decide nothing."""
        few, *many = self._sizes()
        self._insist_on_the_same(few)
        for literal in many:
            rows = literal.table.num_rows
            for cutting in (
                Cutting.even(rows, 7, 3),
                Cutting(parts=((rows // 2,), (), (rows - rows // 2,)), order=(2, 0, 1)),
            ):
                assert self._find(literal, cutting) == in_one_pass(self._make, literal), _other_findings(cutting)

    def test_it_finds_the_same_without_travelling(self) -> None:
        """On threads nothing is pickled: merging must not rely on it."""
        for literal in self._sizes():
            cutting = Cutting.even(literal.table.num_rows, 3, 2)
            assert observe(self._make, literal, cutting, travels=False) == observe(self._make, literal, cutting), (
                "accumulators that were not pickled merge to something else"
            )

    def test_it_finds_the_same_whatever_blocks_offer(self) -> None:
        """Not every format tells the places of all rows at once."""
        for literal in self._sizes():
            cutting = Cutting.even(literal.table.num_rows, 2, 2)
            assert observe(self._make, literal, cutting, kind=PlainBlock) == observe(self._make, literal, cutting), (
                "it finds something else in blocks that offer no more than they must"
            )

    def test_it_can_be_pickled_at_any_time(self) -> None:
        """It rests in the journal: before its first block and after any other."""
        for check in self._make():
            travelled(check)
            for _, blocks in self._literal().blocks(Cutting.even(self._literal().table.num_rows, 1, 3)):
                if isinstance(check, Spilling):
                    return  # what it spilled is whole only after it settled, as the other tests see
                for block in blocks:
                    check.update(block)
                    travelled(check)

    def test_it_neither_changes_nor_keeps_its_blocks(self) -> None:
        """A block is read-only, and worthless once the next one is asked for."""
        literal = self._literal().repeated(3)
        cutting = Cutting.even(literal.table.num_rows, 1, 5)
        assert self._find(literal, cutting) == observe(self._make, literal, cutting, lasting=True), (
            "it keeps a block, or a slice of one, whose memory is gone: copy what is needed later"
        )

    def test_what_it_keeps_in_files_is_known_to_be_whole_or_not(self, tmp_path: Path) -> None:
        """A run that is resumed relies on it, also after the accumulator travelled."""
        literal = self._literal()
        for number, check in enumerate(self._make()):
            if isinstance(check, Spilling):
                folder = tmp_path / str(number)
                folder.mkdir()
                check.spill_to(folder)
                for _, blocks in literal.blocks(Cutting.whole(literal.table.num_rows)):
                    for block in blocks:
                        check.update(block)
                check.settle()
                assert travelled(check).is_whole(), f"{check.name}: its files are there, but it misses them"
                files = [path for path in folder.rglob("*") if path.is_file()]
                for path in files:
                    path.unlink()
                assert not files or not travelled(check).is_whole(), f"{check.name}: it does not miss its files"

    def test_a_part_without_rows_changes_nothing(self) -> None:
        """Its accumulator is merged although it never saw a block."""
        literal = self._literal()
        rows = literal.table.num_rows
        whole = self._find(literal)
        for order in ((0, 1), (1, 0)):
            for parts in (((rows,), ()), ((), (rows,))):
                cutting = Cutting(parts=parts, order=order)
                assert self._find(literal, cutting) == whole, _other_findings(cutting)

    def test_a_file_without_rows_gives_findings_or_none(self) -> None:
        """Nothing to look at is no reason to fail."""
        literal = self._literal()
        nothing = LiteralRows.of(literal.table.slice(0, 0), literal.types)
        for finding in self._find(nothing, Cutting(parts=((), ()), order=(0, 1))):
            assert_sane(finding)

    def test_its_findings_are_as_people_and_programs_need_them(self) -> None:
        """Severity, exact count, one line of message, samples with places, all of it as JSON and pickled."""
        for literal in self._sizes():
            for finding in self._find(literal):
                assert_sane(finding)

    def test_it_prints_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Standard output may be somebody's JSON document."""
        self._find(self._literal())
        printed = capsys.readouterr().out
        assert not printed, f"it prints {printed[:80]!r}"

    def _make(self) -> list[Validator]:
        given: Any = self.validator()
        return [given] if hasattr(given, "update") else list(given)

    def _literal(self) -> LiteralRows:
        rows: RowsLike = self.rows
        return LiteralRows.of(rows, self.types)

    def _insist_on_the_same(self, literal: LiteralRows) -> None:
        whole = in_one_pass(self._make, literal)

        def as_whole(cutting: Cutting) -> None:
            assert self._find(literal, cutting) == whole, _other_findings(cutting)

        for_every_cutting(literal.table.num_rows, as_whole)

    def _sizes(self) -> Iterable[LiteralRows]:
        literal = self._literal()
        yield literal
        if 0 < (rows := literal.table.num_rows) < _MANY:
            yield literal.repeated(_MANY // rows + 1)

    def _find(self, literal: LiteralRows, cutting: Cutting | None = None) -> tuple[Finding, ...]:
        make: Makes = self._make
        return observe(make, literal, cutting or Cutting.whole(literal.table.num_rows))


def _other_findings(cutting: Cutting) -> str:
    return f"other findings than of one pass, cut as {cutting}"


def assert_sane(finding: object) -> None:
    """Insist that a finding is one, and that it can be shown, counted and stored."""
    assert isinstance(finding, Finding), f"finish() gave {type(finding).__name__} instead of Finding"
    assert isinstance(finding.severity, Severity), f"{finding.rule}: severity {finding.severity!r} is none"
    assert finding.rule, "a finding has no rule"
    assert isinstance(finding.rule, str), f"the rule {finding.rule!r} is no text"
    assert type(finding.count) is int, f"{finding.rule}: the count {finding.count!r} is no int"
    assert finding.count >= 0, f"{finding.rule}: nothing happens {finding.count} times"
    assert finding.message, f"{finding.rule}: the message is empty"
    assert finding.message.splitlines() == [finding.message], f"{finding.rule}: the message is not one line"
    assert len(finding.samples) <= MOST_SAMPLES, f"{finding.rule}: more than {MOST_SAMPLES} samples"
    for sample in finding.samples:
        assert isinstance(sample, Sample), f"{finding.rule}: a sample is {type(sample).__name__}"
        assert sample.line is None or sample.line >= 1, f"{finding.rule}: there is no line {sample.line}"
        assert sample.value is None or isinstance(sample.value, str), f"{finding.rule}: a sample's value is no text"
    dumps("finding", to_jsonable(finding))
    assert travelled(finding) == finding, f"{finding.rule}: the finding is another one after it was pickled"


def for_every_cutting(rows: int, promise: Callable[[Cutting], None]) -> None:
    """Try a promise with fixed cuttings and, where Hypothesis is installed, with many others.

    :param rows: how many there are to cut.
    """
    one_each = tuple((1,) for _ in range(rows)) or ((),)
    fixed = [Cutting.whole(rows), *(Cutting.even(rows, parts, blocks) for parts in (1, 2, 3) for blocks in (1, 2, 7))]
    fixed += [Cutting(parts=one_each, order=order) for order in _orders(len(one_each))]
    for cutting in fixed:
        promise(cutting)
    try:
        from hypothesis import given, settings
        from hypothesis import strategies as st
    except ImportError:
        return

    @st.composite
    def cuttings(draw: st.DrawFn) -> Cutting:
        parts: list[tuple[int, ...]] = []
        left = rows
        while left or not parts:
            sizes = []
            for _ in range(draw(st.integers(int(len(parts) > 5), 3))):
                if left:
                    sizes.append(draw(st.integers(1, left)))
                    left -= sizes[-1]
            parts.append(tuple(sizes))
        return Cutting(parts=tuple(parts), order=tuple(draw(st.permutations(range(len(parts))))))

    # Always the same ones: a contract that holds today must not fail tomorrow for the same code.
    settings(max_examples=20, deadline=None, database=None, derandomize=True)(given(cuttings())(promise))()


def _orders(parts: int) -> Iterable[tuple[int, ...]]:
    forwards = tuple(range(parts))
    return forwards, forwards[::-1], (*forwards[1::2], *forwards[::2])
