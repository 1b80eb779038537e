"""Columns compared with those that are declared, and with those of the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from etl_quality.schema import SchemaSettings, differences, read

from etl_framework import Column, ColumnType, Job, Refused, Severity, TableName, UsageError

TYPES = {"id": "integer", "price": "decimal(10,2)", "code": "varchar"}
GOOD = "id,price,code\n1,1.00,a\n2,2.00,b"


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=ColumnType.parse(type_), declared=True) for name, type_ in types.items())


def messages(found, severity=None):
    return [each.message for each in found if each.rule == "schema" and (severity is None or each.severity is severity)]


def test_columns_that_are_as_declared_have_no_findings_on_any_side(both_sides):
    assert both_sides(GOOD, TYPES, checks={"schema": "strict"}).agree() == ()


def test_another_order_is_found_in_a_file(findings_of_file):
    found = findings_of_file("price,id,code\n1.00,1,a", TYPES, checks={"schema": "strict"})
    [message] = messages(found)
    assert message.startswith("the columns of the file stand in another order than those of the job: ")
    assert message.endswith("'price', 'id', 'code' instead of 'id', 'price', 'code'")
    assert findings_of_file("price,id,code\n1.00,1,a", TYPES, checks={"schema": {"order": False}}) == ()


def test_a_column_that_is_not_declared_is_an_error_where_columns_are_strict(findings_of_file):
    found = findings_of_file("id,price,code,more\n1,1.00,a,x", TYPES, checks={"schema": "strict"})
    assert messages(found, Severity.ERROR) == ["the file has column 'more' that the job does not have"]
    relaxed = findings_of_file("id,price,code,more\n1,1.00,a,x", TYPES, checks={"schema": {"extra": False}})
    assert messages(relaxed) == []


@pytest.mark.parametrize(
    ("text", "count", "words"),
    [
        ("id,price,code,more\n1,1.00,a,x", 1, " has column 'more' that the job does not have"),
        ("price,id,code\n1.00,1,a", 2, " stand in another order than those of the job: "),
    ],
)
def test_another_column_and_another_order_count_the_same_on_every_side(both_sides, text, count, words):
    found = both_sides(text, TYPES, checks={"schema": "strict"})
    for findings in found.sides.values():
        [told] = [each for each in findings if each.severity is Severity.ERROR]
        assert (told.rule, told.count) == ("schema", count)
        assert words in told.message.replace("MORE", "more")


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
@pytest.mark.parametrize(
    ("text", "there", "of_file", "of_table"),
    [
        ("id,price\n1,1.00", {"code": None}, "header_mismatch", "the table lacks column 'code' of the job"),
        ("id,price,code\n1,1.00,a\nx,2.00,b", {"id": "varchar"}, "wrong_type", "'id' is varchar instead of integer"),
    ],
)
def test_what_a_load_refuses_by_itself_is_a_matter_of_the_schema_in_a_table(
    side, text, there, of_file, of_table, data, request
):
    asked = request.getfixturevalue(side)
    strict = data(text, TYPES, checks={"schema": "strict"})
    [told] = [each for each in asked.of_file(strict) if each.severity is Severity.ERROR]
    assert (told.rule, told.count) == (of_file, 1)
    asked.load(data(text, {name: type_ for name, type_ in {**TYPES, **there}.items() if type_}))
    [told] = asked.workspace.check(asked.job(strict)).findings
    assert (told.rule, told.severity, told.count) == ("schema", Severity.ERROR, 1)
    assert of_table in told.message.replace("'ID'", "'id'")


def test_a_file_is_compared_with_the_table_that_is_there(duckdb_side, data):
    duckdb_side.load(data(GOOD, TYPES))
    other = data("code,id\nx,1", {"code": "varchar", "id": "varchar"}, checks={"schema": "strict"})
    assert messages(duckdb_side.of_file(other)) == [
        "the file lacks column 'price' of the table",
        "the columns of the file stand in another order than those of the table: 'code', 'id' instead of 'id', 'code'",
        "1 column of the file is of another type than in the table: 'id' is varchar instead of integer",
    ]
    alone = replace(other, sections={"checks": {"schema": {"table": False}}})
    assert messages(duckdb_side.of_file(alone)) == []


def test_a_file_is_compared_with_the_table_of_snowflake(snowflake_side, data):
    snowflake_side.load(data(GOOD, TYPES))
    same = data(GOOD, TYPES, checks={"schema": "strict"})
    assert snowflake_side.of_file(same) == ()
    other = data("id,price,code\n1,1.000,2024-01-01", {**TYPES, "price": "decimal(10,3)", "code": "date"})
    told = snowflake_side.of_file(replace(other, sections={"checks": {"schema": "strict"}}))
    [message] = messages(told)
    assert message.startswith("2 columns of the file are of another type than in the table: ")
    assert "'price' is decimal(10,3) instead of decimal(10,2); 'code' is date instead of varchar" in message


def test_a_load_of_columns_in_another_order_than_the_tables_is_refused(duckdb_side, data):
    first = duckdb_side.load(data(GOOD, TYPES))
    moved = data("price,id,code\n3.00,3,c", {}, checks={"schema": "strict"})
    with pytest.raises(Refused, match="stand in another order than those of the table"):
        duckdb_side.workspace.load(duckdb_side.job(moved))
    assert first.table == TableName(("t",))


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
def test_a_table_is_compared_with_what_is_declared(side, data, request):
    there = request.getfixturevalue(side)
    there.load(data(GOOD, TYPES))
    asked = data(GOOD, {"code": "date", "id": "integer", "more": "integer"}, checks={"schema": "strict"})
    found = messages(there.workspace.check(there.job(asked)).findings)
    # Snowflake shows names that need no quotes in capitals.
    assert [message.replace("ID", "id").replace("PRICE", "price").replace("CODE", "code") for message in found] == [
        "the table lacks column 'more' of the job",
        "the table has column 'price' that the job does not have",
        "the columns of the table stand in another order than those of the job: 'id', 'code' instead of 'code', 'id'",
        "1 column of the table is of another type than in the job: 'code' is varchar instead of date",
    ]


def test_where_there_is_nothing_to_compare_with_it_is_said(both_sides):
    found = both_sides(GOOD, {}, checks={"schema": "strict"})
    assert messages(found.file) == ["there is nothing to compare columns with: no declared ones, and no table"]
    for findings in (found.duckdb, found.snowflake):
        assert messages(findings, Severity.INFO) == ["there is nothing to compare columns with: the job declares none"]


def test_files_are_checked_where_the_table_is_out_of_reach(duckdb_side, data, monkeypatch):
    (duckdb_side.folder / "w.duckdb").write_bytes(b"no database")
    [finding] = duckdb_side.of_file(data(GOOD, TYPES, checks={"schema": "strict"}))
    assert finding.severity is Severity.INFO
    assert "out of reach" in finding.message
    assert "etl targets test" in finding.advice


def test_how_large_a_number_and_how_long_a_text_may_be_makes_no_other_type():
    found = columns(a="bigint", b="decimal(38,0)", c="varchar(20)", d="real", e="decimal(9,2)")
    wanted = columns(a="smallint", b="integer", c="varchar", d="double", e="decimal(18,2)")
    assert list(differences(SchemaSettings(), found, "the file", wanted, "the job")) == []


def test_names_differ_by_more_than_the_case_of_letters():
    found, wanted = columns(ID="integer", Straße="varchar"), columns(id="integer", STRASSE="varchar")
    assert list(differences(SchemaSettings(), found, "the file", wanted, "the job")) == []


@pytest.mark.parametrize(
    ("said", "key"),
    [("lax", "checks.schema"), ({"ordr": True}, "checks.schema.ordr"), ({"order": "x"}, "checks.schema.order")],
)
def test_settings_that_cannot_be_understood_are_refused_by_their_key(said, key):
    with pytest.raises(UsageError) as caught:
        read(said, Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:"))
    assert caught.value.key == key
