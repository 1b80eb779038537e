"""The checks of values, rules and columns keep what validators and checks of tables promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from etl_quality import columns, rules, schema

from etl_framework import Analysis, Column, ColumnType, Job, TableCheck, Validator
from etl_framework.testing import TableCheckContract, ValidatorContract, literal_job

ROWS: dict[str, list[Any]] = {
    "id": [1, 2, 2, 5, 4, None],
    "price": ["1.00", "-1.50", None, "99.00", "0.00", "7.25"],
    "code": ["EUR", "USD", "", "GBPX", None, "ü"],
    "x": [0.5, float("nan"), 1e300, -2.0, None, 0.25],
}
TYPES = {"id": "bigint", "price": "decimal(10,2)", "code": "varchar", "x": "double"}
COLUMNS = tuple(Column(name=name, type=ColumnType.parse(type_), declared=True) for name, type_ in TYPES.items())
NEW = Column(name="new", type=ColumnType.parse("date"))
SAID = {
    "id": {"not_null": True, "unique": True, "monotonic": "increasing"},
    "price": {"min": 0, "max": 50},
    "code": {"length": 3, "regex": "[A-Z]*", "allowed": ["EUR", "USD"]},
    "x": {"max": 1},
}
OF_TABLES = {name: {key: rule for key, rule in said.items() if key != "monotonic"} for name, said in SAID.items()}
RULES = [
    {"name": "positive", "sql": "price > 0", "column": "id"},
    {"name": "total", "sql": "sum(price) < 50 AND count(*) = 0", "reason": "the total is wrong"},
    {"name": "highest", "sql": "max(x) < 5"},
]
TABLE = pa.table(
    {
        "id": pa.array(ROWS["id"], pa.int64()),
        "price": pa.array(ROWS["price"]).cast(pa.decimal128(10, 2)),
        "code": pa.array(ROWS["code"]),
        "x": pa.array(ROWS["x"], pa.float64()),
    }
)


def job(**sections: Any) -> Job:
    return literal_job(sections=sections)


def analysis() -> Any:
    return Analysis(source=None, format=None, columns=COLUMNS, rows=0)  # type: ignore[arg-type]


class TestValuesOfFiles(ValidatorContract):
    rows = TABLE
    types = TYPES
    expected = {
        "not_null": 1, "min": 1, "max": 3, "length": 3, "regex": 1, "allowed": 3, "unique": 1, "monotonic": 1,
    }  # fmt: skip

    def validator(self) -> Iterator[Validator]:
        return iter(columns.read(SAID, job()).validators(job(), analysis()))


class TestValuesOfTables(TableCheckContract):
    rows = TABLE
    types = TYPES

    def check(self) -> Iterator[TableCheck]:
        return iter(columns.read(OF_TABLES, job()).table_checks(job(), COLUMNS))

    def twin(self) -> Iterator[Validator]:
        return iter(columns.read(OF_TABLES, job()).validators(job(), analysis()))


class TestRulesOfFiles(ValidatorContract):
    rows = TABLE
    types = TYPES
    expected = {"positive": 2, "total": 1, "highest": 1}

    def validator(self) -> Iterator[Validator]:
        return iter(rules.read(RULES, job()).validators(job(), analysis()))


class TestRulesOfTables(TableCheckContract):
    rows = TABLE
    types = TYPES

    def check(self) -> Iterator[TableCheck]:
        return iter(rules.read(RULES, job()).table_checks(job(), COLUMNS))

    def twin(self) -> Iterator[Validator]:
        return iter(rules.read(RULES, job()).validators(job(), analysis()))


class TestColumnsOfFiles(ValidatorContract):
    rows = TABLE
    types = TYPES
    expected = {"schema": 1}

    def validator(self) -> Iterator[Validator]:
        asking = literal_job(columns=(*COLUMNS[1:], COLUMNS[0])[:3])
        return iter(schema.read({"table": False, "order": False}, asking).validators(asking, analysis()))


class TestColumnsOfTables(TableCheckContract):
    rows = TABLE
    types = TYPES
    expected = {"schema": 1 + 1 + 1}
    # What has the columns is a table here, and a file there.
    same_words = False

    def _checks_of(self) -> tuple[schema.Checks, Job]:
        # One column less, one of another type, and a new one.
        declared = (*COLUMNS[2:], Column(name="id", type=ColumnType.parse("date")), NEW)
        asking = literal_job(columns=declared)
        return schema.read({"table": False, "order": False}, asking), asking

    def check(self) -> Iterator[TableCheck]:
        checks, asking = self._checks_of()
        return iter(checks.table_checks(asking, COLUMNS))

    def twin(self) -> Iterator[Validator]:
        checks, asking = self._checks_of()
        return iter(checks.validators(asking, analysis()))


class TestOrderOfTables(TableCheckContract):
    """A table has none: it is said that it was not looked at, which no twin says."""

    rows = TABLE
    types = TYPES
    expected = {"monotonic": 0}

    def check(self) -> Iterator[TableCheck]:
        return iter(columns.read({"id": {"monotonic": "increasing"}}, job()).table_checks(job(), COLUMNS))


class TestReferencesOfFiles(ValidatorContract):
    rows = TABLE
    types = TYPES
    expected = {"references": 2}

    def validator(self) -> Iterator[Validator]:
        said = {"code": {"references": {"query": "SELECT 1"}}}
        for check in columns.read(said, job()).validators(job(), analysis()):
            check.tell(pa.array(["EUR", "USD", ""]))  # type: ignore[attr-defined]
            yield check


class TestReferencesOfTables(TableCheckContract):
    rows = TABLE
    types = TYPES
    expected = {"references": 2}
    said = {"code": {"references": {"query": "SELECT * FROM (VALUES ('EUR'), ('USD'), ('')) AS known (code)"}}}

    def check(self) -> Iterator[TableCheck]:
        return iter(columns.read(self.said, job()).table_checks(job(), COLUMNS))

    def twin(self) -> Iterator[Validator]:
        for check in columns.read(self.said, job()).validators(job(), analysis()):
            check.tell(pa.array(["EUR", "USD", ""]))  # type: ignore[attr-defined]
            yield check


class TestReferencesOfTablesToAFile(TableCheckContract):
    rows = TABLE
    types = TYPES
    expected = {"references": 3}
    known = ["EUR", "USD"]

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        (tmp_path / "codes.csv").write_text("".join(f"{code}\n" for code in ["code", *self.known]))
        self._job = literal_job(folder=tmp_path)

    def _checks_of(self) -> columns.Checks:
        return columns.read({"code": {"references": "codes.csv"}}, self._job)

    def check(self) -> Iterator[TableCheck]:
        return iter(self._checks_of().table_checks(self._job, COLUMNS))

    def twin(self) -> Iterator[Validator]:
        return iter(self._checks_of().validators(self._job, analysis()))


class TestReferencesOfTablesToALongFile(TestReferencesOfTablesToAFile):
    known = ["EUR", "USD", *map(str, range(2000))]
