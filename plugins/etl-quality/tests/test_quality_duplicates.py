"""Duplicated keys: found exactly, whatever their types, their order and the parts that they lie in."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from etl_quality import hash_runs, key_hashes
from etl_quality.hash_runs import Run
from etl_quality.repeated_keys import RepeatedKeys, Repetition
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Finding, Position, Severity, UsageError

Key = tuple[Any, ...]


@dataclass
class Rows:
    """A block whose rows are on the given lines."""

    batch: pa.RecordBatch
    at: npt.NDArray[np.int64]
    part: int
    source: str = "data.csv"
    data: bytes = b""
    bad_rows: Sequence[BadRow] = field(default_factory=tuple)
    lines: int = 0
    consumed: int = 0

    def position(self, row: int) -> Position:
        return Position(part=self.part, line=int(self.at[row]), offset=0)

    def row_lines(self) -> npt.NDArray[np.int64]:
        return self.at


TYPES = {
    pa.int64(): st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1),
    pa.int16(): st.integers(-3, 3),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(date(2024, 1, 1), date(2024, 1, 4)),
    pa.time64("us"): st.sampled_from([time(0), time(0, 0, 1), time(23, 59, 59, 999999)]),
    pa.timestamp("us"): st.sampled_from(["0001-01-01", "2024-01-01", "2024-01-01T00:00:00.000001"]).map(
        datetime.fromisoformat
    ),
    pa.timestamp("us", "UTC"): st.sampled_from([datetime(1969, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]),
    pa.decimal128(38, 2): st.decimals(-2, 2, places=2, allow_nan=False) | st.just(Decimal("9" * 36 + ".99")),
    pa.float64(): st.sampled_from([0.0, -0.0, 1.5, float("nan"), -float("nan"), float("inf")]),
    pa.float32(): st.sampled_from([0.0, -0.0, 0.5, float("nan")]),
    pa.string(): st.sampled_from(["", "a", "A", "a ", "ä", "a\0", "12345678", "123456789", "x" * 127, "x" * 300])
    | st.text("ab", max_size=3)
    | st.builds(lambda tail: "y" * 128 + tail, st.text("ab", max_size=2)),
}


def canonical(value: Any) -> Any:
    """Values that SQL groups together, as one value that is equal to itself."""
    if isinstance(value, float):
        return "NaN" if value != value else value + 0.0
    return value


@st.composite
def tables(draw: st.DrawFn) -> pa.RecordBatch:
    kinds = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=3))
    rows = draw(st.integers(0, 40))
    columns = [pa.array(draw(st.lists(st.none() | TYPES[kind], min_size=rows, max_size=rows)), kind) for kind in kinds]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{at}" for at in range(len(kinds))])


def accumulated(
    batch: pa.RecordBatch,
    cuts: Sequence[int],
    folder: Path,
    *,
    block: int = 7,
    order: Callable[[list[RepeatedKeys]], list[RepeatedKeys]] = list,
    lines: Callable[[int], int] = lambda row: row + 2,
    **sizes: int,
) -> RepeatedKeys:
    """Give each part to an accumulator of its own, some rows at a time; each travels, and they are merged."""
    ends = [0, *sorted(min(cut, batch.num_rows) for cut in cuts), batch.num_rows]
    parts = []
    for number, (begin, end) in enumerate(pairwise(ends)):
        part = RepeatedKeys(batch.schema.names, **sizes)
        place = folder / str(number)
        place.mkdir()
        part.spill_to(place)
        for first in range(begin, end, block):
            rows = batch.slice(first, min(block, end - first))
            at = np.array([lines(first + row) for row in range(rows.num_rows)], np.int64)
            part.update(Rows(rows, at, number))
            assert part.buffered <= sizes.get("run_rows", 1 << 20)
        part.settle()
        assert part.is_whole()
        parts.append(pickle.loads(pickle.dumps(part)))
    base, *others = order(parts)
    for other in others:
        base.merge(other)
    return base


def expected(batch: pa.RecordBatch) -> tuple[Counter[Key], dict[Key, list[int]]]:
    keys = [tuple(map(canonical, row)) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
    places: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        places.setdefault(key, []).append(row)
    return Counter(keys), places


@settings(max_examples=60, deadline=None)
@given(tables(), st.lists(st.integers(0, 40), max_size=4), st.integers(1, 9), st.integers(1, 9), st.randoms())
def test_keys_are_counted_as_a_dictionary_counts_them_whatever_spills(
    batch: pa.RecordBatch, cuts: list[int], run_rows: int, span_rows: int, chance: Any
) -> None:
    with TemporaryDirectory() as folder:
        keys = accumulated(
            batch,
            cuts,
            Path(folder),
            order=lambda parts: chance.sample(parts, len(parts)),
            lines=lambda row: row + 2 + row // 5 * 3,
            run_rows=run_rows,
            span_rows=span_rows,
        )
        found = keys.repetition(1000, 3)
    counts, places = expected(batch)
    repeated = {key: count for key, count in counts.items() if count > 1}
    assert found.rows == batch.num_rows
    assert found.keys == len(repeated)
    assert found.extra == sum(repeated.values()) - len(repeated)
    assert {tuple(map(canonical, key.values)): key.rows for key in found.worst} == repeated
    assert [key.rows for key in found.worst] == sorted(repeated.values(), reverse=True)
    for key in found.worst:
        rows = places[tuple(map(canonical, key.values))][:3]
        assert [place.line for place in key.places] == [row + 2 + row // 5 * 3 for row in rows]


@pytest.fixture
def numbers() -> Callable[[Sequence[int | None]], pa.RecordBatch]:
    """A table of one column of integers."""
    return lambda values: pa.RecordBatch.from_pydict({"n": pa.array(values, pa.int64())})


def repetition(keys: RepeatedKeys) -> Repetition:
    return keys.repetition(5, 5)


def test_keys_whose_hashes_collide_are_no_duplicates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: Callable[..., pa.RecordBatch]
) -> None:
    for module in ("repeated_keys", "spilled_keys"):
        monkeypatch.setattr(f"etl_quality.{module}.hashes", lambda columns: np.zeros(len(columns[0]), np.uint64))
    found = repetition(accumulated(numbers([*range(30), 7, 7]), [5, 20], tmp_path, run_rows=4, span_rows=4))
    assert (found.keys, found.extra) == (1, 2)
    [worst] = found.worst
    assert (worst.values, [place.line for place in worst.places]) == ((7,), [9, 32, 33])


def test_a_key_in_every_row_takes_no_more_room_than_two_hashes_a_run(
    tmp_path: Path, numbers: Callable[..., pa.RecordBatch]
) -> None:
    keys = accumulated(numbers([5] * 1000), [500], tmp_path, block=10, run_rows=50)
    assert sum(path.stat().st_size for path in tmp_path.glob("*/hashes")) == 1000 // 50 * 2 * 8
    found = repetition(keys)
    assert (found.keys, found.extra, found.worst[0].rows) == (1, 999, 1000)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), min_size=1), min_size=1), st.integers(1, 20))
def test_no_span_holds_more_hashes_than_it_may_and_all_spans_together_hold_each_once(
    lists: list[list[int]], most: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "hashes")
        runs, written = [], 0
        with path.open("wb") as file:
            for values in lists:
                run, fences = hash_runs.sorted_run([np.array(values, np.uint64)])
                runs.append(Run(path, written, fences))
                written += len(run)
                file.write(run.tobytes())
        loaded = [hash_runs.load(runs, span) for span in hash_runs.spans(runs, most)]
        assert sorted(np.concatenate(loaded).tolist()) == sorted(np.fromfile(path, np.uint64).tolist())


def test_spans_of_many_hashes_are_no_larger_than_they_may_be(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    path = tmp_path / "hashes"
    run, fences = hash_runs.sorted_run([chance.integers(0, 2**64, 100_000, np.uint64)])
    run.tofile(path)
    runs = [Run(path, 0, fences)]
    for most in (50, 300, 1000, 60_000):
        sizes = [len(hash_runs.load(runs, span)) for span in hash_runs.spans(runs, most)]
        assert sum(sizes) == 100_000
        # Pieces of a stripe are equal but for chance.
        assert max(sizes) <= most + 6 * most**0.5


def test_hashes_of_rows_do_not_depend_on_where_a_batch_begins() -> None:
    columns = [pa.array(["a", None, "abcdefghi", "z" * 200, ""] * 3), pa.array([1.0, None, 2.0, -0.0, 3.0] * 3)]
    whole = key_hashes.hashes(columns)
    for begin in range(15):
        assert key_hashes.hashes([column.slice(begin) for column in columns]).tolist() == whole[begin:].tolist()
        assert key_hashes.hashes([column.slice(begin, 1) for column in columns]).tolist() == [whole[begin]]


def test_keys_of_many_rows_have_hashes_of_their_own() -> None:
    ones, twos = np.divmod(np.arange(1 << 18), 512)
    for columns in (
        [pa.array(ones), pa.array(twos)],
        [pa.array([f"{a}-{b}" for a, b in zip(ones, twos, strict=True)])],
    ):
        assert len(np.unique(key_hashes.hashes(columns))) == 1 << 18


@pytest.mark.parametrize("name", ["hashes", "keys.arrow", "lines"])
def test_an_accumulator_whose_files_are_cut_or_gone_is_not_whole(
    tmp_path: Path, numbers: Callable[..., pa.RecordBatch], name: str
) -> None:
    keys = accumulated(numbers(range(30)), [], tmp_path, lines=lambda row: row * row)
    path = tmp_path / "0" / name
    path.write_bytes(path.read_bytes()[:-1])
    assert not keys.is_whole()
    path.unlink()
    assert not keys.is_whole()


# On files and tables

COLUMNS = {"a": "integer", "b": "varchar", "c": "varchar"}


def duplicates(findings: Sequence[Finding]) -> Finding:
    [found] = [finding for finding in findings if finding.rule == "duplicates"]
    return found


def places(finding: Finding) -> list[tuple[str | None, int | None]]:
    return [(sample.value, sample.line) for sample in finding.samples]


def test_duplicates_are_found_at_the_first_row_the_last_and_across_parts_with_their_lines(
    findings_of_file: Callable[..., tuple[Finding, ...]],
) -> None:
    rows = ["0,first,", *(f"{number},x,{'y' * 20}" for number in range(1, 50)), "7,x,", "0,first,"]
    [found] = findings_of_file(
        "\n".join(["a,b,c", *rows]), COLUMNS, part_bytes=200, checks={"duplicates": {"keys": ["a", "b"]}}
    )
    assert found.severity is Severity.ERROR
    assert found.count == 2
    assert found.message == "2 rows too many, 3.85% of 52: 2 keys (a, b) occur more than once, up to 2 times"
    assert places(found) == [
        ("a = 0, b = first", 2),
        ("a = 0, b = first", 53),
        ("a = 7, b = x", 9),
        ("a = 7, b = x", 52),
    ]


def test_a_row_that_is_there_again_behind_a_border_of_parts_is_found(duckdb_side: Any, data: Any) -> None:
    def file_of(rows: list[str]) -> Any:
        return data("\n".join(["a,b,c", *rows]), COLUMNS, checks={"duplicates": {"keys": ["a", "b"]}})

    rows = [f"{number},x," for number in range(100, 160)]
    end, start = (duckdb_side.row_at(place, file_of(rows), part_bytes=60) for place in ("end", "start"))
    rows[start] = rows[end]
    bad = file_of(rows)
    assert duckdb_side.row_at("start", bad, part_bytes=60) == start
    found = duplicates(duckdb_side.of_file(bad, part_bytes=60))
    key = f"a = {100 + end}, b = x"
    assert (found.count, places(found)) == (1, [(key, end + 2), (key, start + 2)])


def test_a_share_that_is_not_nothing_is_not_called_nothing(
    findings_of_file: Callable[..., tuple[Finding, ...]],
) -> None:
    rows = "".join(f"{number},,\n" for number in range(20_001))
    found = duplicates(findings_of_file(f"a,b,c\n{rows}7,,\n", COLUMNS, checks={"duplicates": {"keys": ["a"]}}))
    assert found.message == "1 row too many, < 0.01% of 20,002: 1 key (a) occurs more than once, up to 2 times"


def test_lines_are_right_behind_records_of_several_lines_and_blank_ones(
    findings_of_file: Callable[..., tuple[Finding, ...]],
) -> None:
    text = 'a,b,c\n1,"two\nlines",x\n\n2,b,x\n2,b,y\n'
    text += "".join(f'{number},"a\n\nb",x\n' for number in range(3, 40)) + "39,,\n"
    found = duplicates(findings_of_file(text, COLUMNS, part_bytes=64, checks={"duplicates": {"keys": ["a"]}}))
    assert places(found) == [("2", 5), ("2", 6), ("39", 7 + 3 * 36), ("39", 7 + 3 * 37)]


def test_lines_are_right_beside_bad_rows(findings_of_file: Callable[..., tuple[Finding, ...]]) -> None:
    found = findings_of_file("a,b,c\n1,,\nx,,\n2,,\n1,,\n", COLUMNS, checks={"duplicates": {"keys": ["a"]}})
    assert places(duplicates(found)) == [("1", 2), ("1", 5)]


def test_all_sides_say_the_same_of_the_same_data(both_sides: Callable[..., Any]) -> None:
    text = """
        a,b,c
        1,x,
        2,x,
        1,x,
        ,,
        ,,
        ,"",
        3,X,
        3,x,
        1,x,
    """
    found = both_sides(text, COLUMNS, checks={"duplicates": {"keys": ["a", "b"]}})
    [finding] = found.agree()
    assert finding.message == "3 rows too many, 33.33% of 9: 2 keys (a, b) occur more than once, up to 3 times"
    for side in found.sides.values():
        assert list(dict.fromkeys((sample.value, sample.reason) for sample in duplicates(side).samples)) == [
            ("a = 1, b = x", "3 rows have this key"),
            ("a = null, b = null", "2 rows have this key"),
        ]


TYPED = {
    "d": "date",
    "t": "timestamp",
    "n": "decimal(10,3)",
    "x": "double",
    "f": "boolean",
}


@pytest.mark.parametrize("column", TYPED)
def test_values_of_every_type_are_named_alike_on_all_sides(both_sides: Callable[..., Any], column: str) -> None:
    text = """
        d,t,n,x,f
        2024-01-02,2024-01-02 03:04:05,1.50,1.5,true
        2024-01-02,2024-01-02T03:04:05.000,1.500,15e-1,TRUE
        2024-01-03,2024-01-03 00:00:00,2,2,false
    """
    found = both_sides(text, TYPED, checks={"duplicates": {"keys": [column]}})
    assert found.agree()[0].count == 1
    assert len({duplicates(side).samples[0].value for side in found.sides.values()}) == 1


def test_nothing_is_said_where_every_key_is_there_once(both_sides: Callable[..., Any]) -> None:
    found = both_sides(
        "a,b\n1,x\n1,y\n,y\n1,", {"a": "integer", "b": "varchar"}, checks={"duplicates": {"keys": ["a", "b"]}}
    )
    assert found.agree() == ()


@pytest.mark.parametrize(
    ("asked", "severity"),
    [
        ("error", Severity.ERROR),
        ("warning", Severity.WARNING),
        (True, Severity.ERROR),
        ({"warning_below": 0.3}, Severity.WARNING),
        ({"warning_below": 0.25}, Severity.ERROR),
        ({"severity": "info", "warning_below": 0.3}, Severity.INFO),
    ],
)
def test_how_grave_duplicates_are_is_a_matter_of_their_share(
    both_sides: Callable[..., Any], asked: object, severity: Severity
) -> None:
    found = both_sides("a\n1\n2\n3\n1", {"a": "integer"}, checks={"duplicates": asked}, settings={"keys": ["a"]})
    assert [finding.severity for finding in found.agree()] == [severity]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"keys": ["d"]}, "there is no column 'd'"),
        ({"keys": ["a", "a"]}, "names a column twice"),
        ("error", "which columns identify a row"),
        ({"keys": ["a"], "severety": "error"}, "checks.duplicates.severety is not a known key"),
        ({"keys": ["a"], "warning_below": 2}, "checks.duplicates.warning_below"),
        ("grave", "checks.duplicates.severity"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    findings_of_file: Callable[..., tuple[Finding, ...]], asked: object, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        findings_of_file("a,b,c\n1,,", COLUMNS, checks={"duplicates": asked})
