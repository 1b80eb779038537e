"""Reads delimited files as COPY does, with Arrow's reader as long as it understands them as Snowflake does."""

import bz2
import gzip
import zlib
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.file_formats import FileFormat

_BLOCK = 1 << 20
_LARGE_BLOCK = 1 << 24
_LINE_END = 10
_MAGIC = ((b"\x1f\x8b", "GZIP"), (b"\x28\xb5\x2f\xfd", "ZSTD"), (b"BZh", "BZ2"))
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SUFFIXES = {"gz": "GZIP", "gzip": "GZIP", "zst": "ZSTD", "bz2": "BZ2", "deflate": "DEFLATE"}


def plain_text(data: bytes, name: str, fmt: FileFormat) -> bytes:
    """A staged file's content: decompressed, without byte order mark, in UTF-8.

    :raises SnowflakeError: it is not compressed as the format says, or not in its encoding.
    """
    compression = fmt.compression
    if compression == "AUTO":
        suffix = _SUFFIXES.get(name.rsplit(".", 1)[-1].lower(), "NONE")
        compression = next(
            (kind for magic, kind in _MAGIC if data.startswith(magic)), "NONE" if suffix != "DEFLATE" else suffix
        )
    try:
        data = _decompress(data, compression)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise SnowflakeError(
            f"Invalid data encountered during decompression for file: '{name}',compression type used: '{compression}', "
            f"cause: '{error}'",
            100096,
            "22000",
        ) from error
    if fmt.encoding != "utf-8":
        data = data.decode(fmt.encoding, "replace" if fmt.replace_invalid_characters else "strict").encode()
    if fmt.skip_byte_order_mark:
        data = data.removeprefix(_BYTE_ORDER_MARK)
    if fmt.replace_invalid_characters and fmt.encoding == "utf-8":
        data = data.decode("utf-8", "replace").encode()
    return data


def _decompress(data: bytes, compression: str) -> bytes:
    match compression:
        case "GZIP":
            return gzip.decompress(data)
        case "BZ2":
            return bz2.decompress(data)
        case "DEFLATE":
            return zlib.decompress(data)
        case "RAW_DEFLATE":
            return zlib.decompress(data, -15)
        case "ZSTD":
            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                return b"".join(iter(lambda: stream.read(_BLOCK), b""))
    return data


def after_header(data: bytes, fmt: FileFormat) -> tuple[int, int]:
    """Where the data records start: the byte offset, and the number of lines before it."""
    delimiter = (fmt.record_delimiter or "\n").encode()
    position = 0
    for line in range(fmt.skip_header):
        found = data.find(delimiter, position)
        if found < 0:
            return len(data), line + 1
        position = found + len(delimiter)
    return position, fmt.skip_header


def read_table(data: bytes, fmt: FileFormat, width: int) -> pa.Table | None:
    """The records as a table of strings named f0, f1, …; None when only the careful reader gets them right.

    :param data: the content from its first data record on.
    """
    names = [f"f{i}" for i in range(width)]
    if not data:
        return pa.table({n: pa.array([], pa.string()) for n in names})
    if not _is_simple(data, fmt) or (width > 1 and not fmt.skip_blank_lines and _has_blank_line(data)):
        return None
    if (has_enclosed_line_ends := _encloses_line_ends(data, fmt)) is None:
        return None
    if not data.endswith(b"\n"):
        # Arrow takes an empty field at the very end for quoted when the one before it is
        data += b"\n"
    parsing = pacsv.ParseOptions(
        delimiter=fmt.field_delimiter or "\x00",
        quote_char=fmt.field_optionally_enclosed_by or False,
        double_quote=fmt.field_optionally_enclosed_by is not None,
        escape_char=False,
        newlines_in_values=has_enclosed_line_ends,
        ignore_empty_lines=fmt.skip_blank_lines,
    )
    nulls = [""] if fmt.empty_field_as_null else []
    conversion = pacsv.ConvertOptions(
        check_utf8=not data.isascii(),
        column_types=dict.fromkeys(names, pa.string()),
        null_values=nulls,
        strings_can_be_null=bool(nulls),
        quoted_strings_can_be_null=False,
    )
    # small blocks stay in the processor's cache, but a record must fit into one
    for size in (_BLOCK, _LARGE_BLOCK):
        reading = pacsv.ReadOptions(column_names=names, block_size=size)
        with suppress(pa.ArrowInvalid):
            # in one piece, since DuckDB inserts many small ones at twice the cost
            return pacsv.read_csv(pa.BufferReader(data), reading, parsing, conversion).combine_chunks()
    return None


def _is_simple(data: bytes, fmt: FileFormat) -> bool:
    """Whether Arrow's reader understands the content as Snowflake does."""
    delimiter = fmt.field_delimiter
    if fmt.record_delimiter not in ("\n", "\r\n", None) or (
        delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii())
    ):
        return False
    if fmt.trim_space or (delimiter is None and b"\x00" in data) or data.startswith(_BYTE_ORDER_MARK):
        return False
    if any(e is not None and e.encode() in data for e in (fmt.escape, fmt.escape_unenclosed_field)):
        return False
    return b"\r" not in data or data.count(b"\r") == data.count(b"\r\n")


def _has_blank_line(data: bytes) -> bool:
    """Whether a line is empty, which Arrow would read as a record of nulls."""
    return data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data


def _encloses_line_ends(data: bytes, fmt: FileFormat) -> bool | None:
    """Whether a line ends between two quotes; None unless every quote opens a field, closes one, or is doubled."""
    if fmt.field_optionally_enclosed_by is None or fmt.field_optionally_enclosed_by.encode() not in data:
        return False
    quote, delimiter = ord(fmt.field_optionally_enclosed_by), ord(fmt.field_delimiter or "\x00")
    octets = np.frombuffer(data, np.uint8)
    places = _places(octets, quote, _LINE_END)
    is_quote = octets[places] == quote
    quotes = places[is_quote]
    if len(quotes) % 2:
        return None
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening == 0, _LINE_END, octets[np.maximum(opening - 1, 0)])
    after = np.where(closing == len(data) - 1, _LINE_END, octets[np.minimum(closing + 1, len(data) - 1)])
    if not (_are_all(before, _LINE_END, delimiter, quote) and _are_all(after, _LINE_END, 13, delimiter, quote)):
        return None
    is_inside = np.logical_xor.accumulate(is_quote)
    return bool((is_inside & ~is_quote).any())


def _places(octets: np.ndarray, one: int, other: int) -> np.ndarray:
    """Where either of two octets stands."""
    found = []
    # a block at a time stays in the processor's cache, where the comparison of a whole file would not
    for at in range(0, len(octets), _BLOCK):
        block = octets[at : at + _BLOCK]
        found.append(np.flatnonzero((block == one) | (block == other)) + at)
    return np.concatenate(found)


def _are_all(octets: np.ndarray, *wanted: int) -> bool:
    is_wanted = np.zeros(256, bool)
    is_wanted[list(wanted)] = True
    return bool(is_wanted[octets].all())


def record_offsets(data: bytes, fmt: FileFormat) -> np.ndarray:
    """Byte offsets at which the records of simple content start."""
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets == 10)
    quote = fmt.field_optionally_enclosed_by
    if quote is not None and quote.encode() in data:
        inside = np.cumsum(octets == ord(quote))[ends] % 2 == 1
        ends = ends[~inside]
    starts = np.concatenate(([0], ends + 1))
    return starts[starts < len(data)]
