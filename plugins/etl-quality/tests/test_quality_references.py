"""Values that refer to those of another file, or of a query in the warehouse."""

from __future__ import annotations

import gzip
import pickle
import re
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from etl_quality import references
from etl_quality.columns import read
from etl_quality.typed import typed
from etl_quality.words import Words

from etl_framework import (
    Analysis,
    Check,
    Column,
    ColumnType,
    Job,
    QueryFailed,
    Refused,
    Rows,
    Severity,
    Statement,
    TableName,
    UsageError,
)

TYPES = {"id": "integer", "code": "varchar"}
TEXT = "id,code\n1,EUR\n2,GBP\n3,\n4,USD\n5,GBP"


def analysis(**types: str) -> Any:
    found = tuple(Column(name=name, type=ColumnType.parse(type_), declared=True) for name, type_ in types.items())
    return Analysis(source=None, format=None, columns=found, rows=0)  # type: ignore[arg-type]


@pytest.fixture
def known(duckdb_side, snowflake_side):
    """Writes a file beside the configuration of each side."""

    def write(name: str, text: str) -> None:
        for side in (duckdb_side, snowflake_side):
            (side.folder / name).write_text(text)

    return write


def test_values_that_are_in_no_file_are_found_on_every_side(both_sides, known):
    known("codes.csv", 'name,code\nEuro,EUR\n"Dollar,\nUS",USD\nnone,\n')
    found = both_sides(TEXT, TYPES, checks={"columns": {"code": {"references": "codes.csv"}}})
    [finding] = found.agree()
    assert (finding.rule, finding.severity, finding.count) == ("references", Severity.ERROR, 2)
    assert finding.message == "2 values of column 'code' are not in codes.csv"
    assert [(sample.line, sample.value) for sample in finding.samples] == [(3, "GBP"), (6, "GBP")]
    for findings in (found.duckdb, found.snowflake):
        assert [sample.value for sample in findings[0].samples] == ["GBP", "GBP"]


def test_very_many_references_are_no_other_rule(both_sides, known):
    numbers = [number for number in range(5000) if number != 2]
    known("ids.tsv", "id\n" + "".join(f"{number}\n" for number in numbers))
    rules = {"id": {"references": {"file": "ids.tsv", "column": "id"}}}
    [finding] = both_sides("id,code\n1,a\n2,b\n,c\n4999,d\n2,e", TYPES, checks={"columns": rules}).agree()
    assert (finding.count, [sample.line for sample in finding.samples]) == (2, [3, 6])


def test_a_file_of_references_may_be_compressed_and_of_any_type(duckdb_side, data):
    with gzip.open(duckdb_side.folder / "days.psv.gz", "wt") as file:
        file.write("day|x\n2024-01-01|1\n2024-01-03|2\n")
    rules = {"day": {"references": {"file": "days.psv.gz", "column": "day"}}}
    asked = data("day,n\n2024-01-01,1\n2024-01-02,2", {"day": "date", "n": "integer"}, checks={"columns": rules})
    [finding] = duckdb_side.of_file(asked)
    assert [(sample.line, sample.value) for sample in finding.samples] == [(3, "2024-01-02")]


