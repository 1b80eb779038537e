"""Schemas of pandera judge every row, wherever it lies, and say plainly what they cannot be asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import etl_pandera
import pandera.polars as pa
import polars as pl
import pytest
from etl_pandera.checks import checks_of

from etl_framework import Column, ColumnType, Finding, Plugins, Severity, UsageError, Validator, Workspace
from etl_framework.testing import ValidatorContract, check_rows, literal_job

SCHEMA = """
from __future__ import annotations

import pandera.polars as pa


class Sales(pa.DataFrameModel):
    id: int = pa.Field(nullable=True, ge=1)
    currency: str = pa.Field(isin=["EUR", "USD"], raise_warning=True)
    price: float = pa.Field(gt=0)
"""
ROWS = {"id": [1, None, 0, 9007199254740993], "currency": ["EUR", "XXX", None, "USD"], "price": [1.0, 0.0, 2.0, -1.0]}


def found(folder: Path, rows: dict[str, Any], schema: str = "schema.py:Sales", **options: Any) -> tuple[Finding, ...]:
    return check_rows(
        etl_pandera, rows, job=literal_job(sections={"pandera": {"schema": schema}}, folder=folder), **options
    )


def refusal(folder: Path, source: str, **section: Any) -> UsageError:
    (folder / "schema.py").write_text(f"import pandera.polars as pa\nimport polars as pl\n\n{source}\n")
    job = literal_job(sections={"pandera": section or {"schema": "schema.py:S"}}, folder=folder)
    with pytest.raises(UsageError) as refused:
        check_rows(etl_pandera, ROWS, job=job)
    return refused.value


class TestSales(ValidatorContract):
    rows = ROWS
    expected = {"greater_than_or_equal_to": 1, "isin": 1, "not_nullable": 1, "greater_than": 2, "sensible": 1}

    def validator(self) -> Iterable[Validator]:
        schema = pa.DataFrameSchema(
            {
                "id": pa.Column(int, pa.Check.ge(1), nullable=True),
                "currency": pa.Column(str, pa.Check.isin(["EUR", "USD"])),
                "price": pa.Column(float, pa.Check.gt(0)),
            },
            checks=pa.Check(
                lambda data: data.lazyframe.select(pl.col("price") != 2.0), name="sensible", error="two is too round"
            ),
        )
        types = {"id": "bigint", "currency": "varchar", "price": "double"}
        return checks_of(schema, [Column(name=n, type=ColumnType.parse(t)) for n, t in types.items()])


def test_each_bad_row_is_found_on_its_line(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(SCHEMA)
    by_rule = {finding.rule: finding for finding in found(tmp_path, ROWS)}
    places = {rule: [(s.line, s.column, s.value) for s in finding.samples] for rule, finding in by_rule.items()}
    assert places == {
        "greater_than_or_equal_to": [(4, "id", "0")],
        "isin": [(3, "currency", "XXX")],
        "not_nullable": [(4, "currency", None)],
        "greater_than": [(3, "price", "0.0"), (5, "price", "-1.0")],
    }
    assert by_rule["isin"].severity is Severity.WARNING
    assert by_rule["greater_than"].message == "2 rows: price fails greater_than(0)"


def test_integers_with_nulls_keep_every_digit(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(
        "import pandera.polars as pa\n"
        "S = pa.DataFrameSchema({'id': pa.Column(int, pa.Check.ne(9007199254740993), nullable=True)})\n"
    )
    [finding] = found(tmp_path, {"id": [9007199254740992, None, 9007199254740993]}, "schema.py:S")
    assert [(sample.line, sample.value) for sample in finding.samples] == [(4, "9007199254740993")]


def test_a_number_that_is_none_is_as_good_as_null(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(
        "import pandera.polars as pa\nS = pa.DataFrameSchema({'x': pa.Column(float)})\n"
    )
    [finding] = found(tmp_path, {"x": [1.0, float("nan"), None]}, "schema.py:S")
    assert (finding.rule, [sample.line for sample in finding.samples]) == ("not_nullable", [3, 4])


def test_columns_are_found_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(
        "import pandera.polars as pa\nS = pa.DataFrameSchema({'^n_.$': pa.Column(int, pa.Check.lt(5), regex=True)})\n"
    )
    findings = found(tmp_path, {"n_a": [1, 5], "n_b": [6, 1], "other": [9, 9]}, "schema.py:S")
    assert [(f.samples[0].column, f.samples[0].line) for f in findings] == [("n_a", 3), ("n_b", 2)]


@pytest.mark.parametrize("rows", [{"id": [1], "currency": ["EUR"]}, {**ROWS, "price": ["a", "b", "c", "d"]}])
def test_columns_that_do_not_fit_are_told_even_without_rows(tmp_path: Path, rows: dict[str, Any]) -> None:
    (tmp_path / "schema.py").write_text(SCHEMA)
    types = {"id": "bigint", "currency": "varchar", "price": "varchar"}
    for given in (rows, {name: values[:0] for name, values in rows.items()}):
        with pytest.raises(UsageError, match="price") as refused:
            found(tmp_path, given, types={name: types[name] for name in given})
        assert refused.value.key == "pandera.schema"


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_schema_is_read_from_a_file_that_pandera_wrote(tmp_path: Path, suffix: str) -> None:
    schema = pa.DataFrameSchema({"price": pa.Column(float, pa.Check.gt(0))})
    getattr(schema, f"to_{suffix}")(tmp_path / f"schema.{suffix}")
    [finding] = found(tmp_path, {"price": [1.0, -1.0]}, f"schema.{suffix}")
    assert (finding.rule, finding.samples[0].line) == ("greater_than", 3)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("S = pa.DataFrameSchema({'id': pa.Column(unique=True)})", "unique of id"),
        ("S = pa.DataFrameSchema({'id': pa.Column()}, unique=['id'])", "unique"),
        ("S = pa.DataFrameSchema({'id': pa.Column(int, default=0)})", "default of id"),
        ("S = pa.DataFrameSchema({'id': pa.Column(int)}, coerce=True)", "coerce"),
        ("S = pa.DataFrameSchema({'id': pa.Column(int, pa.Check.unique_values_eq([1]))})", "unique_values_eq of id"),
        ("S = pa.DataFrameSchema({'id': pa.Column()}, drop_invalid_rows=True)", "drop_invalid_rows"),
        ("S = pa.DataFrameSchema({})", "asks nothing"),
        ("S = 7", "no pandera.polars schema"),
        ("T = 7", "schema.py has no 'S'"),
    ],
)
def test_what_needs_more_than_a_row_is_refused(tmp_path: Path, source: str, named: str) -> None:
    error = refusal(tmp_path, source)
    assert named in error.message
    assert error.key == "pandera.schema"


@pytest.mark.parametrize("section", [{"schemas": "x"}, {"schema": 7}, {"schema": "no.py:S"}, {"schema": "no.yaml"}])
def test_wrong_settings_are_named(tmp_path: Path, section: dict[str, Any]) -> None:
    assert refusal(tmp_path, "", **section).key == f"pandera.{next(iter(section))}"


@pytest.mark.parametrize(
    ("schema", "said", "advised"),
    [
        ("schema.py:Sale", "schema.py has no 'Sale'", "Did you mean 'Sales'? It has Sales."),
        ("nope.py:Sales", "there is no file {folder}/nope.py", "Give its path as seen from etl.toml."),
        ("nope.yaml", "there is no file {folder}/nope.yaml", "Give its path as seen from etl.toml."),
        ("schema.py", "the section pandera names a schema", 'Say schema = "checks/schema.py:SalesSchema"'),
        ("no_such.schemas:Sales", "no_such.schemas cannot be read: ModuleNotFoundError: ", "Install the module"),
        ("broken.yaml", "broken.yaml cannot be read: ", "Correct broken.yaml."),
        ("broken.py:S", "broken.py cannot be read: SyntaxError: invalid syntax (at broken.py:2)", "Correct broken.py."),
    ],
)
def test_a_schema_that_cannot_be_read_is_told_with_what_is_wrong(
    tmp_path: Path, schema: str, said: str, advised: str
) -> None:
    (tmp_path / "schema.py").write_text(SCHEMA)
    (tmp_path / "broken.py").write_text("\nS = = 1\n")
    (tmp_path / "broken.yaml").write_text("schema_type: [\n")
    with pytest.raises(UsageError) as refused:
        found(tmp_path, ROWS, schema)
    assert refused.value.message.startswith(f"pandera.schema: {said.format(folder=tmp_path)}")
    assert refused.value.advice.startswith(advised)
    assert "pip install" not in refused.value.advice


@pytest.mark.parametrize("wrong", ["pa.Fild(ge=1)", "pa.Field(nonsense=[1], regex=1, gt=2, lt=1, dtype_kwargs=7)"])
def test_an_exception_within_a_schema_is_told_with_its_line(tmp_path: Path, wrong: str) -> None:
    error = refusal(tmp_path, f"class S(pa.DataFrameModel):\n    id: int = {wrong}")
    assert error.message.startswith("pandera.schema: schema.py cannot be read: ")
    assert error.message.endswith("(at schema.py:5)")
    assert error.advice == "Correct schema.py."


def test_an_exception_within_a_module_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pandera_team.py").write_text("import json\n\nS = json.loads('{')\n")
    with pytest.raises(UsageError, match=r"JSONDecodeError: .* \(at pandera_team\.py:3\)") as refused:
        found(tmp_path, ROWS, "pandera_team:S")
    assert refused.value.advice == "Correct pandera_team."


def test_a_library_that_a_schema_in_yaml_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schema.yaml").write_text("columns: {}\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    for name in [name for name in sys.modules if name.startswith("pandera.io")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError) as refused:
        found(tmp_path, ROWS, "schema.yaml")
    assert refused.value.advice == "YAML and JSON need `pip install etl-pandera[files]`."


@pytest.mark.parametrize(
    "judging", ["pl.col(d.key) <= pl.col(d.key).mean()", "pl.col(d.key).sum() < 100", "pl.col(d.key).is_unique()"]
)
def test_a_check_that_judges_rows_by_others_is_refused(tmp_path: Path, judging: str) -> None:
    source = f"S = pa.DataFrameSchema({{'n': pa.Column(checks=pa.Check(lambda d: d.lazyframe.select({judging})))}})"
    (tmp_path / "schema.py").write_text(f"import pandera.polars as pa\nimport polars as pl\n{source}\n")
    with pytest.raises(UsageError, match="beside"):
        found(tmp_path, {"n": [1, 1, 2, 9, 9, 2]}, "schema.py:S", parts=1, blocks=1)


def test_a_file_is_checked_in_all_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.py").write_text(SCHEMA)
    rows = [f"{number},EUR,{-1 if number in (1, 777, 3000) else 1}.5\n" for number in range(1, 3001)]
    (tmp_path / "sales.csv").write_text("".join(["id,currency,price\n", *rows]))
    (tmp_path / "etl.toml").write_text(
        '[jobs.sales]\nsource = "sales.csv"\ntable = "sales"\ntarget = "duckdb:w.duckdb"\npart_size = "4 KiB"\n'
        'required_plugins = ["pandera"]\n[jobs.sales.pandera]\nschema = "schema.py:Sales"\n'
    )
    workspace = Workspace.open(tmp_path / "etl.toml")
    [finding] = workspace.validate(workspace.job("sales", (), {})).findings
    assert (finding.rule, [sample.line for sample in finding.samples]) == ("greater_than", [2, 778, 3001])


def test_nothing_is_checked_unless_the_job_asks() -> None:
    plugins = Plugins()
    plugins.register(etl_pandera, name="pandera")
    assert check_rows(plugins, ROWS) == ()


def test_what_the_documentation_shows_finds_what_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[3].joinpath("docs", "adapters.md").read_text(encoding="utf-8")
    [section] = re.findall(r"^## pandera\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    written = dict(re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etl.toml").write_text(written["toml"])
    (tmp_path / "schema.py").write_text(written["python"])
    (tmp_path / "sales.csv").write_text("id,currency,price\n1,EUR,1.5\n2,XXX,2.5\n3,USD,-1.5\n")
    workspace = Workspace.open(tmp_path / "etl.toml")
    findings = workspace.validate(workspace.job("sales", (), {})).findings
    assert [(found.severity, found.samples[0].line) for found in findings] == [
        (Severity.ERROR, 4),
        (Severity.WARNING, 3),
    ]
