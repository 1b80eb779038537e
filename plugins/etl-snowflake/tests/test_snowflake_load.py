"""Whole loads into the emulator, by the real driver over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Refused, Status, UsageError, load, resume, validate

from .conftest import Ask

HEADER = "id,day,amount,name\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, *rows: str, header: str = HEADER) -> Path:
    path = Path(name)
    path.write_text(header + "".join(row + "\n" for row in rows))
    return path


def month(*days: int, amount: str = "1.5") -> list[str]:
    return [f"{day},2024-01-{day:02},{amount},n{day}" for day in days]


def left_behind(ask: Ask) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Staged files, and tables other than the loaded one."""
    tables = [
        row[0] for row in ask("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = CURRENT_SCHEMA()")
    ]
    return ask("LIST @_ETL_STAGE"), [name for name in tables if name.startswith("_ETL_LANDING")]


def test_a_file_becomes_a_table_reconciled_and_nothing_is_left_behind(target: str, ask: Ask) -> None:
    write("sales.csv", *month(1, 2, 3))
    report = load("sales.csv", target=target)
    assert (report.status, report.rows_loaded, report.differences) == (Status.DONE, 3, ())
    assert ask("SELECT * FROM SALES ORDER BY ID") == [
        (number, date(2024, 1, number), 1.5, f"n{number}") for number in (1, 2, 3)
    ]
    assert left_behind(ask) == ([], [])


def test_many_parts_and_pieces_are_all_copied(target: str, ask: Ask) -> None:
    write("sales.csv", *(f"{number},2024-01-01,{number}.25,x" for number in range(5000)))
    report = load("sales.csv", target=target, part_size="16KiB", block_size="8KiB")
    assert report.parts > 5
    assert ask("SELECT COUNT(*), SUM(ID), COUNT(DISTINCT ID) FROM SALES") == [(5000, sum(range(5000)), 5000)]


@pytest.mark.parametrize(("size", "asked_for"), [(99_999_999, False), (100_000_000, True)])
def test_a_copy_is_submitted_and_asked_for_from_100_megabytes_on(
    target: str, emulator: EmulatorControl, monkeypatch: pytest.MonkeyPatch, size: int, asked_for: bool
) -> None:
    write("sales.csv", *month(1))
    monkeypatch.setattr("etl_snowflake.copying.Copy.bytes", size)
    assert load("sales.csv", target=target).rows_loaded == 1
    assert bool(emulator.log("monitoring")) == asked_for


def test_nulls_empties_quotes_and_line_breaks_come_through(target: str, ask: Ask) -> None:
    write("t.csv", 'a,"",1', ',"x ""y"", z",', '"line\nbreak",ü,3', header="a,b,n\n")
    load("t.csv", target=target, columns={"a": "varchar", "b": "varchar", "n": "bigint"})
    rows = sorted(ask("SELECT A, B, N FROM T"), key=str)
    assert rows == sorted([("a", "", 1), (None, 'x "y", z', None), ("line\nbreak", "ü", 3)], key=str)


@pytest.mark.parametrize(
    "numbers",
    [
        [0.1 + number / 7 for number in range(2000)],
        [1e308, -1e308, 2.5, 1e-300],
        [5e-324, 1e-310, -5e-324],
        [0.0, -0.0],
        [1.7976931348623157e308],
    ],
    ids=["many", "far apart", "tiny", "nothing", "the largest"],
)
def test_floating_point_numbers_are_reconciled_to_the_last_bit_that_both_sides_know(
    target: str, numbers: list[float]
) -> None:
    write("f.csv", *map(repr, numbers), header="x\n")
    assert load("f.csv", target=target, columns={"x": "double"}).status is Status.DONE


def test_declared_formats_and_null_values_are_read_as_the_parser_reads_them(
    target: str, ask: Ask, folder: Path
) -> None:
    Path("etl.toml").write_text(
        f"""
[jobs.t]
source = "t.tsv"
table = "t"
target = "{target}"
columns = {{ d = "date", s = "timestamp", n = "decimal(10,2)", x = "varchar" }}
[jobs.t.format]
delimiter = "\\t"
null_values = ["", "NA"]
date_format = "%d.%m.%Y"
timestamp_format = "%d.%m.%Y %H:%M:%S"
"""
    )
    write("t.tsv", "31.12.2023\t01.02.2024 03:04:05\t1.25\tNA", "NA\tNA\tNA\t", header="d\ts\tn\tx\n")
    from etl_framework import Workspace

    workspace = Workspace.open()
    workspace.load(workspace.job("t", (), {}))
    rows = ask("SELECT D, TO_VARCHAR(S, 'YYYY-MM-DD HH24:MI:SS'), N, X FROM T ORDER BY D")
    assert [(row[0], row[1], None if row[2] is None else float(row[2]), row[3]) for row in rows] == [
        (date(2023, 12, 31), "2024-02-01 03:04:05", 1.25, "NA"),
        (None, None, None, None),
    ]


