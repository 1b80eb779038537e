"""`etl stage`: what runs left behind in an account, and removing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.warehouse import SnowflakeWarehouse

from etl_framework import ExitCode, RunFailed, Status, TableName, Workspace, load
from etl_framework.cli import run

OLD = "20240131t235959-3f9a1c"
TABLE = "_ETL_LANDING_20240131T235959_3F9A1C"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one file to load."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,name\n1,a\n2,b\n")
    return tmp_path


@pytest.fixture
def admin(connect: Callable[..., Any]) -> Any:
    """A cursor that may do everything, in an account whose stage holds other people's things, too."""
    cursor = connect().cursor()
    cursor.execute("CREATE STAGE _ETL_STAGE")
    Path("part").write_bytes(b"x" * 20)
    for place in (OLD, "theirs", f"theirs/{OLD}", f"{OLD}-not"):
        cursor.execute(f"PUT 'file://{Path('part').absolute()}' '@_ETL_STAGE/{place}/' AUTO_COMPRESS=FALSE")
    for name in (TABLE, f"{TABLE}X", "_ETL_LANDING_MINE", "SALES_OLD"):
        cursor.execute(f"CREATE TABLE {name} (n INT)")
    return cursor


@pytest.fixture
def resumable(target: str, emulator: EmulatorControl) -> str:
    """A run that failed after it had staged its parts, and can be resumed."""
    emulator.faults({"endpoint": "query", "sql": "COPY INTO", "action": "fail", "errno": 630})
    with pytest.raises(RunFailed):
        load("sales.csv", target=target)
    emulator.faults()
    [record] = Workspace.open().to_resume()
    return record.run


def things(admin: Any) -> tuple[list[str], list[str]]:
    files = [row[0] for row in admin.execute("LIST @_ETL_STAGE").fetchall()]
    return files, sorted(row[1] for row in admin.execute("SHOW TABLES").fetchall())


def test_only_what_runs_left_is_listed(target: str, admin: Any) -> None:
    [staging] = Workspace.open().staged(target)
    assert sorted((r.leftover.run, r.leftover.files, r.leftover.tables, r.known) for r in staging.runs) == [
        (OLD, 1, (TABLE,), "unknown"),
    ]
    assert all(run.age is not None for run in staging.runs)