@pytest.mark.parametrize("place", ["first", "end", "start", "last"])
@pytest.mark.parametrize("many", [False, True])
def test_a_planted_defect_is_found_on_its_line_and_nothing_else(duckdb_side, data, place, many):
    def file_of(lines):
        return data("\n".join(["id,code", *lines]), TYPES, checks={"columns": {"code": {"references": "codes.csv"}}})

    known = [f"c{number}" for number in range(2000 if many else 50)]
    (duckdb_side.folder / "codes.csv").write_text("code\n" + "".join(f"{code}\n" for code in known))
    lines = [f"{number},c{number}" for number in range(50)]
    row = duckdb_side.row_at(place, file_of(lines), part_bytes=40)
    lines[row] = f"{row},x{row}"
    bad = file_of(lines)
    assert duckdb_side.row_at(place, bad, part_bytes=40) == row
    [finding] = duckdb_side.of_file(bad, part_bytes=40)
    assert [(sample.line, sample.value) for sample in finding.samples] == [(row + 2, f"x{row}")]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("missing.csv", "No such file"),
        ("codes.txt", "suffix"),
        ({"file": "codes.csv", "column": "kode"}, "no column 'kode'; its columns are 'name', 'code'"),
        ({"file": "other.csv"}, "no column 'id'"),
        ({"file": "codes.csv", "column": "name"}, "cannot use"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_key(tmp_path, said, words):
    (tmp_path / "codes.csv").write_text("name,code\nEuro,EUR\n")
    (tmp_path / "codes.txt").write_text("id\n1\n")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    job = Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:", folder=tmp_path)
    checks = read({"id": {"references": said}}, job)
    with pytest.raises(UsageError) as caught:
        list(checks.validators(job, analysis(id="integer")))
    assert caught.value.key == "checks.columns.id.references"
    assert words in caught.value.message


@pytest.mark.parametrize(
    "said", [{}, {"file": "x.csv", "query": "SELECT 1"}, {"query": "SELECT 1", "column": "a"}, {"fil": "x.csv"}, 5]
)
def test_settings_that_cannot_be_understood_are_refused_by_their_key(said):
    with pytest.raises(UsageError) as caught:
        read({"id": {"references": said}}, Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:"))
    assert caught.value.key.startswith("checks.columns.id.references")


def test_more_references_than_can_be_held_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "MOST_VALUES", 3)
    (tmp_path / "ids.csv").write_text("id\n1\n2\n3\n4\n")
    job = Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:", folder=tmp_path)
    with pytest.raises(UsageError, match="4 different values, of which at most 3 can be held"):
        list(read({"id": {"references": "ids.csv"}}, job).validators(job, analysis(id="integer")))


def test_a_changed_file_is_read_again(duckdb_side, data):
    asked = data("id,code\n1,a\n2,b", TYPES, checks={"columns": {"code": {"references": "codes.csv"}}})
    (duckdb_side.folder / "codes.csv").write_text("code\na\n")
    assert len(duckdb_side.of_file(asked)) == 1
    (duckdb_side.folder / "codes.csv").write_text("code\na\nb\n")
    assert duckdb_side.of_file(asked) == ()


# Of a query


@pytest.fixture
def codes(data):
    """A table of codes, and a column that is none."""

    def make(*rows: str) -> Any:
        text = "\n".join(["code,n", *(f"{code},{number}" for number, code in enumerate(rows))])
        return replace(data(text, {"code": "varchar", "n": "integer"}), settings={"table": "codes"})

    return make


def asking(query: str) -> dict[str, Any]:
    return {"columns": {"code": {"references": {"query": query}}}}


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
def test_values_that_no_query_gives_are_found_on_both_sides(side, data, codes, request):
    there = request.getfixturevalue(side)
    there.load(codes("EUR", "", "USD"))
    checks = asking("SELECT code FROM codes ORDER BY code;")
    asked = data(TEXT, TYPES, checks=checks)
    [of_file] = there.of_file(asked, part_bytes=10)
    [of_table] = there.of_table(asked)
    for finding in (of_file, of_table):
        assert (finding.rule, finding.severity, finding.count) == ("references", Severity.ERROR, 2)
        assert finding.message == "2 values of column 'code' are not in the answer of the query"
        assert [sample.value for sample in finding.samples] == ["GBP", "GBP"]
    assert [sample.line for sample in of_file.samples] == [3, 6]


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
def test_samples_of_a_table_tell_the_keys_of_rows_that_refer_to_nothing(side, data, codes, request):
    there = request.getfixturevalue(side)
    there.load(codes("EUR"))
    asked = data("id,code\n1,EUR\n2,GBP", TYPES, checks=asking("SELECT code FROM codes"))
    asked = replace(asked, settings={"keys": ["id"]})
    [finding] = there.of_table(asked)
    assert [(sample.value, sample.reason.lower()) for sample in finding.samples] == [
        ("GBP", "is not in the answer of the query, where id = 2")
    ]


def test_a_load_asks_its_own_warehouse_before_it_reads(duckdb_side, data, codes):
    duckdb_side.load(codes("EUR"))
    asked = data("id,code\n1,EUR", TYPES, checks=asking("SELECT code FROM codes"))
    for check in (Check.FILE, Check.BOTH, Check.WAREHOUSE):
        job = replace(duckdb_side.job(asked), check=check, again=True)
        assert duckdb_side.workspace.load(job).rows_loaded == 1
        bad = replace(duckdb_side.job(data(TEXT, TYPES, checks=asked.sections["checks"])), check=check)
        with pytest.raises(Refused, match="3 values of column 'code' are not in the answer"):
            duckdb_side.workspace.load(bad)


def test_every_part_is_told_in_processes_too(duckdb_side, data, codes):
    duckdb_side.load(codes("EUR"))
    asked = data(TEXT, TYPES, checks=asking("SELECT code FROM codes"))
    job = replace(duckdb_side.job(asked, part_bytes=10), executor="processes:2")
    [finding] = duckdb_side.workspace.validate(job).findings
    assert finding.count == 3


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT code, n FROM codes", "gives 2 columns"),
        ("SELECT n FROM codes", "no texts"),
        ("SELECT nowhere FROM codes", "cannot be run"),
        ("DROP TABLE codes", "not one query"),
        ("SELECT code FROM codes; DROP TABLE codes", "not one query"),
    ],
)
def test_a_query_that_cannot_be_used_ends_the_check_before_anything_is_read(duckdb_side, data, codes, query, words):
    duckdb_side.load(codes("EUR"))
    asked = data(TEXT, TYPES, checks=asking(query))
    with pytest.raises(UsageError, match=rf"checks\.columns\.code\.references: .*{words}"):
        duckdb_side.of_file(asked)
    assert duckdb_side.rows(asked, lambda rows, job: None) is None
    assert duckdb_side.of_file(data(TEXT, TYPES, checks=asking("SELECT code FROM codes")))


