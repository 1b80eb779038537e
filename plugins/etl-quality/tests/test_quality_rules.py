"""Rules in SQL: on rows and on figures of all rows, on files and in warehouses."""

from __future__ import annotations

import logging
import math
import random
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pytest
import sqlglot
from etl_quality.dialects import statement
from etl_quality.figures import FloatSum
from etl_quality.rule_query import RuleQuery
from etl_quality.rules import read
from etl_quality.sandbox import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import (
    Analysis,
    Check,
    Column,
    ColumnType,
    Job,
    Plugins,
    QueryResult,
    Refused,
    Rows,
    Severity,
    Statement,
    TableName,
    UsageError,
)
from etl_framework.config import load_config
from etl_framework.config_check import problems

TYPES = {"id": "integer", "price": "decimal(10,2)", "code": "varchar", "x": "double", "day": "date"}


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=ColumnType.parse(type_), declared=True) for name, type_ in types.items())


def job() -> Job:
    return Job(name="t", patterns=(), table=TableName(("t",)), target="duckdb:")


def analysis(found: tuple[Column, ...]) -> Any:
    return Analysis(source=None, format=None, columns=found, rows=0)  # type: ignore[arg-type]


def rule(sql: str, **more: Any) -> dict[str, Any]:
    return {"name": "r", "sql": sql, **more}


# Rows

TEXT = """id,price,code,x,day
1,1.00,EUR,0.5,2024-01-01
2,-1.00,EUR,0.5,2024-01-02
3,,EUR,1.5,2024-01-03
4,4.00,GBP,0.25,2024-01-04
5,0.00,,,
"""


def test_rows_that_break_a_rule_are_found_with_their_lines(findings_of_file):
    positive = rule("price > 0", column="id", reason="the price is not positive")
    found = findings_of_file(TEXT, TYPES, rules=[positive, {"name": "c", "sql": "code <> 'GBP'"}])
    priced, coded = sorted(found, key=lambda finding: -finding.count)
    assert (priced.rule, priced.severity, priced.count) == ("r", Severity.ERROR, 2)
    assert priced.message == "2 rows: the price is not positive"
    assert [(sample.line, sample.column, sample.value) for sample in priced.samples] == [(3, "id", "2"), (6, "id", "5")]
    assert (coded.rule, coded.message) == ("c", "1 row breaks code <> 'GBP'")
    assert [(sample.line, sample.column, sample.value) for sample in coded.samples] == [(5, "code", "GBP")]


@pytest.mark.parametrize("place", ["first", "end", "start", "last"])
def test_a_planted_defect_is_found_on_its_line_and_nothing_else(duckdb_side, data, place):
    def file_of(lines):
        rules = [rule("price * x > 0 AND code IN ('EUR')"), {"name": "n", "sql": "count(*) = 40"}]
        return data("\n".join([",".join(TYPES), *lines]), TYPES, rules=rules)

    lines = [f"{number},1.00,EUR,0.5,2024-01-01" for number in range(40)]
    row = duckdb_side.row_at(place, file_of(lines), part_bytes=300)
    lines[row] = f"{row},-1.00,EUR,0.5,2024-01-01"
    bad = file_of(lines)
    assert duckdb_side.row_at(place, bad, part_bytes=300) == row
    [finding] = duckdb_side.of_file(bad, part_bytes=300)
    assert [sample.line for sample in finding.samples] == [row + 2]


RULES = [
    "price > 0",
    "price IS NOT NULL",
    "code IN ('EUR', 'USD')",
    "code = upper(code) AND length(code) = 3",
    "regexp_full_match(code, '[A-Z]+')",
    "regexp_matches(code, 'UR')",
    "x BETWEEN 0 AND 1",
    "price * 2 >= id",
    "day >= DATE '2024-01-02'",
    "day < DATE '2024-01-01' + INTERVAL 3 DAY",
    "CASE WHEN code = 'EUR' THEN price >= 0 ELSE true END",
    "coalesce(price, 0) = 0 OR NOT price < 0",
    '"PRICE" > -5',
    "id % 2 = 1",
    "code LIKE 'E%'",
    "true",
    "-- nothing\nid > 0",
]
FIGURES = [
    "count(*) = 5",
    "count(*) BETWEEN 1 AND 4",
    "count(price) = 4",
    "count_if(price > 0) = 2",
    "sum(price) BETWEEN 1e6 AND 2e6",
    "sum(price) = 4",
    "sum(id) = 15",
    "avg(id) = 3",
    "avg(x) > 1",
    "min(day) = DATE '2024-01-01' AND max(day) < DATE '2024-01-03'",
    "max(code) = 'GBP'",
    "min(price) >= 0",
    "sum(x) = 2.75",
    "sum(price) FILTER (WHERE code = 'EUR') = 0",
    "sum(price) > count(*)",
    "sum(price * id) > 1000",
    "max(id) - min(id) + 1 = count(id)",
]


