"""Read enough of a source to know it: its beginning, and windows spread over the rest."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etl_delimited.content import compression_of, is_delimited_text
from etl_delimited.encoding import TextEncoding, encoding_of
from etl_delimited.guess import first_record
from etl_delimited.scan import is_well_formed, last_record_end
from etl_delimited.stream import damaged, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl_delimited.dialect import Dialect
    from etl_delimited.settings import FormatSettings
    from etl_framework import Source

HEAD_BYTES = 1 << 20
_SMALL_BYTES = 3 << 20
_WINDOWS = 16
_WINDOW_BYTES = 128 << 10
_GUESSED_BYTES = (4 << 10, 32 << 10, _WINDOW_BYTES)
_CUT_CHARACTER = "\ufffd" + "".join(map(chr, range(0xDC80, 0xDD00)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The beginning of a source.

    :param data: bytes, decompressed, with the byte order mark.
    :param text: the same as text, without the mark; bytes that are no text are lone surrogates.
    :param whole: whether that is all of the source.
    :param compression: ``gzip``, ``zstd``, ``bz2`` or None.
    :param compressed: bytes of the source that ``data`` took, more or less; those of ``data`` when not compressed.
    """

    data: bytes
    text: str
    whole: bool
    encoding: TextEncoding
    compression: str | None
    compressed: int


def read_head(source: Source, settings: FormatSettings, size: int = HEAD_BYTES) -> Head | None:
    """Read the beginning of a source.

    :param size: how much, bytes; small sources are read whole.
    :returns: None when the source is no delimited text.
    :raises InputError: it cannot be read, or is binary although its name promises text.
    """
    if source.size <= max(size, _SMALL_BYTES):
        size = max(size, _SMALL_BYTES)
    try:
        with Path(source.path).open("rb", buffering=0) as file:
            raw = _read(file.fileno(), 0, size + 1)
    except OSError as error:
        raise unreadable(source.path, error) from error
    compression = compression_of(source.name, raw)
    data, compressed = (raw, len(raw)) if compression is None else _decompressed(source, compression, size)
    whole, data = len(data) <= size, data[:size]
    encoding = encoding_of(source.path, data, settings, whole=whole)
    if not is_delimited_text(source.name, data, wide=encoding.unit == 2):
        return None
    return Head(
        data=data,
        text=_text(data[encoding.bom :], encoding.name, whole=whole),
        whole=whole,
        encoding=encoding,
        compression=compression,
        compressed=compressed,
    )


def windows(source: Source, dialect: Dialect, width: int, begin: int) -> Iterator[tuple[int, bytes]]:
    """Windows spread evenly over the rest of a plain source, cut to whole records.

    :param width: fields of a record. A window of which it cannot be told whether it begins inside a quoted field is
        left out.
    :param begin: where the rest begins, bytes.
    :returns: offset of the window's first record in the source, and its records in UTF-8.
    """
    step = (source.size - begin) // _WINDOWS
    size = min(step, _WINDOW_BYTES)
    size -= size % dialect.unit
    try:
        with Path(source.path).open("rb", buffering=0) as file:
            for number in range(_WINDOWS):
                # The end of a file is where exports break off, so the last window reaches it.
                start = source.size - size if number == _WINDOWS - 1 else begin + number * step
                start -= (start - dialect.bom) % dialect.unit
                raw = _read(file.fileno(), start, size)
                if (found := _whole_records(raw, dialect, width)) is not None:
                    yield start + found[0], found[1]
    except OSError as error:
        raise unreadable(source.path, error) from error


def _read(file: int, start: int, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := os.pread(file, size, start)):
        pieces.append(piece)
        start += len(piece)
        size -= len(piece)
    return b"".join(pieces)


def _decompressed(source: Source, compression: str, size: int) -> tuple[bytes, int]:
    import pyarrow as pa

    try:
        with pa.OSFile(os.fsencode(source.path)) as file, pa.CompressedInputStream(file, compression) as stream:
            data = stream.read(size + 1)
            return data, source.size if len(data) <= size else file.tell()
    except OSError as error:
        raise damaged(source.path, compression, str(error)) from error


def _text(data: bytes, encoding: str, *, whole: bool) -> str:
    """Decode; what is no text becomes lone surrogates, each the byte it was, so that offsets can be told."""
    text = data.decode(encoding, "replace" if encoding.startswith("utf-16") else "surrogateescape")
    # What a cut leaves of the last character must not look like a broken one.
    return text if whole else text.rstrip(_CUT_CHARACTER)


def _whole_records(raw: bytes, dialect: Dialect, width: int) -> tuple[int, bytes] | None:
    """Where the first record of a window begins, in bytes of the window, and its whole records in UTF-8."""
    utf8 = replace(dialect, encoding="utf-8")
    for size in _GUESSED_BYTES:
        begin = first_record(raw[:size], dialect, width, final=False)
        if begin is None:
            continue
        data = raw[begin:].decode(dialect.encoding, "replace").encode("utf-8", "replace")
        data = data[: last_record_end(data, utf8, final=False)]
        # A guess from a few records is proved by those that follow; when all are odd, the guess from all must do.
        if data and (size == _GUESSED_BYTES[-1] or is_well_formed(data, utf8)):
            return begin, data
    return None
