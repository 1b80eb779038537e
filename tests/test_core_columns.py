"""Columns, their types, and names in SQL."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import Column, ColumnType, Kind, TableName, UsageError, quote

LENGTHS = st.integers(1, 10_000)
TYPES = st.one_of(
    st.sampled_from([kind for kind in Kind if kind is not Kind.DECIMAL]).map(lambda kind: ColumnType(kind=kind)),
    LENGTHS.map(lambda length: ColumnType(kind=Kind.VARCHAR, precision=length)),
    st.integers(1, 38).flatmap(
        lambda digits: st.integers(0, digits).map(
            lambda scale: ColumnType(kind=Kind.DECIMAL, precision=digits, scale=scale)
        )
    ),
)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(TYPES)
def test_a_type_is_read_back_from_what_it_is_written_as(type_: ColumnType) -> None:
    assert ColumnType.parse(str(type_)) == type_
    assert ColumnType.parse(f"  {str(type_).upper()} ") == type_


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("int", "integer"),
        ("INT8", "bigint"),
        ("double  precision", "double"),
        ("Timestamp With Time Zone", "timestamptz"),
        ("timestamp_ntz", "timestamp"),
        ("text", "varchar"),
        ("char(3)", "varchar(3)"),
        ("numeric", "decimal(38,0)"),
        ("number ( 10 , 2 )", "decimal(10,2)"),
        ("decimal(5)", "decimal(5,0)"),
        ("float", "double"),
        ("float4", "real"),
    ],
)
def test_other_names_of_types_are_understood(text: str, written: str) -> None:
    assert str(ColumnType.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "money",
        "int(4)",
        "date(3)",
        "varchar(0)",
        "varchar(1,2)",
        "varchar(-1)",
        "decimal(39)",
        "decimal(0)",
        "decimal(5,6)",
        "decimal()",
        "decimal(5,)",
        "int; drop table t",
        "varchar(3) not null",
        "(3)",
    ],
)
def test_what_is_no_type_is_a_usage_error_with_advice(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ColumnType.parse(text)
    assert repr(text) in caught.value.message
    assert caught.value.advice


@settings(max_examples=100, deadline=None)
@given(TYPES)
def test_every_type_has_an_arrow_type_that_holds_it(type_: ColumnType) -> None:
    arrow = type_.arrow()
    assert isinstance(arrow, pa.DataType)
    if type_.kind is Kind.DECIMAL:
        assert (arrow.precision, arrow.scale) == (type_.precision, type_.scale)
    assert type_.is_number == (pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow))


def test_timestamps_are_in_microseconds_and_those_with_a_zone_in_utc() -> None:
    assert ColumnType.parse("timestamp").arrow() == pa.timestamp("us")
    assert ColumnType.parse("timestamptz").arrow() == pa.timestamp("us", tz="UTC")


def test_a_column_is_nullable_and_inferred_unless_it_says_otherwise() -> None:
    column = Column(name="a", type=ColumnType.parse("date"))
    assert (column.required, column.declared, column.format) == (False, False, None)


@settings(max_examples=100, deadline=None)
@given(NAMES)
def test_a_quoted_identifier_is_one_token_whatever_it_holds(name: str) -> None:
    quoted = quote(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "") == name.replace('"', ""), "a lone quote would end the identifier"
    assert quoted[1:-1].replace('""', '"') == name


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_no_warehouse_can_hold_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        quote(name)


@settings(max_examples=100, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=3).map(tuple))
def test_a_table_name_is_read_back_from_its_sql_and_from_its_text(parts: tuple[str, ...]) -> None:
    name = TableName(parts)
    assert TableName.parse(name.sql) == name
    assert TableName.parse(str(name)) == name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sales", ("sales",)),
        ("mart.sales", ("mart", "sales")),
        ("  db . mart . sales ", ("db", "mart", "sales")),
        ('mart."a.b"', ("mart", "a.b")),
        ('"say ""hi"""', ('say "hi"',)),
        ("t; drop table x", ("t; drop table x",)),
        ("Umsätze", ("Umsätze",)),
    ],
)
def test_table_names_are_read_part_by_part(text: str, parts: tuple[str, ...]) -> None:
    assert TableName.parse(text).parts == parts


@pytest.mark.parametrize("text", ["", " ", ".", "a.", ".a", "a..b", "a.b.c.d", '"a', 'a"b', '"a" b', '""', 'a."".b'])
def test_what_is_no_table_name_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a table name"):
        TableName.parse(text)


def test_a_sibling_is_in_the_same_schema() -> None:
    assert TableName.parse("db.mart.sales").sibling("_loads") == TableName(("db", "mart", "_loads"))
    assert TableName.parse("sales").sibling("_loads").sql == '"_loads"'
    assert TableName.parse("db.mart.sales").name == "sales"