def test_every_side_says_the_same(both_sides):
    rules = [{"name": " ".join(sql.split()), "sql": sql} for sql in (*RULES, *FIGURES)]
    found = both_sides(TEXT, TYPES, rules=rules)
    broken = {finding.rule: finding.count for finding in found.agree()}
    assert broken == {
        "price > 0": 2,
        "price IS NOT NULL": 1,
        "code IN ('EUR', 'USD')": 1,
        "regexp_matches(code, 'UR')": 1,
        "x BETWEEN 0 AND 1": 1,
        "price * 2 >= id": 2,
        "day >= DATE '2024-01-02'": 1,
        "day < DATE '2024-01-01' + INTERVAL 3 DAY": 1,
        "CASE WHEN code = 'EUR' THEN price >= 0 ELSE true END": 1,
        "coalesce(price, 0) = 0 OR NOT price < 0": 1,
        "id % 2 = 1": 2,
        "code LIKE 'E%'": 1,
        "count(*) BETWEEN 1 AND 4": 1,
        "sum(price) BETWEEN 1e6 AND 2e6": 1,
        "avg(x) > 1": 1,
        "min(day) = DATE '2024-01-01' AND max(day) < DATE '2024-01-03'": 1,
        "min(price) >= 0": 1,
        "sum(price) > count(*)": 1,
        "sum(price * id) > 1000": 1,
    }


def test_the_figures_of_a_broken_rule_are_told(findings_of_file):
    long = {"name": "m", "sql": "max(day) > min(day) + 30", "reason": "too short"}
    rules = [rule("sum(price) between 1e6 and 2e6"), long]
    found = findings_of_file(TEXT, TYPES, rules=rules)
    assert [finding.message for finding in found] == [
        "not sum(price) between 1e6 and 2e6: sum(price) = 4",
        "too short: max(day) = 2024-01-04, min(day) = 2024-01-01",
    ]


def test_a_figure_of_no_values_is_never_good(both_sides):
    [finding] = both_sides("a,b\n,1\n,2", {"a": "integer", "b": "integer"}, rules=[rule("sum(a) < 10")]).agree()
    assert finding.message == "whether sum(a) < 10 cannot be told: sum(a) = null"
    assert finding.severity is Severity.ERROR


def test_a_rule_that_fails_on_a_value_is_an_error_and_the_others_are_made(findings_of_file, duckdb_side):
    rules = [rule("CAST(code AS INTEGER) > 0", severity="warning"), {"name": "good", "sql": "id < 3"}]
    text = "id,code\n1,1\n2,2\n3,x"
    [failed, broken] = findings_of_file(text, {"id": "integer", "code": "varchar"}, rules=rules, part_bytes=4)
    assert (failed.rule, failed.severity, failed.count) == ("r", Severity.ERROR, 1)
    assert "could not be made: CAST(code AS INTEGER) > 0: Conversion Error" in failed.message
    assert (broken.rule, broken.count) == ("good", 1)


def test_a_rule_that_fails_in_a_warehouse_is_an_error_and_the_others_are_made(both_sides):
    rules = [rule("CAST(code AS INTEGER) > 0"), {"name": "good", "sql": "id < 3"}]
    found = both_sides("id,code\n1,1\n2,2\n3,x", {"id": "integer", "code": "varchar"}, rules=rules)
    for findings in found.sides.values():
        assert {(finding.rule, finding.severity, finding.count) for finding in findings} == {
            ("r", Severity.ERROR, 1),
            ("good", Severity.ERROR, 1),
        }


