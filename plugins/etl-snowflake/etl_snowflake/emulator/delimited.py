"""Reads delimited files as COPY does: Arrow's reader for a well-formed file, a careful one where errors must be found."""

import bz2
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from etl_snowflake.emulator.errors import SnowflakeError
from etl_snowflake.emulator.file_formats import FileFormat

_MAGIC = ((b"\x1f\x8b", "GZIP"), (b"\x28\xb5\x2f\xfd", "ZSTD"), (b"BZh", "BZ2"))
_SUFFIXES = {"gz": "GZIP", "gzip": "GZIP", "zst": "ZSTD", "bz2": "BZ2", "deflate": "DEFLATE"}
_NAMED_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field's text, None for null, and where it starts: line and character count from 1, the offset from 0."""

    text: str | None
    line: int
    character: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the careful reader.

    :param row: its number among the data records, from 1.
    :param line: the physical line on which it starts, from 1.
    :param end: where it ends, before its record delimiter.
    :param after: where the next line starts, or `end` when the file has none.
    :param error: number, SQL state, text and index of the field of a structural error.
    """

    row: int
    line: int
    fields: list[Field]
    end: Field
    after: Field
    error: tuple[int, str, str, int] | None = None


def plain_text(data: bytes, name: str, fmt: FileFormat) -> bytes:
    """A staged file's content: decompressed, without byte order mark, in UTF-8.

    :raises SnowflakeError: it is not compressed as the format says, or not in its encoding.
    """
    compression = fmt.compression
    if compression == "AUTO":
        suffix = _SUFFIXES.get(name.rsplit(".", 1)[-1].lower(), "NONE")
        compression = next((kind for magic, kind in _MAGIC if data.startswith(magic)), "NONE" if suffix != "DEFLATE" else suffix)
    try:
        data = _decompress(data, compression)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise SnowflakeError(
            f"Invalid data encountered during decompression for file: '{name}',compression type used: '{compression}', cause: '{error}'",
            100096,
            "22000",
        ) from error
    if fmt.encoding != "utf-8":
        data = data.decode(fmt.encoding, "replace" if fmt.replace_invalid_characters else "strict").encode()
    if fmt.skip_byte_order_mark:
        data = data.removeprefix(b"\xef\xbb\xbf")
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
                return bytes(stream.read())
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
    quote = fmt.field_optionally_enclosed_by
    quoted = quote is not None and quote.encode() in data
    nulls = [""] if fmt.empty_field_as_null else []
    try:
        return pacsv.read_csv(
            io.BytesIO(data),
            read_options=pacsv.ReadOptions(column_names=names, block_size=min(max(len(data), 1), 1 << 24)),
            parse_options=pacsv.ParseOptions(
                delimiter=fmt.field_delimiter or "\x00",
                quote_char=quote or False,
                double_quote=quote is not None,
                escape_char=False,
                newlines_in_values=quoted,
                ignore_empty_lines=fmt.skip_blank_lines,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=nulls,
                strings_can_be_null=bool(nulls),
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _is_simple(data: bytes, fmt: FileFormat) -> bool:
    """Whether Arrow's reader understands the content as Snowflake does."""
    delimiter = fmt.field_delimiter
    if fmt.record_delimiter not in ("\n", "\r\n", None) or (delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii())):
        return False
    if fmt.trim_space or (delimiter is None and b"\x00" in data):
        return False
    if any(e is not None and e.encode() in data for e in (fmt.escape, fmt.escape_unenclosed_field)):
        return False
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    quote = fmt.field_optionally_enclosed_by
    if quote is None or quote.encode() not in data:
        return True
    return _quotes_are_regular(data, ord(quote), ord(delimiter or "\x00"))


def _has_blank_line(data: bytes) -> bool:
    """Whether a line is empty, which Arrow would read as a record of nulls."""
    return data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data


def _quotes_are_regular(data: bytes, quote: int, delimiter: int) -> bool:
    """Whether every quote opens a field, closes one, or is doubled inside one."""
    octets = np.frombuffer(data, np.uint8)
    positions = np.flatnonzero(octets == quote)
    if len(positions) % 2:
        return False
    opening, closing = positions[::2], positions[1::2]
    before = np.where(opening == 0, 10, octets[np.maximum(opening - 1, 0)])
    after = np.where(closing == len(data) - 1, 10, octets[np.minimum(closing + 1, len(data) - 1)])
    opens = np.isin(before, (10, delimiter, quote))
    closes = np.isin(after, (10, 13, delimiter, quote))
    return bool(opens.all() and closes.all())


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


