"""The step between analyzing and loading: every part is read, checked, packed and uploaded, up to the gate.

A part that an earlier attempt staged is not read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shutil import rmtree
from typing import TYPE_CHECKING

from etl_framework.asking import ask_first
from etl_framework.checks import insist_on_settings
from etl_framework.errors import Refused, RunFailed
from etl_framework.keeping import discard_kept
from etl_framework.logs import get_logger
from etl_framework.packing import is_intact
from etl_framework.reading import Packing, PartReader
from etl_framework.rejects import join_rejects
from etl_framework.rewriting import rewritten
from etl_framework.survey import settle
from etl_framework.uploads import Uploads
from etl_framework.values import Gate, OnBadRows, StagedPart
from etl_framework.verdict import judge, pass_gate

if TYPE_CHECKING:
    from etl_framework.pipeline.attempt import Attempt
    from etl_framework.protocols import Codec, Executor, Run, Warehouse
    from etl_framework.reading import PartOutcome
    from etl_framework.survey import Survey
    from etl_framework.values import PackedPart, Part
    from etl_framework.verdict import Verdict

log = get_logger()


def stage_parts(
    attempt: Attempt, survey: Survey, codec: Codec, warehouse: Warehouse, executor: Executor
) -> tuple[Survey, tuple[StagedPart, ...]]:
    """Read, check, pack and upload every part; anew, where the data shows that the survey was wrong.

    :returns: the survey that held, and what lies in the staging area, in the order of the data.
    :raises Refused: the columns do not fit the table, or the gate forbids the load.
    """

    def stage(survey: Survey) -> tuple[StagedPart, ...]:
        run = attempt.run(survey, codec, warehouse)
        return _Staging(attempt=attempt, survey=survey, run=run, warehouse=warehouse).staged_by(executor)

    def changed(survey: Survey, message: str) -> None:
        log.warning("survey_changed", run=attempt.id, message=message)
        attempt.observers.happened("survey_changed", step="validate", message=message)
        warehouse.discard_staged(attempt.run(survey, codec, warehouse))
        for left in ("packed", "spilled"):
            rmtree(attempt.folder / left, ignore_errors=True)
        discard_kept(attempt.folder)
        attempt.replan(survey)

    with attempt.step("validate"):
        return settle(survey, attempt.job, executor.workers, stage, changed)


def weigh(attempt: Attempt, survey: Survey, outcomes: Mapping[int, PartOutcome]) -> Verdict:
    """Come to the verdict on all parts, and write out the bad rows that are to be kept."""
    verdict = attempt.verdict = judge(attempt.job, survey, outcomes, attempt.plugins)
    if attempt.job.on_bad_rows is OnBadRows.QUARANTINE:
        paths = join_rejects(attempt.folder, attempt.plan.sources, survey.parts, verdict.lines_before)
        attempt.rejects = tuple(map(str, paths))
    return verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staging:
    """All parts of one survey on their way into the staging area."""

    attempt: Attempt
    survey: Survey
    run: Run
    warehouse: Warehouse

    def staged_by(self, executor: Executor) -> tuple[StagedPart, ...]:
        self._insist_on_columns()
        # Checks of files are made before the first part is read, too; those in the warehouse only after the last.
        insist_on_settings(self.attempt.job, (), self.survey.columns, self.attempt.plugins)
        staged = self._certain()
        outcomes = dict(self._journaled_outcomes())
        reader = self._reader()
        missing = [part for part in self.survey.parts if part.number not in outcomes]
        before_upload = self.attempt.job.gate is Gate.BEFORE_UPLOAD
        with Uploads(self._upload, self._arrived) as uploads:
            if not before_upload:
                uploads.add(piece for piece in self._pieces() if piece.name not in staged)
            for outcome in executor.run(reader, self._announced(missing), self.attempt.observers.tell):
                self.attempt.journal.packed(self.run.id, outcome.part, outcome, outcome.pieces)
                outcomes[outcome.part] = outcome
                if not before_upload:
                    uploads.add(outcome.pieces)
            pass_gate(weigh(self.attempt, self.survey, outcomes).findings)
            if before_upload:
                uploads.add(piece for piece in self._pieces() if piece.name not in staged)
            staged.update(uploads.results())
        return tuple(staged[piece.name] for piece in self._pieces())

    def _insist_on_columns(self) -> None:
        if differences := self.warehouse.differences(self.run):
            raise Refused(
                f"the columns do not fit table {self.run.job.table}: {'; '.join(differences)}",
                advice="Declare the columns as the table has them, or load into another table.",
            )

    def _certain(self) -> dict[str, StagedPart]:
        """What lies in the staging area for certain; parts whose pieces are nowhere whole are to be read again."""
        staged: dict[str, StagedPart] = {}
        lost = set()
        for piece, state in self.attempt.journal.pieces(self.run.id):
            there = _as_staged(piece)
            if self.warehouse.has_staged(there, self.run):
                staged[piece.name] = there
                if state != "staged":
                    self._note(piece, "staged")
            elif not is_intact(piece):
                lost.add(piece.part)
        lost.update(number for number, outcome in self._journaled_outcomes().items() if not outcome.is_whole())
        for part in lost:
            log.info("part_read_again", run=self.run.id, part=part)
            self.attempt.journal.forget_part(self.run.id, part)
        return staged

    def _reader(self) -> PartReader:
        folder, job = self.attempt.folder, self.attempt.job
        spool = folder / "packed"
        spool.mkdir(exist_ok=True)
        return PartReader(
            run=self.run.id,
            job=job,
            survey=self.survey,
            packing=Packing(
                folder=spool,
                codec=self.run.codec,
                content=self.warehouse.content,
                rewritten=rewritten(self.run.layouts),
            ),
            rejects=folder if job.on_bad_rows is OnBadRows.QUARANTINE else None,
            spilled=folder / "spilled",
            plugins=self.attempt.plugins,
            answers=ask_first(job, self.survey, self.attempt.plugins, lambda: self.warehouse, folder=folder),
        )

    def _announced(self, parts: Iterable[Part]) -> Iterator[Part]:
        for part in parts:
            self.attempt.journal.reading(self.run.id, part.number)
            yield part

    def _upload(self, piece: PackedPart) -> StagedPart:
        self._note(piece, "uploading")
        staged = self.attempt.plugins.upload(piece, self.warehouse, self.run)
        if staged != _as_staged(piece):
            raise RunFailed(
                f"staged part {staged.name} is not what was uploaded",
                advice="See whether something else writes into the staging area.",
            )
        return staged

    def _arrived(self, piece: PackedPart, staged: StagedPart) -> None:
        piece.path.unlink(missing_ok=True)
        self._note(piece, "staged")
        self.attempt.observers.happened(
            "part_staged", step="validate", part=piece.part, bytes=staged.size, rows=staged.rows
        )

    def _note(self, piece: PackedPart, state: str) -> None:
        self.attempt.journal.set_piece(self.run.id, piece.part, piece.piece, state)

    def _journaled_outcomes(self) -> Mapping[int, PartOutcome]:
        return self.attempt.journal.outcomes(self.run.id)

    def _pieces(self) -> Iterator[PackedPart]:
        return (piece for piece, _ in self.attempt.journal.pieces(self.run.id))


def _as_staged(piece: PackedPart) -> StagedPart:
    return StagedPart(
        part=piece.part, piece=piece.piece, name=piece.name, size=piece.size, digest=piece.digest, rows=piece.rows
    )
