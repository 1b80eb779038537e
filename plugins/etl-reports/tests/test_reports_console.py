"""The console report: what it says, and that no data can make it say something else."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from etl_reports.console import print_report
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from etl_framework import (
    ColumnTotals,
    Difference,
    Finding,
    Mode,
    RunReport,
    Sample,
    Severity,
    Source,
    Status,
    StepTime,
    Totals,
)

TOTALS = Totals(
    rows=1000,
    columns=(
        ColumnTotals(name="day", nulls=0, minimum=date(2024, 1, 1), maximum=date(2024, 1, 31), total=None),
        ColumnTotals(name="id", nulls=0, minimum=1, maximum=1000, total=500_500),
        ColumnTotals(
            name="price", nulls=12, minimum=Decimal("0.10"), maximum=Decimal("9.90"), total=Decimal("4321.50")
        ),
        ColumnTotals(name="note", nulls=1000, minimum=None, maximum=None, total=0),
    ),
)
DONE = RunReport(
    run="20240201T120000-7f3a",
    job="lending",
    table="FACT_LENDING",
    target="duckdb:warehouse.duckdb",
    mode=Mode.REPLACE_PERIOD,
    period="2024-01",
    status=Status.DONE,
    started=datetime(2024, 2, 1, 12, tzinfo=UTC),
    finished=datetime(2024, 2, 1, 12, 0, 2, tzinfo=UTC),
    sources=(Source(path="/data/a.tsv", size=31_200_000, modified_ns=0, changed_ns=0, inode=1, digest="d"),),
    columns=(),
    parts=3,
    rows_read=1000,
    rows_staged=1000,
    rows_quarantined=0,
    rows_bad=0,
    rows_loaded=1000,
    rows_deleted=0,
    bytes_read=31_200_000,
    bytes_staged=10_000_000,
    totals=TOTALS,
    differences=(),
    findings=(),
    steps=(StepTime(step="validate", seconds=1.5), StepTime(step="load", seconds=0.5)),
    rejects=(),
    query_id="01b2",
    folder=Path("/data/.etl/runs/1"),
    console=True,
)
NOTHING_LOADED = replace(DONE, rows_loaded=0, query_id="")
TOO_FEW, TOO_BAD, ALL_BAD = (
    Finding(rule=rule, severity=Severity.ERROR, count=1, message=rule)
    for rule in ("daily_rows", "too_many_bad_rows", "no_good_rows")
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def printed(report: RunReport, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    print_report(report, stream)
    stream.flush()
    return raw.getvalue().decode(encoding)


def on_terminal(report: RunReport) -> str:
    stream = Terminal()
    print_report(report, stream)
    return stream.getvalue()


def line_with(text: str, output: str) -> str:
    return next(line for line in output.splitlines() if text in line)


def test_a_done_run_is_told_in_its_first_lines() -> None:
    first, second, *_ = printed(DONE).splitlines()
    assert first == "DONE  1,000 rows loaded into FACT_LENDING in 2.00 s"
    assert second == "1,000 rows read · 31.2 MB · 15.6 MB/s · reconciled"


def test_what_was_loaded_where_is_told() -> None:
    output = printed(replace(DONE, attempts=2, rows_deleted=7))
    assert "7 replaced or removed" in output
    assert re.search(r"job +lending: replace-period, 2024-01", output)
    assert re.search(r"table +FACT_LENDING in duckdb:warehouse.duckdb", output)
    assert re.search(r"run +20240201T120000-7f3a \(attempt 2\)", output)
    assert re.search(r"ended +2024-02-01 12:00:02 UTC", output)
    assert re.search(r"sources +a.tsv \(31.2 MB\)", output)
    assert re.search(r"loaded by +01b2", output)


def test_many_sources_are_summed_up() -> None:
    sources = tuple(replace(DONE.sources[0], path=f"/data/{n}.tsv", size=1_000_000) for n in range(1200))
    output = printed(replace(DONE, sources=sources))
    assert "4.tsv (1.00 MB)" in output
    assert "5.tsv" not in output
    assert "and 1,195 more (1.20 GB)" in output


@pytest.mark.parametrize(
    ("report", "headline"),
    [
        (
            replace(NOTHING_LOADED, status=Status.REFUSED, rows_bad=1),
            "REFUSED  nothing was loaded into FACT_LENDING: 1 bad row of 1,000",
        ),
        (
            replace(NOTHING_LOADED, status=Status.REFUSED, rows_bad=1, rejects=("r.csv",), findings=(TOO_FEW,)),
            "REFUSED  nothing was loaded into FACT_LENDING: 1 error found",
        ),
        *(
            (
                replace(
                    NOTHING_LOADED, status=Status.REFUSED, rows_bad=1, rejects=("r.csv",), findings=(TOO_FEW, found)
                ),
                "REFUSED  nothing was loaded into FACT_LENDING: 1 bad row of 1,000",
            )
            for found in (TOO_BAD, ALL_BAD)
        ),
        (replace(NOTHING_LOADED, status=Status.FAILED), "FAILED  nothing was loaded into FACT_LENDING"),
        (replace(NOTHING_LOADED, status=Status.INTERRUPTED), "INTERRUPTED  nothing was loaded into FACT_LENDING"),
        (replace(DONE, status=Status.FAILED), "FAILED  FACT_LENDING"),
        (replace(NOTHING_LOADED, status=Status.RUNNING), "RUNNING  FACT_LENDING"),
        (replace(NOTHING_LOADED, status=Status.SUPERSEDED), "SUPERSEDED  FACT_LENDING"),
    ],
)
def test_every_other_end_says_what_became_of_the_table(report: RunReport, headline: str) -> None:
    output = printed(report)
    assert output.splitlines()[0] == headline
    assert "reconciled" not in output


def test_an_error_is_shown_with_its_advice() -> None:
    output = printed(replace(NOTHING_LOADED, status=Status.FAILED, error="the disk is full", advice="Make room."))
    assert "the disk is full\n→ Make room.\n" in output


def test_each_column_is_marked_reconciled() -> None:
    output = printed(DONE)
    assert "Control totals  the table holds what the sources hold" in output
    assert line_with("price", output).split() == ["✓", "price", "12", "0.10", "9.90", "4,321.50"]
    assert line_with("  day ", output).split() == ["✓", "day", "0", "2024-01-01", "2024-01-31"]
    assert line_with("  id ", output).split() == ["✓", "id", "0", "1", "1000", "500,500"]
    assert line_with("  note ", output).split() == ["✓", "note", "1,000", "0"]


def test_columns_that_differ_come_first_and_their_differences_are_spelt_out() -> None:
    difference = Difference(column="price", figure="total", expected="4321.50", found="4321.49")
    rows = Difference(column="", figure="rows", expected="1000", found="999")
    output = printed(replace(NOTHING_LOADED, status=Status.FAILED, differences=(difference, rows)))
    table = output[output.index("Control totals") :].splitlines()
    assert table[0] == "Control totals  the table differs from the sources"
    assert table[3].split()[:2] == ["✗", "price"]
    assert table[4].split()[:2] == ["✓", "day"]
    assert "✗ total of column 'price': 4321.50 in the sources, 4321.49 in the table" in output
    assert "✗ rows: 1000 in the sources, 999 in the table" in output


def test_a_done_run_with_differences_is_never_called_reconciled() -> None:
    difference = Difference(column="id", figure="nulls", expected="0", found="1")
    output = printed(replace(DONE, differences=(difference,)))
    assert "NOT RECONCILED" in output
    assert "holds what the sources hold" not in output


def test_totals_that_were_not_compared_carry_no_mark() -> None:
    output = printed(replace(NOTHING_LOADED, status=Status.REFUSED))
    assert "of the sources; nothing was compared" in output
    assert "✓" not in output


def test_a_differing_column_is_shown_however_many_columns_there_are() -> None:
    columns = tuple(replace(TOTALS.columns[1], name=f"c{n}") for n in range(2000))
    difference = Difference(column="c1999", figure="maximum", expected="1", found="2")
    output = printed(replace(DONE, totals=Totals(rows=1, columns=columns), differences=(difference,)))
    assert "✗  c1999" in output
    assert "and 1,960 more columns" in output


@pytest.mark.parametrize("width", [80, 120])
def test_counts_and_sums_are_never_shortened(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    long = ColumnTotals(name="n" * 60, nulls=10**6, minimum="a" * 99, maximum="b" * 99, total=10**20)
    output = on_terminal(replace(DONE, totals=Totals(rows=10**7, columns=(long,))))
    assert "100,000,000,000,000,000,000" in output
    assert "1,000,000 " in output
    assert "nnnn…" in output


def test_a_finding_names_the_rules_that_it_speaks_for() -> None:
    finding = Finding(rule="r", severity=Severity.ERROR, count=1, message="m", also=("dates", "freshness"))
    assert "the same was found by dates, freshness\n" in printed(replace(DONE, findings=(finding,)))


@pytest.mark.parametrize("width", ["20", "80"])
def test_what_no_terminal_shows_is_never_folded_nor_shortened(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    path = f"/data/{'folder/' * 40}rejects.csv"
    wide = ColumnTotals(name="n" * 60, nulls=10**6, minimum="a" * 99, maximum="b" * 99, total=10**20)
    finding = Finding(rule="r", severity=Severity.ERROR, count=1, message="m" * 300, advice="word " * 60 + "end")
    output = printed(
        replace(
            DONE,
            target=f"duckdb:{path}",
            totals=Totals(rows=1, columns=(wide,)),
            findings=(finding,),
            rejects=(path,),
            error="broken " * 40 + "end",
        )
    )
    for whole in (f"duckdb:{path}\n", f"·  {path}\n", wide.name, "a" * 99, "b" * 99, "m" * 300):
        assert whole in output
    assert "word " * 60 + "end" in output
    assert "broken " * 40 + "end" in output


def test_what_was_found_no_number_of_times_has_none() -> None:
    finding = Finding(rule="drift", severity=Severity.INFO, count=0, message="nothing to compare with")
    assert "INFO  drift\n" in printed(replace(DONE, findings=(finding,)))


def test_findings_are_told_whole_with_the_most_severe_first() -> None:
    sample = Sample(file="/data/a.tsv", line=17, column="price", value="abc", reason="not a decimal(18,4)")
    findings = (
        Finding(rule="daily_rows", severity=Severity.WARNING, count=1, message="few rows on 2024-01-17"),
        Finding(
            rule="wrong_type",
            severity=Severity.ERROR,
            count=1234,
            message="1,234 values are not of their type",
            advice="Declare another type.",
            samples=(sample, replace(sample, line=18, column=None, value=None, reason="too few fields")),
        ),
    )
    output = printed(replace(NOTHING_LOADED, status=Status.REFUSED, rows_bad=1234, findings=findings))
    lines = [line.strip() for line in output[output.index("Findings") : output.index("Steps")].strip().splitlines()]
    assert lines == [
        "Findings",
        "ERROR  wrong_type  1,234 x",
        "1,234 values are not of their type",
        '·  a.tsv:17 price = "abc": not a decimal(18,4)',
        "·  a.tsv:18: too few fields",
        "and 1,232 more",
        "→  Declare another type.",
        "WARNING  daily_rows  1 x",
        "few rows on 2024-01-17",
    ]


def test_files_of_one_name_are_told_apart_by_their_paths() -> None:
    sources = tuple(replace(DONE.sources[0], path=path) for path in ("/x/a.tsv", "/y/a.tsv"))
    finding = Finding(
        rule="r", severity=Severity.ERROR, count=1, message="m", samples=(Sample(file="/y/a.tsv", line=3),)
    )
    assert "/y/a.tsv:3" in printed(replace(DONE, sources=sources, findings=(finding,)))


def test_findings_and_samples_beyond_a_screenful_are_counted() -> None:
    samples = tuple(Sample(line=n, reason="bad") for n in range(1, 9))
    findings = tuple(
        Finding(rule=f"rule{n}", severity=Severity.INFO, count=8, message="m", samples=samples) for n in range(25)
    )
    output = printed(replace(DONE, findings=findings))
    assert "line 5: bad" in output
    assert "line 6: bad" not in output
    assert "and 3 more\n" in output
    assert "rule19" in output
    assert "rule20" not in output
    assert "and 5 more findings" in output


def test_long_values_are_shortened() -> None:
    finding = Finding(rule="r", severity=Severity.ERROR, count=1, message="m", samples=(Sample(value="x" * 5000),))
    assert printed(replace(DONE, findings=(finding,))).count("x") < 100


def test_steps_are_shown_with_their_share() -> None:
    output = printed(DONE)
    assert line_with("validate", output).split() == ["validate", "1.50", "s", "█" * 30]
    assert line_with("load  ", output).split() == ["load", "0.50", "s", "█" * 10]


def test_reject_files_and_problems_are_listed() -> None:
    output = printed(replace(DONE, rows_quarantined=5, rejects=("/r/a.tsv",), problems=("mail could not be sent",)))
    assert "Reject files\n  ·  /r/a.tsv\n" in output
    assert "!  mail could not be sent" in output
    assert "5 bad rows" in output


@pytest.mark.parametrize(
    ("changes", "commands"),
    [
        ({}, ["etl runs show 20240201T120000-7f3a"]),
        (
            {"status": Status.FAILED, "resumable": True},
            ["etl resume 20240201T120000-7f3a", "etl runs show 20240201T120000-7f3a"],
        ),
        ({"status": Status.FAILED}, ["etl runs show 20240201T120000-7f3a"]),
        ({"status": Status.INTERRUPTED, "resumable": True, "replayed": True}, ["etl resume 20240201T120000-7f3a"]),
        (
            {"status": Status.REFUSED, "rows_bad": 1},
            ["add --on-bad-rows quarantine", "etl runs show 20240201T120000-7f3a"],
        ),
        ({"status": Status.FAILED, "parts": 0}, ["etl runs show 20240201T120000-7f3a"]),
        (
            {"status": Status.REFUSED, "rows_bad": 1, "rejects": ("/r/a.tsv",)},
            ["etl runs show 20240201T120000-7f3a"],
        ),
        ({"replayed": True}, []),
    ],
)
def test_the_next_step_is_a_command_to_copy(changes: dict[str, Any], commands: list[str]) -> None:
    output = printed(replace(DONE, **changes))
    assert re.findall(r"(?:etl|add) .*?(?=  |$)", output, re.MULTILINE) == commands
    assert "..." not in output


def test_a_run_that_ended_before_anything_was_read_is_reported() -> None:
    bare = replace(
        NOTHING_LOADED, status=Status.FAILED, totals=None, steps=(), sources=(), rows_read=0, bytes_read=0, parts=0
    )
    output = printed(bare)
    assert output.startswith("FAILED")
    assert "Control totals" not in output
    assert "Steps" not in output


HOSTILE = st.text(st.characters(), max_size=60) | st.sampled_from(
    [
        "\x1b[2J\x1b]0;owned\x07",
        "[red]bold[/red]",
        "[/]",
        "a\rDONE",
        ":warning:",
        "\x9b31m",
        "\u202exe.gpj",
        "東京" * 30,
    ]
)


@st.composite
def hostile_reports(draw: st.DrawFn) -> RunReport:
    sample = Sample(file=draw(HOSTILE), line=1, column=draw(HOSTILE), value=draw(HOSTILE), reason=draw(HOSTILE))
    finding = Finding(
        rule=draw(HOSTILE),
        severity=draw(st.sampled_from(Severity)),
        count=2,
        message=draw(HOSTILE),
        advice=draw(HOSTILE),
        samples=(sample,),
        also=(draw(HOSTILE),),
    )
    number = st.integers(0, 10**40) | st.floats(allow_nan=False) | st.decimals(allow_nan=False, allow_infinity=False)
    column = ColumnTotals(
        name=draw(HOSTILE), nulls=draw(st.integers(0, 10**12)), minimum=draw(HOSTILE), maximum="z", total=draw(number)
    )
    difference = Difference(column=draw(HOSTILE), figure="total", expected=draw(HOSTILE), found=draw(HOSTILE))
    return replace(
        DONE,
        status=draw(st.sampled_from(Status)),
        run=draw(HOSTILE),
        job=draw(HOSTILE),
        table=draw(HOSTILE),
        target=draw(HOSTILE),
        period=draw(HOSTILE),
        sources=(replace(DONE.sources[0], path=draw(HOSTILE)),),
        totals=Totals(rows=1, columns=(column,)),
        differences=draw(st.sampled_from([(), (difference,)])),
        findings=(finding,),
        rejects=(draw(HOSTILE),),
        problems=(draw(HOSTILE),),
        query_id=draw(HOSTILE),
        error=draw(HOSTILE),
        advice=draw(HOSTILE),
        steps=(StepTime(step=draw(HOSTILE), seconds=1.0),),
    )


@settings(max_examples=80, deadline=None)
@given(hostile_reports(), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_no_data_can_steer_the_terminal_or_break_the_page(report: RunReport, encoding: str) -> None:
    output = printed(report, encoding)
    lines = output.split("\n")
    assert all(line.isprintable() for line in lines)
    assert all(line == line.rstrip(" ") for line in lines)


@settings(max_examples=25, deadline=None)
@given(hostile_reports())
def test_on_a_terminal_only_styles_are_sent(report: RunReport) -> None:
    left = re.sub(r"\x1b\[[\d;]*m", "", on_terminal(report))
    assert all(line.isprintable() and cell_len(line) <= 80 for line in left.split("\n"))


def test_markup_in_data_is_shown_as_it_is() -> None:
    finding = Finding(
        rule="[bold]rule",
        severity=Severity.ERROR,
        count=1,
        message="[red]m[/red] :smile:",
        samples=(Sample(value="[/]"),),
    )
    column = replace(TOTALS.columns[1], name="[red]id")
    report = replace(DONE, table="[b]T", findings=(finding,), totals=Totals(rows=1, columns=(column,)))
    for output in (printed(report), on_terminal(report)):
        for text in ("[bold]rule", "[red]m[/red] :smile:", '"[/]"', "[red]id", "[b]T"):
            assert text in output


def test_escape_sequences_in_data_are_shown_as_text() -> None:
    finding = Finding(
        rule="r",
        severity=Severity.ERROR,
        count=1,
        message="m",
        samples=(Sample(column="a\x1b[2J", value="\x1b[31mred\n"),),
    )
    for output in (printed(replace(DONE, findings=(finding,))), on_terminal(replace(DONE, findings=(finding,)))):
        assert "a\\x1b[2J" in output
        assert '"\\x1b[31mred\\n"' in output


def test_a_terminal_gets_colour_and_a_frame_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32m╭" in on_terminal(DONE)
    monkeypatch.setenv("NO_COLOR", "1")
    quiet = on_terminal(DONE)
    assert "╭" in quiet
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d", quiet)


def test_a_stream_that_is_no_terminal_gets_neither_frame_nor_styles() -> None:
    output = printed(DONE)
    assert "╭" not in output
    assert "\x1b" not in output


def test_an_ascii_stream_gets_a_whole_report_in_ascii() -> None:
    difference = Difference(column="id", figure="nulls", expected="0", found="1")
    output = printed(replace(DONE, table="Zürich", differences=(difference,)), "ascii")
    assert "into Z\\xfcrich" in output
    assert line_with("  id ", output).split()[0] == "NO"
    assert line_with("  day ", output).split()[0] == "ok"


def test_samples_that_are_no_single_rows_are_not_counted_against_the_rows() -> None:
    gap = Sample(column="day", value="2024-01-17 to 2024-01-18", reason="2 days missing")
    finding = Finding(rule="dates", severity=Severity.ERROR, count=2, message="2 days are missing", samples=(gap,))
    output = printed(replace(DONE, findings=(finding,)))
    assert "2 days missing" in output
    assert "more" not in output.partition("Findings")[2].partition("Steps")[0]
