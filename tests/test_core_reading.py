"""Reading a part: one pass that parses, checks, totals and packs."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl_framework import (
    Analysis,
    BadRow,
    Block,
    Check,
    Column,
    ColumnType,
    Compressor,
    Emit,
    Event,
    Finding,
    HookFailed,
    Interrupted,
    Job,
    MisplacedCut,
    OnBadRows,
    Part,
    Position,
    RowCheck,
    Source,
    SourceChanged,
    TableName,
    TypesWidened,
    hookimpl,
    row_check,
)
from etl_framework.plugins import Plugins
from etl_framework.reading import Packing, PartOutcome, PartReader
from etl_framework.sources import identify
from etl_framework.survey import Survey

COLUMN = Column(name="n", type=ColumnType.parse("bigint"))


@dataclass
class NumbersBlock:
    """Some lines of a file of numbers."""

    source: str
    part: int
    batch: pa.RecordBatch
    data: bytes | bytearray | memoryview
    bad_rows: Sequence[BadRow]
    lines: int
    consumed: int

    def position(self, row: int) -> Position:
        return Position(part=self.part, line=1 + row, offset=0)


@dataclass
class Numbers:
    """A format of one number a line, read some lines at a time."""

    name: str = "numbers"
    lines_per_block: int = 3
    before_block: Callable[[int], None] = field(default=lambda _: None)

    def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        return [(0, source.size)]

    split_exactly = split

    def read(self, source: Source, part: Part, columns: Sequence[Column], block_bytes: int) -> Iterator[Block]:
        with Path(source.path).open("rb") as file:
            file.seek(part.start)
            lines = file.read(part.size).splitlines(keepends=True)
        for index, begin in enumerate(range(0, len(lines), self.lines_per_block)):
            self.before_block(index)
            yield self._block(source, part, begin, lines[begin : begin + self.lines_per_block])

    def _block(self, source: Source, part: Part, begin: int, lines: list[bytes]) -> NumbersBlock:
        good = [line for line in lines if line.strip().isdigit()]
        bad = [
            BadRow(
                position=Position(part=part.number, line=begin + index + 1, offset=0),
                rule="wrong_type",
                column="n",
                value=line.decode().strip(),
                reason="is no number",
                data=line,
            )
            for index, line in enumerate(lines)
            if line not in good
        ]
        return NumbersBlock(
            source=source.path,
            part=part.number,
            batch=pa.RecordBatch.from_pydict({"n": pa.array(map(int, good), pa.int64())}),
            data=b"".join(good),
            bad_rows=bad,
            lines=len(lines),
            consumed=sum(map(len, lines)),
        )

    def text_layout(self) -> None:
        return None

    def count_rows(self, source: Source, workers: int) -> int:
        return len(Path(source.path).read_bytes().splitlines())


class Plain:
    """No compression."""

    name = "none"
    suffix = ""

    def compressor(self) -> Compressor:
        class Stream:
            def feed(self, data: bytes | bytearray | memoryview, /) -> bytes:
                return bytes(data)

            def finish(self) -> bytes:
                return b""

        return Stream()

    def reader(self, raw: BinaryIO) -> BinaryIO:
        return raw


class Team:
    """A plugin with a check."""

    def __init__(self, check: Callable[[], RowCheck]) -> None:
        self._check = check

    @hookimpl
    def etl_validate(self) -> Iterable[RowCheck]:
        yield self._check()


def small() -> RowCheck:
    return row_check("small", lambda batch: pc.less(batch["n"], 100), column="n", reason="too large")


class Desk:
    """A file of numbers and all that is needed to read it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "numbers.txt"
        self.packed = folder / "packed"
        self.packed.mkdir()
        self.rejects = folder / "run"
        self.format = Numbers()
        self.plugins = Plugins()
        self.events: list[Event] = []
        self.part_bytes = 1 << 20

    def write(self, *lines: object) -> None:
        self.path.write_text("".join(f"{line}\n" for line in lines))

    def reader(self, **job: Any) -> PartReader:
        source = identify(self.path)
        analysis = Analysis(source=source, format=self.format, columns=(COLUMN,), rows=0)
        return PartReader(
            run="r1",
            job=replace(
                Job(name="j", patterns=(), table=TableName(("t",)), target="w:", part_bytes=self.part_bytes), **job
            ),
            survey=Survey(analyses=(analysis,), columns=(COLUMN,), findings=()),
            packing=Packing(folder=self.packed, codec=Plain(), content="source"),
            rejects=self.rejects if job.get("on_bad_rows") is OnBadRows.QUARANTINE else None,
            spilled=self.packed / "spilled",
            plugins=self.plugins,
        )

    def read(self, reader: PartReader | None = None, emit: Emit | None = None, **job: Any) -> PartOutcome:
        reader = reader or self.reader(**job)
        part = Part(source=0, number=4, start=0, end=reader.survey.analyses[0].source.size)
        return reader(part, emit or self.events.append)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_one_pass_gives_counts_totals_findings_and_packed_rows(desk: Desk) -> None:
    desk.plugins.register(Team(small), name="team")
    desk.write(*range(98, 103))
    outcome = desk.read()
    assert (outcome.part, outcome.rows, outcome.lines, outcome.bad_rows.rows) == (4, 5, 5, 0)
    (totals,) = outcome.totals.finish().columns
    assert (totals.minimum, totals.maximum, totals.total) == (98, 102, 500)
    ((plugin, check),) = outcome.validators
    assert plugin == "team"
    (finding,) = check.finish()
    assert (finding.rule, finding.count, finding.samples[0].value) == ("small", 3, "100")
    (piece,) = outcome.pieces
    assert piece.path.read_bytes() == desk.path.read_bytes()
    assert (piece.part, piece.rows) == (4, 5)


