"""Queries in the dialect of each warehouse."""

from __future__ import annotations

import pytest
import sqlglot
from etl_quality.dialects import statement
from hypothesis import given
from hypothesis import strategies as st

from etl_framework import Statement, UsageError


def test_a_query_for_duckdb_is_sent_as_it_is_written() -> None:
    sql = 'SELECT count(*) FILTER (WHERE "a" < ?) -- ?'
    assert statement(sql, (1,), "duckdb") == Statement(sql, (1,))


def test_a_query_for_snowflake_is_written_in_its_own_words() -> None:
    asked = statement('SELECT count(*) FILTER (WHERE "a" < ?) FROM "t"', (1,), "snowflake")
    assert asked == Statement('SELECT COUNT_IF("a" < ?) FROM "t"', (1,))


def test_values_follow_their_marks_where_another_dialect_says_things_in_another_order() -> None:
    asked = statement("SELECT list_contains([?], ?), '?', \"?\" -- ?", (1, 2), "snowflake")
    assert asked.sql.index("?") < asked.sql.index("[?]")
    assert asked.values == (2, 1)


@given(st.lists(st.sampled_from(["?", "'?'", '"?"', "1"]), min_size=1))
def test_every_value_stays_with_its_mark(items: list[str]) -> None:
    values = tuple(range(items.count("?")))
    asked = statement(f"SELECT {', '.join(items)}", values, "snowflake")
    assert asked.values == values
    assert len(sqlglot.parse_one(asked.sql, read="snowflake").selects) == len(items)


def test_what_snowflake_understands_otherwise_is_said_otherwise_however_deep_it_stands() -> None:
    asked = statement("SELECT try_cast(try_cast(regexp_matches(a, 'x') AS INT) AS DATE)", (), "snowflake").sql
    assert asked == (
        "SELECT TRY_CAST(CAST(TRY_CAST(CAST((REGEXP_INSTR(a, 'x') > 0) AS VARCHAR) AS INT) AS VARCHAR) AS DATE)"
    )


def test_a_dialect_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="nobody here knows the SQL dialect 'klingon'"):
        statement("SELECT 1", (), "klingon")


def test_what_is_no_sql_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be asked in the SQL of snowflake"):
        statement("SELECT (1", (), "snowflake")


def test_nothing_is_asked_of_data_without_rows_but_that_they_have_none(both_sides) -> None:  # type: ignore[no-untyped-def]
    found = both_sides("a\n1", {"a": "integer"}, rules=[])
    assert found.agree() == ()
