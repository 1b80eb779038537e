"""Pruning: removing runs from the journal and the state folder, but never what tells whether rows were loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from etl_framework.errors import ConnectError, EtlError, ExitCode, Locked, PluginError, RunFailed, UsageError
from etl_framework.journal import STAGED_PARTS_LEFT
from etl_framework.logs import get_logger
from etl_framework.pipeline import codec_for
from etl_framework.protocols import Run
from etl_framework.superseding import end_unfinished
from etl_framework.values import Status

if TYPE_CHECKING:
    from etl_framework.journal import Journal, RunRecord
    from etl_framework.pipeline import Plan
    from etl_framework.plugins import Plugins
    from etl_framework.state import State
    from etl_framework.values import Event

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRun:
    """What became of a run that was to be pruned.

    :param run: id.
    :param status: how it had ended, or was found to have ended.
    :param removed: whether the journal knows it no longer.
    :param bytes: what was freed in the state folder, the journal aside.
    :param rejects: folder of its reject files, when there are some and they were left.
    :param kept: why the journal keeps it, when it was found to have ended otherwise than by being discarded: its load
        had been committed, or it was resumed meanwhile.
    :param unasked: whether its warehouse, which may hold what it staged, was not asked.
    :param error: why it could not be removed; it can be pruned again.
    :param advice: what to do about that.
    :param exit_code: of that error.
    """

    run: str
    status: Status
    removed: bool
    bytes: int
    rejects: Path | None = None
    kept: str = ""
    unasked: bool = False
    error: str = ""
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE


def prunable(
    records: Iterable[RunRecord],
    *,
    names: Collection[str],
    before: datetime,
    unfinished: bool,
    busy: Collection[tuple[str, str]],
) -> tuple[RunRecord, ...]:
    """Choose the runs to prune, those that are finished first.

    :param records: all runs.
    :param names: ids, whatever their age and state; when empty, all whose last entry is older than ``before``.
    :param unfinished: whether to choose by age runs that could be resumed, too.
    :param busy: the jobs and targets that a process works on, whose runs are left alone.
    :raises UsageError: there is no run of that name.
    :raises Locked: a run of that name is under way, or another one of its job and target.
    """
    known = {record.run: record for record in records}
    if missing := [name for name in names if name not in known]:
        raise UsageError(f"there is no run {missing[0]!r}", advice="`etl runs list` shows every run.")
    for name in names:
        if _place(known[name]) in busy:
            raise Locked(
                f"run {name}, or another one of its job and target, is under way",
                advice="Wait for it to end, or stop it; `etl runs list` shows it.",
            )

    def wanted(record: RunRecord) -> bool:
        if names:
            return record.run in names
        return record.updated < before and (unfinished or not record.resumable) and _place(record) not in busy

    return tuple(sorted(filter(wanted, known.values()), key=lambda record: record.resumable))


def _place(record: RunRecord) -> tuple[str, str]:
    return record.job, record.target


def prune(
    chosen: RunRecord,
    state: State,
    journal: Journal,
    load_plugins: Callable[[], Plugins],
    *,
    rejects: bool,
    forget: bool,
) -> PrunedRun:
    """Remove one run. Killed in between, it can be pruned again; where it cannot be removed, the answer says why.

    :param chosen: the run, as it was when it was chosen.
    :param load_plugins: called for a run that left something in the staging area: its warehouse is asked to remove it
        and, where the run could be resumed, whether the load was committed after all.
    :param rejects: whether to remove its reject files, too.
    :param forget: whether to ask no warehouse: what was staged there stays, and nobody learns whether the load was
        committed.
    """
    try:
        return _prune(chosen, state, journal, load_plugins, rejects=rejects, forget=forget)
    except EtlError as error:
        log.warning("run_not_pruned", run=chosen.run, error=error.message)
        return PrunedRun(
            run=chosen.run,
            status=chosen.status,
            removed=False,
            bytes=0,
            error=error.message,
            advice=error.advice,
            exit_code=error.exit_code,
        )


def _prune(
    chosen: RunRecord,
    state: State,
    journal: Journal,
    load_plugins: Callable[[], Plugins],
    *,
    rejects: bool,
    forget: bool,
) -> PrunedRun:
    """:raises EtlError: the run is under way, its warehouse cannot be asked, or files cannot be removed."""
    # A run that has ended may be under way still, telling its reporters.
    with state.lock(*_place(chosen)):
        record = _find(chosen.run, journal)
        if record is None:
            return PrunedRun(run=chosen.run, status=chosen.status, removed=True, bytes=0)
        folder = state.run_folder(record.run)
        before = size_of(folder)
        staged = record.resumable or _left_staged_parts(record.run, journal)
        if staged and not forget:
            _discard(record, folder, journal, load_plugins())
            record = journal.record(record.run)
        if chosen.resumable and not (record.resumable or record.status is Status.SUPERSEDED):
            log.warning("run_kept", run=record.run, status=record.status)
            return PrunedRun(
                run=record.run,
                status=record.status,
                removed=False,
                bytes=before - size_of(folder),
                kept=record.error or "its load had been committed after all",
            )
        left = _empty(folder, rejects=rejects)
        journal.forget(record.run)
    freed = before - size_of(folder)
    log.info("run_pruned", run=record.run, bytes=freed)
    return PrunedRun(
        run=record.run, status=record.status, removed=True, bytes=freed, rejects=left, unasked=staged and forget
    )


def _find(run: str, journal: Journal) -> RunRecord | None:
    """The run as it is now: somebody may have resumed it, or removed it."""
    return next((record for record in journal.runs() if record.run == run), None)


def size_of(folder: Path) -> int:
    """Bytes of the files in a run's folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _left_staged_parts(run: str, journal: Journal) -> bool:
    return any(event == STAGED_PARTS_LEFT for _, event in journal.log(run))


def _discard(record: RunRecord, folder: Path, journal: Journal, plugins: Plugins) -> None:
    """Remove what a run staged; end it, unless it has ended."""
    plan: Plan = journal.plan(record.run)
    try:
        plugins.use(plan.job.use)
        with closing(plugins.connect(plan.job.target)) as warehouse:
            run = Run(
                id=record.run,
                job=plan.job,
                sources=plan.sources,
                columns=plan.survey.columns if plan.survey else plan.job.columns,
                folder=folder,
                codec=codec_for(plan.job, warehouse, plugins),
                emit=_nobody_listens,
            )
            if record.resumable:
                end_unfinished(run, journal, warehouse, why="discarded by `etl runs prune`")
            else:
                warehouse.discard_staged(run)
    except (ConnectError, PluginError) as error:
        way_out = (
            f"Where its warehouse is gone for good, `etl runs prune {record.run} --forget` removes the run unasked."
        )
        error.advice = f"{error.advice} {way_out}".strip()
        raise


def _nobody_listens(_: Event) -> None:
    """Nothing is loaded, so there is no progress."""


def _empty(folder: Path, *, rejects: bool) -> Path | None:
    """Remove a run's folder; the reject files that are left, if any."""
    kept = folder / "rejects"
    with _removing(folder):
        if rejects or not kept.exists():
            rmtree(folder)
            return None
        for path in (*folder.iterdir(), *kept.glob("part-*")):
            if path.is_dir() and path != kept:
                rmtree(path)
            elif path != kept:
                path.unlink()
        if any(kept.iterdir()):
            return kept
        rmtree(folder)
        return None


@contextmanager
def _removing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFailed(
            f"cannot remove {folder}: {error.strerror}", advice="Allow writing there, then prune the run again."
        ) from error
