"""What every warehouse is told alike."""

from __future__ import annotations

import duckdb
import pytest

from etl_framework import (
    EVERY_ROW,
    ColumnType,
    Condition,
    Statement,
    both,
    count_rows,
    definitions,
    delete_matches,
    delete_rows,
    duplicates,
    insert_from,
    no,
    without_key,
)

ODD = 'a "b"; --'


@pytest.fixture
def table() -> duckdb.DuckDBPyConnection:
    """A table ``t`` whose key has an odd name: keys 1, 1, 2 and none."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t ({definitions([(ODD, 'INTEGER', False), ('v', 'VARCHAR', True)])})")
    connection.execute("INSERT INTO t VALUES (1, 'x'), (1, 'y'), (2, 'z'), (NULL, 'n')")
    return connection


def answer(connection: duckdb.DuckDBPyConnection, statement: Statement) -> list[tuple[object, ...]]:
    return connection.execute(statement.sql, statement.values).fetchall()


def test_rows_for_which_a_condition_is_unknown_do_not_fulfil_it(table: duckdb.DuckDBPyConnection) -> None:
    one = Condition('"a ""b""; --" = ?', (1,))
    assert answer(table, count_rows("t", one)) == [(2,)]
    assert answer(table, count_rows("t", no(one))) == [(2,)]
    assert answer(table, count_rows("t", both(Condition("v < ?", ("y",)), no(one)))) == [(1,)]


def test_shared_and_missing_keys_are_found_whatever_their_names(table: duckdb.DuckDBPyConnection) -> None:
    assert answer(table, duplicates("t", [ODD], 5)) == [(1, 2)]
    assert answer(table, without_key("t", [ODD])) == [(1,)]


def test_matches_are_deleted_and_rows_inserted_by_names_of_both_tables(table: duckdb.DuckDBPyConnection) -> None:
    table.execute("CREATE TABLE s AS SELECT 1 AS k, 'new' AS w")
    assert answer(table, delete_matches("t", "s", [(ODD, "k")])) == [(2,)]
    assert answer(table, insert_from("t", "s", [(ODD, "k"), ("v", "w")])) == [(1,)]
    assert answer(table, delete_rows("t", EVERY_ROW)) == [(3,)]


def test_a_statement_shows_its_values_to_people() -> None:
    assert str(Statement("SELECT ?", (1,))) == "SELECT ? -- 1"


@pytest.mark.parametrize(
    ("text", "precision", "scale", "fits"),
    [
        ("smallint", 5, 0, True),
        ("integer", 9, 0, False),
        ("decimal(10,2)", 12, 4, True),
        ("decimal(10,2)", 12, 5, False),
        ("decimal(10,2)", 38, 1, False),
        ("double", 38, 0, False),
    ],
)
def test_a_decimal_holds_what_has_no_more_digits_on_either_side(
    text: str, precision: int, scale: int, fits: bool
) -> None:
    assert ColumnType.parse(text).fits_decimal(precision, scale) is fits
