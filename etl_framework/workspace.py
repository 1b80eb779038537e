"""A project on this machine, and everything that can be done with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.checks import insist_on_checks
from etl_framework.config import Config, job_of_table, load_config, resolve_job, who_answers
from etl_framework.config_sections import insist_on_sections
from etl_framework.errors import UsageError
from etl_framework.plugins import Plugins, PluginSettings
from etl_framework.program import program_for
from etl_framework.sources import find_sources
from etl_framework.state import State
from etl_framework.values import Status

if TYPE_CHECKING:
    from etl_framework.auditing import TableVerdict
    from etl_framework.journal import Journal, RunRecord
    from etl_framework.planning import LoadPlan
    from etl_framework.profiling import Profiling
    from etl_framework.protocols import Emit
    from etl_framework.pruning import PrunedRun
    from etl_framework.staging import Removal, Staging
    from etl_framework.targets import ListedTarget, TargetCheck
    from etl_framework.validating import Validation
    from etl_framework.values import Analysis, Job, Previous, RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A project on this machine: its configuration, its plugins and its state folder.

    :param config: what the files say.
    :param settings: which plugins are loaded.
    :param state: journal, locks, rejects.
    """

    config: Config
    settings: PluginSettings
    state: State

    @classmethod
    def open(
        cls,
        config: Path | str | None = None,
        *,
        disabled: Iterable[str] = (),
        use: Mapping[str, str] | None = None,
        state_dir: Path | str | None = None,
    ) -> Workspace:
        """Read the configuration.

        :param config: the file; None for ``etl.toml`` in the current folder, if there is one.
        :param disabled: names of plugins to leave out, beside those that the file disables.
        :param use: who is to answer where several plugins could, by question; stronger than what the file says.
        :param state_dir: where the state lies instead.
        :raises ConfigError: the configuration cannot be understood.
        """
        disabled = tuple(disabled)
        read = load_config(Path(config) if config else None, state_dir=Path(state_dir) if state_dir else None)
        settings = PluginSettings(
            disabled=tuple(dict.fromkeys((*read.disabled_plugins, *disabled))),
            files=read.plugins,
            required=read.required_plugins,
            use=dict(use or {}),
        )
        program = program_for(config=config, state_dir=state_dir, disabled=disabled)
        return cls(config=read, settings=settings, state=State(read.state_dir, program))

    def plugins(self, job: Job | None = None) -> Plugins:
        """Load the plugins, all or nothing.

        :param job: whose required plugins must be there, too, and whose checks must have somebody to act on them.
        :raises PluginLoadError: one is broken, or a required one is missing.
        :raises PluginError: one that is to answer cannot.
        :raises UsageError: the job asks for checks that no plugin makes, or has a section that nobody understands.
        """
        plugins = Plugins.load(self.settings)
        plugins.use(who_answers(self.config) if job is None else job.use)
        if job is not None:
            plugins.require(job.required_plugins)
            insist_on_sections(job, plugins)
            insist_on_checks(job, plugins)
        return plugins

    def job(self, name: str | None, files: Iterable[Path | str], options: dict[str, object]) -> Job:
        """The job with everything filled in; see :func:`etl_framework.config.resolve_job`."""
        given = {"use": dict(self.settings.use) or None, "files": tuple(str(file) for file in files) or None}
        return resolve_job(self.config, name, {**options, **given})

    def load(self, job: Job, *, observers: tuple[Emit, ...] = (), console: bool = False) -> RunReport:
        """Run a job; see :func:`etl_framework.api.load`."""
        from etl_framework.history import previous
        from etl_framework.pipeline import start

        sources = find_sources(job)
        job = self._remembering(job, previous)
        with self._placing(job):
            return start(job, sources, self.plugins(job), self.state, observers=observers, console=console)

    def plan(self, job: Job) -> LoadPlan:
        """What :meth:`load` would do, with nothing changed."""
        from etl_framework.planning import plan_load

        with self._placing(job):
            return plan_load(job, find_sources(job), self.plugins(job))

    def validate(
        self, job: Job, *, columns: Collection[str] | None = None, observers: tuple[Emit, ...] = ()
    ) -> Validation:
        """Check a job's sources, load nothing.

        :param columns: names of those to read as what they are; of the others only the structure is checked. None for
            all.
        :raises UsageError: a source has no such column.
        """
        from etl_framework.history import previous
        from etl_framework.validating import validate_sources

        job = self._remembering(job, previous)
        with self._placing(job):
            return validate_sources(job, find_sources(job), self.plugins(job), observers, columns=columns)

    def profile(self, job: Job, *, observers: tuple[Emit, ...] = ()) -> Profiling:
        """Read a job's sources and say what is in them, column by column."""
        from etl_framework.profiling import profile_sources

        plugins = Plugins.load(self.settings)
        plugins.use(job.use)
        with self._placing(job):
            return profile_sources(job, find_sources(job), plugins, observers)

    def table_job(self, table: str, name: str | None, options: dict[str, object]) -> Job:
        """The job whose checks a table is to be checked with; see :func:`etl_framework.config.job_of_table`."""
        return job_of_table(self.config, table, name, {**options, "use": dict(self.settings.use) or None})

    def check(self, job: Job) -> TableVerdict:
        """Check the table of a job, in its warehouse; nothing is changed."""
        from etl_framework.auditing import check_table
        from etl_framework.history import previous_of_table

        job = self._remembering(job, previous_of_table)
        with self._placing(job):
            return check_table(job, self.plugins(job))

    @contextmanager
    def _placing(self, job: Job) -> Iterator[None]:
        """Let an error about a key of a plugin's section say where it stands, as ``etl config validate`` does."""
        try:
            yield
        except UsageError as error:
            from etl_framework.config_check import placed_in_file

            raise placed_in_file(self.config, job, error) from error.__cause__

    def _remembering(self, job: Job, recall: Callable[[Job, Journal], Mapping[str, Previous]]) -> Job:
        """The job with what it is to be compared with."""
        if not self.state.exists:
            return job
        with self.state.journal() as journal:
            return dataclasses.replace(job, previous=recall(job, journal))

    def analyze(self, job: Job, *, exact: bool = False) -> tuple[Analysis, ...]:
        """Find out how each source is to be read.

        :param exact: count the records instead of estimating them.
        """
        plugins = Plugins.load(self.settings)
        plugins.use(job.use)
        analyses = tuple(plugins.analyze(source, job) for source in find_sources(job))
        if not exact:
            return analyses
        with closing(plugins.executor(job.executor)) as executor:
            return tuple(_counted(analysis, executor.workers, plugins) for analysis in analyses)

    def runs(self) -> tuple[RunRecord, ...]:
        """Every run of this state folder, the latest first; one whose process was killed counts as interrupted."""
        return self._look()[0]

    def _look(self) -> tuple[tuple[RunRecord, ...], frozenset[tuple[str, str]]]:
        """Every run, and those jobs and targets that a living process works on.

        Of each of them, the run with the latest entry is the one under way; the others were killed.
        """
        if not self.state.exists:
            return (), frozenset()
        with self.state.journal() as journal:
            records = journal.runs()
        busy = frozenset(pair for pair in {(r.job, r.target) for r in records} if self.state.is_locked(*pair))
        alive = {}
        for record in sorted(records, key=lambda record: record.updated):
            if record.status is Status.RUNNING and (record.job, record.target) in busy:
                alive[record.job, record.target] = record.run
        killed = {r.run for r in records if r.status is Status.RUNNING}.difference(alive.values())
        return tuple(
            dataclasses.replace(record, status=Status.INTERRUPTED) if record.run in killed else record
            for record in records
        ), busy

    def report(self, run: str) -> RunReport | None:
        """The report of a run that has ended; None while it has not.

        :raises UsageError: there is no such run.
        """
        from etl_framework.jsonable import report_from_json

        if not self.state.exists:
            raise UsageError(f"there is no run {run!r}", advice=f"No run was ever begun in {self.state.folder}.")
        with self.state.journal() as journal:
            text = journal.report(run)
        if text is None:
            return None
        # A later run may have taken its place since.
        resumable = run in {record.run for record in self.to_resume()}
        program = self.state.program
        return dataclasses.replace(report_from_json(text), replayed=True, resumable=resumable, program=program)

    def replay(self, report: RunReport) -> tuple[str, ...]:
        """Show an old report on standard output again, through the reporters.

        :returns: a sentence for each reporter that failed.
        """
        return self.plugins().report(dataclasses.replace(report, replayed=True, console=True))

    def to_resume(self) -> tuple[RunRecord, ...]:
        """The runs that stopped before their end and are not under way, the latest first."""
        records, busy = self._look()
        return tuple(record for record in records if record.resumable and (record.job, record.target) not in busy)

    def prunable(
        self, *runs: str, older_than: timedelta | None = None, unfinished: bool = False
    ) -> tuple[RunRecord, ...]:
        """The runs that :meth:`prune` is to remove; see :func:`etl_framework.pruning.prunable`.

        :param runs: ids; without any, all finished runs of that age.
        :param older_than: 30 days, unless given.
        :param unfinished: those that could be resumed, too.
        :raises UsageError: runs are chosen both by name and by age, or there is no run of a name.
        :raises Locked: a run that is named, or another one of its job and target, is under way.
        """
        from etl_framework.pruning import prunable

        if runs and (older_than is not None or unfinished):
            raise UsageError(
                "runs are chosen by their names or by their age, not by both",
                advice="Leave --older-than and --unfinished out where runs are named: those go whatever their age.",
            )
        before = datetime.now(UTC) - (timedelta(days=30) if older_than is None else older_than)
        records, busy = self._look()
        return prunable(records, names=runs, before=before, unfinished=unfinished, busy=busy)

    def prune(
        self, records: Iterable[RunRecord], *, rejects: bool = False, forget: bool = False
    ) -> tuple[PrunedRun, ...]:
        """Remove runs from the journal and the state folder; see :func:`etl_framework.pruning.prune`.

        :param rejects: their reject files, too.
        :param forget: without asking their warehouses.
        :returns: what became of each; ``error`` says why one could not be removed.
        """
        from etl_framework.pruning import prune

        if not self.state.exists:
            return ()
        with self.state.journal() as journal:
            return tuple(
                prune(record, self.state, journal, lambda: Plugins.load(self.settings), rejects=rejects, forget=forget)
                for record in records
            )

    def targets(self) -> tuple[ListedTarget, ...]:
        """Every target, declared or named by a job, with the plugin that answers for it."""
        from etl_framework.targets import list_targets

        return list_targets(self.config, self._surveyed())

    def test_targets(self, *named: str) -> tuple[TargetCheck, ...]:
        """Connect to targets and find out what a load into them would lack.

        :param named: names or URLs; without any, every target.
        :returns: what was found about each; ``error`` says why one could not be looked at.
        :raises UsageError: there is no such target.
        """
        from etl_framework.targets import check_target, choose

        plugins = self._surveyed()
        return tuple(check_target(target, self.config, plugins) for target in choose(self.config, *named))

    def staged(self, *named: str) -> tuple[Staging, ...]:
        """What runs left behind in the staging areas of targets.

        :param named: names or URLs; without any, every target.
        :returns: the staging area of each target; ``error`` says why one could not be looked at.
        :raises UsageError: there is no such target.
        """
        from etl_framework.staging import look
        from etl_framework.targets import choose, jobs_of

        plugins, records = self._surveyed(), self.runs()
        return tuple(
            look(target, jobs_of(target, self.config), records, plugins) for target in choose(self.config, *named)
        )

    def clean_staged(self, staging: Iterable[Staging]) -> tuple[Removal, ...]:
        """Remove what is left behind, as :meth:`staged` found it and :func:`etl_framework.staging.removable` chose it.

        :returns: what became of each; ``error`` says why one could not be removed.
        """
        from etl_framework.staging import clean

        plugins = self._surveyed()
        return tuple(removal for found in staging for removal in clean(found, self.runs, self.state, plugins))

    def _surveyed(self) -> Plugins:
        plugins = Plugins.survey(self.settings)
        plugins.use(who_answers(self.config))
        return plugins

    def resume(
        self,
        run: str | None = None,
        *,
        executor: str | None = None,
        observers: tuple[Emit, ...] = (),
        console: bool = False,
    ) -> RunReport | None:
        """Carry a run to its end; see :func:`etl_framework.api.resume`.

        :param executor: reads what is left instead of the job's own executor.
        """
        from etl_framework.pipeline import resume

        if run is None:
            stopped = self.to_resume()
            if not stopped:
                return None
            if len(stopped) > 1:
                raise UsageError(
                    "\n".join(["several runs can be resumed:", *map(_in_a_line, stopped)]),
                    advice="`etl resume RUN` goes on with one; `etl runs prune RUN` discards one.",
                )
            run = stopped[0].run
        if not self.state.exists:
            raise UsageError(f"there is no run {run!r}", advice=f"No run was ever begun in {self.state.folder}.")
        return resume(
            run, Plugins.load(self.settings), self.state, executor=executor, observers=observers, console=console
        )


def _in_a_line(record: RunRecord) -> str:
    begun = f"{record.started:%Y-%m-%d %H:%M:%S}"
    return f"{record.run}  {record.job} into {record.table}, {record.status}, begun {begun} UTC"


def _counted(analysis: Analysis, workers: int, plugins: Plugins) -> Analysis:
    with plugins.blaming(analysis.format, "etl_analyze"):
        rows = analysis.format.count_rows(analysis.source, workers)
    return dataclasses.replace(analysis, rows=rows, rows_exact=True)