def test_the_same_file_again_is_refused_unless_meant(target: str, ask: Ask) -> None:
    write("sales.csv", *month(1, 2))
    load("sales.csv", target=target)
    with pytest.raises(Refused, match=r"already holds sales\.csv"):
        load("sales.csv", target=target)
    load("sales.csv", target=target, again=True)
    assert ask("SELECT COUNT(*) FROM SALES") == [(4,)]


def test_replace_leaves_only_the_new_rows(target: str, ask: Ask) -> None:
    load(write("a.csv", *month(1, 2)), target=target, table="t")
    report = load(write("b.csv", *month(3)), target=target, table="t", mode="replace")
    assert report.rows_deleted == 2
    assert ask("SELECT ID FROM T") == [(3,)]


def test_replacing_a_period_twice_leaves_it_once(target: str, ask: Ask) -> None:
    settings = {"target": target, "table": "t", "mode": "replace-period", "date_column": "day", "period": "2024-01"}
    load(write("a.csv", *month(1, 2), "9,2024-02-01,1,x"), target=target, table="t")
    for amount in ("1", "7"):
        load(write("b.csv", *month(1, 2, 3, amount=amount)), **settings)
    assert ask("SELECT ID, AMOUNT FROM T ORDER BY ID") == [(1, 7.0), (2, 7.0), (3, 7.0), (9, 1.0)]


def test_merge_replaces_rows_of_the_same_keys(target: str, ask: Ask) -> None:
    load(write("a.csv", *month(1, 2)), target=target, table="t")
    load(write("b.csv", *month(2, 3, amount="9")), target=target, table="t", mode="merge", keys=["id"])
    assert ask("SELECT ID, AMOUNT FROM T ORDER BY ID") == [(1, 1.5), (2, 9.0), (3, 9.0)]


def test_keys_that_rows_share_are_refused_and_the_table_stays(target: str, ask: Ask) -> None:
    load(write("a.csv", *month(1)), target=target, table="t")
    with pytest.raises(Refused, match=r"share a key \(id\): 2 in 2 rows"):
        load(write("b.csv", *month(2, 2)), target=target, table="t", mode="merge", keys=["id"])
    assert ask("SELECT ID FROM T") == [(1,)]
    assert left_behind(ask) == ([], [])


def test_columns_that_do_not_fit_are_refused_with_the_differences(target: str, ask: Ask) -> None:
    ask("CREATE TABLE T (ID NUMBER(4,0), OTHER VARCHAR NOT NULL)")
    with pytest.raises(Refused, match=r"Column 'day' of the sources is not in the table.*Column 'OTHER' of the table"):
        load(write("a.csv", *month(1)), target=target, table="t")


def test_columns_are_added_where_the_job_allows_it(target: str, ask: Ask) -> None:
    ask("CREATE TABLE T (ID NUMBER(19,0))")
    Path("etl.toml").write_text(
        f'[jobs.t]\nsource = "a.csv"\ntable = "t"\ntarget = "{target}"\nsnowflake = {{ evolve = "add-columns" }}\n'
    )
    write("a.csv", *month(1))
    from etl_framework import Workspace

    workspace = Workspace.open()
    workspace.load(workspace.job("t", (), {}))
    assert ask("SELECT ID, NAME FROM T") == [(1, "n1")]


@pytest.mark.parametrize("table", ['"my ""odd"" table; --"', '"o\'x"'])
def test_names_that_need_quotes_stay_what_they_are(target: str, ask: Ask, table: str) -> None:
    header = '"or""der","a b","x;--","Straße","select","it\'s"\n'
    load(write("t.csv", "1,2,3,4,5,six", header=header), target=target, table=table)
    found = ask(f'SELECT "or""der", "a b", "x;--", "Straße", "SELECT", "it\'s" FROM {table}')
    assert found == [(1, 2, 3, 4, 5, "six")]
    ask(f"DROP TABLE {table}")


@pytest.mark.parametrize("name", ["a b.csv", "it's.csv", "[x]*?.csv", "line\nbreak.csv", "über.csv"])
def test_files_may_have_any_name(target: str, ask: Ask, name: str) -> None:
    load(write(name, *month(1)), target=target, table="t")
    assert ask("SELECT ID FROM T") == [(1,)]


@pytest.mark.parametrize("publish", ["landing", "direct"])
def test_texts_are_audited_by_their_bytes_whatever_the_collation(target: str, ask: Ask, publish: str) -> None:
    Path("etl.toml").write_text(f'[defaults]\nsnowflake = {{ publish = "{publish}" }}\n')
    ask("CREATE TABLE T (ID NUMBER(19,0), NAME VARCHAR COLLATE 'en-ci')")
    assert load(write("a.csv", "1,b", "2,a", "3,B", "4,A", header="id,name\n"), target=target, table="t").reconciled


