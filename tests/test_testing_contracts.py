"""The core's own executors and commands keep the contracts, and so do small plugins written for it."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from etl_framework import RELATION, Finding, Severity, Statement, executors, hookimpl
from etl_framework.plugins.plugin import HOOKS
from etl_framework.testing import (
    CommandsContract,
    Cutting,
    ExecutorContract,
    ObserverContract,
    QuestionsContract,
    ReporterContract,
    TableCheckContract,
)
from etl_framework.testing.contracts.validator import for_every_cutting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl_framework import Event, Executor, Rows, RunReport


class TestThreads(ExecutorContract):
    def executor(self) -> Executor:
        made = executors.etl_executor("threads:3")
        assert made
        return made


class TestOneThread(ExecutorContract):
    def executor(self) -> Executor:
        made = executors.etl_executor("threads:1")
        assert made
        return made


class TestProcesses(ExecutorContract):
    def executor(self) -> Executor:
        made = executors.etl_executor("processes:2")
        assert made
        return made


class TestTheExecutorsAnswers(QuestionsContract):
    def plugin(self) -> object:
        return executors


class Small:
    """Reports, observes, and has a command."""

    @hookimpl
    def etl_report(self, report: RunReport) -> None:
        logging.getLogger("small").info("run %s is %s", report.run, report.status)

    @hookimpl
    def etl_event(self, event: Event) -> None:
        logging.getLogger("small").debug("%s", event.name)

    @hookimpl
    def etl_commands(self) -> Iterator[click.Command]:
        yield click.Command("small-talk", help="Say something.", params=[click.Option(["--loud"], help="Shout.")])


class TestASmallReporter(ReporterContract):
    def plugin(self) -> object:
        return Small()


class TestASmallObserver(ObserverContract):
    def plugin(self) -> object:
        return Small()


class TestASmallCommand(CommandsContract):
    def plugin(self) -> object:
        return Small()


class PositiveInTable:
    name = "positive"

    def run(self, rows: Rows) -> Iterator[Finding]:
        column = rows.column("price")
        assert column
        answer = rows.query(Statement(f'SELECT count(*) FROM {RELATION} WHERE "{column.name}" <= ?', (0,)))
        if count := answer.rows[0][0]:
            yield Finding(rule=self.name, severity=Severity.ERROR, count=count, message=f"{count} rows: fails positive")


class TestASmallTableCheck(TableCheckContract):
    rows = {"id": [1, 2, 3, 4], "price": [1, 0, -1, None]}
    expected = {"positive": 2}

    def check(self) -> Any:
        return PositiveInTable()

    def twin(self) -> Any:
        import pyarrow.compute as pc

        from etl_framework import row_check

        return row_check("positive", lambda batch: pc.greater(batch["price"], 0))


class TakesAFailureForAPass(PositiveInTable):
    def run(self, rows: Rows) -> Iterator[Finding]:
        from etl_framework import RunFailed

        try:
            yield from super().run(rows)
        except RunFailed:
            return


class Broken:
    """Everything that a plugin can do wrong when it is told or asked."""

    @hookimpl
    def etl_report(self, report: RunReport) -> None:
        print(f"{report.run}: {report.rows_loaded / report.rows_read:.0%}")

    @hookimpl
    def etl_event(self, event: Event) -> None:
        assert event.bytes is not None

    @hookimpl
    def etl_commands(self) -> Iterator[click.Command]:
        yield click.Command("Loud Talk", params=[click.Option(["--loud"])])

    @hookimpl
    def etl_connect(self, url: str) -> Any:
        scheme, address = url.split(":")
        return None if scheme else address

    @hookimpl
    def etl_compress(self, job: Any) -> Any:
        raise LookupError(job.compress)


@pytest.mark.parametrize(
    ("contract", "promise", "arguments"),
    [
        (ReporterContract, "it_prints_nothing_unless_the_report_is_for_the_console", ("tmp_path", "capsys")),
        (ReporterContract, "it_takes_every_outcome", ("tmp_path", "=done without rows")),
        (ObserverContract, "it_takes_an_event_with_all_figures_or_none", ("=run_started",)),
        (CommandsContract, "their_names_are_words_that_nobody_else_uses", ()),
        (CommandsContract, "they_tell_what_they_do", ()),
        (QuestionsContract, "a_foreign_target_is_left_to_others", ("=no-such-scheme",)),
        (QuestionsContract, "a_foreign_codec_is_left_to_others", ()),
    ],
)
def test_a_contract_finds_a_defect(
    request: pytest.FixtureRequest, contract: Any, promise: str, arguments: tuple[str, ...]
) -> None:
    class Contract(contract):  # type: ignore[misc]
        def plugin(self) -> object:
            return Broken()

    given = [name[1:] if name.startswith("=") else request.getfixturevalue(name) for name in arguments]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Contract(), f"test_{promise}")(*given)


def test_every_hook_has_a_contract() -> None:
    from etl_framework.testing.contracts.of_plugin import tried_hooks

    assert tried_hooks() == set(HOOKS)


def test_without_hypothesis_the_rows_are_cut_in_fixed_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    cuttings: list[Cutting] = []
    for_every_cutting(5, cuttings.append)
    assert all(sum(map(sum, cutting.parts)) == 5 for cutting in cuttings)
    assert {len(cutting.parts) for cutting in cuttings} == {1, 2, 3, 5}
    assert Cutting(parts=((1,),) * 5, order=(4, 3, 2, 1, 0)) in cuttings


def test_the_contract_of_checks_by_sql_finds_one_that_takes_a_failure_for_a_pass() -> None:
    class Contract(TestASmallTableCheck):
        def check(self) -> Any:
            return TakesAFailureForAPass()

    with pytest.raises(AssertionError, match="found no error"):
        Contract().test_a_query_that_fails_is_never_a_pass()
