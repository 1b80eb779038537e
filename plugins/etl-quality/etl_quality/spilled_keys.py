"""What the keys of a part are on disk: their hashes, the keys, and the lines that they are on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from etl_framework import Lined
from etl_quality.hash_runs import Run, sorted_run
from etl_quality.key_hashes import hashes

if TYPE_CHECKING:
    import numpy.typing as npt

    from etl_framework import Block
    from etl_quality.key_hashes import Bits

_HASHES, _KEYS, _LINES = "hashes", "keys.arrow", "lines"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows of one block.

    :param file: path of the source.
    :param part: number of the part.
    :param rows: how many.
    :param first: line of the first row within the part.
    :param lines: index within the file of lines, where the rows are not on successive lines.
    """

    file: str
    part: int
    rows: int
    first: int
    lines: int | None = None


@dataclass(frozen=True, slots=True)
class Spilled:
    """What an accumulator left on disk.

    :param folder: where the files are.
    :param runs: the sorted hashes.
    :param stretches: the rows, in the order of the keys.
    :param sizes: name and bytes of each file.
    """

    folder: Path
    runs: tuple[Run, ...]
    stretches: tuple[Stretch, ...]
    sizes: tuple[tuple[str, int], ...]

    def is_whole(self) -> bool:
        """Whether the files are as they were left, by their sizes."""
        paths = ((self.folder / name, size) for name, size in self.sizes)
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)

    def batches(self) -> Iterator[tuple[Stretch, pa.RecordBatch]]:
        """The keys, block by block."""
        with pa.OSFile(str(self.folder / _KEYS)) as file, pa.ipc.open_stream(file) as batches:
            yield from zip(self.stretches, batches, strict=True)

    def line(self, stretch: Stretch, row: int) -> int:
        """The line of a row within its part.

        :param row: index within the stretch.
        """
        if stretch.lines is None:
            return stretch.first + row
        [line] = np.fromfile(self.folder / _LINES, np.int64, 1, offset=(stretch.lines + row) * 8)
        return int(line)


class Writer:
    """Writes what one part spills.

    :param folder: empty.
    :param keys: names of the columns.
    :param run_rows: rows whose hashes are held in memory.
    :ivar buffered: rows whose hashes are.
    """

    def __init__(self, folder: Path, keys: tuple[str, ...], run_rows: int) -> None:
        self._folder = folder
        self._keys = list(keys)
        self._run_rows = run_rows
        self._pending: list[Bits] = []
        self.buffered = 0
        self._runs: list[Run] = []
        self._stretches: list[Stretch] = []
        self._written = self._lines_written = 0
        # Arrow's files close themselves where a part is given up.
        self._hashes, self._keys_file, self._lines = (
            pa.OSFile(str(folder / name), "wb") for name in (_HASHES, _KEYS, _LINES)
        )
        self._batches: pa.RecordBatchStreamWriter | None = None

    def write(self, block: Block) -> None:
        """Take in the rows of the next block."""
        keys = block.batch.select(self._keys)
        if self._batches is None:
            self._batches = pa.ipc.new_stream(self._keys_file, keys.schema)
        self._batches.write_batch(keys)
        self._pending.append(hashes(keys.columns))
        self.buffered += keys.num_rows
        self._stretches.append(self._stretch(block))
        if self.buffered >= self._run_rows:
            self._end_run()

    def close(self) -> Spilled | None:
        """Write out what is in memory, and close the files; None where there were no rows."""
        if self._pending:
            self._end_run()
        if self._batches is not None:
            self._batches.close()
        for file in (self._hashes, self._keys_file, self._lines):
            file.close()
        if not self._stretches:
            return None
        sizes = tuple((name, (self._folder / name).stat().st_size) for name in (_HASHES, _KEYS, _LINES))
        return Spilled(self._folder, tuple(self._runs), tuple(self._stretches), sizes)

    def _stretch(self, block: Block) -> Stretch:
        rows, lines = block.batch.num_rows, lines_of(block)
        first, last = int(lines[0]), int(lines[-1])
        if last - first == rows - 1:
            return Stretch(block.source, block.part, rows, first)
        at = self._lines_written
        self._lines_written += rows
        self._lines.write(np.ascontiguousarray(lines, np.int64))
        return Stretch(block.source, block.part, rows, first, at)

    def _end_run(self) -> None:
        run, fences = sorted_run(self._pending)
        self._pending, self.buffered = [], 0
        self._runs.append(Run(self._folder / _HASHES, self._written, fences))
        self._written += len(run)
        self._hashes.write(run)


def lines_of(block: Block) -> npt.NDArray[np.int64]:
    """The line of each row."""
    if isinstance(block, Lined):
        return block.row_lines()
    return np.array([place.line for place in block.positions(range(block.batch.num_rows))], np.int64)
