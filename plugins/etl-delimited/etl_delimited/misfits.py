"""Which texts surely are no values of a type: told for a whole column at once, when Arrow's parser has refused some.

A text that passes here may still be refused by the parser, never the other way round.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_delimited.parse import FALSE_VALUES, TRUE_VALUES
from etl_framework import FLOATS, INTEGERS, ColumnType, Kind

if TYPE_CHECKING:
    from etl_framework import Column

Mask = npt.NDArray[np.bool_]

_DAY = (
    r"[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|[12][0-9]))"
)
_HOUR, _SIXTIETH, _FRACTION = r"(?:[01][0-9]|2[0-3])", r"[0-5][0-9]", r"(?:\.[0-9]{1,6})?"
_ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_INTEGER = r"^[ \t]*-?[0-9]+[ \t]*$"
_PATTERNS = {
    **dict.fromkeys(INTEGERS, "-?[0-9]+"),
    Kind.DECIMAL: _NUMBER,
    Kind.REAL: rf"{_NUMBER}|[+-]?(?i:nan|inf).*",
    Kind.DOUBLE: rf"{_NUMBER}|[+-]?(?i:nan|inf).*",
    Kind.DATE: _DAY,
    Kind.TIME: rf"{_HOUR}:{_SIXTIETH}(?::{_SIXTIETH}{_FRACTION})?",
    Kind.TIMESTAMP: rf"{_DAY}(?:[ T]{_HOUR}(?::?{_SIXTIETH}(?::?{_SIXTIETH}{_FRACTION})?)?)?",
    Kind.TIMESTAMPTZ: rf"{_DAY}(?:[ T]{_HOUR}(?::?{_SIXTIETH}(?::?{_SIXTIETH}{_FRACTION})?)?)?{_ZONE}",
}
_PYTHON = {kind: re.compile(_PATTERNS[kind]) for kind in (Kind.BIGINT, Kind.DECIMAL, Kind.TIMESTAMP)}
_RANGES = {
    Kind.SMALLINT: (-(1 << 15), (1 << 15) - 1),
    Kind.INTEGER: (-(1 << 31), (1 << 31) - 1),
    Kind.BIGINT: (-(1 << 63), (1 << 63) - 1),
}


def wrong(texts: pa.Array, kind: ColumnType) -> Mask:
    """The rows whose text surely is no value of the type; null fits every type.

    :param texts: strings.
    """
    if kind.kind is Kind.VARCHAR or not len(texts):
        return np.zeros(len(texts), np.bool_)
    if kind.kind is Kind.BOOLEAN:
        fits = pc.is_in(texts, pa.array([*TRUE_VALUES, *FALSE_VALUES]))
        return _rows(pc.and_(pc.is_valid(texts), pc.invert(fits)))
    found = _rows(pc.invert(pc.match_substring_regex(texts, rf"^[ \t]*(?:{_PATTERNS[kind.kind]})[ \t]*$")))
    if kind.kind in INTEGERS:
        return found | _out_of_range(texts, kind.kind)
    if kind.kind in FLOATS:
        return found | _infinite(texts, kind)
    if kind.kind is Kind.DECIMAL:
        return found | _too_many_digits(texts, kind.precision or 38, kind.scale or 0)
    if kind.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        return found | _not_in_calendar(texts)
    return found


def reason(text: str | None, column: Column) -> str:
    """Why a text is no value of a column's type, as a sentence."""
    kind = column.type
    if column.format is not None and kind.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        return f"The value is no {kind} of the form {column.format}."
    text = (text or "").strip(" \t")
    shape = _PYTHON[Kind.BIGINT] if kind.kind in INTEGERS else _PYTHON[Kind.DECIMAL]
    if kind.kind in INTEGERS | FLOATS and shape.fullmatch(text):
        return f"The value is out of the range of {kind}."
    if kind.kind is Kind.DECIMAL and _PYTHON[Kind.DECIMAL].fullmatch(text):
        return f"The value has more digits than {kind} holds."
    if kind.kind is Kind.TIMESTAMPTZ and _PYTHON[Kind.TIMESTAMP].fullmatch(text):
        return "The value has no zone offset, which timestamptz needs."
    return f"The value is not of type {kind}."


def _rows(mask: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), np.bool_)


def _out_of_range(texts: pa.Array, kind: Kind) -> Mask:
    """The integers beyond the range; what is no integer does not count."""
    low, high = _RANGES[kind]
    integer = pc.fill_null(pc.match_substring_regex(texts, _INTEGER), False)
    plain = pc.replace_substring_regex(pc.utf8_trim(texts, " \t"), "^(-?)0+([0-9])", r"\1\2")
    long = pc.and_(integer, pc.greater(pc.fill_null(pc.binary_length(plain), 0), 38))
    number = pc.and_(integer, pc.invert(long))
    values = pc.if_else(number, plain, None).cast(pa.decimal128(38, 0))
    bounds = (pa.scalar(bound, pa.decimal128(38, 0)) for bound in (low, high))
    beyond = pc.or_(pc.less(values, next(bounds)), pc.greater(values, next(bounds)))
    return _rows(long) | _rows(beyond)


def _infinite(texts: pa.Array, kind: ColumnType) -> Mask:
    """The numbers beyond the range."""
    plain = pc.utf8_trim(texts, " \t")
    number = pc.fill_null(pc.match_substring_regex(plain, f"^(?:{_NUMBER})$"), False)
    return _rows(pc.is_inf(pc.if_else(number, plain, None).cast(kind.arrow())))


def _too_many_digits(texts: pa.Array, precision: int, scale: int) -> Mask:
    """The plain numbers that do not fit; numbers with an exponent do not count."""
    plain = rf"^[ \t]*[+-]?0*[0-9]{{0,{precision - scale}}}(?:\.[0-9]{{0,{scale}}}0*)?[ \t]*$"
    beyond = pc.invert(pc.match_substring_regex(texts, rf"{plain}|[eE]"))
    # Zeros at the end of a fraction are digits, too, as Arrow sees it.
    digits = pc.replace_substring_regex(texts, r"^[ \t]*[+-]?0*\.?|\.|[ \t]*$", "")
    long = pc.and_not(pc.greater(pc.binary_length(digits), precision), pc.match_substring_regex(texts, "[eE]"))
    return _rows(beyond) | _rows(long)


def _not_in_calendar(texts: pa.Array) -> Mask:
    """The days of year 0, and the 29ths of February of years that have none."""
    found = _rows(pc.match_substring_regex(texts, r"^[ \t]*0000-")).copy()
    leap_days = np.flatnonzero(_rows(pc.match_substring_regex(texts, r"^[ \t]*[0-9]{4}-02-29")))
    if len(leap_days):
        trimmed = pc.utf8_ltrim(texts.take(pa.array(leap_days)), " \t")
        years = pc.utf8_slice_codeunits(trimmed, 0, 4).cast(pa.int32()).to_numpy()
        found[leap_days] = (years % 4 != 0) | ((years % 100 == 0) & (years % 400 != 0))
    return found
