"""From a job's patterns to its source files, and whether those are still what they were."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from etl_framework.errors import InputError, SourceChanged, UsageError
from etl_framework.source_patterns import Match, anchored, asks_for_whole_months, fixed_folder, matches
from etl_framework.terminal import MOST_LISTED, counted, listed
from etl_framework.values import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etl_framework.periods import Period
    from etl_framework.values import Job

__all__ = ["anchored", "check_unchanged", "find_sources", "identify", "look_again", "table_stem"]

_DELIMITED = (".csv", ".tsv", ".txt", ".tab", ".psv")
_COMPRESSED = (".gz", ".zst", ".bz2")
_EDGE = 64 << 10


def find_sources(job: Job) -> tuple[Source, ...]:
    """The files that a job is to load: absolute, each once, in natural order (``part2`` before ``part10``).

    A pattern that names an existing file is that file, whatever characters its name holds. A folder stands for the
    delimited files in it. Placeholders match what overlaps the job's period, or anything of their shape without one.

    :raises UsageError: nothing matches, a month of the period has no file, or files look like one dataset in two
        formats.
    :raises InputError: what matches is no file, or cannot be read.
    """
    paths: set[str] = set()
    for pattern in job.patterns:
        paths.update(_files(pattern, job.period, recursive=job.recursive))
    ordered = sorted(paths, key=_natural)
    _refuse_twins(ordered)
    sources: dict[tuple[int, int], Source] = {}
    for path in ordered:
        found, device = _identify(path)
        sources.setdefault((device, found.inode), found)
    return tuple(sources.values())


def identify(path: str | os.PathLike[str]) -> Source:
    """The file with what identifies its content.

    :raises InputError: it is no file, or cannot be read.
    """
    return _identify(os.path.normpath(Path(path).absolute()))[0]


def check_unchanged(source: Source) -> None:
    """Make sure that nobody touched a source since the run began, or since it was resumed.

    The file system is asked, nothing is read: it tells of any change, also of one that put size and time back.

    :raises SourceChanged: somebody did, or it is gone.
    """
    now = _same_size_and_time(source)
    if now.st_ino != source.inode:
        raise _touched(source, "was replaced by another file of the same size and time")
    if now.st_ctime_ns != source.changed_ns:
        raise _touched(source, "was touched, though it has the same size and time")


def look_again(source: Source) -> Source:
    """The source as a resumed run finds it: the same, or one that was touched, or put back as it was.

    What was read of a source that is returned with another identity must be read again: between its beginning and its
    end anything may have changed.

    :raises SourceChanged: size, time, beginning or end differ, or it is gone.
    """
    _same_size_and_time(source)
    now = identify(source.path)
    if now.digest != source.digest:
        raise _changed(source, "has other content, though size and time are the same")
    return now


def table_stem(path: str) -> str:
    """A table name out of a file's name: ``flights.csv.gz`` gives ``flights``."""
    name = re.sub(r"\W+", "_", _stem(Path(path).name)).strip("_")
    return f"t_{name}" if name[:1].isdigit() else name or "data"


def _same_size_and_time(source: Source) -> os.stat_result:
    try:
        now = Path(source.path).stat()
    except OSError as error:
        raise _changed(source, f"is gone ({error.strerror})") from error
    if now.st_size != source.size:
        raise _changed(source, f"had {source.size:,} bytes and has {now.st_size:,}")
    if now.st_mtime_ns != source.modified_ns:
        raise _changed(source, "was written to")
    return now


def _touched(source: Source, what: str) -> SourceChanged:
    return SourceChanged(
        f"{source.path} changed after the run began: it {what}",
        advice="If it holds what is meant to be loaded, just have it read again.",
    )


def _changed(source: Source, what: str) -> SourceChanged:
    return SourceChanged(
        f"{source.path} changed after the run began: it {what}",
        advice="Bring the file back as it was, with its time of change (`cp -p`, `touch -r`).",
    )


