"""The survey: sources, columns and parts, before any data is read and after it taught better."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import (
    NO_ROWS,
    Analysis,
    Block,
    Column,
    ColumnType,
    Finding,
    Job,
    MisplacedCut,
    Part,
    RunFailed,
    Severity,
    Source,
    TableName,
    TypesWidened,
    hookimpl,
)
from etl_framework.plugins import Plugins
from etl_framework.survey import Survey, adopt, plan_parts, settle, survey_sources

MIB = 1 << 20
JOB = Job(name="sales", patterns=(), table=TableName(("sales",)), target="duckdb:w.duckdb")


@dataclass(frozen=True)
class Even:
    """A format that is cut into equal parts; when cut exactly, one byte later."""

    name: str = "even"

    def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        return self._cut(source, part_bytes, 0)

    def split_exactly(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        return self._cut(source, part_bytes, 1)

    def _cut(self, source: Source, part_bytes: int, shift: int) -> Sequence[tuple[int, int]]:
        cuts = [0, *(cut + shift for cut in range(part_bytes, source.size - shift, part_bytes)), source.size]
        return list(pairwise(cuts))

    def read(self, source: Source, part: Part, columns: Sequence[Column], block_bytes: int) -> Iterator[Block]:
        return iter(())

    def text_layout(self) -> None:
        return None

    def count_rows(self, source: Source, workers: int) -> int:
        return 0


def column(name: str, type_: str, **more: bool | str) -> Column:
    return replace(Column(name=name, type=ColumnType.parse(type_)), **more)  # type: ignore[arg-type]


def analysis(
    name: str, *columns: Column, size: int = 100, rows: int = 10, findings: Sequence[Finding] = ()
) -> Analysis:
    source = Source(path=f"/data/{name}", size=size, modified_ns=0, changed_ns=0, inode=0, digest=name)
    return Analysis(source=source, format=Even(), columns=columns, rows=rows, findings=tuple(findings))


class Analyst:
    """A plugin that knows the sources given to it."""

    def __init__(self, *analyses: Analysis) -> None:
        self._analyses = {analysis.source: analysis for analysis in analyses}

    @hookimpl
    def etl_analyze(self, source: Source) -> Analysis:
        return self._analyses[source]


def survey(*analyses: Analysis) -> Survey:
    plugins = Plugins()
    plugins.register(Analyst(*analyses), name="analyst")
    return survey_sources(JOB, [analysis.source for analysis in analyses], plugins)


def types(columns: Sequence[Column]) -> list[str]:
    return [str(column.type) for column in columns]


def test_a_survey_adds_up_sizes_rows_and_findings_of_its_sources() -> None:
    odd = Finding(rule="odd", severity=Severity.WARNING, count=1, message="odd")
    surveyed = survey(
        analysis("a.csv", column("n", "bigint"), size=3, rows=1, findings=[odd]),
        analysis("b.csv", column("n", "bigint"), size=4, rows=2, findings=[odd]),
    )
    both = replace(odd, count=2, message="odd (and the like in 1 more file)")
    assert (surveyed.size, surveyed.rows, surveyed.findings) == (7, 3, (both,))
    assert types(surveyed.columns) == ["bigint"]
    assert pickle.loads(pickle.dumps(surveyed)) == surveyed


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("bigint", "bigint", "bigint"),
        ("bigint", "double", "double"),
        ("double", "bigint", "double"),
        ("date", "bigint", "varchar"),
        ("date", "timestamp", "varchar"),
        ("boolean", "varchar", "varchar"),
    ],
)
def test_inferred_types_of_two_sources_meet_in_one_that_holds_both(one: str, other: str, common: str) -> None:
    surveyed = survey(analysis("a.csv", column("c", one)), analysis("b.csv", column("c", other)))
    assert types(surveyed.columns) == [common]
    assert all(analysis.columns == surveyed.columns for analysis in surveyed.analyses)
    assert surveyed.findings == ()


def test_dates_of_two_formats_are_text_and_of_one_format_dates() -> None:
    german, iso = column("c", "date", format="%d.%m.%Y"), column("c", "date")
    assert types(survey(analysis("a.csv", german), analysis("b.csv", iso)).columns) == ["varchar"]
    assert survey(analysis("a.csv", german), analysis("b.csv", german)).columns == (german,)


def test_a_declared_type_stands_whatever_other_sources_look_like() -> None:
    declared = column("c", "decimal(9,2)", declared=True)
    assert survey(analysis("a.csv", declared), analysis("b.csv", column("c", "varchar"))).columns == (declared,)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ("ac", "missing: b; extra: c"),
        ("a", "missing: b"),
        ("abc", "extra: c"),
        ("ba", "another order"),
    ],
)
def test_sources_of_different_columns_are_an_error_that_tells_the_difference(names: str, what: str) -> None:
    first = analysis("a.csv", column("a", "date"), column("b", "date"))
    (finding,) = survey(first, analysis("b.csv", *(column(name, "date") for name in names))).findings
    assert (finding.rule, finding.severity) == ("columns_differ", Severity.ERROR)
    assert finding.message == f"b.csv has other columns than a.csv ({what})"
    assert [(sample.file, sample.line, sample.reason) for sample in finding.samples] == [("/data/b.csv", 1, what)]


def test_all_sources_of_other_columns_than_most_are_told_the_first_of_them_in_words() -> None:
    usual = [analysis(f"u{number}", column("a", "date")) for number in range(12)]
    others = [analysis(f"o{number}", column("a", "date"), column("b", "date")) for number in range(10)]
    (finding,) = survey(*others, *usual).findings
    listed = ", ".join(f"o{number} (extra: b)" for number in range(8))
    assert finding.message == f"10 files have other columns than u0: {listed} and 2 more"
    assert finding.count == 10
    assert [sample.file for sample in finding.samples] == [f"/data/o{number}" for number in range(10)]


def test_sources_of_one_name_in_different_folders_are_told_by_their_paths() -> None:
    first, second = analysis("1/a.csv", column("a", "date")), analysis("2/a.csv", column("b", "date"))
    (finding,) = survey(first, second).findings
    assert finding.message.startswith("/data/2/a.csv has other columns than /data/1/a.csv (missing")


def test_an_empty_source_among_others_is_not_told_to_differ_as_well() -> None:
    empty = Finding(rule="empty_source", severity=Severity.ERROR, count=1, message="b.csv is empty")
    first = analysis("a.csv", column("a", "date"))
    assert survey(analysis("b.csv", findings=[empty]), first).findings == (empty,)


def test_that_an_empty_source_tells_no_columns_is_an_error_only_where_no_other_tells_them() -> None:
    empty = Finding(rule="empty", severity=Severity.ERROR, count=1, message="b.csv is empty", cause=NO_ROWS)
    unknown = analysis("b.csv", rows=0, findings=[empty])
    assert survey(unknown).findings == (empty,)
    surveyed = survey(unknown, analysis("a.csv", column("a", "date")))
    assert surveyed.findings == (replace(empty, severity=Severity.WARNING),)
    assert types(surveyed.columns) == ["date"]


def test_a_header_alone_says_nothing_of_types() -> None:
    bare, told = analysis("a.csv", column("a", "varchar"), rows=0), analysis("b.csv", column("a", "date"))
    assert types(survey(bare, told).columns) == types(survey(told, bare).columns) == ["date"]
    assert types(survey(bare, bare).columns) == ["varchar"]


def test_inferred_columns_adopt_the_types_of_the_table_that_is_there() -> None:
    columns = (column("Id", "bigint"), column("price", "double"), column("day", "varchar", declared=True))
    table = (column("ID", "decimal(18,0)"), column("day", "date"))
    adopted = adopt(columns, table)
    assert adopted == (column("Id", "decimal(18,0)", declared=True), columns[1], columns[2])
    assert adopt(columns, ()) == columns


def test_parts_are_numbered_through_all_sources_in_order() -> None:
    surveyed = survey(
        analysis("a.csv", column("n", "bigint"), size=100 * MIB),
        analysis("b.csv", column("n", "bigint"), size=0),
        analysis("c.csv", column("n", "bigint"), size=40 * MIB),
    )
    planned = plan_parts(surveyed, replace(JOB, part_bytes=30 * MIB), workers=1)
    assert [part.number for part in planned.parts] == list(range(len(planned.parts)))
    assert [(part.source, part.start // MIB, part.end // MIB) for part in planned.parts] == [
        (0, 0, 30),
        (0, 30, 60),
        (0, 60, 90),
        (0, 90, 100),
        (1, 0, 0),
        (2, 0, 30),
        (2, 30, 40),
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4 << 30), st.integers(1, 64), st.integers(MIB, 1 << 30))
def test_parts_keep_every_worker_busy_but_are_neither_tiny_nor_larger_than_asked(
    size: int, workers: int, part_bytes: int
) -> None:
    surveyed = survey(analysis("a.csv", column("n", "bigint"), size=size))
    parts = plan_parts(surveyed, replace(JOB, part_bytes=part_bytes), workers).parts
    largest = max(part.size for part in parts)
    assert largest <= part_bytes
    # Parts of four steps may be three bytes smaller than what was asked for.
    assert len(parts) == 1 or largest > min(part_bytes, 16 * MIB) - 4
    assert len(parts) >= 4 * workers or any(0 <= most - largest < 4 for most in (size, part_bytes, 16 * MIB))
    assert sum(part.size for part in parts) == size


def test_the_first_parts_of_many_grow_so_that_their_uploads_do_not_end_together() -> None:
    surveyed = survey(
        analysis("a.csv", column("n", "bigint"), size=180 * MIB),
        analysis("b.csv", column("n", "bigint"), size=180 * MIB),
    )
    parts = plan_parts(surveyed, replace(JOB, part_bytes=20 * MIB), workers=1).parts
    assert [part.size // MIB for part in parts] == [5, 10, 15, *[20] * 7, 10, *[20] * 9]
    assert all(after.start in (before.end, 0) for before, after in pairwise(parts))


def test_the_first_parts_of_few_are_as_large_as_the_others() -> None:
    surveyed = survey(analysis("a.csv", column("n", "bigint"), size=160 * MIB))
    parts = plan_parts(surveyed, replace(JOB, part_bytes=20 * MIB), workers=1).parts
    assert {part.size // MIB for part in parts} == {20}


def test_the_first_source_with_many_parts_need_not_be_the_first() -> None:
    surveyed = survey(
        analysis("a.csv", column("n", "bigint"), size=30 * MIB),
        analysis("b.csv", column("n", "bigint"), size=180 * MIB),
    )
    parts = plan_parts(surveyed, replace(JOB, part_bytes=20 * MIB), workers=1).parts
    assert [part.size // MIB for part in parts] == [20, 10, 5, 10, 15, *[20] * 7, 10]


@pytest.mark.parametrize("coarse", [6, 8, 9, 11, 13, 17, 18, 20])
def test_a_format_that_cuts_where_it_likes_gets_no_larger_parts_for_it(coarse: int) -> None:
    @dataclass(frozen=True)
    class Coarse(Even):
        def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
            return super().split(source, coarse * MIB)

    [found] = survey(analysis("a.csv", column("n", "bigint"), size=180 * MIB)).analyses
    surveyed = survey(replace(found, format=Coarse()))
    parts = plan_parts(surveyed, replace(JOB, part_bytes=20 * MIB), workers=1).parts
    # An eighth of a step, for the record that a cut may lie behind.
    assert max(part.size for part in parts) <= 20 * MIB + 20 * MIB // 32
    assert sum(part.size for part in parts) == 180 * MIB


def test_a_part_is_splittable_unless_it_is_its_whole_source() -> None:
    surveyed = survey(
        analysis("a.csv", column("n", "bigint"), size=40 * MIB),
        analysis("b.csv.gz", column("n", "bigint"), size=10 * MIB),
    )
    planned = plan_parts(surveyed, replace(JOB, part_bytes=20 * MIB), workers=1)
    assert [planned.splittable(part) for part in planned.parts] == [True, True, True, False]


class Attempts:
    """Reads parts: fails with each given signal in turn, then succeeds; keeps the surveys that it was given."""

    def __init__(self, *signals: Exception) -> None:
        self._signals = list(signals)
        self.surveys: list[Survey] = []
        self.changes: list[str] = []

    def __call__(self, surveyed: Survey) -> str:
        self.surveys.append(surveyed)
        if self._signals:
            raise self._signals.pop(0)
        return "read"

    def changed(self, surveyed: Survey, why: str) -> None:
        assert surveyed is not self.surveys[-1]
        self.changes.append(why)

    def settle(self, surveyed: Survey) -> tuple[Survey, str]:
        return settle(surveyed, JOB, 1, self, self.changed)


@pytest.fixture
def planned() -> Survey:
    """Two sources of two parts each."""
    sources = [analysis(name, column("n", "bigint"), column("s", "date"), size=32 * MIB) for name in ("a", "b")]
    return plan_parts(survey(*sources), JOB, workers=1)


def test_a_survey_that_holds_is_read_once(planned: Survey) -> None:
    attempts = Attempts()
    assert attempts.settle(planned) == (planned, "read")
    assert (attempts.surveys, attempts.changes) == ([planned], [])


def test_after_a_misplaced_cut_only_that_source_is_cut_by_reading_it(planned: Survey) -> None:
    attempts = Attempts(MisplacedCut(1))
    settled, _ = attempts.settle(planned)
    assert settled.exact == {1}
    assert [part for part in settled.parts if part.source == 0] == [part for part in planned.parts if part.source == 0]
    cuts = [[part.start for part in parts.parts if part.source == 1] for parts in (planned, settled)]
    assert cuts == [[0, 16 * MIB + 1], [0, 16 * MIB + 2]]
    assert attempts.changes == ["b: cut anew, by reading all of it"]


def test_a_cut_that_is_misplaced_though_all_was_read_fails_the_run(planned: Survey) -> None:
    attempts = Attempts(MisplacedCut(0), MisplacedCut(1), MisplacedCut(0))
    with pytest.raises(RunFailed, match="/data/a cannot be cut at record boundaries"):
        attempts.settle(planned)
    assert len(attempts.surveys) == 3


def test_widened_types_begin_the_reading_anew_with_the_reason_among_the_findings(planned: Survey) -> None:
    wider = (column("n", "double"), column("s", "date"))
    why = Finding(rule="widened", severity=Severity.INFO, count=1, message="n is no bigint")
    widened = pickle.loads(pickle.dumps(TypesWidened(wider, [why])))
    attempts = Attempts(widened)
    settled, _ = attempts.settle(planned)
    assert settled.columns == wider
    assert all(analysis.columns == wider for analysis in settled.analyses)
    assert settled.findings == (why,)
    assert settled.parts == planned.parts
    assert attempts.changes == ["n is no bigint"]


def test_types_that_are_widened_to_what_they_were_do_not_loop_for_ever(planned: Survey) -> None:
    with pytest.raises(RunFailed, match="widened to what they were"):
        Attempts(TypesWidened(planned.columns, [])).settle(planned)


def test_any_other_error_comes_through(planned: Survey) -> None:
    with pytest.raises(ZeroDivisionError):
        Attempts(ZeroDivisionError()).settle(planned)


def test_cuts_of_a_source_that_was_touched_may_be_made_anew_once_more(planned: Survey) -> None:
    recut = planned.cut_exactly(0).cut_exactly(1)
    sources = [analysis.source for analysis in planned.analyses]
    assert recut.with_sources(sources, {0}).exact == {1}