def test_a_cast_that_is_tried_fails_on_no_side(both_sides):
    rules = [rule("TRY_CAST(code AS INTEGER) > 1"), {"name": "d", "sql": "TRY_CAST(code AS INTEGER) IS NOT NULL"}]
    found = both_sides("id,code\n1,1\n2,2\n3,x", {"id": "integer", "code": "varchar"}, rules=rules).agree()
    assert {finding.rule: [sample.value for sample in finding.samples] for finding in found} == {"r": ["1"], "d": ["x"]}


def test_an_empty_file_is_never_good(findings_of_file):
    found = findings_of_file("a,b", {"a": "integer", "b": "integer"}, rules=[rule("a > 0")])
    assert ("no_rows", Severity.ERROR) in [(finding.rule, finding.severity) for finding in found]


# What is refused


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("price >", "cannot be read"),
        ("", "must not be empty"),
        ("  ", "not one condition"),
        ("price > 0; DROP TABLE t", "not one condition"),
        ("price > 0; price > 1", "not one condition"),
        ("-- price > 0", "not one condition"),
        ("price > 0, price > 1", "cannot be read near ','"),
        ("price > 0 AS x", "cannot be read near 'AS'"),
        ("price > 0 /*", "cannot be read"),
        ("1 = 1) OR (1 = 1", "cannot be read"),
        ("price > 0) FROM x; --", "cannot be read"),
        ("SELECT true", "not one condition"),
        ("FROM t", "not one condition"),
        ("VALUES (true)", "not one condition"),
        ("DROP TABLE t", "not one condition"),
        ("COPY t TO 'x'", "not one condition"),
        ("PRAGMA database_list", "not one condition"),
        ("price > (SELECT 1)", "a query within it"),
        ("EXISTS (SELECT 1)", "a query within it"),
        ("code IN (FROM read_csv('/etc/passwd'))", "a query within it"),
        ("code IN (SELECT code FROM t)", "a query within it"),
        ("price > ?", "a parameter"),
        ("price > $1", "a parameter"),
        ("price > #1", "a number in place of the name of a column"),
        ("sum(price) OVER () > 1", "a window"),
        ("list_sum([price, 1]) > list_transform([1], y -> y)[1]", "more than a condition"),
        ("COLUMNS('p.*') > 0", "more than a condition"),
        ("* > 0", "*"),
        ("other.price > 0", "another table"),
        ("prise > 0", "no column 'prise'"),
        ("price", "decimal(10,2), not true or false"),
        ("sum(price)", "not true or false"),
        ("price > 'x' || code", "Error"),
        ("nowhere(price) > 0", "nowhere"),
        ("getenv('HOME') = 'x'", "getenv"),
        ("sum(price) > 0 AND id > 0", "figures of all rows at once"),
        ("sum(max(price)) > 0", "figure within a figure"),
    ],
)
def test_what_is_no_condition_on_the_columns_is_refused_before_anything_is_read(sql, words):
    for ask in (
        lambda: list(read([rule(sql)], job()).validators(job(), analysis(columns(**TYPES)))),
        lambda: list(read([rule(sql)], job()).table_checks(job(), columns(**TYPES))),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert caught.value.key == "rules.r.sql"
        assert words in caught.value.message
        assert caught.value.message.startswith("rules.r.sql: ")
        assert caught.value.advice


WORDS = (
    "alter analyze begin cache call comment commit copy delete describe drop execute explain force grant insert "
    "install kill load merge pragma rollback set show update use vacuum values"
)


@pytest.mark.parametrize("word", WORDS.split())
def test_a_column_may_be_called_like_a_statement(word, findings_of_file):
    rules = [rule(f"{word} IS NOT NULL"), {"name": "s", "sql": f"{word} = 'y' OR {word.upper()} <> 'x'"}]
    found = findings_of_file(f"id,{word}\n1,x\n2,\n", {"id": "integer", word: "varchar"}, rules=rules)
    assert [(each.rule, each.count) for each in found] == [("r", 1), ("s", 1)]


def test_what_the_parser_logs_goes_nowhere_where_nobody_listens(capfd):
    root, logger = logging.getLogger(), logging.getLogger("sqlglot")
    heard = root.handlers[:]
    try:
        root.handlers.clear()
        logger.warning("contains unsupported syntax")
        sqlglot.parse("COMMENT IS NOT NULL")
    finally:
        root.handlers[:] = heard
    assert capfd.readouterr() == ("", "")


def test_a_misspelt_column_is_guessed():
    with pytest.raises(UsageError) as caught:
        list(read([rule("prise > 0")], job()).validators(job(), analysis(columns(**TYPES))))
    assert "Did you mean 'price'?" in caught.value.advice


WAREHOUSE_ONLY = ["count(DISTINCT code) > 1", "median(price) > 1", "bool_and(price > 0)"]


@pytest.mark.parametrize("sql", [*WAREHOUSE_ONLY, "max(price, 2) = [1]"])
def test_a_figure_that_needs_all_rows_at_once_is_for_warehouses_only(sql):
    with pytest.raises(UsageError, match=r"rules\.r\.sql: .* needs all rows at once") as caught:
        list(read([rule(sql)], job()).validators(job(), analysis(columns(**TYPES))))
    assert 'check = "warehouse"' in caught.value.advice
    [check] = read([rule(sql)], job()).table_checks(job(), columns(**TYPES))
    assert isinstance(check, RuleQuery)


def test_a_rule_for_warehouses_only_is_not_made_of_files_where_both_are_checked(duckdb_side, data):
    asked = data(TEXT, TYPES, rules=[rule("count(DISTINCT code) = 5"), {"name": "p", "sql": "price <> 4"}])
    for check in (Check.WAREHOUSE, Check.BOTH):
        job = replace(duckdb_side.job(asked), check=check)
        of_file = duckdb_side.workspace.validate(job).findings
        assert [(each.rule, each.severity, each.count) for each in of_file] == [
            ("p", Severity.ERROR, 1),
            ("r", Severity.INFO, 0),
        ]
    with pytest.raises(Refused, match=r"not count\(DISTINCT code\) = 5: count\(distinct code\) = 2"):
        duckdb_side.workspace.load(replace(job, check=Check.WAREHOUSE))


@pytest.mark.parametrize(
    ("said", "key", "words"),
    [
        ("price > 0", "rules", "list of tables"),
        ([{"name": "r"}], "rules.r.sql", "is missing"),
        ([{"sql": "true"}], "rules.1.name", "is missing"),
        ([{"name": "r", "sql": "true", "sverity": "error"}], "rules.r.sverity", "not a known key"),
        ([rule("true"), rule("true")], "rules.r", "two rules"),
        (["x"], "rules.1", "must be a table"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_key(said, key, words):
    with pytest.raises(UsageError) as caught:
        read(said, job())
    assert caught.value.key == key
    assert words in caught.value.message


def test_a_column_to_show_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"rules\.r\.column: there is no column 'idd'"):
        list(read([rule("price > 0", column="idd")], job()).validators(job(), analysis(columns(**TYPES))))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/never.csv'",
        "ATTACH '/tmp/never.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SELECT * FROM job",
    ],
)
def test_rules_run_where_nothing_else_can_be_reached(sql):
    with pytest.raises(duckdb.Error):
        connection().execute(sql)


def test_hostile_names_of_columns_are_names(both_sides):
    hostile = 'a "b" OR 1=1; --'
    header = '"' + hostile.replace('"', '""') + '"'
    rules = [rule('"a ""b"" OR 1=1; --" > 1'), {"name": "s", "sql": 'sum("a ""b"" OR 1=1; --") > 5'}]
    found = both_sides(f"{header},n\n1,1\n2,2", {hostile: "integer", "n": "integer"}, rules=rules).agree()
    assert {finding.rule: finding.count for finding in found} == {"r": 1, "s": 1}


@pytest.mark.parametrize("sql", [*RULES, *FIGURES, *WAREHOUSE_ONLY])
def test_every_statement_is_of_snowflakes_dialect(sql):
    sent: list[str] = []

    def ask(asked: Statement, limit: int) -> QueryResult:
        sent.append(asked.sql)
        # Every rule is broken, so that there are samples to ask for, too.
        return QueryResult(columns=(), rows=((1,) * len(sqlglot.parse_one(asked.sql, read="snowflake").selects),))

    rows = Rows(definition=Statement('SELECT * FROM "T"'), columns=columns(**TYPES), dialect="snowflake", ask=ask)
    [check] = read([rule(sql)], job()).table_checks(job(), columns(**TYPES))
    list(check.run(rows))
    assert sent
    for text in sent:
        [tree] = sqlglot.parse(text, read="snowflake")
        assert isinstance(tree, sqlglot.exp.Select)
        unknown = {node.name.upper() for node in tree.find_all(sqlglot.exp.Anonymous)}
        assert unknown <= {"REGEXP_LIKE", "REGEXP_INSTR"}


def test_a_search_is_no_match_of_the_whole_in_snowflake():
    searched = statement("SELECT regexp_matches(a, 'x'), regexp_full_match(a, 'y')", (), "snowflake").sql
    assert searched == "SELECT (REGEXP_INSTR(a, 'x') > 0), REGEXP_LIKE(a, 'y')"


# Merging

ASKED = [
    {"name": sql, "sql": sql}
    for sql in (
        "n > 0",
        "s <> 'a' OR n IS NULL",
        "count(*) < 0",
        "count(n) + count_if(n > 1) < 0",
        "sum(n) = 123456",
        "sum(d) = 123456",
        "sum(x) = 123456",
        "avg(x) = 123456",
        "avg(d) = 123456",
        "min(s) = 'nothing' OR max(s) = 'nothing'",
        "min(x) = 5 AND max(x) = 5",
        "max(day) < DATE '1900-01-01' AND min(day) > DATE '2100-01-01'",
        "CAST(s AS INTEGER) > 0",
    )
]
MERGED = columns(n="bigint", d="decimal(12,3)", s="varchar", x="double", day="date")
VALUES = st.fixed_dictionaries(
    {
        "n": st.none() | st.integers(-5, 5),
        "d": st.none() | st.decimals(-1000, 1000, places=3),
        "s": st.none() | st.sampled_from(["a", "b", "7", "ü"]),
        "x": st.none() | st.floats(allow_nan=False, allow_infinity=False, width=64),
        "day": st.none() | st.dates(),
    }
)


def asked() -> Any:
    return read(ASKED, job()).validators(job(), analysis(MERGED))


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(VALUES, min_size=1, max_size=25),
    cuts=st.lists(st.integers(1, 24), max_size=5),
    blocks=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_any_split_in_any_order_finds_what_one_pass_finds(in_parts, rows, cuts, blocks, seed):
    assert in_parts(asked, rows, MERGED, cuts, blocks, seed) == in_parts(asked, rows, MERGED)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers(0, 99))
