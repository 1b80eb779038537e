"""The contract of checks by SQL."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from etl_framework.errors import RunFailed
from etl_framework.testing.checking import observe
from etl_framework.testing.contracts.validator import assert_sane
from etl_framework.testing.literal import Cutting, LiteralRows
from etl_framework.testing.querying import check_table, queryable
from etl_framework.values import Finding, Severity

if TYPE_CHECKING:
    from etl_framework.protocols import TableCheck, Validator
    from etl_framework.sql import Statement
    from etl_framework.testing.literal import ColumnTypes


class TableCheckContract(ABC):
    """A check by SQL finds in a table what its twin finds in a file, and never takes a failed query for a pass.

    The rows are asked about in a DuckDB database in memory.

    >>> class TestPositive(TableCheckContract):
    ...     rows = {"price": [1, -1, None]}
    ...
    ...     def check(self):
    ...         return PositiveInTable("price")

    :cvar rows: lists of values by column name, or an Arrow table; some should be such that the check objects.
    :cvar types: of columns whose type the values do not tell, such as ``{"price": "decimal(18,4)"}``.
    :cvar expected: what the check finds in the rows, how often by rule; None for whatever it finds.
    :cvar finds_something: False where there is nothing in the rows that the check could object to.
    :cvar same_words: whether its twin uses the very same messages.
    """

    rows: ClassVar[Any]
    types: ClassVar[ColumnTypes] = {}
    expected: ClassVar[Mapping[str, int] | None] = None
    finds_something: ClassVar[bool] = True
    same_words: ClassVar[bool] = True

    @abstractmethod
    def check(self) -> TableCheck | Iterable[TableCheck]:
        """The check, or several."""

    def twin(self) -> Validator | Iterable[Validator] | None:
        """New accumulators that ask the same of a file, by the same names; None where there are none."""
        return None

    @pytest.fixture(autouse=True)
    def _database(self) -> None:
        pytest.importorskip("duckdb", reason="rows are asked about in DuckDB: pip install duckdb")

    def test_it_finds_what_is_wrong_with_the_rows(self) -> None:
        """Each rule is found as often as is expected."""
        found = self._find(self._literal())
        assert found or not self.finds_something or self.expected is not None, (
            "the check finds nothing: give rows that it objects to, or its contract proves little"
        )
        if self.expected is not None:
            assert _counts(found) == dict(self.expected)

    def test_its_name_is_a_word_that_stays_the_same(self) -> None:
        """Reports count by name."""
        names = [check.name for check in self._checks()]
        for name in names:
            assert name.strip() == name != "", f"the name is {name!r}: give it letters, without blanks around them"
            assert name.isprintable(), f"the name {name!r} cannot be printed"
        assert [check.name for check in self._checks()] == names

    def test_its_findings_are_as_people_and_programs_need_them(self) -> None:
        """Severity, exact count, one line of message, all of it as JSON and pickled."""
        for finding in self._find(self._literal()):
            assert_sane(finding)

    def test_asking_twice_finds_the_same(self) -> None:
        """It changes nothing."""
        assert self._find(self._literal()) == self._find(self._literal())

    def test_the_order_of_columns_decides_nothing(self) -> None:
        """A table may have them in another order than the file."""
        literal = self._literal()
        names = literal.table.column_names[::-1]
        turned = LiteralRows.of(literal.table.select(names), literal.types)
        assert _told(self._find(turned)) == _told(self._find(literal))

    def test_no_rows_give_findings_or_none(self) -> None:
        """Nothing to look at is no reason to fail."""
        literal = self._literal()
        for finding in self._find(LiteralRows.of(literal.table.slice(0, 0), literal.types)):
            assert_sane(finding)

    def test_it_only_asks_queries(self) -> None:
        """Within a load's transaction, nothing else may be sent."""
        asked: list[Statement] = []
        for check in self._checks():
            check_table(check, self._literal(), asked)
        for statement in asked:
            assert statement.sql.lstrip().upper().startswith(("WITH", "SELECT")), f"it is no query: {statement}"

    def test_a_query_that_fails_is_never_a_pass(self) -> None:
        """What could not be asked is not known to be good."""

        def fails(*_: object) -> Any:
            raise RunFailed("the warehouse is on fire")

        asked: list[Statement] = []
        for check in self._checks():
            check_table(check, self._literal(), asked)
            if not asked:
                continue
            with queryable(self._literal()) as rows:
                try:
                    found = tuple(check.run(dataclasses.replace(rows, ask=fails)))
                except RunFailed:
                    continue
            assert any(finding.severity is Severity.ERROR for finding in found), (
                f"{check.name}: its query failed, and it found no error"
            )

    def test_its_twin_finds_the_same_in_a_file(self) -> None:
        """Rule, severity and count, and the words."""
        if self.twin() is None:
            pytest.skip("it has no twin for files")
        literal = self._literal()
        names = {twin.name for twin in self._twins()}
        in_file = observe(self._twins, literal, Cutting.even(literal.table.num_rows, 2, 2))
        in_table = self._find(literal, names)
        words = slice(None) if self.same_words else slice(0, 3)
        assert [each[words] for each in _told(in_table)] == [each[words] for each in _told(in_file)]

    def _twins(self) -> list[Validator]:
        given: Any = self.twin()
        return [given] if hasattr(given, "update") else list(given)

    def _checks(self) -> Iterator[TableCheck]:
        given: Any = self.check()
        yield from [given] if hasattr(given, "run") else given

    def _literal(self) -> LiteralRows:
        return LiteralRows.of(self.rows, self.types)

    def _find(self, literal: LiteralRows, names: Container[str] | None = None) -> tuple[Finding, ...]:
        checks = (check for check in self._checks() if names is None or check.name in names)
        return tuple(finding for check in checks for finding in check_table(check, literal))


def _counts(found: Iterable[Finding]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding.rule] = counts.get(finding.rule, 0) + finding.count
    return counts


def _told(found: Iterable[Finding]) -> list[tuple[str, str, int, str]]:
    return sorted((finding.rule, finding.severity.value, finding.count, finding.message) for finding in found)