def test_a_merge_tells_keys_apart_by_their_bytes_whatever_the_collation(target: str, ask: Ask) -> None:
    ask("CREATE TABLE T (NAME VARCHAR COLLATE 'en-ci', N NUMBER(19,0))")
    ask("INSERT INTO T VALUES ('a', 1), ('A', 2), ('b', 3)")
    load(write("a.csv", "A,20", "B,30", header="name,n\n"), target=target, table="t", mode="merge", keys=["name"])
    assert ask("SELECT N FROM T ORDER BY N") == [(1,), (3,), (20,), (30,)]


def test_a_stage_without_its_sign_is_refused_with_what_to_write(target: str) -> None:
    write("a.csv", *month(1))
    with pytest.raises(UsageError, match="is no stage") as caught:
        load("a.csv", target=f"{target}?stage=db.public.parts")
    assert "?stage=@db.public.parts" in caught.value.advice


def test_a_wrong_option_of_the_target_is_named(target: str) -> None:
    write("a.csv", *month(1))
    with pytest.raises(UsageError, match="no option 'warehous'"):
        load("a.csv", target="snowflake:test?warehous=x")


def test_nothing_is_made_in_the_account_for_a_load_that_a_wrong_setting_ends(
    target: str, emulator: EmulatorControl
) -> None:
    write("sales.csv", *month(1))
    Path("etl.toml").write_text('plugins = ["team.py"]\n')
    Path("team.py").write_text(
        "from etl_framework import UsageError, hookimpl\n\n"
        "@hookimpl\ndef etl_check(job, columns):\n    raise UsageError('checks.mine: no', key='checks.mine')\n"
    )
    with pytest.raises(UsageError, match=r"checks\.mine"):
        load("sales.csv", target=target, table="elsewhere.t", check="warehouse")
    assert [each for each in emulator.statements() if not each.lstrip().startswith(("SELECT", "SHOW", "DESC"))] == []


def test_validating_needs_no_account() -> None:
    assert validate(write("a.csv", *month(1)), target="snowflake:nowhere").passed


def test_the_statements_of_a_run_are_tagged_with_its_id(target: str, ask: Ask) -> None:
    report = load(write("a.csv", *month(1)), target=target)
    tagged = ask(
        "SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TAG = '" + report.run + "'"
    )
    assert {"PUT", "COPY", "COMMIT"} <= {text.split()[0] for (text,) in tagged}
    assert resume() is None


def test_files_of_alternating_layouts_need_a_copy_for_each_layout_only(target: str, ask: Ask) -> None:
    for number in range(6):
        end = "\r" if number % 2 else "\n"
        Path(f"f{number}.csv").write_bytes(f"id,name{end}{number},n{number}{end}".encode())
    load("f*.csv", target=target, table="t")
    assert ask("SELECT ID, NAME FROM T ORDER BY ID") == [(number, f"n{number}") for number in range(6)]
    sent = ask("SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT LIKE 'COPY INTO %'")
    assert sent == [(2,)]


def test_moments_in_the_form_of_iso_8601_come_through(target: str, ask: Ask) -> None:
    write("t.csv", "2024-01-01T10:00:00.25,2024-01-01T10:00:00+02:00", header="a,b\n")
    load("t.csv", target=target, columns={"a": "timestamp", "b": "timestamptz"})
    [(a, b)] = ask("SELECT A, B FROM T")
    assert a.isoformat() == "2024-01-01T10:00:00.250000"
    assert b == datetime(2024, 1, 1, 8, tzinfo=UTC)


def test_files_of_any_names_are_loaded_together(target: str, ask: Ask) -> None:
    names = [
        "a b.csv",
        "it's.csv",
        "[x]*?.csv",
        "line\nbreak.csv",
        "über.csv",
        ";--.csv",
        "$1 {x} %s ${y}.csv",
        '".csv',
    ]
    for number, name in enumerate(names):
        write(f"in {name}", f"{number},2024-01-01,1,x")
    load("in *.csv", target=target, table="t")
    assert ask("SELECT ID FROM T ORDER BY ID") == [(number,) for number in range(len(names))]


@pytest.mark.parametrize(
    "settings",
    [{"mode": "merge", "keys": ['k"ey']}, {"mode": "replace-period", "date_column": "or.der", "period": "2024-01"}],
)
def test_keys_and_date_columns_may_have_any_name(target: str, ask: Ask, settings: dict[str, Any]) -> None:
    header = '"k""ey",or.der,"x;--"\n'
    columns = {'k"ey': "varchar", "or.der": "date", "x;--": "varchar"}
    for rows in (["1,2024-01-01,a", "2,2024-01-02,b"], ["1,2024-01-01,c", "2,2024-01-02,d"]):
        load(write("t.csv", *rows, header=header), target=target, table='"select"', columns=columns, **settings)
    assert ask('SELECT "k""ey", "x;--" FROM "select" ORDER BY 1') == [("1", "c"), ("2", "d")]