class CarefulReader:
    """Reads records one by one and knows where each field stands."""

    def __init__(self, data: bytes, fmt: FileFormat, *, line: int = 1, row: int = 1, offset: int = 0) -> None:
        self._text = data.decode("utf-8", "surrogateescape")
        self._fmt = fmt
        self._line = line
        self._line_start = 0
        self._row = row
        self._offset = offset
        self._position = 0
        self._null_if = frozenset(fmt.null_if)
        record = fmt.record_delimiter or "\n"
        self._record_delimiters = ("\r\n", "\n") if record in ("\n", "\r\n") else (record,)

    def __iter__(self) -> Iterator[Record]:
        while self._position < len(self._text):
            if self._fmt.skip_blank_lines and (mark := self._record_mark()):
                self._advance(mark)
                continue
            yield self._record()
            self._row += 1

    def _record_mark(self) -> str:
        return next((d for d in self._record_delimiters if self._text.startswith(d, self._position)), "")

    def _advance(self, text: str) -> None:
        self._offset += len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
        for character in text:
            self._position += 1
            if character == "\n":
                self._line += 1
                self._line_start = self._position

    def _here(self, text: str | None = None) -> Field:
        return Field(text, self._line, self._position - self._line_start + 1, self._offset)

    def _record(self) -> Record:
        row, line = self._row, self._line
        fields: list[Field] = []
        delimiter = self._fmt.field_delimiter
        error = None
        while True:
            start = self._here()
            text, problem = self._field()
            fields.append(Field(text, start.line, start.character, start.offset))
            if problem is not None:
                error = (*problem, len(fields) - 1)
                end = self._here()
                self._skip_record()
                break
            end = self._here()
            if delimiter is not None and self._text.startswith(delimiter, self._position):
                self._advance(delimiter)
                continue
            self._advance(self._record_mark())
            break
        after = self._here() if self._position < len(self._text) else end
        return Record(row, line, fields, end, after, error)

    def _skip_record(self) -> None:
        while self._position < len(self._text) and not (mark := self._record_mark()):
            self._advance(self._text[self._position])
        self._advance(self._record_mark() if self._position < len(self._text) else "")

    def _field(self) -> tuple[str | None, tuple[int, str, str] | None]:
        quote = self._fmt.field_optionally_enclosed_by
        if self._fmt.trim_space:
            while self._position < len(self._text) and self._text[self._position] in " \t" and not self._at_delimiter():
                self._advance(self._text[self._position])
        if quote is not None and self._text.startswith(quote, self._position):
            return self._enclosed(quote)
        raw = self._unenclosed()
        if self._fmt.trim_space:
            raw = raw.rstrip(" \t")
        if raw == "" and self._fmt.empty_field_as_null:
            return None, None
        if raw in self._null_if:
            return None, None
        text = self._unescape(raw)
        return (text, self._invalid(text))

    def _at_delimiter(self) -> bool:
        delimiter = self._fmt.field_delimiter
        return bool(self._record_mark()) or (delimiter is not None and self._text.startswith(delimiter, self._position))

    def _unenclosed(self) -> str:
        start = self._position
        escapes = [e for e in (self._fmt.escape, self._fmt.escape_unenclosed_field) if e]
        while self._position < len(self._text) and not self._at_delimiter():
            step = 2 if self._text[self._position] in escapes else 1
            self._advance(self._text[self._position : self._position + step])
        return self._text[start : self._position]

    def _unescape(self, raw: str) -> str:
        escapes = [e for e in (self._fmt.escape, self._fmt.escape_unenclosed_field) if e]
        if not any(e in raw for e in escapes):
            return raw
        out, i = [], 0
        while i < len(raw):
            if raw[i] in escapes and i + 1 < len(raw):
                out.append(_NAMED_ESCAPES.get(raw[i + 1], raw[i + 1]))
                i += 2
            else:
                out.append(raw[i])
                i += 1
        return "".join(out)

    def _enclosed(self, quote: str) -> tuple[str | None, tuple[int, str, str] | None]:
        self._advance(quote)
        out: list[str] = []
        while True:
            if self._position >= len(self._text):
                return None, (100065, "22000", "End of file reached while a field is still enclosed: the closing quote is missing")
            character = self._text[self._position]
            if character == self._fmt.escape and self._position + 1 < len(self._text) and character != quote:
                following = self._text[self._position + 1]
                out.append(_NAMED_ESCAPES.get(following, following))
                self._advance(character + following)
            elif character == quote and self._text.startswith(quote * 2, self._position):
                out.append(quote)
                self._advance(quote * 2)
            elif character == quote:
                self._advance(quote)
                break
            else:
                out.append(character)
                self._advance(character)
        if self._fmt.trim_space:
            while self._position < len(self._text) and self._text[self._position] in " \t" and not self._at_delimiter():
                self._advance(self._text[self._position])
        if self._position < len(self._text) and not self._at_delimiter():
            found, expected = self._text[self._position], self._fmt.field_delimiter or self._fmt.record_delimiter
            return None, (100066, "22000", f"Found character '{found}' instead of field delimiter '{expected}'")
        text = "".join(out)
        return (None, None) if text in self._null_if else (text, self._invalid(text))

    def _invalid(self, text: str) -> tuple[int, str, str] | None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            bad = text[error.start : error.end].encode("utf-8", "surrogateescape").hex().upper()
            return 100144, "22000", f"Invalid UTF8 detected in string '0x{bad}'"
        return None
