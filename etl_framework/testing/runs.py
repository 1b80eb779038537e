"""Whole loads in a temporary folder, from rows or text that a test writes down."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_framework.errors import EtlError
from etl_framework.plugins import Plugins
from etl_framework.sql import Statement
from etl_framework.testing.literal import LiteralRows
from etl_framework.workspace import Workspace

if TYPE_CHECKING:
    from etl_framework.plugins import PluginSettings
    from etl_framework.protocols import Emit
    from etl_framework.testing.literal import RowsLike
    from etl_framework.values import Event, Job, RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome:
    """What became of a load.

    :param report: as reporters got it.
    :param events: everything that happened, in order.
    :param error: why the run did not succeed; None when it did.
    :param job: what was to be loaded.
    :param plugins: who loaded it.
    """

    report: RunReport
    events: tuple[Event, ...]
    error: EtlError | None
    job: Job
    plugins: Plugins

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns in order; empty when there is no table."""
        with closing(self.plugins.connect(self.job.target)) as warehouse:
            return tuple(column.name for column in warehouse.describe(self.job.table) or ())

    def rows(self) -> list[tuple[Any, ...]]:
        """The table's rows as the warehouse gives them; empty when there is no table."""
        with closing(self.plugins.connect(self.job.target)) as warehouse:
            if warehouse.describe(self.job.table) is None:
                return []
            whole_name = warehouse.reference(self.job.table)
            return list(warehouse.query(Statement(f"SELECT * FROM {whole_name}")).rows)  # noqa: S608 - it is quoted


class EtlRun:
    """Loads into an embedded warehouse in a folder; the fixture ``etl_run`` is one.

    :param folder: where the files, the configuration, the state and the warehouse lie.
    :param settings: which plugins are loaded; None for those that are installed, and what a configuration adds.
    """

    def __init__(self, folder: Path, settings: PluginSettings | None = None) -> None:
        self.folder = folder
        self._settings = settings

    def __call__(
        self,
        data: str | bytes | RowsLike,
        *,
        plugins: Mapping[str, object] | Iterable[object] = (),
        config: str = "",
        job: str | None = None,
        file: str = "rows.csv",
        observers: tuple[Emit, ...] = (),
        **options: object,
    ) -> LoadOutcome:
        """Load rows with the installed plugins and some more.

        :param data: the file's text, or rows by column name, written as CSV.
        :param plugins: modules or objects with hooks; by name where the name matters.
        :param config: what ``etl.toml`` says, such as ``[jobs.rows.checks]``.
        :param job: the job of that configuration which names ``file`` as its source; None loads the bare file.
        :param file: its name in :attr:`folder`.
        :param observers: called with every event.
        :param options: settings of a job by name, as in :func:`etl_framework.load`; ``target`` is a DuckDB file in the
            folder unless it is given.
        :returns: the outcome, of a run that was refused or failed, too.
        :raises EtlError: the run could not even begin.
        """
        path = self.folder / file
        path.write_bytes(_as_file(data))
        workspace = self.workspace(config)
        if job is None:
            options.setdefault("target", f"duckdb:{self.folder / 'warehouse.duckdb'}")
        resolved = workspace.job(job, () if job else (path,), options)
        return self._load(workspace, resolved, _named(plugins), observers)

    def workspace(self, config: str = "") -> Workspace:
        """The folder as a project, with this configuration; to resume a run, or to look at its runs."""
        configuration = self.folder / "etl.toml"
        configuration.write_text(config, encoding="utf-8")
        workspace = Workspace.open(configuration)
        return workspace if self._settings is None else dataclasses.replace(workspace, settings=self._settings)

    def _load(
        self, workspace: Workspace, job: Job, more: Mapping[str, object], observers: tuple[Emit, ...]
    ) -> LoadOutcome:
        from etl_framework.checks import insist_on_checks
        from etl_framework.pipeline import start
        from etl_framework.sources import find_sources

        loaded = Plugins.load(workspace.settings)
        for name, plugin in more.items():
            loaded.register(plugin, name=name)
        loaded.use(job.use)
        loaded.require(job.required_plugins)
        insist_on_checks(job, loaded)
        events: list[Event] = []
        error: EtlError | None = None
        try:
            report = start(job, find_sources(job), loaded, workspace.state, observers=(events.append, *observers))
        except EtlError as raised:
            if raised.report is None:
                raise
            report, error = raised.report, raised
        return LoadOutcome(report=report, events=tuple(events), error=error, job=job, plugins=loaded)


def _as_file(data: str | bytes | RowsLike) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes):
        return data
    rows = LiteralRows.of(data)
    return rows.header + b"".join(rows.records)


def _named(plugins: Mapping[str, object] | Iterable[object]) -> Mapping[str, object]:
    if isinstance(plugins, Mapping):
        return plugins
    return {f"plugin_{number}": plugin for number, plugin in enumerate(plugins, 1)}
