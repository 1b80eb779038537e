"""Finding sources: what a pattern means, what is refused, and what a source is recognised by."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import InputError, Job, Period, Source, SourceChanged, TableName, UsageError
from etl_framework.sources import anchored, check_unchanged, find_sources, identify, look_again

EDGE = 64 << 10


def job_for(folder: Path, *patterns: str, period: str | None = None, recursive: bool = False) -> Job:
    return Job(
        name="test",
        patterns=tuple(anchored(pattern, folder) for pattern in patterns),
        table=TableName(("t",)),
        target="nowhere:",
        period=Period.parse(period) if period else None,
        recursive=recursive,
    )


def found(folder: Path, *patterns: str, period: str | None = None, recursive: bool = False) -> list[str]:
    sources = find_sources(job_for(folder, *patterns, period=period, recursive=recursive))
    return [os.path.relpath(source.path, folder) for source in sources]


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")


def test_a_month_is_filled_in_from_the_period(tmp_path: Path) -> None:
    make(tmp_path, "x_2023-12.tsv", "x_2024-01.tsv", "x_2024-02.tsv", "x_2024-13.tsv", "x_12024-01.tsv")
    assert found(tmp_path, "x_{month}.tsv", period="2024-01") == ["x_2024-01.tsv"]
    assert found(tmp_path, "x_{month}.tsv", period="2023-12..2024-02") == [
        "x_2023-12.tsv",
        "x_2024-01.tsv",
        "x_2024-02.tsv",
    ]
    assert found(tmp_path, "x_{month}.tsv") == ["x_2023-12.tsv", "x_2024-01.tsv", "x_2024-02.tsv"]


def test_a_month_of_the_period_without_a_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "x_2024-01.tsv", "x_2024-03.tsv")
    with pytest.raises(UsageError, match="no file for 2024-02 matches"):
        found(tmp_path, "x_{month}.tsv", period="2024-01..2024-03")


def test_a_range_of_days_is_found_by_every_period_that_it_overlaps(tmp_path: Path) -> None:
    make(tmp_path, "x_20240101-20240115.tsv", "x_20240116-20240203.tsv", "x_20240301-20240331.tsv")
    first, second, third = sorted(path.name for path in tmp_path.iterdir())
    assert found(tmp_path, "x_{date_range}.tsv", period="2024-01") == [first, second]
    assert found(tmp_path, "x_{date_range}.tsv", period="2024-02") == [second]
    assert found(tmp_path, "x_{date_range}.tsv", period="2024-01-15") == [first]
    assert found(tmp_path, "x_{date_range}.tsv") == [first, second, third]


def test_a_range_that_ends_before_it_begins_or_is_in_no_calendar_is_no_range(tmp_path: Path) -> None:
    make(tmp_path, "x_20240131-20240101.tsv", "x_20240132-20240201.tsv")
    with pytest.raises(UsageError, match="nothing matches"):
        found(tmp_path, "x_{date_range}.tsv")


DAYS = st.dates(min_value=date(2023, 1, 1), max_value=date(2024, 12, 31))


@given(
    ranges=st.lists(st.tuples(DAYS, st.integers(0, 90)), min_size=1, max_size=4, unique=True),
    first=DAYS,
    more=st.integers(0, 60),
)
@settings(max_examples=40, deadline=None)
def test_a_range_is_found_exactly_when_it_shares_a_day_with_the_period(
    tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[date, int]], first: date, more: int
) -> None:
    folder = tmp_path_factory.mktemp("ranges")
    files = {}
    for start, length in ranges:
        days = {start + timedelta(days=number) for number in range(length + 1)}
        files[f"x_{start:%Y%m%d}-{max(days):%Y%m%d}.csv"] = days
    make(folder, *files)
    wanted = {first + timedelta(days=number) for number in range(more + 1)}
    expected = sorted(name for name, days in files.items() if days & wanted)
    period = f"{first}..{max(wanted)}"
    if expected:
        assert sorted(found(folder, "x_{date_range}.csv", period=period)) == expected
    else:
        with pytest.raises(UsageError, match="Files for other periods"):
            found(folder, "x_{date_range}.csv", period=period)


def test_a_day_may_be_written_with_and_without_dashes(tmp_path: Path) -> None:
    make(tmp_path, "x_2024-01-31.csv", "x_20240201.csv", "x_20240202.csv", "x_202402020.csv", "x_2024-0203.csv")
    assert found(tmp_path, "x_{date}.csv", period="2024-01-31..2024-02-01") == ["x_2024-01-31.csv", "x_20240201.csv"]
    assert len(found(tmp_path, "x_{date}.csv")) == 3


@pytest.mark.parametrize("folder", ["012024", "2024-01"])
def test_a_month_folder_stands_for_the_delimited_files_in_it(tmp_path: Path, folder: str) -> None:
    make(
        tmp_path, f"{folder}/a.tsv", f"{folder}/b.CSV.gz", f"{folder}/readme.md", "022024/a.tsv", f"{folder}/deep/c.csv"
    )
    assert found(tmp_path, "{month_folder}", period="2024-01") == [f"{folder}/a.tsv", f"{folder}/b.CSV.gz"]
    assert found(tmp_path, "{month_folder}/a.*", period="2024-01") == [f"{folder}/a.tsv"]
    assert len(found(tmp_path, "{month_folder}", period="2024-01..2024-02")) == 3


def test_a_folder_is_searched_below_only_when_asked(tmp_path: Path) -> None:
    make(tmp_path, "data/a.csv", "data/b.txt.zst", "data/notes.md", "data/.hidden.csv", "data/deep/er/c.tsv")
    assert found(tmp_path, "data") == ["data/a.csv", "data/b.txt.zst"]
    assert found(tmp_path, "data", recursive=True) == ["data/a.csv", "data/b.txt.zst", "data/deep/er/c.tsv"]
    assert found(tmp_path, "data/*.csv") == ["data/a.csv"]
    assert found(tmp_path, "data/*.tsv", recursive=True) == ["data/deep/er/c.tsv"]
    assert found(tmp_path, "data/**/c.tsv") == ["data/deep/er/c.tsv"]


def test_globs_mean_what_they_mean_in_a_shell(tmp_path: Path) -> None:
    make(tmp_path, "a1.csv", "a2.csv", "ab.csv", "b1.csv", ".a3.csv", "sub/a4.csv")
    assert found(tmp_path, "a?.csv") == ["a1.csv", "a2.csv", "ab.csv"]
    assert found(tmp_path, "a[0-9].csv") == ["a1.csv", "a2.csv"]
    assert found(tmp_path, "a[!0-9].csv") == ["ab.csv"]
    assert found(tmp_path, "*/a*.csv") == ["sub/a4.csv"]
    assert found(tmp_path, ".a*.csv") == [".a3.csv"]


def test_sources_come_in_natural_order_and_each_once(tmp_path: Path) -> None:
    make(tmp_path, "p10.csv", "p2.csv", "p1.csv", "p02.csv")
    assert found(tmp_path, "p2.csv", "p*.csv", "./p10.csv") == ["p1.csv", "p02.csv", "p2.csv", "p10.csv"]


def test_a_link_to_a_source_is_that_source(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    assert found(tmp_path, "*.csv") == ["a.csv"]


@pytest.mark.parametrize(
    "name",
    [
        "x[1].csv",
        "*.csv",
        "a b.csv",
        "it's.csv",
        'say "hi".csv',
        "two\nlines.csv",
        "{month}.csv",
        "-rf.csv",
        "[.csv",
        "é?.csv",
    ],
)
def test_a_file_named_with_its_real_name_is_that_file_alone(tmp_path: Path, name: str) -> None:
    make(tmp_path, "x1.csv", "other.csv", "2024-01.csv", name)
    assert found(tmp_path, name, period="2024-01") == [name]


@pytest.mark.parametrize("folder", ["with [brackets]", "*", "{month}", "{unknown}", "a?b"])
def test_the_folder_of_a_pattern_is_never_a_pattern(tmp_path: Path, folder: str) -> None:
    make(tmp_path, f"{folder}/x_2024-01.csv", "w/x_2024-01.csv", "axb/x_2024-01.csv", "2024-01/x_2024-01.csv")
    assert found(tmp_path / folder, "x_{month}.csv", period="2024-01") == ["x_2024-01.csv"]
    assert found(tmp_path / folder, ".") == ["x_2024-01.csv"]


def test_a_monthly_file_given_by_name_needs_no_period(tmp_path: Path) -> None:
    make(tmp_path, "x_2024-01.csv")
    assert found(tmp_path, "x_2024-01.csv", period="2020-05") == ["x_2024-01.csv"]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["x.tsv", "x.csv"], "*"),
        (["x.tsv", "x.csv", "x.txt"], "."),
        (["x.tsv", "x.tsv.gz"], "x.*"),
        (["x.CSV", "x.csv.zst"], "*"),
    ],
)
def test_one_dataset_in_two_formats_is_refused_with_a_list(tmp_path: Path, names: list[str], pattern: str) -> None:
    make(tmp_path, "another.csv", *names)
    with pytest.raises(UsageError, match=r"in several formats") as caught:
        found(tmp_path, pattern)
    for name in names:
        assert str(tmp_path / name) in str(caught.value)
    assert "another.csv" not in str(caught.value)


def test_a_compressed_neighbour_is_never_taken_for_the_file(tmp_path: Path) -> None:
    make(tmp_path, "x.tsv", "x.tsv.gz")
    assert found(tmp_path, "x.tsv") == ["x.tsv"]
    assert found(tmp_path, "*.tsv") == ["x.tsv"]


def test_nothing_found_tells_where_it_looked_and_what_is_similar(tmp_path: Path) -> None:
    make(tmp_path, "data/flights.csv", "data/unrelated.bin")
    with pytest.raises(UsageError) as caught:
        found(tmp_path, "data/flihgts.csv")
    said = str(caught.value)
    assert str(tmp_path / "data/flihgts.csv") in said
    assert f"looked in {tmp_path}/data" in said
    assert "flights.csv" in said
    assert "unrelated" not in said


def test_nothing_found_for_a_period_tells_the_other_periods(tmp_path: Path) -> None:
    make(tmp_path, *(f"x_2023-{month:02d}.csv" for month in range(1, 13)))
    with pytest.raises(UsageError, match=r"for 2024-01, looked in .*\n.*x_2023-01\.csv.*and 4 more"):
        found(tmp_path, "x_{month}.csv", period="2024-01")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*/nowhere"):
        found(tmp_path, "nowhere/*.csv")


@pytest.mark.parametrize("held", [(), ("empty/readme.md",), ("empty/sub/x.csv",)])
def test_a_folder_without_delimited_files_is_said_to_hold_none(tmp_path: Path, held: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path, *held)
    with pytest.raises(UsageError, match=r"the folder .*empty holds no delimited file") as caught:
        found(tmp_path, "empty")
    assert ".csv, .tsv, .txt, .tab or .psv" in caught.value.advice
    assert "Similar names" not in caught.value.advice


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("x_{mnth}.csv", r"Did you mean \{month\}"),
        ("x_{}.csv", r"\{date_range\}"),
        ("s3://bucket/x.csv", "not a path of a local file"),
        ("a\0b", "not a path of a local file"),
        ("", "not a path of a local file"),
        ("[z-a].csv", "is not a pattern"),
    ],
)
def test_what_is_no_pattern_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        found(tmp_path, pattern)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "gone.csv").symlink_to("nowhere")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.csv"))
        for name in ("pipe.csv", "socket.csv"):
            with pytest.raises(InputError, match=f"{name} is not a regular file"):
                found(tmp_path, name)
    for name in ("gone.csv", "loop.csv"):
        with pytest.raises(InputError, match=f"cannot read .*{name}: "):
            found(tmp_path, name)
    with pytest.raises(InputError, match="is not a regular file"):
        identify(tmp_path)


def test_a_file_that_may_not_be_read_is_named(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    make(public_folder, "x.csv", "y.csv")
    (public_folder / "x.csv").chmod(0)
    with unprivileged():
        assert found(public_folder, "y.csv")
        with pytest.raises(InputError, match=r"cannot read .*x\.csv: Permission denied"):
            found(public_folder, "x.csv")


def test_a_folder_that_may_not_be_listed_is_named(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    make(public_folder, "closed/x.csv")
    (public_folder / "closed").chmod(0)
    try:
        for pattern in ("closed/x.csv", "closed/*.csv", "closed"):
            with unprivileged(), pytest.raises(InputError, match=r"cannot list .*closed: Permission denied"):
                found(public_folder, pattern)
    finally:
        (public_folder / "closed").chmod(0o700)


def test_a_source_is_recognised_by_its_size_and_both_its_ends(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1024
    digests = set()
    for number, changed in enumerate([content, b"x" + content[1:], content[:-1] + b"x", content + b"x", b"", b"x"]):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(changed)
        digests.add(identify(path).digest)
    assert len(digests) == 6
    (tmp_path / "copy.csv").write_bytes(content)
    assert identify(tmp_path / "copy.csv").digest == identify(tmp_path / "0.csv").digest


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "x.csv").write_bytes(b"a" * (3 * EDGE))
    return identify(tmp_path / "x.csv")


def keep_time(source: Source) -> None:
    os.utime(source.path, ns=(source.modified_ns, source.modified_ns))


def test_an_unchanged_source_is_fine(source: Source) -> None:
    check_unchanged(source)
    assert look_again(source) == source


@pytest.mark.parametrize("look", [check_unchanged, look_again])
def test_a_source_that_grew_shrank_was_written_to_or_is_gone_is_refused(
    source: Source, look: Callable[[Source], object]
) -> None:
    path = Path(source.path)
    with path.open("ab") as file:
        file.write(b"more")
    keep_time(source)
    with pytest.raises(SourceChanged, match="had 196,608 bytes and has 196,612"):
        look(source)
    os.truncate(path, source.size)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceChanged, match="was written to"):
        look(source)
    path.unlink()
    with pytest.raises(SourceChanged, match="is gone"):
        look(source)


@pytest.mark.parametrize("at", [-1, EDGE + EDGE // 2], ids=["at the end", "in the middle"])
def test_a_change_that_puts_size_and_time_back_shows(source: Source, at: int) -> None:
    with Path(source.path).open("r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(b"b")
    keep_time(source)
    with pytest.raises(SourceChanged, match="was touched, though it has the same size and time"):
        check_unchanged(source)


def test_a_source_that_was_replaced_by_a_copy_is_not_the_same_but_may_be_looked_at_again(source: Source) -> None:
    path = Path(source.path)
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    with pytest.raises(SourceChanged, match="was replaced by another file of the same size and time"):
        check_unchanged(source)
    again = look_again(source)
    assert (again.digest, again.inode != source.inode) == (source.digest, True)
    check_unchanged(again)


def test_looking_again_reads_beginning_and_end(source: Source) -> None:
    with Path(source.path).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"b")
    keep_time(source)
    with pytest.raises(SourceChanged, match="has other content"):
        look_again(source)
