"""The serial speed: parsing alone and compressing alone over the same blocks, which the one pass must beat."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import zstandard

from etl_framework import Column


def parse_alone(
    path: Path,
    delimiter: str,
    columns: Sequence[Column],
    ranges: Sequence[tuple[int, int]],
    block_bytes: int,
    workers: int,
) -> float:
    """Seconds of a typed pyarrow parse of every block, one part per worker at a time."""
    names = [column.name for column in columns]
    parse = csv.ParseOptions(delimiter=delimiter)
    convert = csv.ConvertOptions(column_types={column.name: column.type.arrow() for column in columns})

    def part(piece: tuple[int, int]) -> None:
        for block in _blocks(path, *piece, block_bytes):
            read = csv.ReadOptions(column_names=names, use_threads=False, block_size=2 * block_bytes)
            csv.read_csv(pa.BufferReader(block), read_options=read, parse_options=parse, convert_options=convert)

    return _timed(part, ranges, workers)


def compress_alone(path: Path, ranges: Sequence[tuple[int, int]], block_bytes: int, workers: int) -> float:
    """Seconds of zstd level 1 over every block, one stream per part."""

    def part(piece: tuple[int, int]) -> None:
        stream = zstandard.ZstdCompressor(level=1).compressobj()
        for block in _blocks(path, *piece, block_bytes):
            stream.compress(block)
        stream.flush()

    return _timed(part, ranges, workers)


def _timed(part: object, ranges: Sequence[tuple[int, int]], workers: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(part, ranges))  # type: ignore[arg-type]
    return time.perf_counter() - began


def _blocks(path: Path, start: int, end: int, block_bytes: int) -> Iterator[bytes]:
    # lineitem has no line breaks within quotes, so a line is a record.
    with path.open("rb", buffering=0) as file:
        if start == 0:
            start = len(file.readline())
        file.seek(start)
        left, tail = end - start, b""
        while left:
            data = file.read(min(block_bytes, left))
            left -= len(data)
            cut = data.rfind(b"\n") + 1 if left else len(data)
            yield tail + data[:cut]
            tail = data[cut:]
