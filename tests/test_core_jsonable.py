"""Values as JSON, and run reports back from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import (
    Allowance,
    Column,
    ColumnTotals,
    ColumnType,
    Difference,
    Finding,
    InputError,
    Job,
    Mode,
    Period,
    RunReport,
    Sample,
    Severity,
    Source,
    Status,
    StepTime,
    TableName,
    Totals,
    dumps,
    report_from_json,
    to_jsonable,
)

WHEN = datetime(2024, 2, 1, 12, 0, 1, 250, tzinfo=UTC)
HARD_TEXT = st.text(st.characters(), max_size=12)  # surrogates included: file names hold them
COUNT = st.integers(0, 2**70)


def figures(kind: ColumnType, low: object, high: object, total: object) -> st.SearchStrategy[tuple[ColumnType, object]]:
    totals = ColumnTotals(name="", nulls=0, minimum=low, maximum=high, total=total)  # type: ignore[arg-type]
    return st.just((kind, totals))


TYPED = st.one_of(
    figures(ColumnType.parse("boolean"), False, True, None),
    figures(ColumnType.parse("bigint"), -(2**63), 2**63 - 1, 2**90),
    figures(ColumnType.parse("bigint"), None, None, 0),
    figures(ColumnType.parse("decimal(18,4)"), Decimal("-1.5000"), Decimal("12345678901234.0001"), Decimal("1E+3")),
    figures(ColumnType.parse("real"), -1.5, 3.25, 0.1),
    figures(ColumnType.parse("date"), date(1, 1, 1), date(9999, 12, 31), None),
    figures(ColumnType.parse("time"), time(0), time(23, 59, 59, 999999), None),
    figures(ColumnType.parse("timestamp"), datetime(1970, 1, 1), WHEN.replace(tzinfo=None), None),  # noqa: DTZ001
    figures(ColumnType.parse("timestamptz"), WHEN, WHEN, None),
    figures(ColumnType.parse("varchar(20)"), "2024-01-01", "12.50", 17),
    figures(ColumnType.parse("varchar"), "\x1b[31m", "\udc80", 3),
)
SAMPLES = st.builds(
    Sample,
    file=st.none() | HARD_TEXT,
    line=st.none() | COUNT,
    offset=st.none() | COUNT,
    column=st.none() | HARD_TEXT,
    value=st.none() | HARD_TEXT,
    reason=HARD_TEXT,
    part=st.none() | st.integers(0, 9),
)
FINDINGS = st.builds(
    Finding,
    rule=HARD_TEXT,
    severity=st.sampled_from(Severity),
    count=COUNT,
    message=HARD_TEXT,
    advice=HARD_TEXT,
    samples=st.lists(SAMPLES, max_size=2).map(tuple),
)
SOURCES = st.builds(Source, path=HARD_TEXT, size=COUNT, modified_ns=COUNT, inode=COUNT, digest=HARD_TEXT)
DIFFERENCES = st.builds(Difference, column=HARD_TEXT, figure=HARD_TEXT, expected=HARD_TEXT, found=HARD_TEXT)
STEPS = st.builds(StepTime, step=HARD_TEXT, seconds=st.floats(0, 1e9))


@st.composite
def reports(draw: st.DrawFn) -> RunReport:
    typed = draw(st.lists(TYPED, max_size=4))
    names = draw(st.lists(HARD_TEXT, min_size=len(typed), max_size=len(typed), unique=True))
    columns = tuple(
        Column(name=name, type=kind, required=draw(st.booleans()), format=draw(st.none() | HARD_TEXT))
        for name, (kind, _) in zip(names, typed, strict=True)
    )
    totals = Totals(
        rows=draw(COUNT),
        columns=tuple(replace(figure, name=name) for name, (_, figure) in zip(names, typed, strict=True)),
    )
    return RunReport(
        run=draw(HARD_TEXT),
        job=draw(HARD_TEXT),
        table=draw(HARD_TEXT),
        target=draw(HARD_TEXT),
        mode=draw(st.sampled_from(Mode)),
        period=draw(st.none() | st.just("2024-01")),
        status=draw(st.sampled_from(Status)),
        started=draw(st.datetimes(timezones=st.just(UTC))).replace(fold=0),
        finished=WHEN,
        sources=tuple(draw(st.lists(SOURCES, max_size=2))),
        columns=columns,
        parts=draw(COUNT),
        rows_read=draw(COUNT),
        rows_staged=draw(COUNT),
        rows_quarantined=draw(COUNT),
        rows_bad=draw(COUNT),
        rows_loaded=draw(COUNT),
        rows_deleted=draw(COUNT),
        bytes_read=draw(COUNT),
        bytes_staged=draw(COUNT),
        resumable=draw(st.booleans()),
        totals=draw(st.none() | st.just(totals)),
        differences=tuple(draw(st.lists(DIFFERENCES, max_size=2))),
        findings=tuple(draw(st.lists(FINDINGS, max_size=2))),
        steps=tuple(draw(st.lists(STEPS, max_size=2))),
        rejects=tuple(draw(st.lists(HARD_TEXT, max_size=2))),
        query_id=draw(HARD_TEXT),
        folder=Path("/data/.etl/runs/1"),
        problems=tuple(draw(st.lists(HARD_TEXT, max_size=2))),
        error=draw(HARD_TEXT),
        replayed=draw(st.booleans()),
        attempts=draw(st.integers(1, 5)),
        advice=draw(HARD_TEXT),
        console=draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None)
@given(reports())
def test_every_field_of_a_run_report_survives_json(report: RunReport) -> None:
    back = report_from_json(dumps("run_report", report))
    assert back == report
    # 1 == 1.0 == True == Decimal(1): equality alone would not notice a lost type.
    assert repr(back) == repr(report)


@settings(max_examples=50, deadline=None)
@given(reports())
def test_a_document_is_plain_ascii_without_control_characters(report: RunReport) -> None:
    text = dumps("run_report", report)
    assert text.isascii()
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_document_begins_with_its_version_and_kind() -> None:
    document = json.loads(dumps("plan", {"parts": 3}))
    assert list(document.items()) == [("schema_version", 1), ("kind", "plan"), ("parts", 3)]


def test_a_list_stands_under_items() -> None:
    assert json.loads(dumps("runs", [1, 2]))["items"] == [1, 2]


def test_a_field_that_would_hide_the_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'kind'"):
        dumps("plan", {"kind": "other"})


def test_types_tables_and_periods_are_written_as_people_write_them() -> None:
    job = Job(
        name="sales",
        patterns=("/data/*.csv",),
        table=TableName.parse('shop."daily sales"'),
        target="duckdb:w.duckdb",
        columns=(Column(name="price", type=ColumnType.parse("numeric(18, 4)")),),
        period=Period.parse("2024-01"),
        max_bad_rows=Allowance(share=0.01),
        sections={"checks": {"dates": "complete"}},
    )
    written = to_jsonable(job)
    assert isinstance(written, dict)
    assert written["table"] == 'shop."daily sales"'
    assert written["columns"] == [
        {"name": "price", "type": "decimal(18,4)", "required": False, "declared": False, "format": None}
    ]
    assert (written["period"], written["max_bad_rows"], written["mode"]) == ("2024-01", "1%", "append")
    assert written["sections"] == {"checks": {"dates": "complete"}}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"a\xff", "a\\xff"),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({Mode.APPEND: Decimal("1.50")}, {"append": "1.50"}),
        (Path("a/b"), "a/b"),
        ((x for x in (1, 2)), [1, 2]),
    ],
)
def test_what_json_has_no_form_for_becomes_text_or_an_array(value: object, written: object) -> None:
    assert to_jsonable(value) == written


@pytest.mark.parametrize("value", [object(), Mode, 1j])
def test_what_has_no_meaning_in_json_is_an_error(value: object) -> None:
    if value is Mode:
        value = Column
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        to_jsonable([value])


REPORT = '{"schema_version": 1, "kind": "run_report", "columns": [%s], "totals": %s}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema_version": 1, "kind": "plan"}',
        '{"schema_version": 2, "kind": "run_report"}',
        '{"schema_version": 1, "kind": "run_report"}',
        REPORT % ("", "null"),
        REPORT % ('{"name": "a", "type": "wat"}', "null"),
        REPORT % ('{"name": "a", "type": 7}', "null"),
        REPORT % ("", "7"),
        REPORT
        % ('{"name": "a", "type": "decimal(3,1)"}', '{"rows": 1, "columns": [{"name": "a", "minimum": "many"}]}'),
    ],
)
def test_a_document_that_is_no_run_report_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(InputError, match="stored run report cannot be read"):
        report_from_json(text)


@settings(max_examples=1)
@given(reports())
def test_fields_of_a_later_version_are_ignored(report: RunReport) -> None:
    document = json.loads(dumps("run_report", report)) | {"colour": "green"}
    assert report_from_json(json.dumps(document)) == report
