"""A profile tells what is in the data, the same however they are split, and on threads as on processes."""

from __future__ import annotations

import json
import math
import pickle
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from etl_quality.profile import ProfileMaker
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Column, ColumnType, NoPluginError, Position, Profile, Workspace, profile, to_jsonable
from etl_framework.cli.group import etl
from etl_framework.cli.profile import show_profile

COLUMNS = tuple(
    Column(name=name, type=ColumnType.parse(kind))
    for name, kind in {
        "i": "bigint",
        "x": "double",
        "d": "decimal(10,2)",
        "day": "date",
        "at": "timestamp",
        "seen": "timestamptz",
        "hour": "time",
        "s": "varchar",
        "b": "boolean",
    }.items()
)
SCHEMA = pa.schema([(column.name, column.type.arrow()) for column in COLUMNS])
ROWS = st.tuples(
    *(
        st.none() | values
        for values in (
            st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
            st.floats(),
            st.decimals(-9999, 9999, places=2),
            st.dates(date(1, 1, 1), date(9999, 12, 31)),
            st.datetimes(),
            st.datetimes(timezones=st.just(UTC)),
            st.times(),
            st.text(max_size=8) | st.just("Ab-12"),
            st.booleans(),
        )
    )
)


@dataclass
class Rows:
    """A block of literal rows, the first of which is the ``first`` of the file."""

    rows: list
    first: int = 0
    columns: tuple = COLUMNS
    schema: pa.Schema = SCHEMA
    bad_rows: tuple = ()
    source: str = "/data/rows.csv"
    part: int = 0
    batch: pa.RecordBatch = field(init=False)

    def __post_init__(self):
        columns = zip(*self.rows, strict=True) if self.rows else [[]] * len(self.schema)
        arrays = [pa.array(list(values), kind.type) for values, kind in zip(columns, self.schema, strict=True)]
        self.batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def positions(self, rows):
        return [Position(part=0, line=1, offset=100 * (self.first + row)) for row in rows]


def profile_of(*parts, keys=(), columns=COLUMNS):
    """The profile of parts, each a list of blocks."""
    whole = ProfileMaker(columns, keys)
    for blocks in parts:
        maker = ProfileMaker(columns, keys)
        for block in blocks:
            maker.update(block)
        whole.merge(pickle.loads(pickle.dumps(maker)))
    return whole.finish()


