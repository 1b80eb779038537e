"""`etl targets test` on an account: who we are there, what a load lacks, and the statements that give it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from etl_snowflake.emulator.control import EmulatorControl
from etl_snowflake.warehouse import SnowflakeWarehouse

from etl_framework import ExitCode, Fact, RunFailed, Status, UsageError, Workspace, load
from etl_framework.cli import run
from etl_framework.targets import TargetCheck

from .conftest import write_connections_file

pytestmark = pytest.mark.usefixtures("roomy")

GRANT = re.compile(r"^GRANT .*;$", re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one file to load."""
    monkeypatch.chdir(tmp_path)
    Path("sales.csv").write_text("id,name\n1,a\n2,b\n")
    return tmp_path


@pytest.fixture
def admin(connect: Callable[..., Any]) -> Any:
    """A cursor that may do everything."""
    return connect().cursor()


@pytest.fixture
def loader(emulator: EmulatorControl, admin: Any) -> str:
    """A target whose role was granted nothing."""
    admin.execute("CREATE ROLE loader")
    write_connections_file(test=emulator.connection(role="LOADER"))
    return "snowflake:test"


def checked(target: str) -> TargetCheck:
    [found] = Workspace.open().test_targets(target)
    return found


def fact(found: TargetCheck, label: str) -> Fact:
    return next(fact for fact in found.facts if fact.label == label)


def grants(found: TargetCheck, *, hidden: bool = False) -> list[str]:
    return [text for fact in found.facts if hidden or not fact.ok for text in GRANT.findall(fact.advice)]


def test_an_account_tells_who_we_are_there(target: str) -> None:
    found = checked(target)
    assert (found.exit_code, [fact.label for fact in found.facts if not fact.ok]) == (ExitCode.DONE, [])
    shown = {fact.label: fact.value for fact in found.facts}
    assert (shown["user"], shown["role"], shown["database"], shown["schema"]) == (
        "TESTER",
        "ACCOUNTADMIN",
        "DB",
        "PUBLIC",
    )
    assert shown["warehouse"] == "COMPUTE_WH, X-Small, started, resumes by itself"


def test_what_the_url_names_is_used_instead_of_the_connection_s_own(
    target: str, admin: Any, emulator: EmulatorControl
) -> None:
    emulator.warehouse("OTHER_WH")
    for statement in (
        "CREATE ROLE other_role",
        "CREATE DATABASE other_db",
        "CREATE SCHEMA other_db.other_schema",
        "GRANT USAGE ON DATABASE other_db TO ROLE other_role",
        "GRANT USAGE ON SCHEMA other_db.other_schema TO ROLE other_role",
        "GRANT USAGE ON WAREHOUSE other_wh TO ROLE other_role",
    ):
        admin.execute(statement)
    found = checked(f"{target}?database=OTHER_DB&schema=OTHER_SCHEMA&warehouse=OTHER_WH&role=OTHER_ROLE")
    shown = [fact(found, label).value for label in ("database", "schema", "warehouse", "role")]
    assert [value.partition(",")[0] for value in shown] == ["OTHER_DB", "OTHER_SCHEMA", "OTHER_WH", "OTHER_ROLE"]


def test_the_printed_grants_are_all_that_a_first_load_needs(loader: str, admin: Any) -> None:
    found = checked(loader)
    assert found.exit_code == ExitCode.FAILED
    assert fact(found, "database").value == "none: DB is not there, or not for this role"
    assert grants(found) == [
        "GRANT USAGE ON WAREHOUSE COMPUTE_WH TO ROLE LOADER;",
        "GRANT USAGE ON DATABASE DB TO ROLE LOADER;",
        "GRANT USAGE ON SCHEMA DB.PUBLIC TO ROLE LOADER;",
        "GRANT CREATE TABLE ON SCHEMA DB.PUBLIC TO ROLE LOADER;",
        "GRANT CREATE STAGE ON SCHEMA DB.PUBLIC TO ROLE LOADER;",
    ]
    for grant in grants(found):
        admin.execute(grant)
    after = checked(loader)
    assert [fact for fact in after.facts if not fact.ok] == []
    assert load("sales.csv", target=loader).status is Status.DONE
    assert checked(loader).exit_code == ExitCode.DONE


