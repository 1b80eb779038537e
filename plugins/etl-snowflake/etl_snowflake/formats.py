"""How Snowflake is to read staged parts: file formats and the expression of each column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etl_framework import Kind, RunFailed
from etl_snowflake.sql import literal, type_name

if TYPE_CHECKING:
    from etl_framework import Column, TextLayout

_COMPRESSIONS = {"zstd": "ZSTD", "gzip": "GZIP", "bz2": "BZ2", "none": "NONE"}
# Elements of strptime patterns and Snowflake's own:
# https://docs.snowflake.com/en/sql-reference/date-time-input-output#about-the-elements-used-in-input-and-output-formats
_ELEMENTS = {
    "Y": "YYYY",
    "y": "YY",
    "m": "MM",
    "d": "DD",
    "b": "MON",
    "B": "MMMM",
    "H": "HH24",
    "I": "HH12",
    "M": "MI",
    "S": "SS",
    "f": "FF6",
    "p": "AM",
    "%": "%",
}
_DIRECTIVES = re.compile(r"%(.)", re.DOTALL)
_FUNCTIONS = {Kind.DATE: "TO_DATE", Kind.TIMESTAMP: "TO_TIMESTAMP_NTZ", Kind.TIMESTAMPTZ: "TO_TIMESTAMP_TZ"}


def reads(layout: TextLayout, columns: Sequence[Column]) -> bool:
    """Whether Snowflake reads from the records the values that the run read.

    After an escape character it takes letters such as n and t for line ends and tabs, which no control total tells. A
    blank line is a value of a single column to some, and nothing to others. And not every date format has a like.
    """
    if layout.escape is not None or len(layout.fields) == 1:
        return False
    formats = (column.format for column in columns if column.format is not None and column.type.kind in _FUNCTIONS)
    return all(set(_DIRECTIVES.findall(pattern)) <= _ELEMENTS.keys() for pattern in formats)


def file_format(layout: TextLayout, codec: str) -> str:
    """The file format of staged parts.

    :raises RunFailed: the codec is none that Snowflake reads.
    """
    if codec not in _COMPRESSIONS:
        known = ", ".join(_COMPRESSIONS)
        raise RunFailed(f"Snowflake reads no {codec} files", advice=f"Choose a codec that it reads: {known}.")
    options = {
        "TYPE": "CSV",
        "COMPRESSION": _COMPRESSIONS[codec],
        "RECORD_DELIMITER": literal("\r" if layout.newline == "\r" else "\n"),
        "FIELD_DELIMITER": literal(layout.delimiter),
        "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE" if layout.quote is None else literal(layout.quote),
        "ESCAPE": "NONE",
        # By default a backslash, which is an ordinary character in most files.
        "ESCAPE_UNENCLOSED_FIELD": "NONE",
        "SKIP_HEADER": "0",
        "SKIP_BLANK_LINES": str(len(layout.fields) > 1).upper(),
        "NULL_IF": "()",
        "EMPTY_FIELD_AS_NULL": "TRUE",
        "TRIM_SPACE": "FALSE",
        "ERROR_ON_COLUMN_COUNT_MISMATCH": "TRUE",
        "REPLACE_INVALID_CHARACTERS": "FALSE",
        "ENCODING": "'UTF8'",
        # A part's first record may begin with U+FEFF, which then is data.
        "SKIP_BYTE_ORDER_MARK": "FALSE",
    }
    return f"({' '.join(f'{name} = {value}' for name, value in options.items())})"


def expressions(columns: Sequence[Column], layout: TextLayout) -> list[str]:
    """What each column is read from: fields go by number, and texts that are null become null."""
    places = {name: place for place, name in enumerate(layout.fields, start=1)}
    return [_expression(column, f"${places[column.name]}", layout) for column in columns]


def _expression(column: Column, field: str, layout: TextLayout) -> str:
    kind = column.type.kind
    if kind is Kind.VARCHAR:
        return field
    # Quoted or not, such a text is null in a column other than text.
    for null in layout.null_values:
        field = f"NULLIF({field}, {literal(null)})"
    if kind in _FUNCTIONS and column.format is not None and not layout.rewritten:
        return f"{_FUNCTIONS[kind]}({field}, {literal(snowflake_format(column.format))})"
    return f"CAST({field} AS {type_name(column.type)})"


def snowflake_format(pattern: str) -> str:
    """A ``strptime`` pattern in Snowflake's elements.

    :raises RunFailed: Snowflake has no like for an element.
    """

    def element(found: re.Match[str]) -> str:
        if found[1] is None:
            # Between quotes letters mean nothing but themselves.
            return f'"{found[0]}"' if re.search("[A-Za-z]", found[0]) else found[0]
        if found[1] not in _ELEMENTS:
            raise RunFailed(
                f"Snowflake cannot read the date format {pattern!r}: it has no like for %{found[1]}",
                advice="Declare the column as varchar and convert it there.",
            )
        return _ELEMENTS[found[1]]

    return re.sub(r"%(.)|[^%]+", element, pattern, flags=re.DOTALL)
