"""Two runs of one table at once, and one period twice: what is the same goes in once, what differs goes in whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from etl_framework import Event, Refused, RunReport, Status, load

from .conftest import Ask

ROWS = 1000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two files."""
    monkeypatch.chdir(tmp_path)
    for name, first in (("a.csv", 0), ("b.csv", ROWS)):
        rows = "".join(f"{number},2024-01-{number % 28 + 1:02}\n" for number in range(first, first + ROWS))
        Path(name).write_text("id,day\n" + rows)
    return tmp_path


def together(target: str, *files: str, **settings: Any) -> list[RunReport | Refused]:
    """Load each file in a run of its own, into one table; none begins its load before all parts of all are staged."""
    ready = threading.Barrier(len(files), timeout=120)

    def meet(event: Event) -> None:
        if (event.name, event.step) == ("step_started", "load"):
            ready.wait()

    def one(number: int) -> RunReport | Refused:
        try:
            return load(
                files[number], target=target, table="t", state_dir=f"state-{number}", observers=(meet,), **settings
            )
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(files)) as pool:
        return list(pool.map(one, range(len(files))))


@pytest.mark.parametrize("exists", [False, True], ids=["new table", "table that is there"])
def test_of_two_runs_that_append_the_same_file_at_once_one_is_refused(target: str, ask: Ask, exists: bool) -> None:
    if exists:
        ask("CREATE TABLE T (ID NUMBER(19,0), DAY DATE)")
    outcomes = together(target, "a.csv", "a.csv")
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused", "RunReport"]
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(ROWS, sum(range(ROWS)))]
    assert ask("LIST @_ETL_STAGE") == []


def test_of_two_runs_that_append_different_files_at_once_both_are_in(target: str, ask: Ask) -> None:
    outcomes = together(target, "a.csv", "b.csv")
    assert [outcome.status for outcome in outcomes if isinstance(outcome, RunReport)] == [Status.DONE] * 2
    assert ask("SELECT COUNT(*), SUM(ID) FROM T") == [(2 * ROWS, sum(range(2 * ROWS)))]
    assert ask("LIST @_ETL_STAGE") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "replace"},
        {"mode": "replace-period", "date_column": "day", "period": "2024-01"},
        {"mode": "merge", "keys": ["id"]},
    ],
    ids=lambda settings: settings["mode"],
)
def test_of_two_runs_that_replace_at_once_the_later_one_counts(target: str, ask: Ask, settings: dict[str, Any]) -> None:
    ask("CREATE TABLE T (ID NUMBER(19,0), DAY DATE)")
    together(target, "a.csv", "b.csv", **settings)
    [(count, first, last)] = ask("SELECT COUNT(*), MIN(ID), MAX(ID) FROM T")
    assert (count, first, last) in (
        [(2 * ROWS, 0, 2 * ROWS - 1)]
        if settings["mode"] == "merge"
        else [(ROWS, 0, ROWS - 1), (ROWS, ROWS, 2 * ROWS - 1)]
    )


def test_a_period_is_appended_once_unless_it_is_meant(target: str, ask: Ask) -> None:
    Path("sales_2024-01.csv").write_text(Path("a.csv").read_text())
    january: dict[str, Any] = {"target": target, "table": "t", "date_column": "day", "period": "2024-01"}
    load("sales_{month}.csv", **january)
    with pytest.raises(Refused, match=r"already holds sales_2024-01\.csv"):
        load("sales_{month}.csv", **january)
    assert ask("SELECT COUNT(*) FROM T") == [(ROWS,)]
    load("sales_{month}.csv", again=True, **january)
    assert ask("SELECT COUNT(*) FROM T") == [(2 * ROWS,)]


def test_a_period_that_is_delivered_anew_is_appended_once_unless_it_is_meant(target: str, ask: Ask) -> None:
    Path("etl.toml").write_text(
        f'[defaults]\ntarget = "{target}"\ntable = "t"\n[jobs.sales]\nsource = "sales_{{month}}.csv"\n'
    )
    file = Path("sales_2024-01.csv")
    file.write_text(Path("a.csv").read_text())
    load(job="sales", period="2024-01")
    # By its digest, what is corrected is another source.
    file.write_text(Path("b.csv").read_text() + "-1,2024-01-01\n")
    with pytest.raises(Refused, match=r"t already holds 2024-01 of job sales: loaded by run") as refused:
        load(job="sales", period="2024-01")
    assert "--again" in refused.value.advice
    assert ask("SELECT COUNT(*) FROM T") == [(ROWS,)]
    load(job="sales", period="2024-01", again=True)
    assert ask("SELECT COUNT(*) FROM T") == [(2 * ROWS + 1,)]