def test_an_outcome_can_rest_in_the_journal(desk: Desk) -> None:
    desk.plugins.register(Team(small), name="team")
    desk.write(1, "x", 200)
    outcome = desk.read()
    there: PartOutcome = pickle.loads(pickle.dumps(outcome))
    assert there.totals.finish() == outcome.totals.finish()
    assert list(there.validators[0][1].finish()) == list(outcome.validators[0][1].finish())
    assert (there.rows, there.bad_rows.rows, there.pieces) == (2, 1, outcome.pieces)


def test_events_tell_how_far_the_part_is(desk: Desk) -> None:
    desk.write(*range(7))
    desk.read()
    size = desk.path.stat().st_size
    assert [(event.name, event.bytes, event.rows) for event in desk.events] == [
        ("part_started", 0, 0),
        ("part_progress", 6, 3),
        ("part_progress", 12, 6),
        ("part_progress", 14, 7),
        ("part_packed", size, 7),
    ]
    assert {(event.run, event.step, event.part, event.total_bytes) for event in desk.events} == {
        ("r1", "validate", 4, size)
    }


def test_nothing_is_packed_of_a_part_that_the_gate_will_refuse_but_all_of_it_is_checked(desk: Desk) -> None:
    desk.plugins.register(Team(small), name="team")
    desk.write(1, 2, 3, 4, "x", 6, "y", 8, 999)
    outcome = desk.read(on_bad_rows=OnBadRows.ABORT)
    assert (outcome.rows, outcome.bad_rows.rows, outcome.lines, outcome.pieces) == (7, 2, 9, ())
    assert [finding.count for finding in outcome.validators[0][1].finish()] == [1]
    assert list(desk.packed.iterdir()) == []
    assert not desk.rejects.exists()


def test_a_quarantine_packs_the_good_rows_and_writes_the_bad_ones_aside(desk: Desk) -> None:
    desk.write(1, "x", 3, 4, "y")
    outcome = desk.read(on_bad_rows=OnBadRows.QUARANTINE)
    assert (outcome.rows, outcome.bad_rows.rows) == (3, 2)
    assert [piece.path.read_bytes() for piece in outcome.pieces] == [b"1\n3\n4\n"]
    assert (desk.rejects / "rejects" / "part-000004.rows").read_bytes() == b"x\ny\n"


def test_bad_rows_count_as_rows_read(desk: Desk) -> None:
    desk.write("x", "y", 3)
    desk.read(on_bad_rows=OnBadRows.QUARANTINE)
    assert desk.events[-1].rows == 3


def test_a_part_that_is_only_checked_leaves_no_file(desk: Desk) -> None:
    desk.write(1, "x", 3)
    outcome = desk.read(replace(desk.reader(), packing=None))
    assert (outcome.rows, outcome.bad_rows.rows, outcome.pieces) == (2, 1, ())
    assert list(desk.packed.iterdir()) == []


