"""A run from its first byte to its report, and what makes it end right after a crash.

Every step takes values and gives values; what changes lies in the journal and in the warehouse. The journal is written
before and after each side effect, so that :func:`resume` knows what is certain and does the rest again.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import rmtree
from typing import TYPE_CHECKING

from etl_framework.asking import ask_first
from etl_framework.auditing import audit, audited, refuse_without_sql
from etl_framework.errors import (
    CommittedWrongly,
    EtlError,
    ExitCode,
    HookFailed,
    Interrupted,
    PluginError,
    Refused,
    RunFailed,
    SourceDamaged,
    UnreadableRun,
    UsageError,
)
from etl_framework.history import all_measures
from etl_framework.journal import STAGED_PARTS_LEFT
from etl_framework.jsonable import dumps
from etl_framework.keeping import discard_kept
from etl_framework.ledger import refuse_repeat
from etl_framework.locating import locate
from etl_framework.logs import get_logger
from etl_framework.observing import tell_observers
from etl_framework.packing import is_intact
from etl_framework.program import addressed
from etl_framework.protocols import Run
from etl_framework.reading import Packing, PartOutcome, PartReader
from etl_framework.rejects import discard_part_rejects, join_rejects
from etl_framework.reporting import build_report
from etl_framework.rewriting import rewritten, staged_layouts
from etl_framework.sources import check_unchanged, look_again
from etl_framework.state import State, new_run_id
from etl_framework.superseding import committed_wrongly, supersede
from etl_framework.survey import Survey, adopt, plan_parts, settle, survey_sources
from etl_framework.terminal import valid_text
from etl_framework.totals import compare
from etl_framework.uploads import Uploads
from etl_framework.values import Event, Gate, OnBadRows, Receipt, StagedPart, Status
from etl_framework.verdict import Verdict, judge, pass_gate

if TYPE_CHECKING:
    from etl_framework.journal import Journal
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Codec, Emit, Executor, Warehouse
    from etl_framework.values import Job, PackedPart, Part, RunReport, Sample, Source

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run needs to begin anew, as it rests in the journal.

    :param job: what to load.
    :param sources: the files, as they were when the run began.
    :param plugins: names of the plugins that it ran with: a check must not be missing when it is resumed.
    :param survey: what is known of the sources; None before they are analyzed.
    """

    job: Job
    sources: tuple[Source, ...]
    plugins: tuple[str, ...]
    survey: Survey | None = None


def start(
    job: Job,
    sources: tuple[Source, ...],
    plugins: Plugins,
    state: State,
    *,
    observers: tuple[Emit, ...] = (),
    console: bool = False,
) -> RunReport:
    """Load the sources.

    :param observers: called with every event, beside the plugins.
    :param console: whether reporters print to standard output.
    :raises EtlError: the run did not succeed; its ``report`` tells how far it came.
    """
    if (shown := valid_text(job.target)) != job.target:
        raise UsageError(
            f"target {shown} is no valid Unicode, which warehouses and the journal need",
            advice="Choose another one, such as --target duckdb:/tmp/warehouse.duckdb, or rename the folder.",
        )
    plan = Plan(job=job, sources=sources, plugins=_names(plugins))
    with state.lock(job.name, job.target), state.journal() as journal:
        run = new_run_id()
        journal.begin(run, job=job.name, target=job.target, table=str(job.table), plan=plan)
        return _Attempt(run, plan, plugins, state, journal, observers, console=console, resumed=False).carry_out()


def resume(
    run: str,
    plugins: Plugins,
    state: State,
    *,
    executor: str | None = None,
    observers: tuple[Emit, ...] = (),
    console: bool = False,
) -> RunReport:
    """Carry an interrupted, killed or failed run to its end.

    :param executor: runs what is left instead of the job's own executor.
    :raises UsageError: there is no such run, or it has ended.
    :raises EtlError: as :func:`start` does.
    """
    with state.journal() as journal:
        record = journal.record(run)
        with state.lock(record.job, record.target):
            if not record.resumable:
                why = f" ({record.error})" if record.error else ""
                raise UsageError(f"run {run} has ended: {record.status}{why}", advice="Begin anew with `etl load`.")
            plan: Plan = journal.plan(run)
            _require_same(run, plan, plugins)
            plugins.use(plan.job.use)
            if executor:
                plan = dataclasses.replace(plan, job=dataclasses.replace(plan.job, executor=executor))
            journal.resumed(run)
            return _Attempt(run, plan, plugins, state, journal, observers, console=console, resumed=True).carry_out()


