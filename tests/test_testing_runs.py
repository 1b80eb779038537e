"""The test kit: whole loads, and plugins that are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import etl_framework
from etl_framework import Plugins, Status, UsageError, hookimpl, row_check
from etl_framework.testing import misbehaving

if TYPE_CHECKING:
    from etl_framework import RunReport
    from etl_framework.testing import EtlRun, FakePlugins


class Team:
    def __init__(self) -> None:
        self.told: list[RunReport] = []

    @hookimpl
    def etl_validate(self) -> Any:
        import pyarrow.compute as pc

        yield row_check("positive", lambda batch: pc.greater(batch["price"], 0), column="price")

    @hookimpl
    def etl_report(self, report: RunReport) -> None:
        self.told.append(report)


def test_a_load_gives_the_report_and_the_rows_of_the_table(etl_run: EtlRun) -> None:
    outcome = etl_run({"id": [1, 2], "name": ["a", "b,c"]})
    assert outcome.report.status is Status.DONE
    assert outcome.columns == ("id", "name")
    assert outcome.rows() == [(1, "a"), (2, "b,c")]
    assert outcome.error is None
    assert outcome.events[-1].name == "run_finished"


def test_a_load_that_a_plugin_refuses_gives_the_report_and_the_error(etl_run: EtlRun) -> None:
    team = Team()
    outcome = etl_run("id,price\n1,2\n2,-3\n", plugins=[team])
    assert outcome.report.status is Status.REFUSED
    assert outcome.error
    assert outcome.rows() == []
    assert outcome.columns == ()
    assert team.told == [outcome.report]


def test_a_job_of_a_configuration_can_be_loaded(etl_run: EtlRun) -> None:
    config = '[jobs.sales]\nsource = "rows.csv"\ntable = "sales"\ntarget = "duckdb:w.duckdb"\n'
    outcome = etl_run("id\n1\n", config=config, job="sales")
    assert (outcome.report.job, outcome.report.table, outcome.rows()) == ("sales", "sales", [(1,)])


def test_what_cannot_even_begin_is_raised(etl_run: EtlRun) -> None:
    with pytest.raises(UsageError):
        etl_run("id\n1\n", mode="sideways")


def test_a_plugin_is_registered_under_the_name_that_it_is_given(etl_run: EtlRun, etl_plugins: Plugins) -> None:
    etl_plugins.register(Team(), name="team")
    assert [info.name for info in etl_plugins.infos] == ["team"]
    outcome = etl_run("id,price\n1,2\n", plugins={"team": Team()}, required_plugins=("team",))
    assert outcome.report.status is Status.DONE


@pytest.mark.parametrize("source", misbehaving.DO_NOT_LOAD.values(), ids=misbehaving.DO_NOT_LOAD)
def test_what_does_not_load_does_not_load(fake_plugins: FakePlugins, source: Any) -> None:
    fake_plugins(team=source("etl_report"))
    [info] = Plugins.survey().infos
    assert info.error.startswith("plugin 'team' (team-dist 1.0) cannot be loaded: ")


@pytest.mark.parametrize("source", misbehaving.FAIL_WHEN_CALLED.values(), ids=misbehaving.FAIL_WHEN_CALLED)
def test_what_fails_when_it_is_called_loads_and_fails(fake_plugins: FakePlugins, source: Any) -> None:
    fake_plugins(team=source("etl_event"))
    from etl_framework import Event

    plugins = Plugins.load()
    plugins.event(Event(name="run_started", run="r"))
    [problem] = plugins.problems
    assert "plugin 'team' (team-dist 1.0) failed in etl_event" in problem


def modules_after(code: str) -> set[str]:
    """What is imported once the code has run in a process of its own."""
    told = f"import sys\n{code}\nprint(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_pytest_starts_without_anything_heavy() -> None:
    imported = modules_after("import etl_framework.testing.plugin")
    assert imported & {"pyarrow", "numpy", "duckdb", "pydantic", "rich", "hypothesis", "click"} == set()


def test_the_core_does_without_the_kit() -> None:
    root = Path(etl_framework.__file__).parent
    paths = (path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py"))
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths if "testing" not in path.parts}
    imported = modules_after(f"import {', '.join(sorted(names))}")
    assert {name for name in imported if name.split(".")[0] == "pytest" or "etl_framework.testing" in name} == set()
