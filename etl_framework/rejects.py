"""Reject files: the original bytes of bad rows, and beside them a JSON line each that says why.

A worker writes both for its own part, with lines counted within the part; when all parts are read they are joined in
the order of the data, with lines counted within the file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from etl_framework.packing import no_room

if TYPE_CHECKING:
    from etl_framework.values import BadRow, Part, Source


_LONGEST_NAME = 200
"""Bytes of a source's name that its reject files keep: file systems allow 255, with what is added to it."""


class PartRejects:
    """Writes the bad rows of one part; no files appear while there are none."""

    def __init__(self, folder: Path, part: int) -> None:
        self._folder = folder
        self._data_path, self._reasons_path = _part_files(folder, part)
        self._files: tuple[BinaryIO, BinaryIO] | None = None

    def __enter__(self) -> Self:
        # What an earlier attempt left must not be joined.
        self._data_path.unlink(missing_ok=True)
        self._reasons_path.unlink(missing_ok=True)
        return self

    def __exit__(self, *failure: object) -> None:
        with _writing(self._folder), ExitStack() as closing:
            for file in self._files or ():
                closing.callback(file.close)

    def write(self, row: BadRow) -> None:
        """Write one bad row to both files.

        :raises RunFailed: the local disk is full or not writable.
        """
        with _writing(self._folder):
            self._write(row)

    def _write(self, row: BadRow) -> None:
        if self._files is None:
            self._data_path.parent.mkdir(parents=True, exist_ok=True)
            self._files = self._data_path.open("wb"), self._reasons_path.open("wb")
        data, reasons = self._files
        data.write(row.data)
        reason = {
            "line": row.position.line,
            "offset": row.position.offset,
            "rule": row.rule,
            "column": row.column,
            "value": row.value,
            "reason": row.reason,
            "bytes": len(row.data),
        }
        reasons.write(json.dumps(reason).encode() + b"\n")


def join_rejects(
    folder: Path, sources: tuple[Source, ...], parts: Iterable[Part], lines_before: Mapping[int, int]
) -> tuple[Path, ...]:
    """Join the parts' reject files into two files per source; the parts' own stay until :func:`discard_part_rejects`.

    :param folder: the run's folder.
    :param lines_before: by part number, the lines of the same source that precede the part.
    :returns: the files written, in pairs (original bytes, reasons); none for sources without bad rows.
    :raises RunFailed: the local disk is full or not writable.
    """
    with _writing(folder):
        return _join(folder, sources, parts, lines_before)


def _join(
    folder: Path, sources: tuple[Source, ...], parts: Iterable[Part], lines_before: Mapping[int, int]
) -> tuple[Path, ...]:
    written: dict[int, tuple[Path, Path]] = {}
    for part in sorted(parts, key=lambda part: part.number):
        data, reasons = _part_files(folder, part.number)
        if not data.exists():
            continue
        name = os.fsdecode(os.fsencode(sources[part.source].name)[-_LONGEST_NAME:])
        first = part.source not in written
        whole, lines = written.setdefault(
            part.source,
            (
                folder / "rejects" / f"{part.source:04}-{name}",
                folder / "rejects" / f"{part.source:04}-{name}.reasons.jsonl",
            ),
        )
        with whole.open("wb" if first else "ab") as target, data.open("rb") as rows:
            shutil.copyfileobj(rows, target)
        with lines.open("wb" if first else "ab") as target, reasons.open("rb") as rows:
            for line in rows:
                reason = json.loads(line)
                reason = {"file": sources[part.source].path, **reason}
                reason["line"] += lines_before.get(part.number, 0)
                target.write(json.dumps(reason).encode() + b"\n")
    return tuple(path for pair in written.values() for path in pair)


def discard_part_rejects(folder: Path) -> None:
    """Remove what the workers wrote, once nothing can ask for it again."""
    for path in (folder / "rejects").glob("part-*"):
        path.unlink(missing_ok=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise no_room(folder, error) from error


def _part_files(folder: Path, part: int) -> tuple[Path, Path]:
    return folder / "rejects" / f"part-{part:06}.rows", folder / "rejects" / f"part-{part:06}.reasons"
