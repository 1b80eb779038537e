"""Reject files: the bad rows as they were, and why they are bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Part, Position, RunFailed, Source
from etl_framework.rejects import PartRejects, discard_part_rejects, join_rejects


def source(name: str) -> Source:
    return Source(path=f"/data/{name}", size=1000, modified_ns=0, changed_ns=0, inode=1, digest="d")


def part(number: int, of: int = 0) -> Part:
    return Part(source=of, number=number, start=0, end=1)


def bad(line: int, data: bytes = b"x,y\r\n", number: int = 0, value: str | None = "y") -> BadRow:
    where = Position(part=number, line=line, offset=100 + line)
    return BadRow(position=where, rule="wrong_type", column="n", value=value, reason="is no number", data=data)


def write(folder: Path, number: int, *rows: BadRow) -> None:
    with PartRejects(folder, number) as rejects:
        for row in rows:
            rejects.write(row)


def reasons(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_no_bad_row_makes_no_file(tmp_path: Path) -> None:
    write(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []
    assert join_rejects(tmp_path, (source("a.csv"),), [part(0)], {}) == ()


def test_original_bytes_and_reasons_stand_side_by_side(tmp_path: Path) -> None:
    rows = [bad(3, b"\xff\x00,\r\n"), bad(9, b"last, without line end", value=None)]
    write(tmp_path, 0, *rows)
    data, why = join_rejects(tmp_path, (source("a.csv"),), [part(0)], {0: 0})
    assert (data.name, why.name) == ("0000-a.csv", "0000-a.csv.reasons.jsonl")
    assert data.read_bytes() == b"\xff\x00,\r\nlast, without line end"
    assert reasons(why) == [
        {
            "file": "/data/a.csv",
            "line": row.position.line,
            "offset": row.position.offset,
            "rule": "wrong_type",
            "column": "n",
            "value": row.value,
            "reason": "is no number",
            "bytes": len(row.data),
        }
        for row in rows
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.binary(min_size=1, max_size=6), max_size=3), max_size=5), st.randoms(use_true_random=False))
def test_parts_are_joined_in_the_order_of_the_data_with_lines_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[bytes]], chance: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("run")
    lines_before = {number: 1000 * number for number in range(len(contents))}
    order = list(enumerate(contents))
    chance.shuffle(order)  # type: ignore[attr-defined]
    for number, rows in order:
        write(folder, number, *(bad(line, data, number) for line, data in enumerate(rows, start=1)))
    paths = join_rejects(folder, (source("a.csv"),), [part(number) for number, _ in order], lines_before)
    everything = [data for rows in contents for data in rows]
    assert bool(paths) == bool(everything)
    if paths:
        assert paths[0].read_bytes() == b"".join(everything)
        found = reasons(paths[1])
        assert [reason["line"] for reason in found] == [
            1000 * number + line for number, rows in enumerate(contents) for line, _ in enumerate(rows, start=1)
        ]
        assert [reason["bytes"] for reason in found] == list(map(len, everything))


def test_every_source_has_its_own_pair_even_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, 0, bad(1, b"first\n"))
    write(tmp_path, 1, bad(1, b"second\n", 1))
    paths = join_rejects(tmp_path, (source("a.csv"), source("b/a.csv")), [part(0, 0), part(1, 1)], {0: 0, 1: 0})
    assert [path.name for path in paths] == [
        "0000-a.csv",
        "0000-a.csv.reasons.jsonl",
        "0001-a.csv",
        "0001-a.csv.reasons.jsonl",
    ]
    assert [path.read_bytes() for path in paths[::2]] == [b"first\n", b"second\n"]


def test_joining_again_gives_the_same_files(tmp_path: Path) -> None:
    write(tmp_path, 0, bad(1), bad(2))
    first = [path.read_bytes() for path in join_rejects(tmp_path, (source("a.csv"),), [part(0)], {0: 5})]
    again = [path.read_bytes() for path in join_rejects(tmp_path, (source("a.csv"),), [part(0)], {0: 5})]
    assert again == first


def test_what_an_earlier_attempt_wrote_is_not_joined(tmp_path: Path) -> None:
    write(tmp_path, 0, bad(1))
    write(tmp_path, 0)
    assert join_rejects(tmp_path, (source("a.csv"),), [part(0)], {0: 0}) == ()


def test_discarding_removes_what_the_workers_wrote_and_keeps_what_was_joined(tmp_path: Path) -> None:
    write(tmp_path, 0, bad(1))
    joined = join_rejects(tmp_path, (source("a.csv"),), [part(0)], {0: 0})
    discard_part_rejects(tmp_path)
    assert sorted((tmp_path / "rejects").iterdir()) == sorted(joined)


def test_a_source_with_the_longest_possible_name_has_reject_files_too(tmp_path: Path) -> None:
    write(tmp_path, 0, bad(1))
    name = "é" * 125 + ".csv"
    (tmp_path / name).write_bytes(b"")
    paths = join_rejects(tmp_path, (source(name),), [part(0)], {0: 0})
    assert all(path.exists() for path in paths)
    assert paths[0].name.endswith("é.csv")


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    def fill() -> None:
        with PartRejects(tmp_path, 0) as rejects:
            (tmp_path / "rejects").mkdir()
            (tmp_path / "rejects" / "part-000000.rows").symlink_to("/dev/full")
            rejects.write(bad(1))

    with pytest.raises(RunFailed, match="No space left on device") as caught:
        fill()
    assert "Make room there" in caught.value.advice


def test_a_full_disk_while_joining_is_a_clear_error(tmp_path: Path) -> None:
    write(tmp_path, 0, bad(1))
    (tmp_path / "rejects" / "0000-a.csv").symlink_to("/dev/full")
    with pytest.raises(RunFailed, match="No space left on device"):
        join_rejects(tmp_path, (source("a.csv"),), [part(0)], {0: 0})