def test_the_printed_grants_are_all_that_a_load_into_what_others_made_needs(
    loader: str, admin: Any, emulator: EmulatorControl
) -> None:
    """Somebody else loaded before: table, ledger and stage are theirs."""
    write_connections_file(theirs=emulator.connection(), test=emulator.connection(role="LOADER"))
    load("sales.csv", target="snowflake:theirs")
    Path("etl.toml").write_text(
        '[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "snowflake:test"\nmode = "replace"\n'
    )
    for grant in grants(checked(loader)):
        admin.execute(grant)
    hidden = checked(loader)
    assert "GRANT SELECT, INSERT, DELETE ON TABLE DB.PUBLIC.SALES TO ROLE LOADER;" in grants(hidden, hidden=True)
    for grant in grants(hidden, hidden=True):
        admin.execute(grant)
    assert checked(loader).exit_code == ExitCode.DONE
    workspace = Workspace.open()
    assert workspace.load(workspace.job("sales", (), {"again": True})).status is Status.DONE


# CREATE TABLE on the schema opens it, too, in the emulator: not all of Snowflake's own pages agree on that.
@pytest.mark.parametrize("number", [0, 1, 3, 4])
def test_each_printed_grant_is_needed(loader: str, admin: Any, number: int) -> None:
    for grant in [grant for index, grant in enumerate(grants(checked(loader))) if index != number]:
        admin.execute(grant)
    assert checked(loader).exit_code == ExitCode.FAILED
    assert run(["-q", "load", "sales.csv", "--target", loader]) != ExitCode.DONE