@pytest.mark.parametrize(
    ("check", "asked"), [(Check.FILE, True), (Check.BOTH, True), (Check.WAREHOUSE, False), (Check.NONE, False)]
)
def test_checks_are_asked_only_when_the_file_is_to_be_checked(desk: Desk, check: Check, asked: bool) -> None:
    desk.plugins.register(Team(small), name="team")
    desk.write(1, "x")
    outcome = desk.read(check=check)
    assert bool(outcome.validators) is asked
    assert outcome.bad_rows.rows == 1, "the structure is always checked"


def test_a_part_without_rows_is_nothing_to_pack(desk: Desk) -> None:
    desk.write()
    outcome = desk.read()
    assert (outcome.rows, outcome.pieces) == (0, ())
    assert [event.name for event in desk.events] == ["part_started", "part_packed"]


def test_a_source_that_cannot_be_cut_is_packed_in_pieces_of_the_nominal_size(desk: Desk) -> None:
    desk.write(*range(9))
    desk.part_bytes = 6
    assert [piece.rows for piece in desk.read().pieces] == [3, 3, 3]
    cut_exactly = desk.reader()
    cut_exactly = replace(cut_exactly, survey=replace(cut_exactly.survey, exact=frozenset({0})))
    assert [piece.rows for piece in desk.read(cut_exactly).pieces] == [9]


def never(_: int) -> None:
    raise ZeroDivisionError("out of order")


def nothing_left(desk: Desk) -> bool:
    return list(desk.packed.iterdir()) == []


def after_one_block(raises: Exception) -> Callable[[int], None]:
    def act(index: int) -> None:
        if index == 1:
            raise raises

    return act


def test_a_format_that_fails_is_named_and_nothing_is_left(desk: Desk) -> None:
    desk.write(*range(9))
    desk.format.before_block = after_one_block(ZeroDivisionError("out of order"))
    with pytest.raises(HookFailed, match=r"(?i)numbers.*out of order"):
        desk.read()
    assert nothing_left(desk)


def test_a_check_that_fails_is_named_and_nothing_is_left(desk: Desk) -> None:
    desk.plugins.register(Team(lambda: row_check("c", lambda batch: batch["missing"])), name="team")
    desk.write(1)
    with pytest.raises(HookFailed, match="'team'"):
        desk.read()
    assert nothing_left(desk)


def test_a_misplaced_cut_names_the_source_whose_cuts_must_be_made_anew(desk: Desk) -> None:
    desk.write(*range(9))
    desk.format.before_block = after_one_block(MisplacedCut("no record begins here"))
    with pytest.raises(MisplacedCut) as caught:
        desk.read()
    assert caught.value.args == (0,)
    assert nothing_left(desk)


def test_widened_types_come_through_and_nothing_is_left(desk: Desk) -> None:
    desk.write(*range(9))
    findings: tuple[Finding, ...] = ()
    desk.format.before_block = after_one_block(TypesWidened([COLUMN], findings))
    with pytest.raises(TypesWidened) as caught:
        desk.read()
    assert caught.value.columns == (COLUMN,)
    assert nothing_left(desk)


@pytest.mark.parametrize("at_block", [0, 2])
def test_a_source_that_changes_while_it_is_read_is_refused(desk: Desk, at_block: int) -> None:
    desk.write(*range(9))

    def change(index: int) -> None:
        if index == at_block:
            desk.write(*range(10))

    desk.format.before_block = change
    with pytest.raises(SourceChanged, match=r"numbers\.txt changed after the run began"):
        desk.read()
    assert nothing_left(desk)


def test_a_source_that_changed_before_is_refused_without_reading(desk: Desk) -> None:
    desk.write(1)
    reader = desk.reader()
    desk.write(1, 2)
    desk.format.before_block = never
    with pytest.raises(SourceChanged):
        desk.read(reader)
    assert desk.events == []


def test_stopping_between_two_blocks_leaves_nothing(desk: Desk) -> None:
    desk.write(*range(9))

    def stop(event: Event) -> None:
        if event.bytes:
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        desk.read(emit=stop)
    assert nothing_left(desk)
