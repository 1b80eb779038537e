"""Reading a part: the one pass in which a block is parsed, checked, totalled and packed.

This is what runs on the workers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from etl_framework.asking import tell
from etl_framework.checks import BadRowTally
from etl_framework.keyless import KeylessRows
from etl_framework.once_per_block import remembering
from etl_framework.packing import Packer
from etl_framework.part_checks import PartChecks
from etl_framework.protocols import MisplacedCut, Spilling
from etl_framework.rejects import PartRejects
from etl_framework.sources import check_unchanged
from etl_framework.totals import TotalsAccumulator
from etl_framework.values import Check, Event, OnBadRows

if TYPE_CHECKING:
    from etl_framework.asking import Answers
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Block, Codec, Emit, Validator
    from etl_framework.survey import Survey
    from etl_framework.values import Analysis, Job, PackedPart, Part, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Where and how parts are packed.

    :param folder: where packed parts wait for their upload.
    :param codec: what compresses them.
    :param content: what they hold; see :class:`~etl_framework.protocols.Warehouse`.
    :param rewritten: indexes of the sources whose parts hold plain text written anew instead.
    """

    folder: Path
    codec: Codec
    content: Literal["source", "arrow"]
    rewritten: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOutcome:
    """All that was learned of a part in its one pass. Picklable: it rests in the journal.

    :param part: number of the part.
    :param rows: good records.
    :param lines: physical lines.
    :param bad_rows: the others.
    :param totals: control totals of the good records.
    :param validators: plugin name and accumulator of every check.
    :param pieces: what waits for upload; empty when nothing was packed.
    :param keyless: good records that cannot be merged.
    :param seconds: wall time of reading the part.
    :param seconds_of: how much of it the checks of each plugin took.
    """

    part: int
    rows: int
    lines: int
    bad_rows: BadRowTally
    totals: TotalsAccumulator
    validators: tuple[tuple[str, Validator], ...]
    pieces: tuple[PackedPart, ...]
    keyless: KeylessRows = field(default_factory=KeylessRows)
    seconds: float = 0.0
    seconds_of: Mapping[str, float] = field(default_factory=dict)

    def is_whole(self) -> bool:
        """Whether what the checks keep in files is still there."""
        return all(check.is_whole() for _, check in self.validators if isinstance(check, Spilling))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReader:
    """Reads parts, in this process or, pickled, in another.

    :param run: id of the run, for events.
    :param job: what is loaded.
    :param survey: what is known of the sources.
    :param packing: how parts are packed; None when they are only checked.
    :param rejects: the folder that bad rows are written to; None when they are only counted.
    :param spilled: the folder for the files of checks that keep more than memory should hold.
    :param plugins: the run's plugins; pickled, they load again where they arrive.
    :param answers: what checks were told by the warehouse; see :func:`etl_framework.asking.ask_first`.
    """

    run: str
    job: Job
    survey: Survey
    packing: Packing | None
    rejects: Path | None
    spilled: Path
    plugins: Plugins
    answers: Answers = field(default_factory=dict)

    def __call__(self, part: Part, emit: Emit) -> PartOutcome:
        """Read one part.

        :raises MisplacedCut: with the index of the source whose cuts must be made exactly.
        :raises TypesWidened: the run must begin anew with other types.
        :raises SourceChanged: the source is not what the run began with.
        """
        analysis = self.survey.analyses[part.source]
        check_unchanged(analysis.source)
        learned = _Learned(
            part,
            analysis.source,
            TotalsAccumulator(self.survey.columns),
            KeylessRows.of(self.job),
            self._checks(part, analysis),
        )
        emit(self._event("part_started", part, 0, 0))
        with ExitStack() as stack:
            packer = stack.enter_context(self._packer(part)) if self.packing else None
            rejects = stack.enter_context(PartRejects(self.rejects, part.number)) if self.rejects else None
            forget = stack.enter_context(remembering())
            for block in blocks_of(part, self.survey, self.job, self.plugins):
                learned.take_bad_rows(block, rejects)
                if packer and learned.bad_rows.rows and self.job.on_bad_rows is OnBadRows.ABORT:
                    # The gate will refuse: from here on only findings matter.
                    packer.discard()
                    packer = None
                if packer:
                    packer.write(block)
                learned.take_good_rows(block)
                forget()
                emit(self._event("part_progress", part, learned.consumed, learned.records))
            check_unchanged(analysis.source)
            pieces = packer.finish() if packer else ()
        learned.checks.settle()
        if part.number == 0:
            # Of each part, it would be done twice.
            learned.checks.insist_that_they_travel()
        emit(self._event("part_packed", part, part.size, learned.records))
        return learned.outcome(pieces)

    def _checks(self, part: Part, analysis: Analysis) -> PartChecks:
        checked = self.job.check in (Check.FILE, Check.BOTH)
        validators = self.plugins.validators(self.job, analysis) if checked else []
        tell(validators, self.answers, self.plugins)
        folder = self.spilled / f"{part.number:06}"
        return PartChecks(validators, folder, self.plugins, timeout=self.job.check_timeout)

    def _packer(self, part: Part) -> Packer:
        assert self.packing is not None
        return Packer(
            self.packing.folder,
            part,
            self.survey.columns,
            self.packing.codec,
            "plain" if part.source in self.packing.rewritten else self.packing.content,
            # A whole plain part is one piece: its nominal size is exceeded by less than a record.
            max(self.job.part_bytes, part.size if self.survey.splittable(part) else 0),
        )

    def _event(self, name: str, part: Part, done: int, rows: int) -> Event:
        return Event(
            name=name, run=self.run, step="validate", part=part.number, bytes=done, total_bytes=part.size, rows=rows
        )


