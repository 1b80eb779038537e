"""The survey: what is known of all sources of a run before their data is read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from etl_framework.causes import NO_ROWS
from etl_framework.columns import FLOATS, Column, ColumnType, Kind
from etl_framework.errors import RunFailed, UsageError
from etl_framework.likeness import in_many_files
from etl_framework.protocols import MisplacedCut, TypesWidened
from etl_framework.terminal import did_you_mean, listed
from etl_framework.uploads import UPLOADS_AT_A_TIME
from etl_framework.values import Finding, Part, Sample, Severity

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.values import Analysis, Job, Source

T = TypeVar("T")

_MANY = 2 * UPLOADS_AT_A_TIME
_SMALLEST_PART = 16 << 20
_PARTS_PER_WORKER = 4
_FILES_TOLD = 8
_NAMES_TOLD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of all sources of a run. Picklable.

    :param analyses: one per source, with the columns of the run.
    :param columns: of the run.
    :param findings: about the sources as such.
    :param parts: of all sources, in the order of the data.
    :param exact: indexes of the sources that were cut by reading everything before each cut.
    """

    analyses: tuple[Analysis, ...]
    columns: tuple[Column, ...]
    findings: tuple[Finding, ...]
    parts: tuple[Part, ...] = ()
    exact: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of all sources."""
        return sum(analysis.source.size for analysis in self.analyses)

    @property
    def rows(self) -> int:
        """Records of all sources, mostly estimated."""
        return sum(analysis.rows for analysis in self.analyses)

    def splittable(self, part: Part) -> bool:
        """Whether the part's source could be cut at will, so that the part has its nominal size."""
        return part.size != self.analyses[part.source].source.size or part.source in self.exact

    def with_columns(self, columns: Sequence[Column], findings: Iterable[Finding] = ()) -> Survey:
        """The same sources with other columns."""
        return dataclasses.replace(
            self,
            columns=tuple(columns),
            analyses=tuple(dataclasses.replace(analysis, columns=tuple(columns)) for analysis in self.analyses),
            findings=(*self.findings, *findings),
        )

    def only(self, names: Collection[str]) -> Survey:
        """The same sources, of which only some columns are read.

        :raises UsageError: there is no such column.
        """
        there = [column.name for column in self.columns]
        for name in names:
            # An empty source has no columns at all.
            if there and name not in there:
                meant = did_you_mean(get_close_matches(name, there, n=1))
                raise UsageError(
                    f"the source has no column {name!r}", advice=f"{meant}Its columns are {', '.join(there)}."
                )
        chosen = set(names)
        return self.with_columns([column for column in self.columns if column.name in chosen])

    def with_sources(self, sources: Iterable[Source], touched: AbstractSet[int]) -> Survey:
        """The same, of files some of which were touched meanwhile, so that cuts of theirs may be wrong once more."""
        analyses = zip(self.analyses, sources, strict=True)
        return dataclasses.replace(
            self,
            analyses=tuple(dataclasses.replace(analysis, source=source) for analysis, source in analyses),
            exact=self.exact - touched,
        )

    def cut_exactly(self, source: int) -> Survey:
        """The same, with the cuts of one source made by reading everything before each."""
        return dataclasses.replace(self, exact=self.exact | {source}, parts=())


def survey_sources(job: Job, sources: Iterable[Source], plugins: Plugins) -> Survey:
    """Analyze every source and settle on one set of columns.

    :raises InputError: a source cannot be read.
    :raises NoPluginError: nobody knows the format of a source.
    """
    analyses = [plugins.analyze(source, job) for source in sources]
    usual = _usual(analyses)
    findings = in_many_files(_findings(analysis, usual) for analysis in analyses)
    alike = [analysis for analysis in analyses if _names(analysis) == _names(usual)]
    # Names without rows say nothing of types.
    telling = [analysis for analysis in alike if analysis.rows] or alike
    columns = list(telling[0].columns)
    for other in telling[1:]:
        columns = [_common(mine, theirs) for mine, theirs in zip(columns, other.columns, strict=True)]
    differing = [analysis for analysis in analyses if analysis.columns and _names(analysis) != _names(usual)]
    if differing:
        findings = (*findings, _differing_columns(usual, differing, analyses))
    return Survey(analyses=tuple(analyses), columns=(), findings=findings).with_columns(columns)


def adopt(columns: Iterable[Column], table: Iterable[Column]) -> tuple[Column, ...]:
    """The columns, with inferred types replaced by those of the table that the rows go to.

    What does not fit the table is then a bad row rather than a reason to widen a type that cannot be widened. Only
    integers for a column of floats go on being looked at as inferred: one that a float would round widens the type,
    which then does not fit the table.
    """
    there = {column.name.casefold(): column.type for column in table}

    def adopted(column: Column) -> Column:
        kind = there.get(column.name.casefold())
        if kind is None or column.declared:
            return column
        rounds = kind.kind in FLOATS and column.type.kind not in FLOATS
        return dataclasses.replace(column, type=kind, declared=not rounds)

    return tuple(map(adopted, columns))


