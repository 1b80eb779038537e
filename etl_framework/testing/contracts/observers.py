"""The contracts of those who are told: reporters, notifiers and observers of progress."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from etl_framework.testing.contracts.base import NAMES_OF_EVENTS, PluginContract, event
from etl_framework.testing.reports import every_outcome
from etl_framework.values import RunReport, Status

_OUTCOMES = tuple(every_outcome(Path()))


class ReporterContract(PluginContract):
    """A reporter, or a notifier, takes every outcome, and speaks only where it is asked to.

    >>> class TestOurNotifier(ReporterContract):
    ...     def plugin(self):
    ...         return acme_notify

    Give it an address that leads nowhere: the contract tells it of runs that never were.

    :cvar only_replayed: tell of old runs alone, which notifiers ignore; for those that would really send something.
    """

    only_replayed: ClassVar[bool] = False

    def tell(self, report: RunReport) -> tuple[str, ...]:
        """Tell the plugin how a run ended, as the core does.

        :returns: a sentence for what went wrong.
        """
        return self.plugins().report(dataclasses.replace(report, replayed=self.only_replayed or report.replayed))

    @pytest.mark.parametrize("outcome", _OUTCOMES)
    def test_it_takes_every_outcome(self, tmp_path: Path, outcome: str) -> None:
        """And answers nothing."""
        assert self.tell(every_outcome(tmp_path)[outcome]) == ()

    def test_it_takes_an_old_report_again(self, tmp_path: Path) -> None:
        """Somebody looks at a run of last week: its folder may be gone."""
        for report in every_outcome(tmp_path / "gone").values():
            assert self.tell(dataclasses.replace(report, replayed=True)) == ()

    def test_it_takes_a_run_of_every_status(self, tmp_path: Path) -> None:
        """Those of later versions may mean less to it, but are no reason to fail."""
        done = every_outcome(tmp_path)["done"]
        for status in Status:
            assert self.tell(dataclasses.replace(done, status=status)) == ()

    def test_it_prints_nothing_unless_the_report_is_for_the_console(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Standard output may be somebody's JSON document."""
        for report in every_outcome(tmp_path).values():
            self.tell(report)
        printed = capsys.readouterr().out
        assert not printed, f"it prints {printed[:80]!r}"


class ObserverContract(PluginContract):
    """An observer of progress takes every event, even those that it does not know.

    >>> class TestOurBar(ObserverContract):
    ...     def plugin(self):
    ...         return acme_bar
    """

    @pytest.mark.parametrize("name", [*NAMES_OF_EVENTS, "an_event_of_a_later_version", ""])
    def test_it_takes_an_event_with_all_figures_or_none(self, name: str) -> None:
        """What does not apply is None."""
        plugins = self.plugins()
        plugins.event(event(name))
        plugins.event(event(name, step="validate", part=3, bytes=10, total_bytes=20, rows=2, message="said so"))
        plugins.event(event(name, step="load", bytes=0, total_bytes=0, rows=0))
        assert plugins.problems == ()

    def test_it_may_be_told_in_any_order(self) -> None:
        """Whoever begins to listen late, or hears of a part twice, goes on."""
        plugins = self.plugins()
        for name in (*reversed(NAMES_OF_EVENTS), *NAMES_OF_EVENTS, *NAMES_OF_EVENTS):
            plugins.event(event(name, part=1, bytes=5))
        assert plugins.problems == ()

    def test_it_may_be_told_by_any_thread(self) -> None:
        """One call at a time, but not always the same thread's."""
        plugins = self.plugins()
        plugins.event(event("run_started"))
        threads = [
            threading.Thread(target=plugins.event, args=(event("part_progress", part=part, bytes=part),))
            for part in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        plugins.event(event("run_finished"))
        assert plugins.problems == ()

    def test_an_event_is_cheap(self, capsys: pytest.CaptureFixture[str]) -> None:
        """There are many: none begins a thread of its own, and standard output is not the observer's."""
        plugins = self.plugins()
        plugins.event(event("run_started"))
        plugins.event(event("part_progress", part=0, bytes=0))
        before = threading.active_count()
        for number in range(500):
            plugins.event(event("part_progress", part=number % 7, bytes=number, total_bytes=500))
        begun = threading.active_count() - before
        assert begun <= 1, f"it began {begun} threads"
        plugins.event(event("run_finished"))
        printed = capsys.readouterr().out
        assert not printed, f"it prints {printed[:80]!r}"
