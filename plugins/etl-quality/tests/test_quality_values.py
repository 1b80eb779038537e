"""What the values of columns must be: on files, on tables, however a file is split."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from etl_quality.columns import Checks, read
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import (
    Analysis,
    Check,
    Column,
    ColumnType,
    Job,
    Refused,
    Severity,
    TableName,
    UsageError,
)

COLUMNS = {
    "id": "bigint",
    "price": "decimal(10,2)",
    "day": "date",
    "moment": "timestamp",
    "seen": "timestamptz",
    "code": "varchar",
    "x": "double",
    "note": "varchar",
}


def job(**sections: Any) -> Job:
    return Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:", sections=sections)


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=ColumnType.parse(type_), declared=True) for name, type_ in types.items())


def analysis(found: tuple[Column, ...]) -> Any:
    return Analysis(source=None, format=None, columns=found, rows=0)  # type: ignore[arg-type]


def checks(said: dict[str, Any]) -> Checks:
    return read(said, job())


def refusal(said: dict[str, Any], **types: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        list(checks(said).validators(job(), analysis(columns(**types))))
    with pytest.raises(UsageError):
        list(checks(said).table_checks(job(), columns(**types)))
    return caught.value


# Planted defects

GOOD = "{id},1.50,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"
RULES = {
    "price": {"not_null": True, "min": 1, "max": 1.5},
    "day": {"min": "2024-01-01", "max": "2024-01-31"},
    "moment": {"max": "2024-01-31"},
    "seen": {"min": "2024-01-01T00:00:00+01:00"},
    "code": {"allowed": ["EUR", "USD"], "length": 3, "regex": "[A-Z]+"},
    "id": {"monotonic": "strictly increasing"},
    "x": {"min": -1, "max": 1e6},
    "note": {"length": {"max": 4}, "regex": "[a-z]+"},
}
DEFECTS = [
    ("not_null", "price", None, "{id},,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("min", "price", "0.99", "{id},0.99,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("max", "price", "1.51", "{id},1.51,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("min", "day", "2023-12-31", "{id},1.50,2023-12-31,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("max", "day", "2024-02-01", "{id},1.50,2024-02-01,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("max", "moment", "2024-02-01", "{id},1.50,2024-01-15,2024-02-01T00:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("min", "seen", "2023-12-31", "{id},1.50,2024-01-15,2024-01-31T23:59:59.999999,2023-12-31T22:59:59Z,EUR,0.5,abcd"),
    ("allowed", "code", "GBP", "{id},1.50,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,GBP,0.5,abcd"),
    ("max", "x", "1000000.5", "{id},1.50,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,1000000.5,abcd"),
    ("monotonic", "id", "0", "0,1.50,2024-01-15,2024-01-15T10:00:00,2024-01-15T10:00:00Z,EUR,0.5,abcd"),
    ("length", "note", "abcde", GOOD.replace("abcd", "abcde")),
    ("regex", "note", "Abcd", GOOD.replace("abcd", "Abcd")),
]


PLANTED = [
    pytest.param(place, rule, column, value, defect, id=f"{rule}-{column}-{place}")
    for place in ("first", "end", "start", "last")
    for rule, column, value, defect in DEFECTS
    # The first row follows upon none.
    if rule != "monotonic" or place != "first"
]


@pytest.mark.parametrize(("place", "rule", "column", "value", "defect"), PLANTED)
def test_a_planted_defect_is_found_on_its_line_and_nothing_else(duckdb_side, data, place, rule, column, value, defect):
    def file_of(lines):
        return data("\n".join([",".join(COLUMNS), *lines]), COLUMNS, checks={"columns": RULES})

    lines = [GOOD.format(id=100 + number) for number in range(100)]
    row = duckdb_side.row_at(place, file_of(lines), part_bytes=700)
    lines[row] = defect.format(id=100 + row)
    bad = file_of(lines)
    assert duckdb_side.row_at(place, bad, part_bytes=700) == row
    [finding] = duckdb_side.of_file(bad, part_bytes=700)
    [sample] = finding.samples
    assert (finding.rule, finding.severity, finding.count) == (rule, Severity.ERROR, 1)
    assert (sample.column, sample.line, sample.part) == (column, row + 2, None)
    assert (sample.value or "").startswith(value or "")
    assert sample.reason
    assert finding.advice


def test_good_data_has_no_findings_on_any_side(both_sides):
    text = "\n".join([",".join(COLUMNS), *(GOOD.format(id=number) for number in range(100))])
    rules = {name: said for name, said in RULES.items() if name != "id"}
    assert both_sides(text, COLUMNS, checks={"columns": rules}).agree() == ()


def test_every_side_says_the_same_of_bad_data(both_sides):
    lines = [defect.format(id=100 + number) for number, (*_, defect) in enumerate(DEFECTS)]
    text = "\n".join([",".join(COLUMNS), *lines * 3, "-5,,,,,,,"])
    rules = {name: said for name, said in RULES.items() if name != "id"}
    found = both_sides(text, COLUMNS, checks={"columns": rules})
    assert {(each.rule, each.samples[0].column) for each in found.agree()} == {
        (rule, column) for rule, column, *_ in DEFECTS if rule != "monotonic"
    }
    for findings in found.sides.values():
        assert {each.rule: each.count for each in findings}["not_null"] == 4
        [allowed] = [each for each in findings if each.rule == "allowed"]
        assert [sample.value for sample in allowed.samples] == ["GBP"] * 3
        assert allowed.message == "3 values of column 'code' are none of 'EUR', 'USD'"


def test_samples_of_a_table_tell_the_keys_of_its_rows(both_sides):
    rules = {"price": {"min": 0}, "id": {"max": 3}}
    found = both_sides(
        "id,line,price\n4,1,2\n3,1,-1\n3,,-1\n",
        {"id": "integer", "line": "integer", "price": "integer"},
        checks={"columns": rules},
        rules=[{"name": "r", "sql": "price > 1"}],
        settings={"keys": ["id", "line"]},
    )
    found.agree()
    for side in (found.duckdb, found.snowflake):
        told = {each.rule: [(sample.value, sample.reason.lower()) for sample in each.samples] for each in side}
        assert told == {
            "min": [("-1", f"is below 0, where id = 3, line = {line}") for line in ("1", "null")],
            "max": [("4", "is above 3, where line = 1")],
            "r": [("-1", f"breaks price > 1, where id = 3, line = {line}") for line in ("1", "null")],
        }


def test_hostile_names_and_values_are_names_and_values(both_sides):
    hostile = 'a "b" OR 1=1; --'
    header = '"' + hostile.replace('"', '""') + '"'
    text = f"{header},b\nx';--,1\n'?',2\n\\,3"
    rules = {hostile: {"allowed": ["x';--", "\\"], "regex": r"[^ü]*", "min": "'"}}
    [finding] = both_sides(text, {hostile: "varchar", "b": "integer"}, checks={"columns": rules}).agree()
    assert (finding.rule, finding.count, finding.samples[0].value) == ("allowed", 1, "'?'")


def test_characters_are_counted_not_bytes(both_sides):
    rules = {"s": {"length": {"min": 2, "max": 3}}}
    [finding] = both_sides(
        "s,n\nüü,1\nü,2\nüüü,3\nüüüü,4\n漢字,5", {"s": "varchar", "n": "integer"}, checks={"columns": rules}
    ).agree()
    assert (finding.rule, finding.count) == ("length", 2)
    assert [sample.line for sample in finding.samples] == [3, 5]


def test_a_pattern_must_match_the_whole_value(both_sides):
    rules = {"s": {"regex": "a|ab+"}}
    [finding] = both_sides(
        "s,n\na,1\nabb,2\nba,3\nac,4\nab b,5", {"s": "varchar", "n": "integer"}, checks={"columns": rules}
    ).agree()
    assert [sample.line for sample in finding.samples] == [4, 5, 6]


def test_decimals_are_compared_exactly(both_sides):
    rules = {"d": {"min": "0.10", "max": 9999999999.1}}
    text = "d,n\n0.1,1\n0.0999,2\n9999999999.1,3\n9999999999.1001,4"
    found = both_sides(text, {"d": "decimal(18,4)", "n": "integer"}, checks={"columns": rules}).agree()
    assert [(each.rule, each.count, each.samples[0].line) for each in found] == [("min", 1, 3), ("max", 1, 5)]


def test_large_integers_are_compared_exactly(both_sides):
    rules = {"n": {"max": 9007199254740992, "allowed": [9007199254740993, 9007199254740992]}}
    text = "n,b\n9007199254740993,1\n9007199254740992,2\n9007199254740994,3"
    found = both_sides(text, {"n": "bigint", "b": "integer"}, checks={"columns": rules}).agree()
    assert {each.rule: each.count for each in found} == {"max": 2, "allowed": 1}


def test_days_and_moments_may_be_written_as_toml_has_them(findings_of_file):
    moment = datetime(2024, 1, 1, 10, tzinfo=UTC)
    rules = {"d": {"min": date(2024, 1, 1), "allowed": [date(2024, 1, 1), "2023-01-01"]}, "z": {"max": moment}}
    text, types = (
        "d,t,z\n2024-01-01,09:30:00,2024-01-01T10:00:00Z\n2023-01-01,09:29:59,2024-01-01T10:00:01Z",
        {
            "d": "date",
            "t": "time",
            "z": "timestamptz",
        },
    )
    found = findings_of_file(text, types, checks={"columns": {**rules, "t": {"min": time(9, 30)}}})
    assert [(each.rule, each.count, each.samples[0].line) for each in found] == [
        ("min", 1, 3),
        ("max", 1, 3),
        ("min", 1, 3),
    ]
    assert found[0].message == "1 value of column 'd' is below 2024-01-01"


def test_a_bound_is_a_float_of_the_columns_own_precision(duckdb_side, data):
    rules = {"r": {"min": 0.1, "max": 0.1, "allowed": [0.1]}, "d": {"min": 0.1, "max": 0.1, "allowed": [0.1]}}
    text, types = "r,d,n\n0.1,0.1,1\n0.1,0.1,2\n0.2,0.2,3", {"r": "real", "d": "double", "n": "integer"}
    asked = data(text, types, checks={"columns": rules})
    for found in (duckdb_side.of_file(asked), duckdb_side.of_table(asked)):
        assert sorted((each.rule, each.count) for each in found) == [("allowed", 1)] * 2 + [("max", 1)] * 2


@pytest.mark.parametrize("side", ["duckdb_side", "snowflake_side"])
@pytest.mark.parametrize("check", [Check.FILE, Check.WAREHOUSE, Check.BOTH])
def test_bad_values_stop_a_load_wherever_they_are_checked(side, check, data, request):
    there = request.getfixturevalue(side)
    rules = {"n": {"max": 2, "severity": "warning"}, "s": {"allowed": ["a", "b"]}}
    types = {"n": "integer", "s": "varchar"}
    bad = replace(there.job(data("n,s\n1,a\n3,c", types, checks={"columns": rules})), check=check)
    with pytest.raises(Refused, match="1 value of column 's' is none of 'a', 'b'") as caught:
        there.workspace.load(bad)
    assert {each.rule for each in caught.value.findings} == {"max", "allowed"}
    good = replace(there.job(data("n,s\n1,a\n3,b", types, checks={"columns": rules})), check=check)
    report = there.workspace.load(good)
    assert (report.rows_loaded, {each.rule for each in report.findings}) == (2, {"max"})


def test_a_severity_is_that_of_the_findings(findings_of_file):
    [finding] = findings_of_file(
        "a\n1\n2", {"a": "integer"}, checks={"columns": {"a": {"max": 1, "severity": "warning"}}}
    )
    assert finding.severity is Severity.WARNING


def test_at_most_ten_samples_are_kept_in_the_order_of_the_file(findings_of_file):
    text = "\n".join(["a", *["9"] * 500])
    [finding] = findings_of_file(text, {"a": "integer"}, checks={"columns": {"a": {"max": 1}}}, part_bytes=100)
    assert finding.count == 500
    assert [sample.line for sample in finding.samples] == list(range(2, 12))


def test_no_value_breaks_only_not_null(findings_of_file):
    rules = {"s": {"regex": "x", "allowed": ["x"], "length": 1}, "n": {"min": 1, "max": 1, "allowed": [1]}}
    found = findings_of_file(
        "s,n,k\n,,1\n,,2\nx,1,3", {"s": "varchar", "n": "integer", "k": "integer"}, checks={"columns": rules}
    )
    assert found == ()


def test_not_a_number_is_above_every_bound(both_sides):
    rules = {"x": {"min": 0, "max": 5}}
    text, types = "x,n\n1,1\nnan,2\n3,3", {"x": "double", "n": "integer"}
    found = both_sides(text, types, checks={"columns": rules}, format={"null_values": []})
    [finding] = found.agree()
    assert (finding.rule, finding.count) == ("max", 1)


def test_the_order_of_a_table_is_said_to_be_unknown(both_sides):
    found = both_sides("a\n2\n1", {"a": "integer"}, checks={"columns": {"a": {"monotonic": "increasing"}}})
    assert [each.severity for each in found.file] == [Severity.ERROR]
    for findings in (found.duckdb, found.snowflake):
        [finding] = findings
        assert (finding.rule, finding.severity) == ("monotonic", Severity.INFO)
        assert "was not checked" in finding.message


# The order of rows


@pytest.mark.parametrize(
    ("direction", "bad"),
    [
        ("increasing", [6]),
        ("strictly increasing", [3, 6]),
        ("decreasing", [5, 7]),
        ("strictly decreasing", [3, 5, 7]),
    ],
)
def test_values_rise_or_fall_across_parts_and_gaps(findings_of_file, direction, bad):
    text = "a,b\n5,x\n5,x\n,x\n6,x\n1,x\n9,x"
    for part_bytes in (4, 8, 1000):
        found = findings_of_file(
            text,
            {"a": "integer", "b": "varchar"},
            checks={"columns": {"a": {"monotonic": direction}}},
            part_bytes=part_bytes,
        )
        assert [sample.line for each in found for sample in each.samples] == bad
        assert [each.count for each in found] == [len(bad)]


# Unique


@pytest.mark.parametrize(("place", "other"), [("first", "last"), ("end", "start"), ("first", "start"), ("end", "last")])
def test_a_value_that_is_there_twice_is_found_with_its_lines(duckdb_side, data, place, other):
    def file_of(lines):
        rules = {"id": {"unique": True}}
        return data("\n".join(["id,s", *lines]), {"id": "integer", "s": "varchar"}, checks={"columns": rules})

    def rows_of(asked):
        return tuple(duckdb_side.row_at(each, asked, part_bytes=60) for each in (place, other))

    lines = [f"{number},x" for number in range(100, 160)]
    first, again = rows_of(file_of(lines))
    lines[again] = lines[first]
    bad = file_of(lines)
    assert rows_of(bad) == (first, again)
    [finding] = duckdb_side.of_file(bad, part_bytes=60)
    assert (finding.rule, finding.count) == ("unique", 1)
    assert finding.message == "1 row repeats a value of column 'id': 1 value occurs more than once, up to 2 times"
    assert [(sample.line, sample.column, sample.value) for sample in finding.samples] == [
        (first + 2, "id", str(100 + first)),
        (again + 2, "id", str(100 + first)),
    ]


def test_rows_without_a_value_repeat_nothing_on_any_side(both_sides):
    rules = {"id": {"unique": True}, "s": {"unique": True, "severity": "warning"}}
    text = "id,s,n\n1,a,1\n,b,2\n,a,3\n2,,4\n,,5\n2,a,6\n3,,7"
    found = both_sides(text, {"id": "integer", "s": "varchar", "n": "integer"}, checks={"columns": rules}).agree()
    assert {(each.count, each.severity) for each in found} == {(1, Severity.ERROR), (2, Severity.WARNING)}
    [lines] = [[sample.line for sample in each.samples] for each in found if each.severity is Severity.ERROR]
    assert lines == [5, 7]


def test_a_column_without_any_value_repeats_nothing(findings_of_file):
    rules = {"s": {"unique": True}}
    assert findings_of_file("s,n\n,1\n,2", {"s": "varchar", "n": "integer"}, checks={"columns": rules}) == ()


# Merging

TYPED = columns(n="integer", d="decimal(6,2)", s="varchar", x="double")
ASKED = {
    "n": {"not_null": True, "min": 0, "max": 5, "allowed": [0, 1, 2, 3], "monotonic": "increasing"},
    "d": {"min": -1, "max": 1, "monotonic": "strictly decreasing"},
    "s": {"length": {"min": 1, "max": 2}, "regex": "[a-c]*", "allowed": ["a", "b", "cc"], "min": "a", "max": "c"},
    "x": {"min": 0, "max": 1, "monotonic": "increasing"},
}
VALUES = st.fixed_dictionaries(
    {
        "n": st.none() | st.integers(-2, 7),
        "d": st.none() | st.decimals(-2, 2, places=2),
        "s": st.none() | st.text("abcü\n", max_size=4),
        "x": st.none() | st.floats(-1, 2) | st.just(float("nan")),
    }
)


def asked() -> Any:
    return checks(ASKED).validators(job(), analysis(TYPED))


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(VALUES, max_size=30),
    cuts=st.lists(st.integers(1, 29), max_size=6),
    blocks=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_any_split_in_any_order_finds_what_one_pass_finds(in_parts, rows, cuts, blocks, seed):
    assert in_parts(asked, rows, TYPED, cuts, blocks, seed) == in_parts(asked, rows, TYPED)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(VALUES, min_size=1, max_size=30))
def test_what_is_counted_is_what_python_counts(in_parts, rows):
    found = {(rule, message.split("'")[1]): count for rule, count, message, _ in in_parts(asked, rows, TYPED)}
    ns, ss, xs = ([row[name] for row in rows if row[name] is not None] for name in ("n", "s", "x"))
    expected = {
        ("not_null", "n"): len(rows) - len(ns),
        ("min", "n"): sum(n < 0 for n in ns),
        ("max", "n"): sum(n > 5 for n in ns),
        ("allowed", "n"): sum(n not in (0, 1, 2, 3) for n in ns),
        ("length", "s"): sum(not 1 <= len(s) <= 2 for s in ss),
        ("regex", "s"): sum(bool(set(s) - set("abc")) for s in ss),
        ("min", "s"): sum(s.encode() < b"a" for s in ss),
        ("max", "s"): sum(s.encode() > b"c" for s in ss),
        ("max", "x"): sum(not x <= 1 for x in xs),
        ("min", "x"): sum(x < 0 for x in xs),
    }
    assert {key: found.get(key, 0) for key in expected} == expected


# Settings


@pytest.mark.parametrize(
    ("said", "types", "key", "words"),
    [
        ({"prise": {"min": 0}}, {"price": "integer"}, "checks.columns.prise", "no column 'prise'"),
        ({"a": {"mni": 0}}, {"a": "integer"}, "checks.columns.a.mni", "not a known key"),
        ({"a": {}}, {"a": "integer"}, "checks.columns.a", "asks nothing"),
        ({"a": {"min": "x"}}, {"a": "integer"}, "checks.columns.a.min", "integer, which cannot be compared with 'x'"),
        ({"a": {"min": 5}}, {"a": "date"}, "checks.columns.a.min", "date, which cannot be compared with 5"),
        ({"a": {"min": True}}, {"a": "integer"}, "checks.columns.a.min", "cannot be compared with True"),
        ({"a": {"max": 1}}, {"a": "varchar"}, "checks.columns.a.max", "varchar, which cannot be compared with 1"),
        ({"a": {"max": float("inf")}}, {"a": "double"}, "checks.columns.a.max", "cannot be compared with inf"),
        ({"a": {"max": "2024-01-01T00:00:00Z"}}, {"a": "timestamp"}, "checks.columns.a.max", "cannot be compared"),
        ({"a": {"min": True}}, {"a": "boolean"}, "checks.columns.a.min", "no order"),
        ({"a": {"min": 2, "max": 1}}, {"a": "integer"}, "checks.columns.a.min", "min (2) is above max (1)"),
        ({"a": {"allowed": []}}, {"a": "integer"}, "checks.columns.a.allowed", "must not be empty"),
        ({"a": {"allowed": [0.5]}}, {"a": "integer"}, "checks.columns.a.allowed", "cannot be compared with 0.5"),
        ({"a": {"allowed": [0.125]}}, {"a": "decimal(5,2)"}, "checks.columns.a.allowed", "compared with 0.125"),
        ({"a": {"regex": "("}}, {"a": "varchar"}, "checks.columns.a.regex", "missing )"),
        ({"a": {"regex": "ACC[0-9{7}"}}, {"a": "varchar"}, "checks.columns.a.regex", "missing ]: [0-9{7}"),
        ({"a": {"regex": "a)(b"}}, {"a": "varchar"}, "checks.columns.a.regex", "unexpected ): a)(b"),
        ({"a": {"regex": "(?=x)"}}, {"a": "varchar"}, "checks.columns.a.regex", "invalid perl operator"),
        ({"a": {"regex": "x"}}, {"a": "integer"}, "checks.columns.a.regex", "only text has a regex"),
        ({"a": {"length": 3}}, {"a": "date"}, "checks.columns.a.length", "only text has a length"),
        ({"a": {"length": {"min": 3, "max": 2}}}, {"a": "varchar"}, "checks.columns.a.length", "above max"),
        ({"a": {"monotonic": "up"}}, {"a": "integer"}, "checks.columns.a.monotonic", "'increasing'"),
        ({"a": {"min": 1, "severity": "fatal"}}, {"a": "integer"}, "checks.columns.a.severity", "'error'"),
    ],
)
def test_what_does_not_suit_is_refused_by_its_key(said, types, key, words):
    error = refusal(said, **types)
    assert error.key == key
    assert words in error.message
    assert key in error.message
    assert error.advice


def test_a_single_value_that_is_allowed_is_no_list(findings_of_file):
    rules = {"s": {"allowed": ["EUR"]}}
    [finding] = findings_of_file("s\nEUR\nUSD\n", {"s": "varchar"}, checks={"columns": rules})
    assert finding.message == "1 value of column 's' is not 'EUR'"


def test_a_misspelt_column_is_guessed():
    assert "Did you mean 'price'?" in refusal({"prise": {"min": 0}}, price="integer").advice


def test_what_is_no_table_of_columns_is_refused():
    with pytest.raises(UsageError, match=r"checks\.columns must be a table of columns, not 'strict'"):
        read("strict", job())


def test_a_bound_between_two_values_is_the_next_one(findings_of_file):
    rules = {"n": {"min": 0.5, "max": 2.5}, "d": {"min": 0.005}}
    found = findings_of_file(
        "n,d\n0,0.00\n1,0.01\n3,1", {"n": "integer", "d": "decimal(5,2)"}, checks={"columns": rules}
    )
    assert [(each.rule, each.count, each.message.split("are ")[-1].split("is ")[-1]) for each in found] == [
        ("min", 1, "below 0.5"),
        ("max", 1, "above 2.5"),
        ("min", 1, "below 0.005"),
    ]


def test_a_bound_beyond_the_type_is_broken_by_all_values_or_none(findings_of_file):
    rules = {"n": {"min": 1e9, "max": 1e30}}
    [finding] = findings_of_file("n,m\n1,1\n,2\n2,3", {"n": "smallint", "m": "integer"}, checks={"columns": rules})
    assert (finding.rule, finding.count) == ("min", 2)


def test_no_value_of_a_table_without_rows_is_wrong(emptied_sides):
    checks = {"columns": {"n": {"not_null": True, "min": 0}}}
    for findings in emptied_sides("n\n1", {"n": "integer"}, checks=checks):
        assert [finding.rule for finding in findings] == ["no_rows"]