def _require_same(run: str, plan: Plan, plugins: Plugins) -> None:
    """Insist on the plugins that the run began with: a check must have seen all parts, or none.

    :raises PluginError: others are there, or some are not.
    """
    if gone := sorted(set(plan.plugins) - set(_names(plugins))):
        disabled = {info.name for info in plugins.infos if info.disabled}
        states = (f"{name}, which is {'disabled' if name in disabled else 'not installed'} now" for name in gone)
        raise PluginError(
            f"run {run} began with the plugin{'s' * (len(gone) > 1)} {', and '.join(states)}",
            advice="Resume it with the plugins that it began with; with those of now, `etl load` begins anew.",
        )
    if new := sorted(set(_names(plugins)) - set(plan.plugins)):
        raise PluginError(
            f"the run began without {', '.join(new)}, which would see only the rest of it",
            advice=f"`etl {' '.join(f'--disable-plugin {name}' for name in new)} resume {run}` goes on.",
        )


def _names(plugins: Plugins) -> tuple[str, ...]:
    return tuple(info.name for info in plugins.infos if not info.disabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SoFar:
    """How far a run came, which the journal forgets where it ends for good.

    :param outcomes: what was learned of the parts that were read, where there is no verdict on all of them.
    :param finished: those parts.
    :param staged: what lies in the staging area.
    """

    outcomes: Collection[PartOutcome]
    finished: tuple[Part, ...]
    staged: tuple[PackedPart, ...]


class _Attempt:
    """One attempt at a run: the first, or one after a crash. What the journal is certain of is not done again."""

    def __init__(
        self,
        run: str,
        plan: Plan,
        plugins: Plugins,
        state: State,
        journal: Journal,
        observers: tuple[Emit, ...],
        *,
        console: bool,
        resumed: bool,
    ) -> None:
        self._id = run
        self._resumed = resumed
        self._plan = plan
        self._job = plan.job
        self._plugins = plugins
        self._journal = journal
        self._observers = list(observers)
        self._console = console
        self._folder = state.run_folder(run)
        self._program = state.program
        self._steps: list[tuple[str, float]] = [tuple(step) for step in json.loads(journal.steps(run))]
        self._verdict: Verdict | None = None
        self._rejects: tuple[str, ...] = ()
        self._problems: list[str] = []

    def carry_out(self) -> RunReport:
        try:
            return self._carry_out()
        except KeyboardInterrupt:
            # While the run was ending already: what the journal says of it holds.
            if not self._journal.record(self._id).resumable:
                raise
            error = self._interrupted()
            error.advice = self._what_next(error)
            raise error from None

    def _carry_out(self) -> RunReport:
        self._emit("run_started")
        log.info("run_started", run=self._id, job=self._job.name, table=str(self._job.table), target=self._job.target)
        try:
            with self._connected() as warehouse, self._executor() as executor:
                receipt = self._to_the_end(warehouse, executor)
        except KeyboardInterrupt:
            raise self._ended_badly(self._interrupted()) from None
        except Interrupted as error:
            raise self._ended_badly(error) from None
        except EtlError as error:
            raise self._ended_badly(error) from error.__cause__
        except Exception as error:
            # Whatever broke, the run must not look as if it went on.
            failure = RunFailed(f"unexpected {type(error).__name__}: {error}", advice="Please report this defect.")
            raise self._ended_badly(failure) from error
        return self._ended_well(receipt)

    # Steps

    def _to_the_end(self, warehouse: Warehouse, executor: Executor) -> Receipt:
        codec = codec_for(self._job, warehouse, self._plugins)
        survey = self._plan.survey or self._analyze(warehouse, executor)
        run = self._run(survey, codec, warehouse)
        if self._resumed and (done := self._journal.receipt(self._id) or warehouse.find_load(run)) is not None:
            # Killed between the commit and what comes after it.
            self._weigh(survey, dict(self._journal.outcomes(self._id)))
            return self._loaded(self._run(survey, codec, warehouse), warehouse, done)
        survey = self._look_again(survey)
        pass_gate(survey.findings)
        self._refuse_if_there(warehouse)
        survey, staged = self._read(survey, warehouse, executor, codec)
        run = self._run(survey, codec, warehouse)
        receipt = self._load(run, staged, warehouse)
        return self._loaded(run, warehouse, receipt)

    def _analyze(self, warehouse: Warehouse, executor: Executor) -> Survey:
        with self._step("analyze"):
            survey = survey_sources(self._job, self._plan.sources, self._plugins)
            if (table := warehouse.describe(self._job.table)) is not None:
                survey = survey.with_columns(adopt(survey.columns, table))
            pass_gate(survey.findings)
            return self._replan(plan_parts(survey, self._job, executor.workers))

    def _read(
        self, survey: Survey, warehouse: Warehouse, executor: Executor, codec: Codec
    ) -> tuple[Survey, tuple[StagedPart, ...]]:
        """Read, check, pack and upload every part."""

        def attempt(survey: Survey) -> tuple[StagedPart, ...]:
            return self._read_parts(self._run(survey, codec, warehouse), survey, warehouse, executor)

        def changed(survey: Survey, message: str) -> None:
            log.warning("survey_changed", run=self._id, message=message)
            self._emit("survey_changed", step="validate", message=message)
            warehouse.discard_staged(self._run(survey, codec, warehouse))
            for left in ("packed", "spilled"):
                rmtree(self._folder / left, ignore_errors=True)
            discard_kept(self._folder)
            self._replan(survey)

        with self._step("validate"):
            return settle(survey, self._job, executor.workers, attempt, changed)

    def _read_parts(self, run: Run, survey: Survey, warehouse: Warehouse, executor: Executor) -> tuple[StagedPart, ...]:
        self._refuse_if_different(run, warehouse)
        staged = self._certain(run, warehouse)
        outcomes = dict(self._journal.outcomes(self._id))
        reader = self._reader(survey, run, warehouse)
        missing = [part for part in survey.parts if part.number not in outcomes]
        before_upload = self._job.gate is Gate.BEFORE_UPLOAD
        with Uploads(lambda piece: self._upload(piece, warehouse, run), self._arrived) as uploads:
            if not before_upload:
                uploads.add(piece for piece, _ in self._journal.pieces(self._id) if piece.name not in staged)
            for outcome in executor.run(reader, self._announced(missing), self._observed):
                self._journal.packed(self._id, outcome.part, outcome, outcome.pieces)
                outcomes[outcome.part] = outcome
                if not before_upload:
                    uploads.add(outcome.pieces)
            self._weigh(survey, outcomes)
            assert self._verdict is not None
            pass_gate(self._verdict.findings)
            if before_upload:
                uploads.add(piece for piece, _ in self._journal.pieces(self._id) if piece.name not in staged)
            staged.update(uploads.results())
        return tuple(staged[piece.name] for piece, _ in self._journal.pieces(self._id))

    def _weigh(self, survey: Survey, outcomes: dict[int, PartOutcome]) -> None:
        self._verdict = judge(self._job, survey, outcomes, self._plugins)
        if self._job.on_bad_rows is OnBadRows.QUARANTINE:
            paths = join_rejects(self._folder, self._plan.sources, survey.parts, self._verdict.lines_before)
            self._rejects = tuple(map(str, paths))

    def _load(self, run: Run, staged: tuple[StagedPart, ...], warehouse: Warehouse) -> Receipt:
        with self._step("load"):
            for source in self._plan.sources:
                check_unchanged(source)
            assert self._verdict is not None
            supersede(run, self._journal, warehouse)
            # Again, since hours may have passed.
            self._refuse_if_there(warehouse)
            if (there := sum(part.rows for part in staged)) != self._verdict.rows:
                raise RunFailed(
                    f"{there:,} rows are staged but {self._verdict.rows:,} were read",
                    advice="Please report this as a defect; nothing was loaded.",
                )
            self._journal.note(self._id, "loading")
            return self._plugins.load_parts(staged, warehouse, run)

    def _loaded(self, run: Run, warehouse: Warehouse, receipt: Receipt) -> Receipt:
        # What a ledger knows of a load, it knows without what was found in its rows.
        receipt = dataclasses.replace(receipt, findings=receipt.findings or audited(self._folder).findings)
        self._journal.set_receipt(self._id, receipt)
        assert run.totals is not None
        if differences := compare(run.totals, receipt.totals):
            raise CommittedWrongly(
                committed_wrongly(differences),
                advice="Look into the table before anything else; please report this defect of the warehouse's plugin.",
            )
        try:
            warehouse.discard_staged(run)
        except EtlError as error:
            # The rows are committed: what is left beside them fails nothing.
            self._left_behind(error)
        return receipt

    # What the steps need

    def _announced(self, parts: list[Part]) -> Iterator[Part]:
        for part in parts:
            self._journal.reading(self._id, part.number)
            yield part

    def _certain(self, run: Run, warehouse: Warehouse) -> dict[str, StagedPart]:
        """What lies in the staging area for certain; parts whose pieces are nowhere whole are to be read again."""
        staged: dict[str, StagedPart] = {}
        lost = set()
        for piece, state in self._journal.pieces(self._id):
            there = _as_staged(piece)
            if warehouse.has_staged(there, run):
                staged[piece.name] = there
                if state != "staged":
                    self._journal.set_piece(self._id, piece.part, piece.piece, "staged")
            elif not is_intact(piece):
                lost.add(piece.part)
        lost.update(number for number, outcome in self._journal.outcomes(self._id).items() if not outcome.is_whole())
        for part in lost:
            log.info("part_read_again", run=self._id, part=part)
            self._journal.forget_part(self._id, part)
        return staged

    def _upload(self, piece: PackedPart, warehouse: Warehouse, run: Run) -> StagedPart:
        self._journal.set_piece(self._id, piece.part, piece.piece, "uploading")
        staged = self._plugins.upload(piece, warehouse, run)
        if staged != _as_staged(piece):
            raise RunFailed(
                f"staged part {staged.name} is not what was uploaded",
                advice="See whether something else writes into the staging area.",
            )
        return staged

    def _arrived(self, piece: PackedPart, staged: StagedPart) -> None:
        piece.path.unlink(missing_ok=True)
        self._journal.set_piece(self._id, piece.part, piece.piece, "staged")
        self._emit("part_staged", step="validate", part=piece.part, bytes=staged.size, rows=staged.rows)

    def _refuse_if_there(self, warehouse: Warehouse) -> None:
        refuse_repeat(self._job, self._plan.sources, warehouse.ledger(self._job.table))

    def _refuse_if_different(self, run: Run, warehouse: Warehouse) -> None:
        if differences := warehouse.differences(run):
            raise Refused(
                f"the columns do not fit table {self._job.table}: {'; '.join(differences)}",
                advice="Declare the columns as the table has them, or load into another table.",
            )

    def _reader(self, survey: Survey, run: Run, warehouse: Warehouse) -> PartReader:
        spool = self._folder / "packed"
        spool.mkdir(exist_ok=True)
        quarantine = self._job.on_bad_rows is OnBadRows.QUARANTINE
        return PartReader(
            run=self._id,
            job=self._job,
            survey=survey,
            packing=Packing(folder=spool, codec=run.codec, content=warehouse.content, rewritten=rewritten(run.layouts)),
            rejects=self._folder if quarantine else None,
            spilled=self._folder / "spilled",
            plugins=self._plugins,
            answers=ask_first(self._job, survey, self._plugins, lambda: warehouse, folder=self._folder),
        )

    def _look_again(self, survey: Survey) -> Survey:
        """Insist on the sources that the run began with; forget what was read of those that were touched meanwhile."""
        sources = tuple(map(look_again, self._plan.sources))
        touched = {index for index, source in enumerate(sources) if source != self._plan.sources[index]}
        if touched:
            survey = survey.with_sources(sources, touched)
            self._plan = dataclasses.replace(self._plan, sources=sources, survey=survey)
            again = [part.number for part in survey.parts if part.source in touched]
            self._journal.look_again(self._id, self._plan, again)
            log.info("sources_read_again", run=self._id, sources=[sources[index].path for index in sorted(touched)])
        return survey

    def _replan(self, survey: Survey) -> Survey:
        self._plan = dataclasses.replace(self._plan, survey=survey)
        self._journal.replan(self._id, self._plan, survey.parts)
        return survey

    def _run(self, survey: Survey, codec: Codec, warehouse: Warehouse) -> Run:
        return Run(
            id=self._id,
            job=self._job,
            sources=self._plan.sources,
            columns=survey.columns,
            folder=self._folder,
            codec=codec,
            emit=self._observed,
            totals=self._verdict.totals if self._verdict else None,
            layouts=staged_layouts(survey, warehouse),
            parts=survey.parts,
            audit=lambda rows: audit(self._job, rows, self._plugins, self._folder),
            locate=lambda part, row: self._locate(survey, part, row),
        )

    def _locate(self, survey: Survey, part: int, row: int) -> Sample | None:
        assert self._verdict is not None, "rows are found fault with once all were read"
        return locate(survey, self._verdict.lines_before, part, row, block_bytes=self._job.block_bytes)

    @contextmanager
    def _connected(self) -> Iterator[Warehouse]:
        warehouse = self._plugins.connect(self._job.target)
        try:
            refuse_without_sql(self._job, warehouse)
            yield warehouse
        finally:
            warehouse.close()

    @contextmanager
    def _executor(self) -> Iterator[Executor]:
        executor = self._plugins.executor(self._job.executor)
        try:
            yield executor
        finally:
            executor.close()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        total = sum(source.size for source in self._plan.sources)
        self._emit("step_started", step=name, total_bytes=total)
        log.info("step_started", run=self._id, step=name)
        began = time.perf_counter()
        try:
            yield
        except GeneratorExit:
            # A signal struck on the way into the step or out of it; by now, the run's end is written down.
            return
        except BaseException:
            self._step_ended(name, time.perf_counter() - began, total)
            raise
        self._step_ended(name, time.perf_counter() - began, total)

    def _step_ended(self, name: str, seconds: float, total: int) -> None:
        self._steps.append((name, seconds))
        self._journal.set_steps(self._id, json.dumps(self._steps))
        self._emit("step_finished", step=name, total_bytes=total)
        log.info("step_finished", run=self._id, step=name, seconds=round(seconds, 3))

    def _emit(
        self,
        name: str,
        *,
        step: str = "",
        part: int | None = None,
        bytes: int | None = None,  # noqa: A002 - the event's own word
        total_bytes: int | None = None,
        rows: int | None = None,
        message: str = "",
    ) -> None:
        self._observed(
            Event(
                name=name,
                run=self._id,
                step=step,
                part=part,
                bytes=bytes,
                total_bytes=total_bytes,
                rows=rows,
                message=message,
            )
        )

    def _observed(self, event: Event) -> None:
        tell_observers(self._observers, event)
        self._plugins.event(event)

    # The end

    def _ended_well(self, receipt: Receipt) -> RunReport:
        # Reported before it is done: killed in between, the run is resumed, and everybody is told.
        report = self._report(Status.DONE, receipt, self._so_far())
        try:
            self._journal.set_status(self._id, Status.DONE)
            self._clean()
        except KeyboardInterrupt:
            if self._journal.record(self._id).status is not Status.DONE:
                raise
            # The rows are in the table, so nothing is left to stop.
            self._clean()
        return report

    def _ended_badly(self, error: EtlError) -> EtlError:
        status = self._status_after(error)
        log.info("run_ended", run=self._id, status=status, error=error.message)
        wrong = isinstance(error, CommittedWrongly)
        if wrong or status is Status.REFUSED:
            self._withdraw()
        self._discard_unknown()
        so_far = self._so_far()
        try:
            # What was committed wrongly is not mended by going on.
            (self._journal.end if wrong else self._journal.set_status)(self._id, status, error=error.message)
        except RunFailed as unwritten:
            unwritten.advice = self._what_next(unwritten)
            raise
        error.advice = self._what_next(error)
        error.report = self._report(status, self._journal.receipt(self._id), so_far, error=error)
        return error

    def _what_next(self, error: EtlError) -> str:
        """What to do about the error, and then about the run, with commands that work as they stand."""
        return addressed(self._advice(error), self._program)

    def _advice(self, error: EtlError) -> str:
        record = self._journal.record(self._id)
        if record.status is Status.REFUSED or isinstance(error, CommittedWrongly):
            return error.advice
        if record.resumable and isinstance(error, HookFailed):
            again = f"`etl resume {self._id}` goes on once the plugin is repaired; a load without it begins anew."
            return f"{error.advice} {again}".strip()
        if record.resumable:
            return f"{error.advice} `etl resume {self._id}` goes on; `etl load` begins anew.".strip()
        return f"{error.advice or 'Correct the cause.'} Then run `etl load` again."

    def _interrupted(self) -> Interrupted:
        return Interrupted(f"run {self._id} was interrupted; nothing is half done")

    def _status_after(self, error: EtlError) -> Status:
        if isinstance(error, Interrupted):
            return Status.INTERRUPTED
        if isinstance(error, Refused | SourceDamaged) or self._plan.survey is None:
            # What never got as far as parts has nothing to resume.
            return Status.REFUSED if error.exit_code is ExitCode.REFUSED else Status.FAILED
        return Status.FAILED

    def _withdraw(self) -> None:
        """Remove what a run staged that ends for good."""
        survey = self._plan.survey
        if survey is not None:
            try:
                with self._connected() as warehouse:
                    codec = codec_for(self._job, warehouse, self._plugins)
                    warehouse.discard_staged(self._run(survey, codec, warehouse))
            except EtlError as error:
                # Why the run ended matters more than what is left of it, which pruning removes.
                self._left_behind(error)
        self._clean()

    def _left_behind(self, error: EtlError) -> None:
        log.warning("staged_parts_left", run=self._id, error=error.message)
        self._journal.note(self._id, STAGED_PARTS_LEFT)
        self._problems.append(f"staged parts are left behind: {error.message}; `etl runs prune` removes them")

    def _discard_unknown(self) -> None:
        """Remove packed parts that ended too late for the journal: a resumed run reads them again."""
        known = {piece.name for piece, _ in self._journal.pieces(self._id)}
        for path in (self._folder / "packed").glob("*"):
            if path.name not in known:
                path.unlink(missing_ok=True)

    def _clean(self) -> None:
        rmtree(self._folder / "packed", ignore_errors=True)
        rmtree(self._folder / "spilled", ignore_errors=True)
        discard_kept(self._folder)
        discard_part_rejects(self._folder, self._journal.parts(self._id))

    def _so_far(self) -> _SoFar:
        try:
            known = () if self._verdict else self._journal.outcomes(self._id).values()
        except UnreadableRun:
            known = ()  # written down by another version, which is why the run ends
        return _SoFar(
            outcomes=known,
            finished=self._journal.finished(self._id),
            staged=tuple(piece for piece, state in self._journal.pieces(self._id) if state == "staged"),
        )

    def _report(
        self, status: Status, receipt: Receipt | None, so_far: _SoFar, *, error: EtlError | None = None
    ) -> RunReport:
        report = build_report(
            self._journal.record(self._id),
            plan=self._plan,
            status=status,
            verdict=self._verdict,
            receipt=receipt,
            outcomes=so_far.outcomes,
            finished=so_far.finished,
            staged=so_far.staged,
            steps=self._steps,
            rejects=self._rejects,
            measures=all_measures(self._verdict.measures if self._verdict else {}, audited(self._folder).measures),
            folder=self._folder,
            error=error,
            program=self._program,
            console=self._console,
        )
        problems = self._plugins.report(report)
        report = dataclasses.replace(report, problems=(*self._problems, *problems, *self._plugins.problems))
        self._journal.set_report(self._id, dumps("run_report", report))
        self._emit("run_finished", message=str(status))
        log.info("run_finished", run=self._id, status=status, rows=report.rows_loaded)
        for problem in report.problems:
            log.warning("report_problem", run=self._id, problem=problem)
        return report


def codec_for(job: Job, warehouse: Warehouse, plugins: Plugins) -> Codec:
    """The codec of a job's staged parts: the job's own, or the warehouse's."""
    return plugins.codec(dataclasses.replace(job, compress=job.compress or warehouse.default_codec), job.target)


def _as_staged(piece: PackedPart) -> StagedPart:
    return StagedPart(
        part=piece.part, piece=piece.piece, name=piece.name, size=piece.size, digest=piece.digest, rows=piece.rows
    )
