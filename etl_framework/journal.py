"""The journal: where every run records the state of its parts before and after each side effect.

One SQLite file in the state folder, which :mod:`etl_framework.journal_file` keeps. What a run needs to go on after a
crash (job, analyses, accumulators) rests here as pickles, which :mod:`etl_framework.pickling` makes and reads: the
journal is as trusted as the program itself and readable by its owner only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from etl_framework.errors import UsageError
from etl_framework.journal_file import JournalFile
from etl_framework.pickling import pickled, unpickled
from etl_framework.terminal import valid_text
from etl_framework.values import PackedPart, Part, Status

STAGED_PARTS_LEFT = "staged parts left"
"""What the log says of a run that ended while its warehouse could not be asked to remove what was staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run as the journal knows it.

    :param run: id.
    :param job: the job's name.
    :param target: URL of the warehouse.
    :param table: where the rows go.
    :param status: how far it is; in the journal, ``running`` may also mean killed: only the lock tells.
    :param started: UTC.
    :param updated: the last entry, UTC.
    :param attempts: how often it was begun or resumed.
    :param error: why it failed.
    :param planned: whether its parts are known: it came that far, and did not end for good since.
    """

    run: str
    job: str
    target: str
    table: str
    status: Status
    started: datetime
    updated: datetime
    attempts: int
    error: str
    planned: bool

    @property
    def resumable(self) -> bool:
        """Whether the run can be carried on, unless it is under way: ``running`` may mean killed.

        What failed before anything was planned, such as for a mistake in the target, is better begun anew; what failed
        for good, such as a load that was committed wrongly, is over.
        """
        return self.status in (Status.RUNNING, Status.INTERRUPTED) or (self.status is Status.FAILED and self.planned)


class Journal:
    """The journal of one state folder. Safe to use from several threads and processes.

    :param path: the SQLite file; created when missing, for its owner only.
    :raises RunFailed: the file cannot be opened, or was written by another version.
    """

    def __init__(self, path: Path) -> None:
        self._file = JournalFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; twice is no error."""
        self._file.close()

    # Runs

    def begin(self, run: str, *, job: str, target: str, table: str, plan: object) -> None:
        """Write down a new run and all that is needed to do it again."""
        now = datetime.now(UTC).isoformat()
        statement = (
            "INSERT INTO runs (run, job, target, target_table, status, started, plan) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        values = (run, job, target, table, Status.RUNNING, now, pickled(plan))
        self._file.write(run, "begun", (statement, values), durable=True)

    def replan(self, run: str, plan: object, parts: Iterable[Part]) -> None:
        """Replace a run's plan and parts; what was known of the old parts is forgotten."""
        insert = "INSERT INTO parts (run, part, range) VALUES (?, ?, ?)"
        self._file.write(
            run,
            "planned",
            ("UPDATE runs SET plan = ? WHERE run = ?", (pickled(plan), run)),
            ("DELETE FROM pieces WHERE run = ?", (run,)),
            ("DELETE FROM parts WHERE run = ?", (run,)),
            *((insert, (run, part.number, pickled(part))) for part in parts),
        )

    def plan(self, run: str) -> Any:
        """What :meth:`begin` or :meth:`replan` wrote down."""
        (plan,) = self._file.one("SELECT plan FROM runs WHERE run = ?", run)
        return unpickled(plan, run)

    def parts(self, run: str) -> tuple[Part, ...]:
        """The run's parts in order; empty before they are planned."""
        rows = self._file.all("SELECT range FROM parts WHERE run = ? ORDER BY part", run)
        return tuple(unpickled(value, run) for (value,) in rows)

    def finished(self, run: str) -> tuple[Part, ...]:
        """The parts that were read to their end, in order."""
        rows = self._file.all("SELECT range FROM parts WHERE run = ? AND state = 'packed' ORDER BY part", run)
        return tuple(unpickled(value, run) for (value,) in rows)

    def set_status(self, run: str, status: Status, *, error: str = "") -> None:
        """Write down how far a run is."""
        self._file.write(run, str(status), _status(run, status, error), durable=True)

    def end(self, run: str, status: Status, *, error: str = "") -> None:
        """Write down how a run ended for good, such as one whose place a later run takes; its parts are forgotten."""
        self._file.write(
            run,
            str(status),
            _status(run, status, error),
            ("DELETE FROM pieces WHERE run = ?", (run,)),
            ("DELETE FROM parts WHERE run = ?", (run,)),
            durable=True,
        )

    def forget(self, run: str) -> None:
        """Remove a run and all that is known of it."""
        self._file.write(run, None, ("DELETE FROM runs WHERE run = ?", (run,)), durable=True)

    def resumed(self, run: str) -> None:
        """Write down that a run is begun once more."""
        statement = "UPDATE runs SET attempts = attempts + 1, status = ?, error = '' WHERE run = ?"
        self._file.write(run, "resumed", (statement, (Status.RUNNING, run)))

    def note(self, run: str, event: str) -> None:
        """Add a line to the run's log, such as that the load begins."""
        self._file.write(run, event, durable=True)

    def log(self, run: str) -> tuple[tuple[datetime, str], ...]:
        """The run's log: (UTC, event)."""
        rows = self._file.all("SELECT at, event FROM log WHERE run = ? ORDER BY rowid", run)
        return tuple((datetime.fromisoformat(at), event) for at, event in rows)

    def record(self, run: str) -> RunRecord:
        """One run.

        :raises UsageError: there is no such run.
        """
        record = next((record for record in self.runs() if record.run == run), None)
        if record is None:
            raise UsageError(f"there is no run {run!r}", advice="`etl runs list` shows every run.")
        return record

    def runs(self) -> tuple[RunRecord, ...]:
        """Every run, the latest first."""
        rows = self._file.all(
            "SELECT run, job, target, target_table, status, started, "
            "(SELECT max(at) FROM log WHERE log.run = runs.run), attempts, error, "
            "EXISTS (SELECT 1 FROM parts WHERE parts.run = runs.run) FROM runs ORDER BY started DESC, rowid DESC"
        )
        return tuple(
            RunRecord(
                run=run,
                job=job,
                target=target,
                table=table,
                status=Status(status),
                started=datetime.fromisoformat(started),
                updated=datetime.fromisoformat(updated),
                attempts=attempts,
                error=error,
                planned=bool(planned),
            )
            for run, job, target, table, status, started, updated, attempts, error, planned in rows
        )

    # Parts

    def reading(self, run: str, part: int) -> None:
        """Before a part is read and packed."""
        statement = "UPDATE parts SET state = 'reading', outcome = NULL WHERE run = ? AND part = ?"
        self._file.write(run, f"part {part} reading", (statement, (run, part)))

    def packed(self, run: str, part: int, outcome: object, pieces: Iterable[PackedPart]) -> None:
        """After a part is packed: all that was learned of it, and the files that wait for upload."""
        insert = "INSERT INTO pieces (run, part, piece, packed) VALUES (?, ?, ?, ?)"
        update = "UPDATE parts SET state = 'packed', outcome = ? WHERE run = ? AND part = ?"
        self._file.write(
            run,
            f"part {part} packed",
            ("DELETE FROM pieces WHERE run = ? AND part = ?", (run, part)),
            *((insert, (run, part, piece.piece, pickled(piece))) for piece in pieces),
            (update, (pickled(outcome), run, part)),
        )

    def outcomes(self, run: str) -> Mapping[int, Any]:
        """By part number, what was learned of the parts that are packed."""
        rows = self._file.all("SELECT part, outcome FROM parts WHERE run = ? AND state = 'packed' ORDER BY part", run)
        return {part: unpickled(outcome, run) for part, outcome in rows}

    def forget_part(self, run: str, part: int) -> None:
        """The part must be read again."""
        self._file.write(run, f"part {part} forgotten", *_forgetting(run, part))

    def look_again(self, run: str, plan: object, parts: Iterable[int]) -> None:
        """Replace a run's plan by one with the same parts, some of which must be read again."""
        self._file.write(
            run,
            "sources touched",
            ("UPDATE runs SET plan = ? WHERE run = ?", (pickled(plan), run)),
            *(statement for part in parts for statement in _forgetting(run, part)),
        )

    # Pieces

    def set_piece(self, run: str, part: int, piece: int, state: str) -> None:
        """Before (``uploading``) and after (``staged``) a packed part is uploaded."""
        statement = "UPDATE pieces SET state = ? WHERE run = ? AND part = ? AND piece = ?"
        self._file.write(run, f"part {part} piece {piece} {state}", (statement, (state, run, part, piece)))

    def pieces(self, run: str) -> tuple[tuple[PackedPart, str], ...]:
        """Every packed part of the run and its state, in the order of the data."""
        rows = self._file.all("SELECT packed, state FROM pieces WHERE run = ? ORDER BY part, piece", run)
        return tuple((unpickled(packed, run), state) for packed, state in rows)

    # The end

    def set_receipt(self, run: str, receipt: object) -> None:
        """After the load was committed."""
        statement = "UPDATE runs SET receipt = ? WHERE run = ?"
        self._file.write(run, "loaded", (statement, (pickled(receipt), run)), durable=True)

    def receipt(self, run: str) -> Any:
        """What :meth:`set_receipt` wrote down, or None."""
        (receipt,) = self._file.one("SELECT receipt FROM runs WHERE run = ?", run)
        return None if receipt is None else unpickled(receipt, run)

    def set_steps(self, run: str, steps: str) -> None:
        """The durations of the run's steps, as JSON."""
        self._file.write(run, "step ended", ("UPDATE runs SET steps = ? WHERE run = ?", (steps, run)))

    def steps(self, run: str) -> str:
        """What :meth:`set_steps` wrote down."""
        (steps,) = self._file.one("SELECT steps FROM runs WHERE run = ?", run)
        return str(steps)

    def set_report(self, run: str, report: str) -> None:
        """The run's report, as JSON."""
        self._file.write(run, "reported", ("UPDATE runs SET report = ? WHERE run = ?", (report, run)))

    def report(self, run: str) -> str | None:
        """What :meth:`set_report` wrote down, or None."""
        (report,) = self._file.one("SELECT report FROM runs WHERE run = ?", run)
        return None if report is None else str(report)


def _status(run: str, status: Status, error: str) -> tuple[str, tuple[object, ...]]:
    return "UPDATE runs SET status = ?, error = ? WHERE run = ?", (status, valid_text(error), run)


def _forgetting(run: str, part: int) -> tuple[tuple[str, tuple[object, ...]], ...]:
    return (
        ("DELETE FROM pieces WHERE run = ? AND part = ?", (run, part)),
        ("UPDATE parts SET state = 'planned', outcome = NULL WHERE run = ? AND part = ?", (run, part)),
    )