def test_cleaning_removes_only_what_runs_left(target: str, admin: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before = things(admin)
    arguments = ["stage", "clean", "--target", target, "--older-than", "0d"]
    assert run([*arguments, "--dry-run"]) == ExitCode.DONE
    assert OLD in capsys.readouterr().out
    assert things(admin) == before
    assert run(arguments) == ExitCode.USAGE
    assert "--yes" in capsys.readouterr().err
    assert things(admin) == before
    assert run([*arguments, "--yes"]) == ExitCode.DONE
    assert "and 1 landing table." in capsys.readouterr().out
    files, tables = things(admin)
    assert files == [f for f in before[0] if f != f"_etl_stage/{OLD}/part"]
    assert tables == [table for table in before[1] if table != TABLE]


def test_what_is_young_stays_unless_an_age_is_given(
    target: str, admin: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = things(admin)
    assert run(["stage", "clean", "--target", target, "--yes", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["removals"] == []
    assert things(admin) == before


class Later(datetime):
    """A clock that is 30 hours fast."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(hours=30)


@pytest.mark.parametrize(("older_than", "goes"), [("31h", False), ("2d", False), ("30h", True), ("1d", True)])
def test_what_is_younger_than_the_given_age_stays(
    target: str, admin: Any, monkeypatch: pytest.MonkeyPatch, older_than: str, goes: bool
) -> None:
    before = things(admin)
    monkeypatch.setattr("etl_framework.staging.datetime", Later)
    assert run(["stage", "clean", "--target", target, "--older-than", older_than, "--yes"]) == ExitCode.DONE
    removed = [set(old) - set(new) for old, new in zip(before, things(admin), strict=True)]
    assert removed == ([{f"_etl_stage/{OLD}/part"}, {TABLE}] if goes else [set(), set()])


def test_what_a_resumable_run_staged_is_told_and_stays(
    target: str, resumable: str, admin_cursor: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stage", "list", "--target", target, "--json"]) == ExitCode.DONE
    [listed] = json.loads(capsys.readouterr().out)["targets"]
    assert {(left["leftover"]["run"], left["known"]) for left in listed["runs"]} == {(resumable, "resumable")}
    clean = ["stage", "clean", "--target", target, "--older-than", "0d", "--yes"]
    assert run(clean) == ExitCode.DONE
    assert "Nothing to remove." in capsys.readouterr().out
    assert run([*clean, "--resumable"]) == ExitCode.DONE
    assert admin_cursor.execute("LIST @_ETL_STAGE").fetchall() == []
    report = Workspace.open().resume()
    assert report is not None
    assert report.rows_loaded == 2


@pytest.fixture
def admin_cursor(connect: Callable[..., Any]) -> Any:
    return connect().cursor()


def test_nothing_of_a_run_under_way_is_removed(target: str, resumable: str, admin_cursor: Any) -> None:
    workspace = Workspace.open()
    [record] = workspace.to_resume()
    staging = workspace.staged(target)
    with workspace.state.lock(record.job, record.target):
        removals = workspace.clean_staged(staging)
        assert {(removal.removed, removal.exit_code) for removal in removals} == {(False, ExitCode.LOCKED)}
    assert admin_cursor.execute("LIST @_ETL_STAGE").fetchall() != []


def test_the_schemas_of_jobs_are_looked_at_too(target: str, admin_cursor: Any) -> None:
    admin_cursor.execute("CREATE SCHEMA other")
    admin_cursor.execute(f"CREATE TABLE other.{TABLE} (n INT)")
    warehouse = SnowflakeWarehouse(target)
    assert warehouse.leftovers() == ()
    [left] = warehouse.leftovers((TableName(("OTHER", "T")),))
    assert (left.run, left.place, left.tables) == (OLD, '"DB"."OTHER"', (TABLE,))
    warehouse.close()


@pytest.mark.parametrize("schema", ["odd; --", "Straße", "SELECT", "x/y", "100%"])
def test_a_schema_of_any_name_is_loaded_into_and_cleaned(
    target: str, emulator: EmulatorControl, admin_cursor: Any, schema: str
) -> None:
    quoted = '"' + schema.replace('"', '""') + '"'
    table = f'{quoted}."t; --"'
    admin_cursor.execute(f"CREATE SCHEMA {quoted}")
    assert load("sales.csv", target=target, table=table).rows_loaded == 2
    assert admin_cursor.execute(f"LIST '@{quoted}._ETL_STAGE'").fetchall() == []
    Path("more.csv").write_text("id,name\n3,c\n")
    emulator.faults({"endpoint": "query", "sql": "^COPY INTO", "action": "fail", "errno": 1234})
    with pytest.raises(RunFailed):
        load("more.csv", target=target, table=table)
    emulator.faults()
    [record] = Workspace.open().to_resume()
    warehouse = SnowflakeWarehouse(target)
    [left] = warehouse.leftovers((TableName((schema, "t; --")),))
    assert (left.run, left.files, len(left.tables)) == (record.run, 1, 1)
    warehouse.remove_leftover(left)
    assert warehouse.leftovers((TableName((schema, "t; --")),)) == ()
    warehouse.close()
    assert admin_cursor.execute(f"LIST '@{quoted}._ETL_STAGE'").fetchall() == []
    assert admin_cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchall() == [(2,)]


def test_a_stage_that_holds_many_files_is_counted_file_by_file(target: str, admin_cursor: Any) -> None:
    admin_cursor.execute("CREATE STAGE _ETL_STAGE")
    for number in range(12):
        path = Path(f"part{number}").absolute()
        path.write_bytes(b"x" * 20)
        admin_cursor.execute(f"PUT 'file://{path}' '@_ETL_STAGE/{OLD}/' AUTO_COMPRESS=FALSE")
    warehouse = SnowflakeWarehouse(target)
    [left] = warehouse.leftovers()
    assert (left.files, left.bytes) == (12, 12 * 32)
    warehouse.remove_leftover(left)
    warehouse.remove_leftover(left)
    assert warehouse.leftovers() == ()
    warehouse.close()


def test_a_folder_in_a_stage_of_ones_own_is_looked_at(target: str, admin_cursor: Any) -> None:
    admin_cursor.execute('CREATE STAGE "Own"')
    Path("part").write_bytes(b"x" * 20)
    for place in (f'@"Own"/below/{OLD}/', f'@"Own"/{OLD}/', f"@~/below/{OLD}/"):
        admin_cursor.execute(f"PUT 'file://{Path('part').absolute()}' '{place}' AUTO_COMPRESS=FALSE")
    for named in ('@DB.PUBLIC."Own"/below', "@~/below"):
        warehouse = SnowflakeWarehouse(f"{target}?stage={named}")
        [left] = warehouse.leftovers()
        assert (left.run, left.place, left.files) == (OLD, named, 1)
        warehouse.remove_leftover(left)
        assert warehouse.leftovers() == ()
        warehouse.close()
    assert [row[0] for row in admin_cursor.execute('LIST @"Own"').fetchall()] == [f"own/{OLD}/part"]


def test_parts_that_cannot_be_removed_after_the_commit_fail_nothing_and_are_told_of(
    target: str, emulator: EmulatorControl, connect: Callable[..., Any]
) -> None:
    emulator.faults({"endpoint": "query", "sql": "^REMOVE", "action": "fail", "count": None})
    report = load("sales.csv", target=target)
    assert (report.status, report.rows_loaded) == (Status.DONE, 2)
    assert any("staged parts are left behind" in problem for problem in report.problems)
    emulator.faults()
    workspace = Workspace.open()
    workspace.prune(workspace.runs())
    assert connect().cursor().execute("LIST @_ETL_STAGE").fetchall() == []
