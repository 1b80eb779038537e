"""Values that Snowflake could take for others: what is loaded is what the file says, or nothing is."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.address import Address
from etl_snowflake.connecting import connect as open_session
from etl_snowflake.table import Place, differences, find

from etl_framework import Column, ColumnType, Refused, Statement, load

from .conftest import Ask


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str) -> None:
    Path("t.csv").write_bytes(text.encode())


def column(type_: str) -> Column:
    return Column(name="a", type=ColumnType.parse(type_), required=False, declared=True)


def test_a_file_with_nothing_but_a_header_makes_no_table(target: str, ask: Ask) -> None:
    write("a,b\n")
    with pytest.raises(Refused, match="the sources hold no rows"):
        load("t.csv", target=target, columns={"a": "bigint", "b": "varchar"})
    assert ask("SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'T'") == [(0,)]


def test_booleans_times_and_timestamps_come_through_with_their_nulls(target: str, ask: Ask) -> None:
    write("b,t,s,z\nyes,01:02:03.5,2024-01-02T03:04:05.000006,2024-01-02 03:04:05+02:00\n,,,\nF,,,\n")
    types = {"b": "boolean", "t": "time", "s": "timestamp", "z": "timestamptz"}
    load("t.csv", target=target, columns=types)
    rows = ask("SELECT B, T, S, CONVERT_TIMEZONE('UTC', Z) FROM T ORDER BY B NULLS LAST")
    assert [row[:3] for row in rows] == [
        (False, None, None),
        (True, time(1, 2, 3, 500000), datetime.fromisoformat("2024-01-02T03:04:05.000006")),
        (None, None, None),
    ]
    assert rows[1][3].replace(tzinfo=UTC) == datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)


def test_a_text_that_begins_like_a_byte_order_mark_keeps_it(target: str, ask: Ask) -> None:
    write("\ufeffa,b\n\ufeffx,1\n")
    load("t.csv", target=target, columns={"a": "varchar", "b": "bigint"})
    assert ask("SELECT A, B FROM T") == [("\ufeffx", 1)]


def test_floats_of_single_precision_are_refused_with_what_to_declare(target: str) -> None:
    write("a\n0.1\n")
    with pytest.raises(Refused, match="declare double"):
        load("t.csv", target=target, columns={"a": "real"})


def test_escaped_values_come_through_although_snowflake_reads_more_into_escapes(target: str, ask: Ask) -> None:
    Path("etl.toml").write_text("[defaults.format]\nescape = '\\'\n")
    write('n,s\n1,aaa\n2,"b\\tc"\n3,"say \\"hi\\", \\\\ you"\n4,\n5,""\n6,"two\nlines"\n')
    report = load("t.csv", target=target, columns={"n": "bigint", "s": "varchar"})
    assert report.reconciled
    assert ask("SELECT N, S FROM T ORDER BY N") == [
        (1, "aaa"),
        (2, "btc"),
        (3, 'say "hi", \\ you'),
        (4, None),
        (5, ""),
        (6, "two\nlines"),
    ]


def test_values_of_every_type_come_through_where_records_are_written_anew(target: str, ask: Ask) -> None:
    Path("etl.toml").write_text("[defaults.format]\nescape = '\\'\n")
    kinds = ("boolean", "bigint", "decimal(20,3)", "double", "date", "time", "timestamp", "timestamptz", "varchar")
    columns: dict[str, Any] = {f"c{index}": kind for index, kind in enumerate(kinds)}
    columns["c4"] = {"type": "date", "format": "%d.%m.%Y"}
    values = [
        "true,-9223372036854775808,12345678901234567.678,1e-300,31.12.2024,23:59:59.000001",
        "2024-02-29 12:00:00.25,2024-02-29T12:00:00+02:00,x",
    ]
    write(",".join(columns) + "\n" + ",".join(values) + "\n" + "," * 8 + "\n")
    assert load("t.csv", target=target, columns=columns).reconciled
    [row, nothing] = ask("SELECT * FROM T ORDER BY C1")
    assert [str(value) for value in row[:7]] == [
        "True",
        "-9223372036854775808",
        "12345678901234567.678",
        "1e-300",
        "2024-12-31",
        "23:59:59.000001",
        "2024-02-29 12:00:00.250000",
    ]
    assert row[7].astimezone(UTC) == datetime(2024, 2, 29, 10, tzinfo=UTC)
    assert nothing == (None,) * 9


def test_a_single_column_keeps_what_is_empty(target: str, ask: Ask) -> None:
    write('a\nx\n""\n\ny\n')
    assert load("t.csv", target=target, columns={"a": "varchar"}).reconciled
    # A blank line is a record without a value.
    assert ask("SELECT A FROM T ORDER BY A NULLS LAST") == [("",), ("x",), ("y",), (None,)]


def test_moments_with_an_offset_without_a_colon_come_through(target: str, ask: Ask) -> None:
    write("a,b\n2024-02-29 12:00:00 +0200,1\n")
    load("t.csv", target=target, columns={"a": {"type": "timestamptz", "format": "%Y-%m-%d %H:%M:%S %z"}})
    [(moment, _)] = ask("SELECT A, B FROM T")
    assert moment.astimezone(UTC) == datetime(2024, 2, 29, 10, tzinfo=UTC)


class Described:
    """A session to which a table has one column of a type."""

    def __init__(self, type_: str) -> None:
        self.type = type_

    def table(self, sql: str | Statement) -> list[dict[str, Any]]:
        return [{"name": "A", "type": self.type, "null?": "Y", "default": None, "kind": "COLUMN"}]


@pytest.mark.parametrize(
    ("there", "source", "fits"),
    [
        ("TIMESTAMP_NTZ(9)", "timestamp", True),
        ("TIMESTAMP_NTZ(6)", "timestamp", True),
        ("TIMESTAMP_NTZ(3)", "timestamp", False),
        ("TIMESTAMP_TZ(0)", "timestamptz", False),
        ("TIME(9)", "time", True),
        ("TIME(0)", "time", False),
        ("TIMESTAMP_NTZ(0)", "date", True),
        ("VARCHAR(10)", "varchar", True),
    ],
)
def test_seconds_that_a_table_would_round_are_refused(there: str, source: str, fits: bool) -> None:
    table = find(Described(there), Place(database="D", schema="S", name="T"))  # type: ignore[arg-type]
    assert (list(differences([column(source)], table, None)) == []) is fits


def test_settings_of_the_account_do_not_change_what_statements_mean(target: str) -> None:
    session = open_session(Address.parse(target), tag="test")
    try:
        shown = {row["key"]: row["value"] for row in session.table("SHOW PARAMETERS")}
    finally:
        session.close()
    assert {name: shown[name].upper() for name in ("DATE_INPUT_FORMAT", "TIMESTAMP_INPUT_FORMAT", "TIMEZONE")} == {
        "DATE_INPUT_FORMAT": "AUTO",
        "TIMESTAMP_INPUT_FORMAT": "AUTO",
        "TIMEZONE": "UTC",
    }
    assert shown["TWO_DIGIT_CENTURY_START"] == "1969"
    assert shown["AUTOCOMMIT"].lower() == "true"
    assert shown["QUOTED_IDENTIFIERS_IGNORE_CASE"].lower() == "false"