class _Learned:
    """What is known of a part after some of its blocks."""

    def __init__(
        self, part: Part, source: Source, totals: TotalsAccumulator, keyless: KeylessRows, checks: PartChecks
    ) -> None:
        self._part = part
        self._source = source
        self._totals = totals
        self._keyless = keyless
        self._began = time.perf_counter()
        self._rows = self._lines = 0
        self.bad_rows = BadRowTally()
        self.checks = checks
        self.consumed = 0

    @property
    def records(self) -> int:
        return self._rows + self.bad_rows.rows

    def take_bad_rows(self, block: Block, rejects: PartRejects | None) -> None:
        for bad in block.bad_rows:
            self.bad_rows.add(bad, self._source.path)
            if rejects:
                rejects.write(bad)

    def take_good_rows(self, block: Block) -> None:
        if block.batch.num_rows:
            self._totals.update(block.batch)
            self._keyless.update(block)
            self.checks.update(block)
            self._totals.learn(block.batch)
        self._rows += block.batch.num_rows
        self._lines += block.lines
        self.consumed += block.consumed

    def outcome(self, pieces: tuple[PackedPart, ...]) -> PartOutcome:
        return PartOutcome(
            part=self._part.number,
            rows=self._rows,
            lines=self._lines,
            bad_rows=self.bad_rows,
            totals=self._totals,
            validators=self.checks.validators,
            pieces=pieces,
            keyless=self._keyless,
            seconds=time.perf_counter() - self._began,
            seconds_of=self.checks.seconds,
        )


def blocks_of(part: Part, survey: Survey, job: Job, plugins: Plugins) -> Iterator[Block]:
    """The blocks of a part, in order.

    :raises MisplacedCut: with the index of the source whose cuts must be made exactly.
    :raises TypesWidened: the survey's types do not hold.
    """
    analysis = survey.analyses[part.source]
    try:
        with plugins.blaming(analysis.format, "etl_analyze"):
            yield from analysis.format.read(analysis.source, part, survey.columns, job.block_bytes)
    except MisplacedCut as error:
        raise MisplacedCut(part.source) from error
