"""Checks by SQL: of the rows that a load is about to publish, and of a table that is there."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from etl_framework import (
    Refused,
    RunFailed,
    RunReport,
    Severity,
    Statement,
    Status,
    TableName,
    UsageError,
    Workspace,
    load,
)
from etl_framework.cli import run
from etl_framework.errors import ExitCode
from etl_framework.plugins import Plugins

PLUGIN = '''
"""Prices must not be below zero, as SQL and by a query that cannot be run."""

from dataclasses import dataclass

from etl_framework import RELATION, Finding, Severity, Statement, hookimpl, quote


@dataclass
class Price:
    severity: str
    name: str = "price"

    def run(self, rows):
        price = quote(rows.column("PRICE").name)
        (answer,) = rows.query(Statement(f"SELECT count(*), min({price}) FROM {RELATION} WHERE {price} < ?", (0,))).rows
        count, least = answer
        if count:
            yield Finding(rule=self.name, severity=Severity(self.severity), count=count, message=f"least {least}")


class Broken:
    name = "broken"

    def run(self, rows):
        yield rows.query(Statement(f"SELECT no_such_function() FROM {RELATION}"))


@hookimpl
def etl_check(job, columns):
    settings = job.section("team")
    if "broken" in settings:
        yield Broken()
    if "price" in settings:
        yield Price(settings["price"])


@hookimpl
def etl_validate(job, analysis):
    return ()
'''

VICTIM = """
import os, signal, sys
from etl_framework import Workspace, load
from etl_framework.pipeline import attempt
from etl_framework.journal import Journal

action, instant = sys.argv[1:]
audit = attempt.audit

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

def audit_and_die(*arguments):
    audit(*arguments)
    die()

if instant == "checked":
    attempt.audit = audit_and_die
Journal.set_receipt = die
if action == "load":
    load(job="sales", check="warehouse")
else:
    Workspace.open().resume()
