"""Reads delimited content record by record, where a file is not simple or an error must be found."""

from collections.abc import Iterator
from dataclasses import dataclass

from etl_snowflake.emulator.file_formats import FileFormat

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
        while self._position < len(self._text) and not self._record_mark():
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
                return None, (
                    100065,
                    "22000",
                    "End of file reached while a field is still enclosed: the closing quote is missing",
                )
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