def _identify(path: str) -> tuple[Source, int]:
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            # Reading a pipe that nobody writes to would wait for ever.
            raise InputError(f"{path} is not a regular file", advice="Name files, or a folder of files.")
        with Path(path).open("rb") as file:
            state = os.fstat(file.fileno())
            digest = xxhash.xxh3_128(str(state.st_size).encode())
            digest.update(file.read(_EDGE))
            file.seek(max(0, state.st_size - _EDGE))
            digest.update(file.read(_EDGE))
    except OSError as error:
        advice = "Check the file and its permissions."
        raise InputError(f"cannot read {path}: {error.strerror}", advice=advice) from error
    source = Source(
        path=path,
        size=state.st_size,
        modified_ns=state.st_mtime_ns,
        changed_ns=state.st_ctime_ns,
        inode=state.st_ino,
        digest=digest.hexdigest(),
    )
    return source, state.st_dev


def _files(pattern: str, period: Period | None, *, recursive: bool) -> list[str]:
    if os.path.lexists(pattern):
        found = list(_expand([Match(pattern, frozenset(), by_name=True)], recursive=recursive))
    else:
        found = list(_expand(matches(pattern, period, recursive=recursive), recursive=recursive))
        _require_months(pattern, period, found)
    if not found:
        raise _nothing_found(pattern, period)
    return [match.path for match in found]


def _expand(found: Iterable[Match], *, recursive: bool) -> Iterator[Match]:
    for match in found:
        if not Path(match.path).is_dir():
            yield match
        elif match.by_name:
            for inner in matches(_everything_in(match.path), None, recursive=recursive):
                if not Path(inner.path).is_dir() and _is_delimited(inner.path):
                    yield Match(inner.path, match.months, by_name=False)


def _everything_in(folder: str) -> str:
    return anchored("*", Path(folder))


def _is_delimited(path: str) -> bool:
    return _without(Path(path).name.lower(), _COMPRESSED).endswith(_DELIMITED)


def _without(name: str, suffixes: tuple[str, ...]) -> str:
    found = next((suffix for suffix in suffixes if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(found)]


def _stem(name: str) -> str:
    return _without(_without(name, _COMPRESSED), _DELIMITED)


def _natural(path: str) -> tuple[list[str | int], str]:
    pieces = re.split(r"([0-9]+)", path)
    return [int(text) if index % 2 else text for index, text in enumerate(pieces)], path


def _refuse_twins(paths: Iterable[str]) -> None:
    datasets: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        folder, name = os.path.split(path)
        datasets[folder, _stem(name)].append(path)
    twins = [path for same in datasets.values() if len(same) > 1 for path in same]
    if twins:
        raise UsageError(
            f"{len(twins)} files look like the same data in several formats: {listed(twins)}",
            advice="Name the ones to load more exactly, such as *.csv, or load them one after the other.",
        )


def _require_months(pattern: str, period: Period | None, found: list[Match]) -> None:
    if period is None or not found or not asks_for_whole_months(pattern):
        return
    covered = {month for match in found for month in match.months}
    missing = [f"{month:%Y-%m}" for month in period.months() if month not in covered]
    if missing:
        raise UsageError(
            f"period {period}: no file for {listed(missing)} matches {pattern}",
            advice="Bring the missing files, or give a period that they cover.",
        )


def _nothing_found(pattern: str, period: Period | None) -> UsageError:
    if os.path.lexists(pattern) and Path(pattern).is_dir():
        suffixes = f"{', '.join(_DELIMITED[:-1])} or {_DELIMITED[-1]}"
        return UsageError(
            f"the folder {pattern} holds no delimited file",
            advice=f"It stands for its files that end in {suffixes}, plain or compressed. Others match a pattern, such "
            "as */*; --recursive looks into subfolders.",
        )
    folder = fixed_folder(pattern)
    during = f" for {period}" if period else ""
    if not Path(folder).is_dir():
        return UsageError(f"nothing matches {pattern}{during}: there is no folder {folder}", advice="Correct the path.")
    others = sorted({Path(match.path).name for match in matches(pattern, None)}, key=_natural) if period else []
    if others:
        near = f"Files for other periods: {listed(others)}."
    else:
        names = [Path(match.path).name for match in matches(_everything_in(folder), None)]
        alike = get_close_matches(Path(pattern).name, names, n=MOST_LISTED, cutoff=0.5)
        near = (
            f"Similar names there: {listed(alike)}."
            if alike
            else f"The folder holds {counted(len(names), 'other entry', 'other entries')}."
        )
    return UsageError(f"nothing matches {pattern}{during}, looked in {folder}", advice=near)