def test_the_role_of_the_documentation_can_load(emulator: EmulatorControl, admin: Any) -> None:
    page = Path(__file__).parents[3] / "docs" / "snowflake.md"
    script, *_ = re.findall(r"^```sql\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for statement in script.split(";")[:-1]:
        admin.execute(statement)
    write_connections_file(test=emulator.connection(role="LOADER"))
    assert checked("snowflake:test").exit_code == ExitCode.DONE
    assert load("sales.csv", target="snowflake:test").status is Status.DONE


def test_privileges_come_from_granted_and_secondary_roles_too(loader: str, admin: Any) -> None:
    wanted = grants(checked(loader))
    admin.execute("CREATE ROLE basis")
    admin.execute("CREATE ROLE usual")
    admin.execute("GRANT ROLE basis TO ROLE loader")
    admin.execute("GRANT ROLE usual TO USER tester")
    for grant in wanted:
        admin.execute(grant.replace("LOADER", "BASIS" if "CREATE" in grant else "USUAL"))
    assert checked(loader).exit_code == ExitCode.DONE
    assert load("sales.csv", target=loader).status is Status.DONE


def test_a_schema_that_is_missing_is_made_only_by_who_may(loader: str, admin: Any) -> None:
    for grant in grants(checked(loader)):
        admin.execute(grant)
    with pytest.raises(RunFailed, match="Insufficient privileges to operate on database 'DB'"):
        load("sales.csv", target=loader, table="NEW.SALES")
    admin.execute("GRANT CREATE SCHEMA ON DATABASE db TO ROLE loader")
    assert load("sales.csv", target=loader, table="NEW.SALES").status is Status.DONE


def test_creating_does_not_count_when_only_a_secondary_role_may(loader: str, admin: Any) -> None:
    wanted = grants(checked(loader))
    admin.execute("CREATE ROLE usual")
    admin.execute("GRANT ROLE usual TO USER tester")
    for grant in wanted:
        admin.execute(grant.replace("LOADER", "USUAL"))
    assert grants(checked(loader)) == [grant for grant in wanted if "CREATE" in grant]


def test_a_suspended_warehouse_that_does_not_resume_is_wrong(emulator: EmulatorControl, target: str) -> None:
    emulator.warehouse(state="SUSPENDED", auto_resume=False)
    found = fact(checked(target), "warehouse")
    assert not found.ok
    assert "ALTER WAREHOUSE COMPUTE_WH SET AUTO_RESUME = TRUE;" in found.advice
    emulator.warehouse(state="SUSPENDED", auto_resume=True)
    assert fact(checked(target), "warehouse").ok


def test_no_warehouse_is_wrong(emulator: EmulatorControl) -> None:
    write_connections_file(test=emulator.connection(warehouse="NOWHERE"))
    found = fact(checked("snowflake:test"), "warehouse")
    assert (found.ok, found.value) == (False, "none: NOWHERE is not there, or not for this role")


def test_much_for_an_extra_small_warehouse_is_noted(emulator: EmulatorControl, target: str) -> None:
    with Path("huge.csv").open("wb") as file:
        file.write(b"id,name\n1,a\n")
        file.truncate(11 * 10**9)
    Path("etl.toml").write_text(f'[jobs.huge]\nsource = "huge.csv"\ntable = "huge"\ntarget = "{target}"\n')
    found = checked(target)
    assert (fact(found, "warehouse size").ok, found.exit_code) == (True, ExitCode.DONE)
    assert "SET WAREHOUSE_SIZE" in fact(found, "warehouse size").advice
    warehouse = SnowflakeWarehouse(target)
    assert [fact.label for fact in warehouse.capacity(11 * 10**9)] == ["warehouse size"]
    assert warehouse.capacity(10**9) == ()
    warehouse.close()
    emulator.warehouse(size="Medium")
    assert "warehouse size" not in [fact.label for fact in checked(target).facts]


def test_the_stage_is_tried_and_nothing_stays(target: str, admin: Any, emulator: EmulatorControl) -> None:
    admin.execute("CREATE STAGE _ETL_STAGE")
    assert fact(checked(target), "staging").value.endswith("bytes uploaded, listed and removed")
    assert admin.execute("LIST @_ETL_STAGE").fetchall() == []
    verbs = [text.split()[0] for text in emulator.statements()]
    assert {"PUT", "LIST", "REMOVE"} <= set(verbs)


def test_a_stage_that_is_not_there_yet_is_not_made(target: str, admin: Any) -> None:
    assert "the first load makes it" in fact(checked(target), "staging").value
    assert admin.execute("SHOW STAGES").fetchall() == []


def test_storage_that_cannot_be_reached_is_wrong(target: str, emulator: EmulatorControl) -> None:
    emulator.faults({"endpoint": "put", "action": "status", "status": 403, "count": None})
    found = checked(target)
    assert (found.exit_code, fact(found, "staging").ok) == (ExitCode.FAILED, False)


def test_a_stage_of_ones_own_needs_reading_and_writing(loader: str, admin: Any, emulator: EmulatorControl) -> None:
    admin.execute("CREATE STAGE parts")
    for grant in grants(checked(loader)):
        if "CREATE STAGE" not in grant:
            admin.execute(grant)
    url = "snowflake:test?stage=@db.public.parts"
    assert grants(checked(url)) == ["GRANT READ, WRITE ON STAGE DB.PUBLIC.PARTS TO ROLE LOADER;"]
    for grant in grants(checked(url)):
        admin.execute(grant)
    assert checked(url).exit_code == ExitCode.DONE
    assert load("sales.csv", target=url).status is Status.DONE


def test_doctor_shows_what_is_wrong_with_a_target(loader: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("etl.toml").write_text(f'[targets.prod]\nurl = "{loader}"\n')
    assert run(["doctor", "--json"]) == ExitCode.FAILED
    wrong = [check for check in json.loads(capsys.readouterr().out)["checks"] if not check["ok"]]
    assert {check["subject"] for check in wrong} == {"target prod"}
    assert any("GRANT USAGE ON SCHEMA DB.PUBLIC TO ROLE LOADER;" in check["advice"] for check in wrong)


def test_a_load_into_a_database_that_is_not_there_says_that_it_may_be_named_wrongly(emulator: EmulatorControl) -> None:
    write_connections_file(test=emulator.connection())
    with pytest.raises(UsageError, match="is in no database, and the session has none") as caught:
        load("sales.csv", target="snowflake:test?database=NOPE")
    assert "does not exist, or not for this role: `etl targets test` tells" in caught.value.advice


def test_a_table_in_a_database_that_is_not_there_is_refused_before_anything_is_made(
    target: str, emulator: EmulatorControl
) -> None:
    with pytest.raises(UsageError, match=r"NOPE\.PUBLIC\.T is in a database that does not exist, .*: NOPE") as caught:
        load("sales.csv", target=target, table="NOPE.PUBLIC.T")
    assert "USAGE" in caught.value.advice
    assert not [sql for sql in emulator.statements() if sql.startswith(("CREATE", "PUT"))]


@pytest.mark.parametrize(("name", "stored"), [("new_one", "NEW_ONE"), ('"new one"', '"new one"')])
def test_a_schema_that_the_target_names_is_made_with_the_table(target: str, admin: Any, name: str, stored: str) -> None:
    assert load("sales.csv", target=f"{target}?database=DB&schema={quote(name)}", table="t").status is Status.DONE
    assert admin.execute(f"SELECT COUNT(*) FROM DB.{stored}.T").fetchall() == [(2,)]


def test_a_table_in_another_database_is_made_with_its_schema(target: str, admin: Any) -> None:
    admin.execute("CREATE DATABASE other")
    assert load("sales.csv", target=f"{target}?database=DB", table="OTHER.NEW.T").status is Status.DONE
    assert admin.execute("SELECT COUNT(*) FROM OTHER.NEW.T").fetchall() == [(2,)]
