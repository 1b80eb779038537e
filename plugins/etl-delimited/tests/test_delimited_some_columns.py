"""Reading some columns of many gives of these what reading all of them gives, and the same bad rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from etl_delimited.dialect import Dialect
from etl_delimited.format import DelimitedFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl_framework import Block, Column, ColumnType, Part, Source, UsageError, Workspace

NAMES = ("number", "text", "price", "last")
TYPES = dict(zip(NAMES, ("bigint", "varchar", "double", "varchar"), strict=True))

numbers = st.sampled_from(["1", "-5", "", '"7"', '""', " 8"])
prices = st.sampled_from(["1.5", "", '""', "1e3", "nan"])
texts = st.sampled_from(["", '""', "a", "ä", '"b\nc"', '"say ""so"""', '"x, y"', "0x1F", "007", '"\r\n"'])
records = st.tuples(numbers, texts, prices, texts).map(",".join) | st.sampled_from(
    ["1,2", "1,2,3,4,5", "", "\xff,a,1,b"]
)


def blocks(
    path: Path, names: Sequence[str], block_bytes: int, null_values: tuple[str, ...], typed: Sequence[str] = NAMES
) -> Iterator[Block]:
    """Read some columns, of which only the typed ones are more than text."""
    dialect = Dialect(header=False, null_values=null_values)
    kinds = {name: TYPES[name] if name in typed else "varchar" for name in names}
    columns = [Column(name=name, type=ColumnType.parse(kind), declared=True) for name, kind in kinds.items()]
    size = path.stat().st_size
    source = Source(path=str(path), size=size, modified_ns=0, changed_ns=0, inode=0, digest="")
    form = DelimitedFormat(dialect=dialect, header=NAMES)
    return form.read(source, Part(source=0, number=0, start=0, end=size), columns, block_bytes)


def read(
    path: Path, names: Sequence[str], chosen: Sequence[str], block_bytes: int, null_values: tuple[str, ...]
) -> tuple[list[str], list[object]]:
    """The rows of the chosen columns, and the bad rows."""
    rows: list[str] = []
    bad: list[object] = []
    for block in blocks(path, names, block_bytes, null_values, chosen):
        rows += map(str, block.batch.select(list(chosen)).to_pylist())
        bad += [(row.position, row.rule, row.data) for row in block.bad_rows]
    return rows, bad


@settings(max_examples=60, deadline=None)
@given(
    st.lists(records, max_size=12),
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.sampled_from([16, 64, 1 << 20]),
    st.sampled_from([("",), ("", "nan"), ()]),
)
@example(['1,a,1,"b\nc"', "2,,,"], {"number"}, 16, ("",))
def test_some_columns_are_read_as_all_of_them_are(
    lines: list[str], chosen: set[str], block_bytes: int, null_values: tuple[str, ...]
) -> None:
    names = [name for name in NAMES if name in chosen]
    with TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8").replace("\xff".encode(), b"\xff"))
        assert read(path, names, names, block_bytes, null_values) == read(path, NAMES, names, block_bytes, null_values)


@settings(max_examples=100, deadline=None)
@given(st.lists(records, max_size=12), st.sampled_from([16, 64, 1 << 20]))
def test_the_lines_of_all_rows_are_those_of_each(lines: list[str], block_bytes: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        for block in blocks(path, NAMES, block_bytes, ("",)):
            rows = range(block.batch.num_rows)
            assert block.row_lines().tolist() == [block.position(row).line for row in rows]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "data.csv").write_text("a,b,c\n1,x,1.5\n2,y,2.5\n")
    return Workspace.open(state_dir=tmp_path / "state")


def test_a_validation_of_some_columns_has_the_totals_of_these(workspace: Workspace, tmp_path: Path) -> None:
    validation = workspace.validate(workspace.job(None, [tmp_path / "data.csv"], {}), columns=["c", "a"])
    assert validation.passed
    assert [(column.name, column.total) for column in validation.totals.columns] == [("a", 3), ("c", 4.0)]


def test_a_validation_of_a_column_that_is_not_there_says_which_are(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no column 'd'"):
        workspace.validate(workspace.job(None, [tmp_path / "data.csv"], {}), columns=["d"])