def test_a_sum_of_floats_is_exact_in_any_order(values, seed):
    one, other = FloatSum(), FloatSum()
    shuffled = random.Random(seed).sample(values, len(values))
    one.add(np.array(shuffled[::2], np.float64))
    other.add(np.array(shuffled[1::2], np.float64))
    one.merge(other)
    try:
        expected = math.fsum(values)
    except OverflowError:
        return
    assert one.text() == (repr(expected + 0.0) if values else None)


@pytest.mark.parametrize(
    ("values", "expected"), [([math.inf, 1], "inf"), ([math.inf, -math.inf], "nan"), ([math.nan], "nan")]
)
def test_what_is_not_finite_adds_up_as_in_sql(values, expected):
    one = FloatSum()
    one.add(np.array(values, np.float64))
    assert one.text() == expected


def test_a_configuration_is_checked_before_anything_is_read(tmp_path):
    path = tmp_path / "etl.toml"
    path.write_text(
        '[jobs.t]\nsource = "t.csv"\ntable = "t"\ncolumns = { price = "integer" }\n'
        '[jobs.t.checks.columns]\nprice = { min = "cheap" }\n'
        '[[jobs.t.rules]]\nname = "r"\nsql = "price >> 0"\n'
    )
    for said in ("checks.columns.price.min: column 'price' is integer", "rules.r.sql: "):
        [error] = problems(load_config(path), Plugins.load())
        assert said in error.message
        path.write_text(path.read_text().replace('"cheap"', "1"))
    path.write_text(path.read_text().replace(">>", ">"))
    assert problems(load_config(path), Plugins.load()) == ()


@pytest.mark.parametrize("zeros", [("0.0", "-0.0"), ("-0.0", "0.0")])
def test_both_zeros_are_told_as_one_in_whatever_order_they_come(findings_of_file, zeros):
    [found] = findings_of_file("x\n" + "\n".join(zeros), {"x": "double"}, rules=[rule("min(x) > 0 OR max(x) > 0")])
    assert found.message.endswith("min(x) = 0, max(x) = 0")