def plan_parts(survey: Survey, job: Job, workers: int) -> Survey:
    """Cut every source into parts, small enough to keep the workers busy to the end; see :func:`_growing`."""
    part_bytes = min(job.part_bytes, max(_SMALLEST_PART, survey.size // (workers * _PARTS_PER_WORKER) + 1))
    parts: list[Part] = []
    grown = False
    for index, analysis in enumerate(survey.analyses):
        source = analysis.source
        cut = analysis.format.split_exactly if index in survey.exact else analysis.format.split
        if grown or source.size <= _MANY * part_bytes:
            ranges = cut(source, part_bytes)
        else:
            step = max(1, part_bytes // UPLOADS_AT_A_TIME)
            # Once is enough: uploads that end in turn go on to do so.
            ranges, grown = _growing(cut(source, step), step), True
        # The numbers are settled before the first part is added: the list grows while it is extended.
        numbered = enumerate(ranges, start=len(parts))
        parts.extend(Part(source=index, number=number, start=start, end=end) for number, (start, end) in numbered)
    return dataclasses.replace(survey, parts=tuple(parts))


def _growing(ranges: Iterable[tuple[int, int]], step: int) -> list[tuple[int, int]]:
    """Join ranges to parts: one alone, then two, three, and as many as there are uploads at a time for all others.

    Uploads that begin together and are as long as each other end together, and so do all that follow them: between one
    end and the next beginning, nothing uses the link. Those of growing parts end in turn.

    :param step: nominal size of a range, bytes.
    """
    most = UPLOADS_AT_A_TIME
    sizes = chain((step * count for count in range(1, most)), repeat(step * most))
    joined: list[tuple[int, int]] = []
    size = 0
    for start, end in ranges:
        # A range may be larger than its nominal size, if by no more than a record where the format cuts well.
        if joined and end - joined[-1][0] <= size + step // 8:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
            size = next(sizes)
    return joined


def settle(
    survey: Survey,
    job: Job,
    workers: int,
    attempt: Callable[[Survey], T],
    changed: Callable[[Survey, str], None],
) -> tuple[Survey, T]:
    """Read all parts; begin anew, with what was learned, where the data shows that the survey was wrong.

    :param attempt: reads all parts of a survey.
    :param changed: called with the better survey, and why, before the next attempt.
    :returns: the survey that held, and what its attempt gave.
    """
    while True:
        try:
            return survey, attempt(survey)
        except MisplacedCut as error:
            source = error.args[0]
            if source in survey.exact:
                raise RunFailed(
                    f"{survey.analyses[source].source.path} cannot be cut at record boundaries",
                    advice="Please report this as a defect of the format's plugin.",
                ) from error
            survey = plan_parts(survey.cut_exactly(source), job, workers)
            changed(survey, f"{survey.analyses[source].source.name}: cut anew, by reading all of it")
        except TypesWidened as error:
            if error.columns == survey.columns:
                raise RunFailed("types were widened to what they were", advice="Please report this defect.") from error
            survey = survey.with_columns(error.columns, error.findings)
            changed(survey, "; ".join(finding.message for finding in error.findings))


def _common(mine: Column, theirs: Column) -> Column:
    if mine.declared or (mine.type == theirs.type and mine.format == theirs.format):
        return mine
    kinds = {mine.type.kind, theirs.type.kind}
    kind = Kind.DOUBLE if kinds == {Kind.BIGINT, Kind.DOUBLE} else Kind.VARCHAR
    return dataclasses.replace(mine, type=ColumnType(kind=kind), format=None)


def _names(analysis: Analysis) -> tuple[str, ...]:
    return tuple(column.name for column in analysis.columns)


def _findings(analysis: Analysis, usual: Analysis) -> Iterator[Finding]:
    """What is found in a source; that an empty one does not tell its columns is no error where others tell them."""
    for finding in analysis.findings:
        unknown = finding.cause == NO_ROWS and not analysis.columns and usual.columns
        yield dataclasses.replace(finding, severity=Severity.WARNING) if unknown else finding


def _usual(analyses: Sequence[Analysis]) -> Analysis:
    """The first of those whose columns most sources have; an empty source has none."""
    headers = Counter(_names(analysis) for analysis in analyses if analysis.columns)
    if not headers:
        return analyses[0]
    names = headers.most_common(1)[0][0]
    return next(analysis for analysis in analyses if _names(analysis) == names)


def _differing_columns(usual: Analysis, differing: Sequence[Analysis], analyses: Sequence[Analysis]) -> Finding:
    """All files that differ, the first of them in words."""
    namesakes = Counter(analysis.source.name for analysis in analyses)

    def said(analysis: Analysis) -> str:
        return analysis.source.name if namesakes[analysis.source.name] == 1 else analysis.source.path

    reasons = [_difference(_names(usual), _names(other)) for other in differing]
    differences = [f"{said(other)} ({reason})" for other, reason in zip(differing, reasons, strict=True)]
    if len(differing) == 1:
        message = f"{said(differing[0])} has other columns than {said(usual)} ({reasons[0]})"
    else:
        shown = listed(differences, _FILES_TOLD)
        message = f"{len(differing):,} files have other columns than {said(usual)}: {shown}"
    return Finding(
        rule="columns_differ",
        severity=Severity.ERROR,
        count=len(differing),
        message=message,
        advice="Load files of different structure as different jobs.",
        samples=tuple(
            Sample(file=other.source.path, line=1, reason=reason)
            for other, reason in zip(differing, reasons, strict=True)
        ),
    )


def _difference(usual: Sequence[str], other: Sequence[str]) -> str:
    missing = [name for name in usual if name not in other]
    extra = [name for name in other if name not in usual]
    told = (("missing", missing), ("extra", extra))
    return "; ".join(f"{what}: {listed(names, _NAMES_TOLD)}" for what, names in told if names) or "another order"
