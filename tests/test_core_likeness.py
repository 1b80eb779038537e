"""Thousands of files are told in a few lines: what is alike once, what differs by itself."""

from __future__ import annotations

from dataclasses import replace

from etl_framework import Analysis, Column, ColumnType, Fact, Finding, Sample, Severity, Source
from etl_framework.checks import MOST_SAMPLES
from etl_framework.likeness import alike, differences, in_many_files

ID, DAY = (Column(name=name, type=ColumnType.parse(kind)) for name, kind in (("id", "bigint"), ("day", "date")))


def analysis(name: str, delimiter: str = "comma", columns: tuple[Column, ...] = (ID, DAY), **facts: str) -> Analysis:
    source = Source(path=f"/data/{name}", size=10, modified_ns=0, changed_ns=0, inode=1, digest=name)
    told = (Fact(label=label, value=value) for label, value in {"delimiter": delimiter, **facts}.items())
    return Analysis(source=source, format=None, columns=columns, rows=2, facts=tuple(told))  # type: ignore[arg-type]


def finding(rule: str, file: str, severity: Severity = Severity.WARNING, count: int = 1) -> Finding:
    samples = tuple(Sample(file=file, line=line) for line in range(count))
    return Finding(rule=rule, severity=severity, count=count, message=f"{rule} in {file}", samples=samples)


def test_files_of_one_format_and_the_same_columns_are_alike_whatever_their_size() -> None:
    odd = analysis("odd", "tab")
    usual = [analysis(f"{number}") for number in range(3)]
    large = replace(usual[0], rows=7, source=replace(usual[0].source, size=99))
    assert alike([odd, *usual, large]) == ((*usual, large), (odd,))


def test_what_differs_is_told_with_what_is_usual() -> None:
    usual = analysis("usual", encoding="UTF-8")
    other = analysis("other", "tab", (replace(DAY, required=True), Column(name="x", type=ID.type)))
    assert [(fact.label, fact.value) for fact in differences(usual, other)] == [
        ("delimiter", "tab, not comma"),
        ("encoding", "none, not UTF-8"),
        ("column id", "missing, not bigint"),
        ("column day", "date not null, not date"),
        ("column x", "bigint"),
    ]
    assert differences(usual, usual) == ()


def test_columns_in_another_order_differ() -> None:
    other = analysis("other", columns=(DAY, ID))
    assert differences(analysis("usual"), other) == (Fact(label="columns", value="in another order"),)


def test_a_finding_of_many_files_is_told_once_with_the_first_samples() -> None:
    found = in_many_files([[finding("ragged", f"{file}.csv", count=2)] for file in range(30)])
    (told,) = found
    assert (told.count, told.message) == (60, "ragged in 0.csv (and the like in 29 more files)")
    assert [sample.file for sample in told.samples] == [f"{file // 2}.csv" for file in range(MOST_SAMPLES)]


def test_findings_of_one_file_or_of_another_severity_stay_apart() -> None:
    twice = [finding("stray", "a"), finding("stray", "a")]
    graver = [finding("stray", "b", Severity.ERROR)]
    assert in_many_files([twice, graver]) == (*twice, *graver)
