"""What a run reads is compared with what the last good run of the same job read, in files and in tables."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from etl_quality import drift
from etl_quality.comparing import Drifts

from etl_framework import (
    Finding,
    Interrupted,
    Job,
    Previous,
    Refused,
    RunReport,
    Severity,
    TableName,
    UsageError,
    Workspace,
    history,
    load,
)
from etl_framework.journal import Journal
from etl_framework.testing import Cutting, LiteralRows, TableCheckContract, ValidatorContract, check_table

THEN = datetime(2024, 1, 1, tzinfo=UTC)
FIGURES = {
    "rows": 4,
    "price.nulls": 0,
    "price.distinct": 4,
    "price.mean": 10.0,
    "price.deviation": 2.0,
    "code.nulls": 0,
    "code.distinct": 2,
}
PREVIOUS = Previous(run="r1", finished=THEN, measures=FIGURES)
JOB = Job(name="j", patterns=(), table=TableName(("t",)), target="duckdb:", previous={"drift": PREVIOUS})
LIMITS = {"rows": 0.5, "nulls": 0.1, "distinct": 0.5, "mean": 0.5}


def found(now: dict[str, Any], then: dict[str, Any] | None = None, **options: Any) -> list[Finding]:
    """What is said about figures, which are those of before but for some."""
    previous = replace(PREVIOUS, measures={**FIGURES, **(then or {})})
    drifts = Drifts(**{"previous": previous, "limits": LIMITS, "severity": Severity.WARNING, **options})
    return list(drifts.findings({**FIGURES, **(then or {}), **now}))


# Figures


def test_the_same_figures_are_no_drift():
    assert found({}) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"rows": 1}, "the number of rows changed since run r1 of 2024-01-01: 4 then, 1 now: -75.0 %"),
        (
            {"price.nulls": 1},
            "of column 'price' changed since run r1 of 2024-01-01: 0.0% then, 25.0% now: +25.0 percent",
        ),
        ({"code.distinct": 4}, "the number of different values of column 'code' changed"),
        (
            {"price.mean": 20.1},
            "the mean of column 'price' changed since run r1 of 2024-01-01: 10 then, 20.1 now: +101.0 %",
        ),
    ],
)
def test_each_change_names_column_then_now_by_how_much_and_since_when(now, words):
    (finding,) = found(now)
    assert words in finding.message
    assert (finding.rule, finding.severity, finding.count) == ("drift", Severity.WARNING, 1)
    assert "checks.drift." in finding.advice


def test_changes_up_to_the_limit_are_none():
    assert found({"rows": 2}) == []
    assert found({"price.mean": 15.0}) == []
    assert [finding.rule for finding in found({"price.mean": 15.01})] == ["drift"]


def test_more_rows_of_the_same_kind_are_no_other_values():
    assert found({"rows": 6, "price.distinct": 6, "code.distinct": 2}) == []
    (finding,) = found({"rows": 8, "price.distinct": 8, "code.distinct": 2})
    assert "number of rows" in finding.message


def test_a_mean_near_zero_is_measured_by_the_spread():
    near_zero = {"price.mean": 0.001, "price.deviation": 5.0}
    assert found({"price.mean": -0.9}, near_zero) == []
    (finding,) = found({"price.mean": 5.0}, near_zero)
    assert "of the standard deviation then" in finding.message


def test_what_was_zero_and_is_no_longer_has_changed_by_no_share_of_it():
    (finding,) = found({"price.mean": 1.0}, {"price.mean": 0.0, "price.deviation": 0.0})
    assert finding.message.endswith(": 0 then, 1 now")
    (finding,) = found({"code.nulls": 0, "code.distinct": 3}, {"code.nulls": 0, "code.distinct": 0})
    assert finding.message.endswith(": 0 then, 3 now")


def test_the_mean_of_a_key_says_nothing():
    assert found({"price.mean": 1000.0}, keys=("PRICE",)) == []


def test_columns_that_changed_together_are_one_finding_the_worst_first():
    (finding,) = found({"price.nulls": 2, "code.nulls": 3})
    assert finding.count == 2
    assert "'code'" in finding.message
    assert "1 more column" in finding.message
    assert [(sample.column, sample.value) for sample in finding.samples] == [("code", "75.0%"), ("price", "50.0%")]


def test_columns_that_came_or_went_are_not_compared():
    assert found({"new.nulls": 4, "new.distinct": 0}) == []


def test_without_rows_nothing_but_their_number_is_compared():
    (finding,) = found({"rows": 0, "price.nulls": 0, "price.mean": None, "price.distinct": 0})
    assert "4 then, 0 now: -100.0 %" in finding.message


def test_names_of_columns_are_found_however_a_warehouse_spells_them():
    upper = {"rows": 4, "PRICE.nulls": 4, "PRICE.distinct": 0}
    drifts = Drifts(previous=PREVIOUS, limits=LIMITS, severity=Severity.ERROR)
    assert [finding.severity for finding in drifts.findings(upper)] == [Severity.ERROR, Severity.ERROR]


@pytest.mark.parametrize("previous", [None, replace(PREVIOUS, measures={}), replace(PREVIOUS, measures={"rows": 0})])
def test_nothing_to_compare_with_is_said_and_is_no_fault(previous):
    (finding,) = found({}, previous=previous)
    assert (finding.severity, finding.count) == (Severity.INFO, 0)
    assert "nothing to compare with" in finding.message
    assert "table" not in finding.advice


# Settings


@pytest.mark.parametrize(
    ("value", "severity", "rows"),
    [(True, "warning", 0.5), ("error", "error", 0.5), ({"rows": 0.1, "severity": "info"}, "info", 0.1)],
)
def test_it_is_switched_on_by_true_a_severity_or_a_table(value, severity, rows):
    chosen = drift.read(value, JOB).settings
    assert (chosen.severity, chosen.rows) == (severity, rows)


@pytest.mark.parametrize(
    ("value", "words"),
    [("loud", "severity"), ({"means": 1}, "Did you mean 'mean'"), ({"rows": -1}, "rows"), (3, "drift")],
)
def test_a_wrong_setting_is_refused_and_named(value, words):
    with pytest.raises(UsageError) as caught:
        drift.read(value, JOB)
    assert words in f"{caught.value.message} {caught.value.advice}"
    assert caught.value.key.startswith("checks.drift")


def test_a_column_that_is_not_there_is_refused(in_folder):
    (in_folder / "t.csv").write_text("a\n1\n")
    checks = {"checks": {"drift": {"columns": ["b"]}}}
    workspace = Workspace.open()
    with pytest.raises(UsageError, match="no such column"):
        workspace.validate(replace(workspace.job(None, ["t.csv"], {}), sections=checks))


# On both sides


class TestDriftOfFiles(ValidatorContract):
    rows = {"price": [1.0, None, 300.0], "code": ["a", "b", "c"]}

    def validator(self):
        return drift.read({"nulls": 0.01, "mean": 0.01}, JOB).validators(JOB, LiteralRows.of(self.rows).analysis())


class TestDriftOfTables(TableCheckContract):
    rows = TestDriftOfFiles.rows

    def check(self):
        return drift.read({"nulls": 0.01, "mean": 0.01}, JOB).table_checks(JOB, LiteralRows.of(self.rows).columns)

    def twin(self):
        return TestDriftOfFiles().validator()


def test_a_table_is_measured_as_a_file_is():
    rows = {
        "i": [1, 2, 2, None],
        "x": [0.5, float("nan"), float("inf"), None],
        "big": [1e200, 1.0, None, None],
        "s": ["a", "a", "b", None],
        "b": [True, None, None, None],
    }
    literal = LiteralRows.of(rows)
    checks = drift.read(True, JOB)
    (in_file,) = checks.validators(JOB, literal.analysis())
    for _, blocks in literal.blocks(Cutting.whole(4)):
        for block in blocks:
            in_file.update(block)
    (in_table,) = checks.table_checks(JOB, literal.columns)
    check_table(in_table, literal)
    assert in_table.measures() == pytest.approx(in_file.measures())
    assert in_table.measures()["x.mean"] == 0.5
    assert in_table.measures()["big.deviation"] is None


# From run to run


CONFIGURATION = """
[jobs.t]
source = "t.csv"
table = "t"
target = "duckdb:w.duckdb"
mode = "append"
columns = { id = "integer", price = "double", code = "varchar" }
keys = ["id"]
[jobs.t.checks]
drift = "DRIFT"
"""


@pytest.fixture
def deliver(in_folder: Path) -> Callable[..., RunReport]:
    """Load so many rows at a price; what drifts is a warning unless it is said to be an error."""

    def load_rows(rows: int, price: str = "10", severity: str = "warning", **options: Any) -> RunReport:
        (in_folder / "etl.toml").write_text(CONFIGURATION.replace("DRIFT", severity))
        lines = "".join(f"{n},{price},c{n % 3}\n" for n in range(rows))
        (in_folder / "t.csv").write_text(f"id,price,code\n{lines}")
        return load(job="t", again=True, **options)

    return load_rows


def said(report: RunReport) -> list[tuple[str, str]]:
    return [(str(finding.severity), finding.message) for finding in report.findings if finding.rule == "drift"]


@pytest.mark.parametrize("kind", ["duckdb", "snowflake"])
@pytest.mark.parametrize("check", ["file", "warehouse", "both"])
def test_a_load_is_compared_with_the_one_before(deliver, request, check, kind):
    deliver = partial(deliver, check=check, target=request.getfixturevalue(f"{kind}_side").target)
    first = deliver(90)
    where = " (in the sources and in the warehouse)" if check == "both" else ""
    assert said(first) == [("info", f"there is nothing to compare with{where}")]
    assert first.measures["drift"]["rows"] == 90
    assert said(deliver(91)) == []
    second = deliver(91)
    third = deliver(20, "30")
    day = f"{second.finished:%Y-%m-%d}"
    assert said(third) == [
        ("warning", f"the number of rows changed since run {second.run} of {day}: 91 then, 20 now: -78.0 %{where}"),
        (
            "warning",
            f"the mean of column 'price' changed since run {second.run} of {day}: 10 then, 30 now: +200.0 %{where}",
        ),
    ]


def test_what_was_measured_in_files_serves_for_tables_and_the_other_way_round(deliver):
    deliver(90, check="file")
    assert said(deliver(90, check="warehouse")) == []
    assert len(said(deliver(9, check="file"))) == 1


def test_a_refused_run_is_not_what_later_ones_are_compared_with(deliver):
    deliver(90)
    with pytest.raises(Refused):
        deliver(9, severity="error")
    with pytest.raises(Refused):
        deliver(9, severity="error", check="warehouse")
    assert said(deliver(90, severity="error")) == []


@pytest.mark.parametrize("check", ["file", "warehouse"])
def test_a_run_in_which_only_other_checks_measured_is_passed_over(in_folder, check):
    def delivered(rows, checks):
        (in_folder / "etl.toml").write_text(
            '[jobs.t]\nsource = "t.csv"\ntable = "t"\ntarget = "duckdb:w.duckdb"\nmode = "append"\n'
            f'columns = {{ id = "integer", day = "date" }}\ndate_column = "day"\n[jobs.t.checks]\n{checks}\n'
        )
        (in_folder / "t.csv").write_text("id,day\n" + "".join(f"{n},2024-01-01\n" for n in range(rows)))
        return load(job="t", again=True, check=check)

    first = delivered(90, "drift = { mean = 0 }\ndaily_rows = true")
    between = delivered(50, "daily_rows = true")
    assert between.measures.keys() == {"daily_rows"}
    since = f"run {first.run} of {first.finished:%Y-%m-%d}"
    last = delivered(9, "drift = { mean = 0 }")
    assert said(last) == [("warning", f"the number of rows changed since {since}: 90 then, 9 now: -90.0 %")]
    workspace = Workspace.open()
    with workspace.state.journal() as journal:
        known = history.previous(workspace.job("t", [], {}), journal)
    assert {name: before.run for name, before in known.items()} == {"drift": last.run, "daily_rows": between.run}
    assert known["drift"].measures == last.measures["drift"]


def test_loads_of_another_table_are_not_compared(deliver):
    deliver(90)
    assert said(deliver(9, table="other")) == [("info", "there is nothing to compare with")]


def interrupt(event):
    if event.name == "part_packed":
        raise KeyboardInterrupt


def test_a_resumed_run_is_compared_with_what_it_began_with(deliver, in_folder):
    first = deliver(90)
    with pytest.raises(Interrupted):
        deliver(9, observers=(interrupt,))
    report = Workspace.open().resume()
    assert report is not None
    (only,) = said(report)
    assert first.run in only[1]


def test_a_run_that_an_earlier_version_began_is_compared_with_what_that_knew(deliver):
    """It knew one run for all checks, or none."""
    deliver(90)
    one: Any = replace(PREVIOUS, measures={"drift": {"rows": 30}, "daily_rows": {}})
    for began, words in ((one, "since run r1 of 2024-01-01: 30 then, 9 now"), (None, "nothing to compare with")):
        with pytest.raises(Interrupted):
            deliver(9, observers=(interrupt,))
        workspace = Workspace.open()
        with workspace.state.journal() as journal:
            run = journal.runs()[0].run
            plan = journal.plan(run)
            journal.look_again(run, replace(plan, job=replace(plan.job, previous=began)), ())
        report = workspace.resume()
        assert report is not None
        (only,) = said(report)
        assert words in only[1]


def test_what_was_measured_in_a_warehouse_survives_a_crash_after_the_commit(deliver, monkeypatch):
    def crash(self, run, receipt):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, suppress(Interrupted):
        patched.setattr(Journal, "set_receipt", crash)
        deliver(90, check="warehouse")
    report = Workspace.open().resume()
    assert report is not None
    assert report.measures["drift"]["rows"] == 90
    assert len(said(deliver(9, check="warehouse"))) == 1


def test_the_figures_are_in_the_report_and_come_back_from_it(deliver):
    report = deliver(90)
    again = Workspace.open().report(report.run)
    assert again is not None
    assert again.measures == report.measures
    assert {name.rpartition(".")[2] for name in report.measures["drift"]} == {
        "rows",
        "nulls",
        "distinct",
        "mean",
        "deviation",
    }


def test_validating_compares_and_leaves_no_trace(deliver, in_folder):
    deliver(90)
    (in_folder / "t.csv").write_text("id,price,code\n1,10,a\n")
    workspace = Workspace.open()
    for _ in range(2):
        findings = workspace.validate(workspace.job("t", [], {})).findings
        assert any("90 then, 1 now" in finding.message for finding in findings)


def test_a_table_of_one_load_is_compared_and_one_of_several_is_not(deliver):
    deliver(90, mode="replace")
    workspace = Workspace.open()

    def told(mode):
        found = workspace.check(workspace.table_job("t", None, {"mode": mode})).findings
        return [(finding.message, finding.advice) for finding in found if finding.rule == "drift"]

    assert told("replace") == []
    [(message, advice)] = told("append")
    assert message == "there is nothing to compare with"
    assert "A table that holds several loads is compared with none of them" in advice


def test_figures_of_another_version_or_none_are_passed_over(deliver):
    first = deliver(90)
    later = deliver(90)
    with Workspace.open().state.journal() as journal:
        document = json.loads(journal.report(later.run))
        journal.set_report(later.run, json.dumps({**document, "measures": "?", "finished": None}))
    assert first.run in said(deliver(9))[0][1]


def test_accumulators_stay_small_however_many_values_there_are():
    literal = LiteralRows.of(pa.table({"id": list(range(20_000))}))
    (check,) = drift.read(True, JOB).validators(JOB, literal.analysis())
    for _, blocks in literal.blocks(Cutting.whole(20_000)):
        for block in blocks:
            check.update(block)
    assert len(pickle.dumps(check)) < 20_000


@pytest.mark.parametrize("kind", ["duckdb", "snowflake"])
def test_every_warehouse_measures_what_the_file_says(request, in_folder, kind):
    target = request.getfixturevalue(f"{kind}_side").target
    (in_folder / "etl.toml").write_text(
        f'[jobs.t]\nsource = "t.csv"\ntable = "t"\ntarget = "{target}"\nmode = "replace"\n'
        'columns = { i = "bigint", x = "double", d = "decimal(10,2)", s = "varchar", day = "date", b = "boolean" }\n'
        "checks = { drift = true }\n"
    )
    (in_folder / "t.csv").write_text(
        "i,x,d,s,day,b\n1,1.5,1.25,a,2024-01-01,true\n2,-3.5,2.25,b,2024-01-01,false\n"
        "4,-inf,,b,,\n,inf,7.75,,2024-01-03,true\n"
    )
    in_file, in_table = (load(job="t", check=check) for check in ("file", "warehouse"))
    assert said(in_table) == []
    measured = {name.casefold(): value for name, value in in_table.measures["drift"].items()}
    assert measured == pytest.approx(in_file.measures["drift"])
    assert measured["rows"] == 4
    assert [measured[f"x.{figure}"] for figure in ("nulls", "distinct", "mean")] == [0, 4, -1.0]
    assert [measured[f"s.{figure}"] for figure in ("nulls", "distinct")] == [1, 2]


@pytest.mark.parametrize("kind", ["duckdb", "snowflake"])
def test_every_kind_of_drift_is_told_alike_of_a_file_and_of_its_table(deliver, request, in_folder, kind):
    target = request.getfixturevalue(f"{kind}_side").target
    first = deliver(90, check="warehouse", target=target)
    lines = "".join(f"{n},30,{f'c{n}' if n < 10 else ''}\n" for n in range(20))
    (in_folder / "t.csv").write_text(f"id,price,code\n{lines}")
    workspace = Workspace.open()
    in_file = said(workspace.validate(workspace.job("t", [], {"target": target})))
    assert said(load(job="t", check="warehouse", target=target)) == in_file
    since = f"changed since run {first.run} of {first.finished:%Y-%m-%d}"
    assert sorted(in_file) == [
        ("warning", f"the mean of column 'price' {since}: 10 then, 30 now: +200.0 %"),
        ("warning", f"the number of different values of column 'code' {since}: 3 then, 10 now: +233.3 %"),
        ("warning", f"the number of rows {since}: 90 then, 20 now: -77.8 %"),
        ("warning", f"the share of nulls of column 'code' {since}: 0.0% then, 50.0% now: +50.0 percentage points"),
    ]