"""


@pytest.fixture
def job(target: str) -> str:
    """A job with a plugin of its own; the sales of it are to be checked."""
    Path("team.py").write_text(PLUGIN)
    configure(target, price="error")
    return target


def configure(target: str, *, more: str = "", **checks: str) -> None:
    settings = "".join(f"{name} = {value!r}\n" for name, value in checks.items())
    Path("etl.toml").write_text(
        f'plugins = ["team.py"]\n[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "{target}"\n'
        f'columns = {{ id = "bigint", price = "decimal(10,2)", day = "date" }}\ndate_column = "day"\n{more}'
        f"[jobs.sales.team]\n{settings}"
    )


def write(*prices: str, day: str = "2024-01-01") -> None:
    rows = "".join(f"{number},{price},{day}\n" for number, price in enumerate(prices))
    Path("sales.csv").write_text(f"id,price,day\n{rows}")


def rows_in(target: str) -> int | None:
    with closing(Plugins.load().connect(target)) as warehouse:
        if warehouse.describe(TableName(("sales",))) is None:
            return None
        reference = warehouse.reference(TableName(("sales",)))
        return int(warehouse.query(Statement(f"SELECT count(*) FROM {reference}")).rows[0][0])


@pytest.mark.parametrize("check", ["warehouse", "both"])
def test_rows_that_fail_a_check_in_the_warehouse_are_never_published(job: str, check: str) -> None:
    write("1.00", "-2.50", "-7.25")
    with pytest.raises(Refused, match=r"refused at the gate: least -7\.25") as caught:
        load(job="sales", check=check)
    assert [finding.count for finding in caught.value.report.findings if finding.rule == "price"] == [2]
    assert not rows_in(job)


def test_only_the_new_rows_are_checked(job: str) -> None:
    write("-1.00")
    load(job="sales", check="none")
    write("1.00", "2.00")
    report = load(job="sales", check="warehouse")
    assert (report.rows_loaded, report.findings, rows_in(job)) == (2, (), 3)


@pytest.mark.parametrize("mode", ["replace", "replace-period", "merge"])
def test_in_every_mode_the_new_rows_are_checked_and_a_refusal_changes_nothing(job: str, mode: str) -> None:
    configure(job, price="error", more='keys = ["id"]\nperiod = "2024-01"\n')
    write("1.00", "2.00", "3.00")
    load(job="sales", check="warehouse", mode=mode)
    write("5.00", "-1.00")
    with pytest.raises(Refused, match=r"least -1\.00"):
        load(job="sales", check="warehouse", mode=mode)
    assert rows_in(job) == 3
    write("5.00")
    load(job="sales", check="warehouse", mode=mode)
    assert rows_in(job) == (3 if mode == "merge" else 1)


def test_a_warning_from_the_warehouse_stands_in_the_report_and_stops_nothing(job: str) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    report = load(job="sales", check="warehouse")
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("price", Severity.WARNING)]
    assert report.reconciled


def killed(action: str, instant: str) -> None:
    """Let a process load or resume until it is killed: once the rows are ``checked``, or before they are ``noted``."""
    ended = subprocess.run([sys.executable, "-c", VICTIM, action, instant], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def found(report: RunReport | None) -> list[tuple[str, str]]:
    assert report is not None
    return [(finding.rule, finding.message) for finding in report.findings]


def test_a_run_that_was_killed_after_its_commit_still_reports_what_the_warehouse_warned_of(job: str) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    killed("load", "noted")
    assert rows_in(job) == 2
    report = Workspace.open().resume()
    assert found(report) == [("price", "least -2.50")]
    assert (rows_in(job), found(Workspace.open().report(report.run))) == (2, found(report))
    assert not [path for path in Path(".etl").rglob("*") if path.name.startswith("audited")]


def test_a_run_that_was_killed_before_its_commit_reports_only_what_was_found_in_what_it_committed(job: str) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    killed("load", "checked")
    assert not rows_in(job)
    plugin = Path("team.py")
    # Python takes a file of the same size and second for the one that it has compiled.
    plugin.write_text(plugin.read_text().replace("if count:", "if count and False:"))
    killed("resume", "noted")
    assert rows_in(job) == 2
    assert found(Workspace.open().resume()) == []


ANOTHER_VERSION_S = b"cno_such_module\nNothing\n."


def written_by_another_version(table: str, column: str) -> None:
    with closing(sqlite3.connect(".etl/journal.sqlite")) as journal, journal:
        journal.execute(f"UPDATE {table} SET {column} = ?", (ANOTHER_VERSION_S,))


def test_a_receipt_that_another_version_wrote_down_is_asked_of_the_warehouse(job: str) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    killed("load", "noted")
    written_by_another_version("runs", "receipt")
    report = Workspace.open().resume()
    assert (report.rows_loaded, report.reconciled, rows_in(job)) == (2, True, 2)


@pytest.mark.parametrize(("table", "column"), [("pieces", "packed"), ("parts", "outcome")])
def test_parts_that_another_version_wrote_down_end_the_run_with_a_report_that_says_so(
    job: str, table: str, column: str
) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    killed("load", "checked")
    written_by_another_version(table, column)
    with pytest.raises(RunFailed, match="was written down by another version") as caught:
        Workspace.open().resume()
    [record] = Workspace.open().runs()
    assert (record.status, record.resumable, rows_in(job) or 0) == (Status.FAILED, True, 0)
    assert caught.value.report is not None
    assert caught.value.report.resumable


def test_a_load_that_is_committed_is_done_though_another_version_wrote_its_parts_down(job: str) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    killed("load", "noted")
    written_by_another_version("parts", "range")
    report = Workspace.open().resume()
    assert (report.status, report.rows_loaded, rows_in(job)) == (Status.DONE, 2, 2)


@pytest.mark.parametrize("unreadable", [True, False], ids=["of another version", "no file"])
def test_kept_findings_that_cannot_be_read_end_the_run_with_a_report_that_says_so(job: str, unreadable: bool) -> None:
    configure(job, price="warning")
    write("1.00", "-2.50")
    killed("load", "noted")
    [kept] = Path(".etl/runs").glob("*/kept/audited")
    if unreadable:
        kept.write_bytes(ANOTHER_VERSION_S)
    else:
        kept.unlink()
        kept.mkdir()
    with pytest.raises(
        RunFailed, match="was written down by another version" if unreadable else "cannot read"
    ) as caught:
        Workspace.open().resume()
    assert caught.value.report is not None
    assert (caught.value.report.rows_read, caught.value.report.resumable, rows_in(job)) == (2, True, 2)


def test_a_check_whose_query_cannot_be_run_is_no_pass(job: str) -> None:
    configure(job, broken="error", price="error")
    write("1.00")
    with pytest.raises(Refused, match="the check could not be made: the query cannot be run"):
        load(job="sales", check="warehouse")
    assert not rows_in(job)
    load(job="sales", check="none")
    verdict = check_table()
    assert not verdict.passed
    assert [finding.rule for finding in verdict.findings] == ["broken"]
    assert verdict.checks == ("broken", "price")


def test_files_only_are_checked_unless_the_warehouse_is_asked_for(job: str) -> None:
    write("-1.00")
    assert load(job="sales").findings == ()


def check_table(**options: Any) -> Any:
    workspace = Workspace.open()
    return workspace.check(workspace.table_job("sales", None, options))


def test_a_table_is_checked_as_the_job_says_that_loads_into_it(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("1.00", "-2.50")
    load(job="sales")
    assert run(["check", "SALES" if job.startswith("duckdb") else "sales"]) == ExitCode.REFUSED
    shown = capsys.readouterr().out
    assert "error   price: least -2.50" in shown
    assert re.search(r"not valid: 2 rows of \w+, 1 check in", shown)


def test_a_period_of_a_table_is_checked_alone(job: str) -> None:
    write("-1.00", day="2024-01-31")
    load(job="sales")
    write("2.00", day="2024-02-01")
    load(job="sales")
    assert not check_table().passed
    february = check_table(period="2024-02")
    assert (february.passed, february.rows) == (True, 1)


def test_an_empty_table_and_an_empty_period_are_not_valid(job: str) -> None:
    write("1.00")
    load(job="sales")
    empty = check_table(period="2023-01")
    assert not empty.passed
    assert empty.findings[0].message == "period 2023-01 of table sales holds no rows"


def test_a_period_needs_a_date_column(job: str) -> None:
    write("1.00")
    load(job="sales")
    workspace = Workspace.open()
    with pytest.raises(UsageError, match="cannot be told without a date column"):
        workspace.check(workspace.table_job("other", None, {"target": job, "period": "2024-01"}))


def test_where_two_jobs_load_into_a_table_one_is_to_be_named(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(job, price="error")
    with Path("etl.toml").open("a") as file:
        file.write(f'[jobs.more]\nsource = "more.csv"\ntable = "sales"\ntarget = "{job}"\n')
    write("-1.00")
    load(job="sales")
    assert run(["check", "sales"]) == ExitCode.USAGE
    assert "several jobs load into sales: sales, more" in capsys.readouterr().err
    assert run(["check", "sales", "--job", "more"]) == ExitCode.DONE


def test_a_table_that_is_not_there_is_said_so(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "nowhere", "--target", job]) == ExitCode.USAGE
    assert "there is no table nowhere" in capsys.readouterr().err


def test_a_check_of_a_table_is_one_json_document(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("-1.00")
    load(job="sales")
    assert run(["check", "sales", "--json"]) == ExitCode.REFUSED
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["rows"], document["checks"]) == ("table_check", 1, ["price"])
    assert document["findings"][0]["rule"] == "price"


def test_ci_systems_get_the_findings_as_junit_xml(job: str) -> None:
    configure(job, price="error", broken="error")
    write("-1.00")
    load(job="sales")
    assert run(["-q", "check", "sales", "--junit", "report.xml"]) == ExitCode.REFUSED
    suite = ET.parse("report.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("table sales", "2", "2")
    failed = {case.get("name"): case.find("failure") for case in suite}
    assert failed["price"] is not None
    assert failed["price"].get("message") == "least -1.00"


def test_a_direct_load_beside_other_rows_refuses_checks_that_it_cannot_make(job: str) -> None:
    if job.startswith("duckdb"):
        pytest.skip("only Snowflake publishes directly")
    configure(job, price="error", more='[jobs.sales.snowflake]\npublish = "direct"\n')
    write("1.00")
    assert load(job="sales", check="warehouse").rows_loaded == 1
    write("2.00", "3.00")
    with pytest.raises(Refused, match="so that they cannot be checked there"):
        load(job="sales", check="warehouse")
    assert rows_in(job) == 1
    write("-2.00")
    with pytest.raises(Refused, match=r"least -2\.00"):
        load(job="sales", check="warehouse", mode="replace")
    assert rows_in(job) == 1