def test_a_load_whose_query_fails_has_ended_and_advises_a_new_one(duckdb_side, data, codes):
    duckdb_side.load(replace(codes("EUR"), settings={"table": "others"}))
    asked = data("id,code\n1,EUR", TYPES, checks=asking("SELECT code FROM codes"))
    with pytest.raises(UsageError) as caught:
        duckdb_side.workspace.load(duckdb_side.job(asked))
    assert re.fullmatch(
        r"Correct the query. Is what it asks of there, and may it be read\? Then run `etl .*load` again\.",
        caught.value.advice,
    )
    assert duckdb_side.workspace.to_resume() == ()
    duckdb_side.load(codes("EUR"))
    assert duckdb_side.workspace.load(duckdb_side.job(asked)).rows_loaded == 1


def test_more_values_of_a_query_than_can_be_held_are_refused(duckdb_side, data, codes, monkeypatch):
    monkeypatch.setattr(references, "MOST_VALUES", 3)
    duckdb_side.load(codes("EUR"))
    asked = data(TEXT, TYPES, checks=asking("SELECT CAST(range AS VARCHAR) FROM range(4)"))
    with pytest.raises(UsageError, match="gives more than 3 values"):
        duckdb_side.of_file(asked)


def test_what_travels_leaves_the_references_behind():
    job = Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:")
    [check] = read({"code": {"references": {"query": "SELECT 1"}}}, job).validators(job, analysis(code="varchar"))
    check.tell(pa.array([f"value {number}" for number in range(10_000)]))
    assert len(pickle.dumps(check)) < 5000


def test_a_value_of_a_list_is_read_as_the_type_of_its_column():
    column = Column(name="d", type=ColumnType.parse("decimal(5,2)"))
    assert str(typed("1.5", column, "k")) == "1.50"


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
@pytest.mark.parametrize(
    "query",
    ["SELECT nowhere FROM codes", "SELECT code FROM nowhere", "SELECT (", "SELECT code, n FROM codes"],
)
def test_a_query_that_cannot_be_compared_with_in_a_warehouse_is_told_as_it_was_written(
    side, data, codes, query, request
):
    there = request.getfixturevalue(side)
    there.load(codes("EUR"))
    [finding] = there.of_table(data("id,code\n1,EUR", TYPES, checks=asking(query)))
    assert (finding.rule, finding.severity) == ("references", Severity.ERROR)
    assert finding.message.startswith("the check could not be made: checks.columns.code.references of job 't': ")
    assert finding.message.endswith(f": {query}")
    # The emulator's reasons quote a piece of what it was asked.
    assert side == "snowflake_side" or "_etl_known" not in finding.message
    assert "Run the query by itself: it has to be one SELECT of one column" in finding.advice
    assert finding.advice.startswith("Correct")


def test_what_a_warehouse_advises_of_a_query_is_told():
    def fail(statement, limit):
        raise QueryFailed("the query cannot be run: no memory", advice="Give it more memory.", reason="no memory")

    column = Column(name="code", type=ColumnType.parse("varchar"))
    words = Words(rule="references", column="code", severity=Severity.ERROR, one="", several="", reason="", advice="")
    check = references.ReferencesInWarehouse(words, column, "SELECT 1", "key")
    rows = Rows(definition=Statement("SELECT 1"), columns=(column,), dialect="duckdb", ask=fail)
    with pytest.raises(UsageError) as caught:
        list(check.run(rows))
    assert caught.value.advice.startswith("Give it more memory. Run the query by itself")


def test_a_load_into_a_warehouse_that_cannot_compare_names_the_key(duckdb_side, data, codes):
    duckdb_side.load(codes("EUR"))
    asked = data("id,code\n1,EUR", TYPES, checks=asking("SELECT CAST(code AS INTEGER) FROM codes"))
    job = replace(duckdb_side.job(asked), check=Check.WAREHOUSE)
    with pytest.raises(Refused) as caught:
        duckdb_side.workspace.load(job)
    assert "checks.columns.code.references of job" in caught.value.message
    assert "WITH" not in caught.value.message
