"""COPY is not believed: every row of its answer is read, and the rows are measured before they are published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.copying import MOST_FILES, Copy, check_answer, copies
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.stage import Stage

from etl_framework import (
    Column,
    ColumnType,
    ReconciliationError,
    RunFailed,
    StagedPart,
    Status,
    TextLayout,
    Workspace,
    load,
)

from .conftest import Ask

ROWS = 2000


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of several parts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("sales.csv")
    path.write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(ROWS)))
    return path


def staged(number: int, rows: int = 10) -> StagedPart:
    return StagedPart(part=number, piece=0, name=f"{number:06}-0000-aa.csv.zst", size=1, digest="", rows=rows)


def answer(part: StagedPart, **more: Any) -> dict[str, Any]:
    row = {"file": f"_etl_stage/run/{part.name}", "status": "LOADED", "rows_parsed": 10, "rows_loaded": 10}
    return {**row, "first_error": None, **more}


def test_an_answer_that_tells_of_every_part_whole_is_believed() -> None:
    parts = (staged(0), staged(1))
    assert check_answer(Copy("COPY INTO t", parts), [answer(part) for part in reversed(parts)]) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "PARTIALLY_LOADED"},
        {"status": "LOAD_FAILED", "rows_loaded": 0, "first_error": "no such file"},
        {"status": "LOAD_SKIPPED"},
        {"rows_loaded": 9},
        {"rows_parsed": 11},
        {"rows_parsed": 9, "rows_loaded": 9},
        {"rows_parsed": None, "rows_loaded": None},
    ],
    ids=str,
)
def test_a_part_that_is_not_loaded_whole_is_named(wrong: dict[str, Any]) -> None:
    parts = (staged(0), staged(1))
    with pytest.raises(RunFailed, match=rf"part {parts[1].name} was not loaded whole") as caught:
        check_answer(Copy("COPY INTO t", parts), [answer(parts[0]), answer(parts[1], **wrong)])
    assert str(wrong.get("first_error") or "") in caught.value.message


@pytest.mark.parametrize("rows", [[], [{"status": "Copy executed with 0 files processed."}], [answer(staged(7))]])
def test_a_part_that_the_answer_says_nothing_of_is_missed(rows: Sequence[dict[str, Any]]) -> None:
    with pytest.raises(RunFailed, match=rf"says nothing of part {staged(0).name}"):
        check_answer(Copy("COPY INTO t", (staged(0),)), rows)


class Loading:
    """As much of a run as its COPY statements take."""

    id = "20240131t235959-3f9a1c"
    columns = (Column(name="id", type=ColumnType.parse("bigint"), required=False, declared=True),)

    class codec:  # noqa: N801 - an attribute of the run
        name = "zstd"

    def layout(self, part: int) -> TextLayout:
        return TextLayout(fields=("id", "name"), delimiter=",", quote='"', escape=None, newline="\n", null_values=("",))


def test_no_statement_names_more_files_than_snowflake_takes_and_all_are_named_once() -> None:
    parts = [staged(number) for number in range(2 * 1000 + 1)]
    made = list(copies("t", ["ID"], parts, Stage("@~", made=False), Loading()))
    assert MOST_FILES == 1000
    assert [len(copy.parts) for copy in made] == [1000, 1000, 1]
    assert [part for copy in made for part in copy.parts] == parts
    assert all(copy.sql.count(".csv.zst'") == len(copy.parts) for copy in made)


@pytest.mark.parametrize("publish", ["landing", "direct"])
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_rows_that_arrive_as_others_than_the_sources_are_never_published(
    target: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, publish: str, mode: str
) -> None:
    Path("etl.toml").write_text(f'[defaults]\nsnowflake = {{ publish = "{publish}" }}\n')
    ask("CREATE TABLE T (ID NUMBER(19,0), NAME VARCHAR)")
    if mode == "replace":
        ask("INSERT INTO T VALUES (-1, 'older')")
    before = ask("SELECT * FROM T")
    # As many rows as there should be, each whole to COPY: only the values tell.
    monkeypatch.setattr(
        "etl_snowflake.copying.expressions", lambda columns, layout: ["CAST($1 AS NUMBER(19,0)) + 1", "$2"]
    )
    with pytest.raises(ReconciliationError, match="id"):
        load("sales.csv", target=target, table="t", mode=mode)
    assert ask("SELECT * FROM T") == before
    assert ask("SELECT COUNT(*) FROM _ETL_LOADS WHERE MODE IS NOT NULL") == [(0,)]


@pytest.mark.parametrize("compress", ["zstd", "gzip", "none"])
def test_parts_of_every_compression_are_loaded(target: str, emulator: EmulatorControl, ask: Ask, compress: str) -> None:
    load("sales.csv", target=target, table="t", compress=compress)
    assert ask("SELECT COUNT(*), SUM(ID), COUNT(DISTINCT NAME) FROM T") == [(ROWS, sum(range(ROWS)), ROWS)]
    ending = {"zstd": ".zst", "gzip": ".gz", "none": ".txt"}[compress]
    assert {Path(entry["path"]).suffix for entry in emulator.log("put")} == {ending}


def test_a_run_that_takes_the_place_of_a_failed_one_removes_what_that_one_left_and_nothing_else(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    ask("CREATE STAGE _ETL_STAGE")
    theirs = Path("theirs").absolute()
    theirs.write_bytes(b"x")
    other = "20240131t235959-3f9a1c"
    ask(f"PUT 'file://{theirs}' '@_ETL_STAGE/{other}/' AUTO_COMPRESS=FALSE")
    ask("CREATE TABLE _ETL_LANDING_20240131T235959_3F9A1C (N NUMBER)")
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "fail", "errno": 1234})
    with pytest.raises(RunFailed):
        load("sales.csv", target=target, table="t")
    [failed] = Workspace.open().to_resume()
    assert any(failed.run in name for name, *_ in ask("LIST @_ETL_STAGE"))
    assert load("sales.csv", target=target, table="t").status is Status.DONE
    assert [name for name, *_ in ask("LIST @_ETL_STAGE")] == [f"_etl_stage/{other}/theirs"]
    tables = ask("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, '_ETL_LANDING')")
    assert tables == [("_ETL_LANDING_20240131T235959_3F9A1C",)]


@pytest.mark.parametrize("stage", ["@~", "@~/team/a", "@DB.PUBLIC.PARTS", '@DB.PUBLIC."my parts"'])
def test_parts_go_into_a_stage_of_ones_own_and_leave_what_else_lies_there(
    target: str, emulator: EmulatorControl, ask: Ask, stage: str
) -> None:
    if "PUBLIC" in stage:
        ask(f"CREATE STAGE {stage.removeprefix('@')}")
    theirs = Path("theirs").absolute()
    theirs.write_bytes(b"x")
    ask(f"PUT 'file://{theirs}' '{stage}/' AUTO_COMPRESS=FALSE")
    before = ask(f"LIST '{stage}'")
    report = load("sales.csv", target=f"{target}?stage={stage}", table="t")
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(ROWS, sum(range(ROWS)))]
    assert all(report.run in entry["path"] for entry in emulator.log("put")[1:])
    assert ask(f"LIST '{stage}'") == before
    assert ask("SHOW STAGES LIKE '_ETL_STAGE'") == []
