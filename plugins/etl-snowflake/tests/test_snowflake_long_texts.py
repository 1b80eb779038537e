"""Texts that are longer than a column of the table: COPY refuses them, whichever way the run is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Event, RunFailed, Status, load, resume

from .conftest import Ask


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file whose third line holds seven characters."""
    monkeypatch.chdir(tmp_path)
    Path("z.csv").write_text("id,name\n1,ok\n2,toolong\n")
    return tmp_path


def configure(**settings: object) -> None:
    listed = ", ".join(f"{name} = {value!r}" for name, value in settings.items())
    Path("etl.toml").write_text(f"[defaults]\nsnowflake = {{ {listed} }}\n")


@pytest.mark.parametrize("async_above_mb", [0, 100], ids=["asked for", "waited for"])
@pytest.mark.parametrize("publish", ["landing", "direct"])
@pytest.mark.parametrize("type_", ["VARCHAR(5)", "CHAR(5)", "VARCHAR(5) COLLATE 'en-ci'"])
def test_the_row_of_a_text_that_is_too_long_is_named_and_the_table_stays(
    target: str, ask: Ask, publish: str, async_above_mb: int, type_: str
) -> None:
    configure(publish=publish, async_above_mb=async_above_mb)
    ask(f"CREATE TABLE T (ID NUMBER(19,0), NAME {type_})")
    ask("INSERT INTO T VALUES (0, 'old')")
    with pytest.raises(RunFailed, match=r"z\.csv, line 3, column name: .*'toolong' is too long") as caught:
        load("z.csv", target=target, table="t", mode="replace")
    assert "Let the column of the table take longer texts, or correct the row." in caught.value.advice
    assert ask("SELECT ID, NAME FROM T") == [(0, "old")]


@pytest.mark.parametrize("publish", ["landing", "direct"])
def test_once_the_column_takes_longer_texts_a_resumed_run_ends_well(target: str, ask: Ask, publish: str) -> None:
    configure(publish=publish)
    ask("CREATE TABLE T (ID NUMBER(19,0), NAME VARCHAR(5))")
    with pytest.raises(RunFailed):
        load("z.csv", target=target, table="t")
    ask("CREATE OR REPLACE TABLE T (ID NUMBER(19,0), NAME VARCHAR(7))")
    report = resume()
    assert report is not None
    assert report.status is Status.DONE
    assert ask("SELECT NAME FROM T ORDER BY ID") == [("ok",), ("toolong",)]


@pytest.mark.parametrize("settings", [{}, {"mode": "merge", "keys": ["name"]}], ids=["append", "merge"])
def test_characters_count_not_bytes(target: str, ask: Ask, settings: dict[str, Any]) -> None:
    ask("CREATE TABLE T (NAME VARCHAR(3), N NUMBER(19,0))")
    Path("a.csv").write_text("name,n\näöü,1\n€€€,2\n", encoding="utf-8")
    assert load("a.csv", target=target, table="t", **settings).rows_loaded == 2
    assert ask("SELECT NAME FROM T ORDER BY N") == [("äöü",), ("€€€",)]


def test_columns_that_are_added_take_texts_of_any_length(target: str, ask: Ask) -> None:
    configure(evolve="add-columns")
    ask("CREATE TABLE T (ID NUMBER(19,0), CODE VARCHAR(2))")
    Path("a.csv").write_text(f"id,code,name\n1,ab,{'x' * 100}\n")
    assert load("a.csv", target=target, table="t").status is Status.DONE
    assert ask("SELECT CODE, LENGTH(NAME) FROM T") == [("ab", 100)]


def test_a_table_that_takes_shorter_texts_by_then_is_told_and_a_resumed_run_names_the_row(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    configure(async_above_mb=0)
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "slow"})

    def change(event: Event) -> None:
        if event.name == "load_progress":
            ask("CREATE OR REPLACE TABLE T (ID NUMBER(19,0), NAME VARCHAR(5))")
            emulator.release()

    with pytest.raises(RunFailed, match=r"T was changed .* takes shorter texts now"):
        load("z.csv", target=target, table="t", observers=(change,))
    assert ask("SELECT ID FROM T") == []
    with pytest.raises(RunFailed, match=r"z\.csv, line 3, column name"):
        resume()