def one_column(kind, values, **options):
    """The profile of a column of these values."""
    column = Column(name="c", type=ColumnType.parse(kind))
    block = Rows([(value,) for value in values], columns=(column,), schema=pa.schema([("c", column.type.arrow())]))
    (found,) = profile_of([block], columns=(column,), **options).columns
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=30), st.data())
def test_any_split_in_any_order_gives_the_same_profile(rows, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    blocks = [Rows(rows[a:b], a) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    shuffled = data.draw(st.permutations(blocks))
    parts = [shuffled[:2], [], shuffled[2:]]
    assert repr(profile_of(*parts, keys=("i", "s"))) == repr(profile_of([Rows(rows)], keys=("i", "s")))


def test_large_data_give_the_same_profile_however_they_are_split():
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 30_000, 20_000)
    rows = [(int(n), float(n) / 7, f"id {n}" if n % 3 else "usual") for n in numbers]
    columns = tuple(c for c in COLUMNS if c.name in "ixs")
    schema = pa.schema([(c.name, c.type.arrow()) for c in columns])

    def blocks(size):
        return [Rows(rows[at : at + size], at, columns, schema) for at in range(0, len(rows), size)]

    whole = profile_of(blocks(20_000), columns=columns)
    assert profile_of(*([block] for block in reversed(blocks(777))), columns=columns) == whole
    text = whole.columns[2]
    assert whole.sampled == 4096
    assert text.top[0].value == "usual"
    assert abs(text.top[0].share - 1 / 3) <= 4 * text.top_error
    true = len({row[0] for row in rows})
    assert abs(whole.columns[0].distinct - true) <= 4 * whole.columns[0].distinct_error * true


def test_numbers_are_told_with_every_figure():
    found = one_column("integer", [3, 1, 2, 2, None])
    assert (found.rows, found.nulls, found.distinct, found.distinct_error) == (5, 1, 3, 0)
    assert (found.minimum, found.maximum, found.mean) == (1, 3, 2.0)
    assert found.deviation == pytest.approx(math.sqrt(2 / 3))
    assert [(top.value, top.count, top.share) for top in found.top] == [(2, 2, 0.5), (1, 1, 0.25), (3, 1, 0.25)]
    assert {q.share: q.value for q in found.quantiles}[0.5] == 2
    assert all(q.low == q.value == q.high for q in found.quantiles)


def test_numbers_of_more_digits_than_a_float_has_keep_them():
    found = one_column("bigint", [2**63 - 1, 2**63 - 3])
    assert (found.minimum, found.maximum, found.distinct) == (2**63 - 3, 2**63 - 1, 2)
    assert all(2**63 - 3 <= q.low <= q.value <= q.high <= 2**63 - 1 for q in found.quantiles)
    large = Decimal("1" + "0" * 24 + ".01")
    found = one_column("decimal(38,2)", [large, large + 2])
    assert found.mean == float(large + 1)
    assert all(large <= q.low <= q.value <= q.high <= large + 2 for q in found.quantiles)


def test_what_is_no_finite_number_counts_but_spoils_no_figure():
    found = one_column("double", [1.0, math.nan, math.inf, -math.inf, 3.0, None])
    assert (found.not_finite, found.mean, found.minimum, found.maximum) == (3, 2.0, 1.0, 3.0)
    assert [part.value for part in found.score.parts if part.dimension == "validity"] == [0.5]
    assert {q.value for q in found.quantiles} == {1.0, 3.0}


def test_a_column_of_nothing_but_nan_has_no_figures():
    found = one_column("double", [math.nan])
    assert (found.mean, found.deviation, found.quantiles, found.distinct) == (None, None, (), 1)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("decimal(10,2)", [Decimal("1.10"), Decimal("2.20"), Decimal("3.30")]),
        ("date", [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
        ("time", [time(0), time(12, 30), time(23, 59, 59, 999999)]),
        ("timestamp", list(map(datetime.fromisoformat, ("0001-01-01", "2024-02-29T01:00", "9999-12-31T23:59:59")))),
        ("timestamptz", [datetime(year, 1, 1, tzinfo=UTC) for year in (1969, 2024, 2025)]),
    ],
)
def test_quantiles_are_values_of_the_column(kind, values):
    found = one_column(kind, values)
    assert [q.value for q in found.quantiles if q.share in (0.01, 0.5, 0.99)] == values
    assert (found.minimum, found.maximum) == (values[0], values[-1])


def test_texts_are_told_by_length_and_shape():
    found = one_column("varchar", ["AB-1", "AB-1", "CD-22", "éa", "日本", "x" * 300])
    assert (found.lengths.shortest, found.lengths.longest, found.lengths.mean) == (
        2,
        300,
        pytest.approx(52.83, abs=0.01),
    )
    assert found.top[-1].value == "日本"
    assert max(len(top.value) for top in found.top) == 200
    assert {pattern.shape: pattern.example for pattern in found.patterns} == {
        "AA-9": "AB-1",
        "AA-99": "CD-22",
        "aa": "éa",
        "a" * 200: "x" * 200,
    }


def test_of_values_that_are_all_different_none_is_told_as_frequent(capsys):
    found = one_column("varchar", ["a", "b", "c", None])
    assert (found.top, found.no_top) == ((), "all 3 values are different")
    show_profile(Profile(rows=4, bad_rows=0, sampled=4, columns=(found,), score=found.score))
    assert re.search("top values +none: all 3 values are different\n", capsys.readouterr().out)
    assert to_jsonable(found)["no_top"] == found.no_top


def test_a_sample_without_a_value_twice_says_so():
    columns = (Column(name="i", type=ColumnType.parse("integer")),)
    schema = pa.schema([("i", pa.int32())])
    [found] = profile_of([Rows([(n,) for n in range(10_000)], 0, columns, schema)], columns=columns).columns
    assert (found.top, found.no_top) == ((), "all 4,096 sampled values are different")


@pytest.mark.parametrize("values", [["a", "a", "b"], ["a"], [None]])
def test_frequent_values_are_told_without_a_reason_for_none(values):
    assert one_column("varchar", values).no_top == ""


def test_shapes_of_free_text_are_told_without_the_lengths_of_runs():
    found = one_column("varchar", [f"{'a' * n} {n}" for n in range(1, 40)])
    assert [(pattern.shape, pattern.share) for pattern in found.patterns] == [("a+ 9+", 1.0)]


def test_a_column_of_nulls_and_no_rows_at_all_have_a_profile():
    empty = one_column("varchar", [None, None])
    assert (empty.nulls, empty.distinct, empty.minimum) == (2, 0, None)
    assert (empty.top, empty.lengths, empty.patterns) == ((), None, ())
    nothing = profile_of()
    assert (nothing.rows, nothing.score.value) == (0, None)
    assert all(column.score.value is None for column in nothing.columns)


def test_columns_of_which_nothing_is_known_are_told_in_the_table_alone(capsys):
    show_profile(profile_of())
    shown = capsys.readouterr().out
    assert len(shown.rstrip().splitlines()) == 2 + len(profile_of().columns)


def test_frequent_values_are_escaped_once(capsys):
    found = one_column("varchar", ["two\nlines", "two\nlines", "x"])
    show_profile(Profile(rows=3, bad_rows=0, sampled=3, columns=(found,), score=found.score))
    assert r"'two\nlines' 66.7%" in capsys.readouterr().out


@pytest.mark.parametrize(("rows", "mark"), [(100, ""), (10_000, "~")])
def test_estimated_quantiles_and_shapes_are_told_as_such(capsys, rows, mark):
    columns = tuple(Column(name=kind, type=ColumnType.parse(kind)) for kind in ("integer", "varchar"))
    schema = pa.schema([("integer", pa.int32()), ("varchar", pa.string())])
    show_profile(profile_of([Rows([(n * n, "a-1") for n in range(rows)], 0, columns, schema)], columns=columns))
    shown = capsys.readouterr().out
    assert re.search(rf"quantiles .* 50% {mark}\d", shown)
    assert re.search(rf"patterns .* {mark}100\.0%", shown)


def test_bad_rows_count_against_the_column_at_fault():
    start = Position(part=0, line=1, offset=0)
    bad = BadRow(position=start, rule="wrong_type", column="i", value="x", reason="", data=b"")
    found = profile_of([Rows([], bad_rows=(bad,)), Rows([(1, *[None] * 8)])])
    assert (found.rows, found.bad_rows, found.columns[0].bad, found.columns[1].bad) == (1, 1, 1, 0)


def test_memory_does_not_grow_with_the_rows():
    def size(rows):
        maker = ProfileMaker(columns)
        for at in range(0, rows, 10_000):
            numbers = range(at, at + 10_000)
            maker.update(Rows([(n, n / 7, f"text {n}") for n in numbers], at, columns, schema))
        return len(pickle.dumps(maker))

    columns = tuple(c for c in COLUMNS if c.name in "ixs")
    schema = pa.schema([(c.name, c.type.arrow()) for c in columns])
    assert size(100_000) < 1.1 * size(20_000)


# From files


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file of several thousand rows, of which one is bad."""
    monkeypatch.chdir(tmp_path)
    lines = [f"{n},2024-01-{n % 28 + 1:02},{'' if n % 4 == 0 else f'AB-{n % 10}'},{n / 8}" for n in range(5000)]
    lines[3000] = "3000,2024-01-01,AB-1,many"
    (tmp_path / "t.csv").write_text("id,day,code,amount\n" + "".join(f"{line}\n" for line in lines))
    (tmp_path / "etl.toml").write_text(
        '[jobs.t]\nsource = "t.csv"\ntable = "t"\nkeys = ["id"]\n'
        'columns = { id = "integer", day = "date", code = "varchar", amount = "double" }\n'
    )
    return tmp_path / "t.csv"


def test_processes_and_small_parts_tell_what_one_thread_tells(file):
    whole = profile(job="t", executor="threads:1").profile
    assert (whole.rows, whole.bad_rows, whole.sampled) == (4999, 1, 4096)
    for options in ({"part_size": 7000, "block_size": 1024}, {"executor": "processes:2", "part_size": 60_000}):
        assert profile(job="t", **options).profile == whole


def test_rows_of_another_encoding_and_of_a_compressed_file_are_sampled_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "id,word\n" + "".join(f"{n},é{n}\n" for n in range(6000))
    (tmp_path / "t.csv").write_bytes(text.encode("utf-16"))
    whole = profile("t.csv").profile
    assert whole.sampled == 4096
    assert profile("t.csv", block_size=1024).profile == whole


def test_the_command_prints_a_table_and_details(file):
    done = CliRunner().invoke(etl, ["analyze", "t", "--profile"])
    assert done.exit_code == 0, done.output
    assert "~5,000" not in done.output.splitlines()[0]
    for words in ("AA-9", "quality:", "completeness", "1 of 5,000 rows bad", "quantiles"):
        assert words in done.output


def test_the_command_prints_one_json_document(file):
    done = CliRunner().invoke(etl, ["-q", "analyze", "t", "--profile", "--json"])
    document = json.loads(done.stdout)
    assert (document["kind"], document["profile"]["rows"]) == ("profile", 4999)
    assert [column["name"] for column in document["profile"]["columns"]] == ["id", "day", "code", "amount"]


def test_a_mistake_in_the_options_of_python_is_told():
    with pytest.raises(TypeError, match="profile"):
        profile("t.csv", targt="x")


def test_without_a_plugin_it_says_which_to_install(file):
    with pytest.raises(NoPluginError, match="no plugin profiles") as caught:
        Workspace.open(disabled=["quality"]).profile(Workspace.open().job("t", [], {}))
    assert "etl-quality" in caught.value.advice
