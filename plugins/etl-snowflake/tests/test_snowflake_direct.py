"""`publish = "direct"`: COPY straight into the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl

from etl_framework import Refused, RunFailed, Status, UsageError, load

from .conftest import Ask


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, whose jobs are all published directly."""
    monkeypatch.chdir(tmp_path)
    Path("etl.toml").write_text('[defaults]\nsnowflake = { publish = "direct" }\n')
    return tmp_path


@pytest.fixture
def quick(emulator: EmulatorControl) -> EmulatorControl:
    """An emulator that soon says of a statement that it is still running."""
    emulator.reset(in_progress_after=0.5)
    return emulator


def write(name: str, *days: int, amount: str = "1.5") -> Path:
    path = Path(name)
    path.write_text("id,day,amount\n" + "".join(f"{day},2024-01-{day:02},{amount}\n" for day in days))
    return path


def test_the_rows_are_copied_straight_into_the_table_and_reconciled(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    report = load(write("sales.csv", 1, 2, 3), target=target)
    assert (report.status, report.rows_loaded, report.counted_only) == (Status.DONE, 3, False)
    assert ask("SELECT ID FROM SALES ORDER BY ID") == [(1,), (2,), (3,)]
    assert not [sql for sql in emulator.statements() if "CREATE OR REPLACE TRANSIENT TABLE" in sql]
    assert ask("LIST @_ETL_STAGE") == []


def test_appended_rows_are_counted_where_others_are(target: str, ask: Ask) -> None:
    load(write("a.csv", 1, 2), target=target, table="t")
    report = load(write("b.csv", 3), target=target, table="t")
    assert (report.rows_loaded, report.counted_only, report.reconciled) == (1, True, True)
    assert ask("SELECT ID FROM T ORDER BY ID") == [(1,), (2,), (3,)]


def test_replacing_leaves_only_the_new_rows(target: str, ask: Ask) -> None:
    load(write("a.csv", 1, 2), target=target, table="t")
    report = load(write("b.csv", 3), target=target, table="t", mode="replace")
    assert (report.rows_deleted, report.counted_only) == (2, False)
    assert ask("SELECT ID FROM T") == [(3,)]


def test_a_replaced_period_is_reconciled_by_itself(target: str, ask: Ask) -> None:
    settings: dict[str, Any] = {"target": target, "table": "t", "mode": "replace-period", "date_column": "day"}
    load(write("a.csv", 1, 2, 20), target=target, table="t")
    report = load(write("b.csv", 1, 2, 3, amount="7"), period="2024-01-01..2024-01-15", **settings)
    assert (report.rows_deleted, report.counted_only) == (2, False)
    assert ask("SELECT ID, AMOUNT FROM T ORDER BY ID") == [(1, 7.0), (2, 7.0), (3, 7.0), (20, 1.5)]


def test_a_merge_is_refused_before_anything_is_read(target: str) -> None:
    with pytest.raises(UsageError, match="cannot be published directly"):
        load(write("a.csv", 1), target=target, table="t", mode="merge", keys=["id"])


def test_the_same_file_again_is_refused(target: str, ask: Ask) -> None:
    load(write("a.csv", 1), target=target, table="t")
    with pytest.raises(Refused, match="already holds"):
        load(Path("a.csv"), target=target, table="t")
    assert ask("SELECT ID FROM T") == [(1,)]


def test_a_row_that_snowflake_does_not_take_is_named_and_the_table_stays(target: str, ask: Ask) -> None:
    Path("a.csv").write_text("id,name\n1,one\n")
    load("a.csv", target=target, table="t")
    Path("b.csv").write_text('id,name\n2,two\n3,"th"ree\n')
    with pytest.raises(RunFailed, match=r"b\.csv, line 3, column name: Snowflake does not take the row"):
        load("b.csv", target=target, table="t", mode="replace")
    assert ask("SELECT ID FROM T") == [(1,)]


@pytest.mark.parametrize("sql", ["^DELETE", "^COPY INTO", "^COMMIT"])
@pytest.mark.parametrize("action", ["lose_answer", "kill_session"])
def test_an_answer_that_is_lost_counts_once(
    target: str, emulator: EmulatorControl, ask: Ask, sql: str, action: str
) -> None:
    load(write("a.csv", 1, 2), target=target, table="t")
    emulator.faults({"endpoint": "query", "sql": sql, "action": action, "after": True})
    report = load(write("b.csv", 3, 4, 5), target=target, table="t", mode="replace")
    assert report.status is Status.DONE
    assert ask("SELECT ID FROM T ORDER BY ID") == [(3,), (4,), (5,)]


@pytest.mark.parametrize("settings", [{}, {"mode": "replace"}], ids=["append", "replace"])
def test_a_session_that_ends_while_its_copy_runs_neither_doubles_nor_loses_rows(
    target: str, quick: EmulatorControl, ask: Ask, settings: dict[str, Any]
) -> None:
    load(write("a.csv", 1, 2), target=target, table="t")
    quick.faults(
        {"endpoint": "query", "sql": "^COPY INTO", "action": "slow", "seconds": 2},
        {"endpoint": "result", "action": "kill_session"},
    )
    assert load(write("b.csv", 3, 4, 5), target=target, table="t", **settings).rows_loaded == 3
    assert any("kill_session" in entry.get("faults", ()) for entry in quick.log("result"))
    older = [] if settings else [(1,), (2,)]
    assert ask("SELECT ID FROM T ORDER BY ID") == [*older, (3,), (4,), (5,)]


def test_a_copy_whose_answer_is_lost_with_its_session_is_rolled_back_and_done_again(
    target: str, emulator: EmulatorControl, ask: Ask
) -> None:
    load(write("a.csv", 1, 2), target=target, table="t")
    emulator.faults(
        {"endpoint": "query", "sql": "^COPY INTO", "action": "lose_answer"},
        {"endpoint": "query", "sql": "^COPY INTO", "action": "kill_session", "nth": 2},
    )
    assert load(write("b.csv", 3, 4, 5), target=target, table="t").rows_loaded == 3
    assert ask("SELECT ID FROM T ORDER BY ID") == [(1,), (2,), (3,), (4,), (5,)]
