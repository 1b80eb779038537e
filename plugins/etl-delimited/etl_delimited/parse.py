"""Parse whole records into a typed batch, with Arrow's parser: all of them or an error."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from etl_delimited.checks import outside_calendar, too_large
from etl_delimited.dates import DatePattern
from etl_delimited.misread import count_letter, finite_rows, hexadecimal_fields, hexadecimal_rows, infinite_rows
from etl_framework import FLOATS, INTEGERS, InputError, Kind, UsageError, read_only

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from etl_delimited.dialect import Dialect
    from etl_framework import Column

Buffer: TypeAlias = bytes | bytearray | memoryview

_TRUE = ("true", "t", "yes", "1")
_FALSE = ("false", "f", "no", "0")
TRUE_VALUES = sorted({spelling for word in _TRUE for spelling in (word, word.upper(), word.capitalize())})
FALSE_VALUES = sorted({spelling for word in _FALSE for spelling in (word, word.upper(), word.capitalize())})

_DATES = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
_CONVERSION = re.compile(r"In CSV column #(\d+): Row #(\d+): (.*)", re.DOTALL)
_SHAPE = re.compile(r"CSV parse error: Row #(\d+): ")
# Separators of old, then other control characters that no sane text holds.
_STAND_INS = bytes((0x1F, 0x1E, 0x1D, 0x1C, *range(1, 9), *range(0x0E, 0x1B), 0x7F))


class ParseError(Exception):
    """Some record does not parse.

    :ivar column: index of the column among the run's; None when the record as a whole is wrong.
    :ivar row: index of the record among those given, blank lines not counted; None when not known.
    :ivar detail: what Arrow says.
    """

    def __init__(self, column: int | None, row: int | None, detail: str) -> None:
        super().__init__(column, row, detail)
        self.column = column
        self.row = row
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Layout:
    """Which field of a record is which column of the run.

    :param width: fields of a record.
    :param fields: for each column of the run, the index of its field.
    :param columns: the columns of the run.
    """

    width: int
    fields: tuple[int, ...]
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, header: Sequence[str], columns: Sequence[Column]) -> Layout:
        """Match the run's columns to the fields by name.

        :raises UsageError: a column is not in the header.
        """
        if tuple(column.name for column in columns) == tuple(header):
            return cls(len(header), tuple(range(len(header))), tuple(columns))
        places = {name: index for index, name in enumerate(header)}
        missing = [column.name for column in columns if column.name not in places]
        if missing:
            raise UsageError(
                f"the source has no column {', '.join(map(repr, missing))}",
                advice=f"Its columns are: {', '.join(header)}.",
            )
        return cls(len(header), tuple(places[column.name] for column in columns), tuple(columns))


class Parser:
    """Parses the records of one source for one set of columns; not to be shared between threads.

    Null values: an unquoted empty text is null in every column, a quoted one is an empty string in text columns and
    null in others. Further null values are null in columns other than text.

    Accepted is what Arrow accepts: integers of decimal digits with a minus or none; decimals and floats with either
    sign and an exponent, floats also as ``inf`` and ``nan``; blanks around numbers, dates and times. Refused besides
    are what Arrow would read as another value (integers in hexadecimal, floats beyond the range) and years before 1 or
    after 9999.
    """

    def __init__(self, dialect: Dialect, layout: Layout) -> None:
        self.dialect = dialect
        self.utf8 = replace(dialect, encoding="utf-8")
        self.layout = layout
        self.schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in layout.columns])
        self._names = [str(field) for field in range(layout.width)]
        self._delimiter = dialect.delimiter.encode()
        self._patterns = {
            at: DatePattern(column, dialect.null_values)
            for at, column in enumerate(layout.columns)
            if column.format is not None and column.type.kind in _DATES
        }
        self._text_fields = self._fields_of_text()
        # The last field tells where quotes ran on to the end.
        self._needed = sorted({*layout.fields, layout.width - 1})
        self._integers, self._floats = (self._columns_of(kinds) for kinds in (INTEGERS, FLOATS))
        self._quoted_empties = False
        self._options = {
            (quoted, is_ascii): self._convert_options(quoted, check_utf8=not is_ascii)
            for quoted in (False, True)
            for is_ascii in (False, True)
        }

    def parse(self, records: Buffer) -> pa.RecordBatch:
        """Parse records.

        :param records: whole records in UTF-8, as :attr:`RecordBuffer.records` gives them.
        :raises ParseError: some record does not fit.
        """
        return self.batch(self.fields(records))

    def fields(self, records: Buffer, *, is_ascii: bool = False, exes: Mapping[int, int] | None = None) -> pa.Table:
        """The fields of the records, by their indexes as text; columns with a date pattern still as text.

        :param is_ascii: the records are known to be, so that no text needs to be validated, and fields that the run
            does not load can be left out.
        :param exes: how often each letter of :data:`~etl_delimited.misread.EXES` occurs in them, if that is known.
        :raises ParseError: some record does not fit.
        """
        if not len(records):
            return pa.schema(self._types().items()).empty_table()
        text, stand_in = self._with_single_delimiter(records)
        table = self._with_nulls(text, self._delimiter if stand_in is None else stand_in, is_ascii)
        if stand_in is not None and bytes(text).count(stand_in) > table.num_rows * (self.layout.width - 1):
            table = self._restored(table, stand_in)
        if self._integers and (exes is None or self._has_exes_outside_of_texts(table, exes)):
            self._check_integers(table, records)
        self._check_floats(table, records)
        return table

    def ends_in_line_end(self, fields: pa.Table) -> bool:
        """Whether the very last field has a line end for its last character.

        So it is where records end within quotes, since Arrow's parser takes what is open to be closed. A field that is
        no text never has: no other type accepts a line end.
        """
        last = self.layout.width - 1
        if last not in self._text_fields or not fields.num_rows:
            return False
        value = fields.column(self._names[last])[-1].as_buffer()
        return value is not None and value.size > 0 and value[-1] in b"\r\n"

    def batch(self, fields: pa.Table) -> pa.RecordBatch:
        """The columns of the run, from what :meth:`fields` gave.

        :raises ParseError: a text does not fit its column's date pattern, a number its decimal, or a day the calendar.
        """
        arrays = []
        for at, field in enumerate(self.layout.fields):
            array = whole(fields.column(self._names[field]))
            if at in self._patterns:
                array, wrong = self._patterns[at].read(array)
                if len(wrong):
                    raise ParseError(at, int(wrong[0]), "date pattern")
            elif large := too_large(array, self.layout.columns[at]):
                raise ParseError(at, large[0], "too many digits")
            if outside := outside_calendar(array, self.layout.columns[at].type.kind):
                raise ParseError(at, outside[0], "outside the calendar")
            arrays.append(read_only(array))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def texts(
        self, records: Buffer, *, fields: Sequence[int] | None = None, skip: InvalidRows | None = None
    ) -> pa.Table:
        """Fields as text, null where it is a null value of a column other than text.

        :param fields: only these, in this order.
        :param skip: takes the records with a wrong number of fields; without it they are an error.
        :raises ParseError: a record has a wrong number of fields.
        """
        names = self._names if fields is None else [self._names[field] for field in fields]
        if not len(records) or not names:
            return pa.schema([(name, pa.string()) for name in names]).empty_table()
        text, stand_in = self._with_single_delimiter(records)
        options = csv.ConvertOptions(
            check_utf8=False,
            include_columns=names,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(self.dialect.null_values),
            strings_can_be_null=True,
        )
        table = self._read(text, self._delimiter if stand_in is None else stand_in, options, skip)
        return table if stand_in is None else self._restored(table, stand_in)

    def pattern(self, column: int) -> DatePattern | None:
        """The date pattern of a column."""
        return self._patterns.get(column)

    def _fields_of_text(self) -> frozenset[int]:
        """Fields parsed as text: text columns and fields that the run does not load, whose encoding counts too."""
        typed = {
            field
            for field, column in zip(self.layout.fields, self.layout.columns, strict=True)
            if column.type.kind is not Kind.VARCHAR
        }
        return frozenset(range(self.layout.width)) - typed

    def _columns_of(self, kinds: Container[Kind]) -> tuple[int, ...]:
        return tuple(at for at, column in enumerate(self.layout.columns) if column.type.kind in kinds)

    def _types(self) -> dict[str, pa.DataType]:
        types = dict.fromkeys(self._names, pa.string())
        for at, (field, column) in enumerate(zip(self.layout.fields, self.layout.columns, strict=True)):
            if at not in self._patterns:
                types[self._names[field]] = column.type.arrow()
        return types

    def _convert_options(self, quoted_nulls: bool, *, check_utf8: bool) -> csv.ConvertOptions:
        return csv.ConvertOptions(
            check_utf8=check_utf8,
            include_columns=None if check_utf8 else [self._names[field] for field in self._needed],
            column_types=self._types(),
            null_values=list(self.dialect.null_values),
            true_values=TRUE_VALUES,
            false_values=FALSE_VALUES,
            strings_can_be_null=self._only_empty_is_null,
            quoted_strings_can_be_null=quoted_nulls,
        )

    @property
    def _only_empty_is_null(self) -> bool:
        return self.dialect.null_values == ("",)

    def _with_nulls(self, text: Buffer, delimiter: bytes, is_ascii: bool) -> pa.Table:
        """Arrow has one set of null values for all columns, and one rule for quoted ones: choose, then correct."""
        if self._only_empty_is_null and not self._quoted_empties:
            try:
                return self._read(text, delimiter, self._options[False, is_ascii])
            except ParseError as error:
                if "''" not in error.detail:
                    raise
        table = self._corrected(text, delimiter, self._read(text, delimiter, self._options[True, is_ascii]))
        self._quoted_empties = True
        return table

    def _corrected(self, text: Buffer, delimiter: bytes, table: pa.Table) -> pa.Table:
        """Tell null from empty in the text columns."""
        if "" not in self.dialect.null_values:
            return table
        there = {int(name) for name in table.column_names} & self._text_fields
        unclear = [field for field in sorted(there) if self._has_empty(table.column(self._names[field]))]
        if not unclear:
            return table
        if has_pair(text, self.dialect.quote):
            options = csv.ConvertOptions(
                include_columns=[self._names[field] for field in unclear],
                column_types={self._names[field]: pa.string() for field in unclear},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            )
            exact = self._read(text, delimiter, options).columns
        else:
            exact = [_empty_to_null(whole(table.column(self._names[field]))) for field in unclear]
        for field, values in zip(unclear, exact, strict=True):
            name = self._names[field]
            table = table.set_column(table.column_names.index(name), name, values)
        return table

    def _has_empty(self, values: pa.ChunkedArray) -> bool:
        if self._only_empty_is_null:
            return bool(values.null_count)
        return bool(pc.min(pc.binary_length(values)).as_py() == 0)

    def _read(
        self, text: Buffer, delimiter: bytes, options: csv.ConvertOptions, skip: InvalidRows | None = None
    ) -> pa.Table:
        quote, escape = self.dialect.quote, self.dialect.escape
        if bytes(text[:3]) == codecs.BOM_UTF8:
            # Arrow passes over one; the source's own is none of the records.
            text = codecs.BOM_UTF8 + bytes(text)
        try:
            return csv.read_csv(
                pa.py_buffer(text),
                csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self._names),
                csv.ParseOptions(
                    delimiter=delimiter.decode(),
                    quote_char=quote or False,
                    double_quote=quote is not None,
                    escape_char=escape or False,
                    ignore_empty_lines=self.layout.width > 1,
                    invalid_row_handler=skip,
                ),
                options,
            )
        except pa.ArrowInvalid as error:
            raise self._located(str(error)) from error

    def _has_exes_outside_of_texts(self, fields: pa.Table, exes: Mapping[int, int]) -> bool:
        """Whether some of the letters lie outside of the fields that are still text.

        A text has no more of them than its record has, so that none in an integer is overlooked. Fields that are not
        loaded, delimiters and null values may have some, too, and only cost a second look.
        """
        texts = [whole(column) for column in fields.columns if pa.types.is_string(column.type)]
        return any(count > sum(count_letter(text, letter) for text in texts) for letter, count in exes.items() if count)

    def _check_integers(self, fields: pa.Table, records: Buffer) -> None:
        """Whether every integer is the one that its text says.

        :raises ParseError: one is not.
        """
        suspected = hexadecimal_fields(records, self.utf8, fields.num_rows, self.layout.width)
        among = [at for at in self._integers if self.layout.fields[at] in suspected]
        texts = self.texts(records, fields=[self.layout.fields[at] for at in among])
        for at, column in zip(among, texts.columns, strict=True):
            if len(rows := hexadecimal_rows(whole(column))):
                raise ParseError(at, int(rows[0]), "hexadecimal digits")

    def _check_floats(self, fields: pa.Table, records: Buffer) -> None:
        """Whether every float is the one that its text says.

        :raises ParseError: one is not.
        """
        for at in self._floats:
            field = self.layout.fields[at]
            if len(infinite := infinite_rows(whole(fields.column(self._names[field])))):
                numbers = whole(self.texts(records, fields=[field]).column(0)).take(pa.array(infinite))
                if len(rows := finite_rows(numbers)):
                    raise ParseError(at, int(infinite[rows[0]]), "beyond the range")

    def _located(self, message: str) -> ParseError:
        if found := _CONVERSION.match(message):
            field = int(found[1])
            column = self.layout.fields.index(field) if field in self.layout.fields else None
            return ParseError(column, int(found[2]) - 1, found[3])
        found = _SHAPE.match(message)
        return ParseError(None, int(found[1]) - 1 if found else None, message)

    def _with_single_delimiter(self, records: Buffer) -> tuple[Buffer, bytes | None]:
        """The records with a delimiter of one byte, and that byte where it stands for several."""
        if len(self._delimiter) == 1:
            return records, None
        data = bytes(records)
        stand_in = next((bytes((code,)) for code in _STAND_INS if code not in data), None)
        if stand_in is None:
            raise InputError(
                "some records hold every control character, so that none can stand in for the delimiter",
                advice=f"The file is hardly text delimited by {self.dialect.delimiter!r}; check the delimiter.",
            )
        escape = (self.dialect.escape or "").encode()
        if not escape or escape not in data:
            return data.replace(self._delimiter, stand_in), stand_in
        # What is escaped is no part of a delimiter.
        pattern = b"(" + re.escape(escape) + b".)|" + re.escape(self._delimiter)
        return re.sub(pattern, lambda found: found[1] or stand_in, data, flags=re.DOTALL), stand_in

    def _restored(self, table: pa.Table, stand_in: bytes) -> pa.Table:
        """Give quoted texts the delimiter back."""
        for at, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                values = pc.replace_substring(table.column(at), stand_in.decode(), self.dialect.delimiter)
                table = table.set_column(at, field.name, values)
        return table


class InvalidRows:
    """Skips records with a wrong number of fields and remembers them.

    :ivar widths: by index of the record, blank lines not counted: how many fields it has.
    """

    def __init__(self) -> None:
        self.widths: dict[int, int] = {}

    def __call__(self, row: csv.InvalidRow) -> str:
        self.widths[row.number - 1] = row.actual_columns
        return "skip"


def whole(values: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def has_pair(text: Buffer, quote: str | None) -> bool:
    """Whether two quote characters stand side by side anywhere."""
    if quote is None:
        return False
    letters = np.frombuffer(text, np.uint8)
    quotes = letters == ord(quote)
    return bool((quotes[1:] & quotes[:-1]).any())


def _empty_to_null(texts: pa.Array) -> pa.Array:
    """The same texts, the empty ones null, without a copy of any."""
    filled = pc.not_equal(pc.binary_length(texts), 0)
    _, offsets, data = texts.buffers()
    return pa.Array.from_buffers(pa.string(), len(texts), [filled.buffers()[1], offsets, data])
