"""Columns, their types, and names that are safe to put into SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from etl_framework.errors import UsageError
from etl_framework.terminal import did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(StrEnum):
    """The types that a column can have; each warehouse maps them to its own."""

    BOOLEAN = "boolean"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    DECIMAL = "decimal"
    REAL = "real"
    DOUBLE = "double"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    VARCHAR = "varchar"


_ALIASES = {
    "bool": Kind.BOOLEAN,
    "int2": Kind.SMALLINT,
    "int": Kind.INTEGER,
    "int4": Kind.INTEGER,
    "int8": Kind.BIGINT,
    "long": Kind.BIGINT,
    "numeric": Kind.DECIMAL,
    "number": Kind.DECIMAL,
    "float4": Kind.REAL,
    "float": Kind.DOUBLE,
    "float8": Kind.DOUBLE,
    "double precision": Kind.DOUBLE,
    "datetime": Kind.TIMESTAMP,
    "timestamp_ntz": Kind.TIMESTAMP,
    "timestamp_tz": Kind.TIMESTAMPTZ,
    "timestamp with time zone": Kind.TIMESTAMPTZ,
    "text": Kind.VARCHAR,
    "string": Kind.VARCHAR,
    "char": Kind.VARCHAR,
}
_TYPE = re.compile(r"\s*([a-z][a-z0-9_ ]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", re.IGNORECASE)

INTEGERS = frozenset({Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT})
FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
NUMBERS = INTEGERS | FLOATS | {Kind.DECIMAL}
_DIGITS = {Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19}


def _meant(text: str) -> str:
    """Which type a text was meant for, as the beginning of an advice."""
    from difflib import get_close_matches

    return did_you_mean(get_close_matches(text.partition("(")[0].strip().lower(), [*Kind, *_ALIASES], n=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """A type, as written in SQL: ``decimal(18,4)``, ``varchar(20)``, ``date``.

    :param kind: which type.
    :param precision: digits of a decimal, 1 to 38; characters of a varchar, None for any number.
    :param scale: digits of a decimal after the point, 0 to ``precision``.
    """

    kind: Kind
    precision: int | None = None
    scale: int | None = None

    @classmethod
    def parse(cls, text: str) -> ColumnType:
        """Read a type as written in SQL.

        :raises UsageError: the text names no type that this project knows.
        """
        match = _TYPE.fullmatch(text)
        name = " ".join(match[1].lower().split()) if match else ""
        kind = _ALIASES.get(name) or (Kind(name) if name in Kind._value2member_map_ else None)
        if match is None or kind is None:
            raise UsageError(f"unknown column type {text!r}", advice=f"{_meant(text)}Known types: {', '.join(Kind)}.")
        first, second = (int(digits) if digits else None for digits in match.group(2, 3))
        if kind is Kind.DECIMAL:
            first, second = (38 if first is None else first), second or 0
            if not 1 <= first <= 38 or second > first:
                raise UsageError(f"impossible decimal {text!r}", advice="Give 1 to 38 digits, the scale among them.")
            return cls(kind=kind, precision=first, scale=second)
        if second is not None or (first is not None and kind is not Kind.VARCHAR) or first == 0:
            raise UsageError(f"type {text!r} takes no such length", advice="Lengths belong to varchar and decimal.")
        return cls(kind=kind, precision=first)

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        return f"{self.kind}({self.precision})" if self.precision else str(self.kind)

    @property
    def is_number(self) -> bool:
        """Whether a sum of such values makes sense."""
        return self.kind in NUMBERS

    def fits_decimal(self, precision: int, scale: int) -> bool:
        """Whether a decimal of that many digits, ``scale`` of them after the point, holds every value unchanged."""
        digits, after_point = _DIGITS.get(self.kind, self.precision or 0), self.scale or 0
        exact = self.kind in INTEGERS or self.kind is Kind.DECIMAL
        return exact and scale >= after_point and precision - scale >= digits - after_point

    def arrow(self) -> pa.DataType:
        """The Arrow type of a parsed column; timestamps are in microseconds, with UTC for ``timestamptz``."""
        import pyarrow as pa

        match self.kind:
            case Kind.BOOLEAN:
                return pa.bool_()
            case Kind.SMALLINT:
                return pa.int16()
            case Kind.INTEGER:
                return pa.int32()
            case Kind.BIGINT:
                return pa.int64()
            case Kind.DECIMAL:
                return pa.decimal128(self.precision or 38, self.scale or 0)
            case Kind.REAL:
                return pa.float32()
            case Kind.DOUBLE:
                return pa.float64()
            case Kind.DATE:
                return pa.date32()
            case Kind.TIME:
                return pa.time64("us")
            case Kind.TIMESTAMP:
                return pa.timestamp("us")
            case Kind.TIMESTAMPTZ:
                return pa.timestamp("us", tz="UTC")
            case Kind.VARCHAR:
                return pa.string()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a source and of its table.

    :param name: as in the header, or as declared; any text.
    :param type: what every value must be.
    :param required: whether a null is a bad row.
    :param declared: False when the type was inferred from a sample, and may therefore widen.
    :param format: ``strptime`` pattern of dates and timestamps; None for ISO 8601.
    """

    name: str
    type: ColumnType
    required: bool = False
    declared: bool = False
    format: str | None = None


def quote(identifier: str) -> str:
    """One identifier, quoted as the SQL standard does: the only way a name gets into a statement.

    :raises UsageError: the name is empty or holds a NUL byte, which no warehouse can name.
    """
    if not identifier or "\0" in identifier:
        raise UsageError(f"{identifier!r} cannot be the name of anything in a warehouse", advice="Choose another name.")
    return '"' + identifier.replace('"', '""') + '"'


_NAME_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".\s][^".]*?))\s*(\.|$)')


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name: one to three parts, from the outermost (database) to the table itself."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read ``table``, ``schema.table`` or ``schema."any name"``; a quote within quotes is doubled.

        :raises UsageError: the text is no table name.
        """
        parts: list[str] = []
        at = 0
        while match := _NAME_PART.match(text, at):
            parts.append(match[1].replace('""', '"') if match[1] else match[2])
            at = match.end()
            if not match[3]:
                break
        if at != len(text) or not 1 <= len(parts) <= 3 or text.endswith("."):
            raise UsageError(
                f"{text!r} is not a table name",
                advice='Write table, schema.table, or "quoted name" for anything unusual.',
            )
        return cls(tuple(parts))

    @property
    def name(self) -> str:
        """The table's own name, without database and schema."""
        return self.parts[-1]

    @property
    def sql(self) -> str:
        """The whole name, every part quoted."""
        return ".".join(map(quote, self.parts))

    def sibling(self, name: str) -> TableName:
        """Another table in the same schema."""
        return TableName((*self.parts[:-1], name))

    def __str__(self) -> str:
        return ".".join(part if re.fullmatch(r"\w+", part) else quote(part) for part in self.parts)
