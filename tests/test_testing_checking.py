"""The test kit: checks over literal rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl_framework import Severity, hookimpl, row_check
from etl_framework.testing import Cutting, LiteralRows, ValidatorContract, check_rows, literal_job

if TYPE_CHECKING:
    from etl_framework import Block, Finding, Job, Validator


def settled_currency() -> Validator:
    return row_check(
        "settled_currency", lambda batch: pc.is_in(batch["currency"], pa.array(["EUR", "USD"])), column="currency"
    )


class TestTheContractOfARowCheck(ValidatorContract):
    rows = {"currency": ["EUR", "XXX", None, "USD", "YYY"]}
    expected = {"settled_currency": 3}

    def validator(self) -> Validator:
        return settled_currency()


class Team:
    @hookimpl
    def etl_validate(self, job: Job) -> Any:
        yield row_check("most", lambda batch: pc.less_equal(batch["id"], job.section("checks")["most"]), column="id")


def test_findings_tell_the_lines_of_a_file_with_a_header() -> None:
    [finding] = check_rows(settled_currency, {"currency": ["EUR", "XXX", "USD", "YYY"]})
    assert [(sample.line, sample.value, sample.part) for sample in finding.samples] == [
        (3, "XXX", None),
        (5, "YYY", None),
    ]


def test_a_record_of_several_lines_counts_as_several() -> None:
    [finding] = check_rows(settled_currency, {"note": ["one\ntwo", "three"], "currency": ["EUR", "XXX"]})
    assert [sample.line for sample in finding.samples] == [4]


def test_a_plugin_reads_the_sections_of_the_job() -> None:
    [finding] = check_rows(Team(), {"id": [1, 2, 3]}, job=literal_job(sections={"checks": {"most": 2}}))
    assert (finding.rule, finding.count, finding.severity) == ("most", 1, Severity.ERROR)


def test_one_validator_sees_all_rows() -> None:
    [finding] = check_rows(settled_currency(), {"currency": ["XXX"] * 30})
    assert finding.count == 30
    assert [sample.line for sample in finding.samples] == list(range(2, 12))


def test_types_that_values_do_not_tell_can_be_given() -> None:
    rows = LiteralRows.of({"price": [None, 1], "name": ["a", "b"]}, {"price": "decimal(18,4)"})
    assert [str(column.type) for column in rows.columns] == ["decimal(18,4)", "varchar"]
    assert rows.table.schema.field("price").type == pa.decimal128(18, 4)
    assert b"".join((rows.header, *rows.records)) == b"price,name\n,a\n1.0000,b\n"


@pytest.mark.parametrize(("rows", "parts"), [(0, ((),)), (1, ((1,),)), (7, ((1, 1), (1, 1), (1, 2)))])
def test_an_even_cut_leaves_no_row_out(rows: int, parts: tuple[tuple[int, ...], ...]) -> None:
    assert Cutting.even(rows, 3, 2).parts == parts


class Bad:
    """A check with a defect, for the contract to find."""

    name = "bad"

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.count = 0

    def update(self, block: Block) -> None:
        self.count += block.batch.num_rows

    def merge(self, other: Any) -> None:
        self.count += other.count

    def finish(self) -> list[Finding]:
        from etl_framework import Finding

        return [Finding(rule=self.name, severity=Severity.INFO, count=self.count, message="rows")] if self.count else []


class KeepsBlocks(Bad):
    def update(self, block: Block) -> None:
        self.kept.append(block.batch["id"])

    def merge(self, other: Any) -> None:
        self.kept += other.kept

    def finish(self) -> list[Finding]:
        self.count = sum(pc.sum(column).as_py() or 0 for column in self.kept)
        return super().finish()


class ForgetsToMerge(Bad):
    def merge(self, other: Any) -> None: ...


class TheOrderDecides(Bad):
    def merge(self, other: Any) -> None:
        self.count = 2 * self.count + other.count


class CannotTravel(Bad):
    def __init__(self) -> None:
        super().__init__()
        self.good = lambda: True


class WritesIntoTheBlock(Bad):
    def update(self, block: Block) -> None:
        block.data[0:1] = b"!"  # type: ignore[index]


class RaisesWithoutRows(Bad):
    def finish(self) -> list[Finding]:
        assert 1 / self.count
        return super().finish()


class TwoLines(Bad):
    def finish(self) -> list[Finding]:
        from dataclasses import replace

        return [replace(finding, message="one\ntwo") for finding in super().finish()]


class HasNoName(Bad):
    name = ""


@pytest.mark.parametrize(
    ("defective", "promise"),
    [
        (KeepsBlocks, "it_neither_changes_nor_keeps_its_blocks"),
        (ForgetsToMerge, "it_finds_the_same_however_the_rows_are_cut_and_merged"),
        (TheOrderDecides, "it_finds_the_same_however_the_rows_are_cut_and_merged"),
        (CannotTravel, "it_can_be_pickled_at_any_time"),
        (WritesIntoTheBlock, "it_neither_changes_nor_keeps_its_blocks"),
        (RaisesWithoutRows, "a_file_without_rows_gives_findings_or_none"),
        (TwoLines, "its_findings_are_as_people_and_programs_need_them"),
        (HasNoName, "its_name_is_a_word_that_stays_the_same"),
    ],
)
def test_the_contract_finds_a_defect(defective: type[Bad], promise: str) -> None:
    class Contract(ValidatorContract):
        rows = {"id": [1, 2, 3]}

        def validator(self) -> Validator:
            return defective()

    with pytest.raises((AssertionError, ArithmeticError, AttributeError, TypeError)):
        getattr(Contract(), f"test_{promise}")()
