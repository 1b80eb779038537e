"""The end of an attempt: what is written down and cleared away, and what its user is advised to do next."""

from __future__ import annotations

from shutil import rmtree
from typing import TYPE_CHECKING

from etl_framework.errors import (
    CommittedWrongly,
    EtlError,
    ExitCode,
    HookFailed,
    Interrupted,
    Refused,
    RunFailed,
    SourceDamaged,
    UsageError,
)
from etl_framework.keeping import discard_kept
from etl_framework.logs import get_logger
from etl_framework.pipeline.plan import codec_for
from etl_framework.pipeline.reporting import SoFar, if_readable, put_together, report, write_down
from etl_framework.program import addressed
from etl_framework.rejects import discard_part_rejects
from etl_framework.values import Status

if TYPE_CHECKING:
    from etl_framework.pipeline.attempt import Attempt
    from etl_framework.values import RunReport

log = get_logger()


def end_well(attempt: Attempt) -> RunReport:
    """Report a load that is committed, and end the run."""
    # Reported before it is done: killed in between, the run is resumed, and everybody is told.
    told = report(attempt, Status.DONE, SoFar.of(attempt))
    try:
        attempt.journal.set_status(attempt.id, Status.DONE)
        _clean(attempt)
    except KeyboardInterrupt:
        if attempt.journal.record(attempt.id).status is not Status.DONE:
            raise
        # The rows are in the table, so nothing is left to stop.
        _clean(attempt)
    return told


def end_badly(attempt: Attempt, error: EtlError) -> EtlError:
    """End an attempt that an error stopped: for good, or so that the run can be resumed.

    :returns: the error, with the report and with what to do next.
    """
    status = _status_after(attempt, error)
    log.info("run_ended", run=attempt.id, status=status, error=error.message)
    wrong, in_vain = isinstance(error, CommittedWrongly), _asks_in_vain(attempt, error)
    if wrong or status is Status.REFUSED:
        _withdraw(attempt)
    elif in_vain:
        # No part was read, so that none was staged.
        _clean(attempt)
    _discard_unknown(attempt)
    so_far = SoFar.of(attempt)
    try:
        # What was committed wrongly is not mended by going on.
        end = attempt.journal.end if wrong or in_vain else attempt.journal.set_status
        end(attempt.id, status, error=error.message)
    except RunFailed as unwritten:
        _advise(attempt, unwritten)
        raise
    _advise(attempt, error)
    try:
        error.report = report(attempt, status, so_far, error=error)
    except KeyboardInterrupt:
        # Whoever has not been told by now is not told any more: why the run ended stays what it is.
        error.report = _unannounced(attempt, status, so_far, error)
    return error


def end_at_once(attempt: Attempt) -> Interrupted:
    """End an attempt of which the end was stopped as well, such as by a second Ctrl-C: no reporter is told.

    :returns: the error, with the report and with what to do next.
    """
    error = interrupted(attempt)
    if attempt.journal.record(attempt.id).status is Status.RUNNING:
        attempt.journal.set_status(attempt.id, Status.INTERRUPTED, error=error.message)
    _advise(attempt, error)
    # A run that had failed already is not said to have been interrupted.
    if attempt.journal.record(attempt.id).status is Status.INTERRUPTED:
        error.report = _unannounced(attempt, Status.INTERRUPTED, SoFar.of(attempt), error)
    return error


def _unannounced(attempt: Attempt, status: Status, so_far: SoFar, error: EtlError) -> RunReport:
    """The report of an attempt that nobody is told of any more, unless it was written down already."""
    if attempt.report is not None and attempt.report.status is status:
        return attempt.report
    return write_down(attempt, put_together(attempt, status, so_far, error))


def interrupted(attempt: Attempt) -> Interrupted:
    """The error of a run that somebody stopped."""
    return Interrupted(f"run {attempt.id} was interrupted; nothing is half done")


def _advise(attempt: Attempt, error: EtlError) -> None:
    """Say what to do about an error, and then about the run, in commands that work as they stand."""
    error.advice = addressed(_advice(attempt, error), attempt.program)


def _advice(attempt: Attempt, error: EtlError) -> str:
    record = attempt.journal.record(attempt.id)
    if record.status is Status.REFUSED or isinstance(error, CommittedWrongly):
        return error.advice
    if record.resumable and isinstance(error, HookFailed):
        again = f"`etl resume {attempt.id}` goes on once the plugin is repaired; a load without it begins anew."
        return f"{error.advice} {again}".strip()
    if record.resumable and isinstance(error, UsageError) and error.key:
        # A resumed run keeps the settings that it began with, whatever the configuration says by then.
        return (
            f"{error.advice} A corrected setting takes a new `etl load`; `etl resume {attempt.id}` goes on with the "
            "old one, once what it asks of is mended."
        ).strip()
    if record.resumable:
        return f"{error.advice} `etl resume {attempt.id}` goes on; `etl load` begins anew.".strip()
    return f"{error.advice or 'Correct the cause.'} Then run `etl load` again."


def _status_after(attempt: Attempt, error: EtlError) -> Status:
    if isinstance(error, Interrupted):
        return Status.INTERRUPTED
    if isinstance(error, Refused | SourceDamaged) or attempt.plan.survey is None:
        # What never got as far as parts has nothing to resume.
        return Status.REFUSED if error.exit_code is ExitCode.REFUSED else Status.FAILED
    return Status.FAILED


def _asks_in_vain(attempt: Attempt, error: EtlError) -> bool:
    """Whether a mistake in what the run was asked for ended it before any part of it was read.

    A resumed run keeps its settings, the wrong one included, and there is nothing yet that a new load would do again.
    Where parts were read, what a setting asks of may be there again, such as the file of a calendar: hours of work are
    worth waiting for it. So is, in a run that is resumed, what no setting is blamed for: all was well when it began.
    """
    if not isinstance(error, UsageError) or (attempt.resumed and not error.key):
        return False
    # None where another version wrote the parts down, which has read them.
    return if_readable(lambda: attempt.journal.finished(attempt.id)) == ()


def _withdraw(attempt: Attempt) -> None:
    """Remove what a run staged that ends for good."""
    survey = attempt.plan.survey
    if survey is not None:
        try:
            with attempt.connected() as warehouse:
                codec = codec_for(attempt.job, warehouse, attempt.plugins)
                warehouse.discard_staged(attempt.run(survey, codec, warehouse))
        except EtlError as error:
            # Why the run ended matters more than what is left of it, which pruning removes.
            attempt.left_behind(error)
    _clean(attempt)


def _discard_unknown(attempt: Attempt) -> None:
    """Remove packed parts that ended too late for the journal: a resumed run reads them again."""
    pieces = if_readable(lambda: attempt.journal.pieces(attempt.id))
    if pieces is None:
        return
    known = {piece.name for piece, _ in pieces}
    for path in (attempt.folder / "packed").glob("*"):
        if path.name in known:
            continue
        if path.is_dir():
            # An upload's own, which was under way.
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _clean(attempt: Attempt) -> None:
    rmtree(attempt.folder / "packed", ignore_errors=True)
    rmtree(attempt.folder / "spilled", ignore_errors=True)
    discard_kept(attempt.folder)
    discard_part_rejects(attempt.folder)
