"""Turns the text of fields into values of a table's columns, as COPY does, in DuckDB."""

import re
from dataclasses import dataclass

from etl_snowflake.emulator.errors import not_emulated
from etl_snowflake.emulator.file_formats import FileFormat

_TRUE = "('true', 't', 'yes', 'y', 'on', '1')"
_FALSE = "('false', 'f', 'no', 'n', 'off', '0')"
_ELEMENTS = (
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MM", "%m"),
    ("MON", "%b"),
    ("DD", "%d"),
    ("DY", "%a"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("TZH:TZM", "%z"),
    ("TZHTZM", "%z"),
    ("TZH", "%z"),
)
_BASE64 = "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
# notations of numbers that DuckDB takes and Snowflake does not
NUMBER_MARKS = (b"_", b"0x", b"0X", b"0b", b"0B")
_DATES = ("%Y-%m-%d", "%m/%d/%Y", "%d-%b-%Y")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that COPY fills: its name, DuckDB type, longest text in characters, and whether it takes nulls."""

    name: str
    kind: str
    length: int | None
    nullable: bool
    position: int


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def null_if(source: str, fmt: FileFormat) -> str:
    """The field, or null where NULL_IF says so."""
    if not fmt.null_if:
        return source
    return f"CASE WHEN {source} IN ({', '.join(literal(t) for t in fmt.null_if)}) THEN NULL ELSE {source} END"


def strptime_format(fmt: str) -> str:
    """A Snowflake date or time format in strptime's letters.

    :raises SnowflakeError: an element that strptime lacks.
    """
    out, i = "", 0
    while i < len(fmt):
        upper = fmt[i:].upper()
        fraction = re.match(r"FF[0-9]?", upper)
        quoted_text = re.match(r'"([^"]*)"', fmt[i:])
        element = next(((e, s) for e, s in _ELEMENTS if upper.startswith(e)), None)
        if quoted_text:
            out, i = out + quoted_text[1].replace("%", "%%"), i + quoted_text.end()
        elif fraction:
            out, i = out + "%f", i + fraction.end()
        elif element:
            out, i = out + element[1], i + len(element[0])
        elif fmt[i].isalpha() and upper[0] != "T" and upper[0] != "Z":
            raise not_emulated(f"the format element at '{fmt[i:]}'")
        else:
            out, i = out + fmt[i].replace("%", "%%"), i + 1
    return out


def convert(source: str, column: Column, fmt: FileFormat, *, exact: bool = False) -> str:
    """The SQL that makes a text the column's value, null when the text is no such value.

    :param exact: whether none of `NUMBER_MARKS` occurs in the file.
    :raises SnowflakeError: a type that COPY is not emulated for.
    """
    kind = column.kind.upper()
    if kind.startswith("VARCHAR"):
        return source if column.length is None else f"CASE WHEN length({source}) <= {column.length} THEN {source} END"
    if kind.startswith(("DECIMAL", "BIGINT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT")):
        if exact:
            return f"TRY_CAST({source} AS {kind})"
        return f"CASE WHEN NOT regexp_matches({source}, '[_xXbB]') THEN TRY_CAST({source} AS {kind}) END"
    if kind in ("DOUBLE", "FLOAT"):
        if exact:
            return f"TRY_CAST({source} AS {kind})"
        return f"CASE WHEN NOT contains({source}, '_') THEN TRY_CAST({source} AS {kind}) END"
    if kind == "BOOLEAN":
        return f"CASE WHEN lower({source}) IN {_TRUE} THEN TRUE WHEN lower({source}) IN {_FALSE} THEN FALSE END"
    if kind == "DATE":
        return _date(source, fmt.date_format)
    if kind.startswith("TIMESTAMP"):
        return _timestamp(source, kind, fmt.timestamp_format)
    if kind == "TIME":
        if fmt.time_format.upper() == "AUTO":
            return f"TRY_CAST({source} AS TIME)"
        return f"TRY_CAST(try_strptime({source}, {literal(strptime_format(fmt.time_format))}) AS TIME)"
    if kind == "BLOB":
        return _binary(source, fmt.binary_format.upper())
    if kind == "JSON":
        return f"to_json({source})"
    raise not_emulated(f"COPY into a column of type {kind}")


def _date(source: str, fmt: str) -> str:
    if fmt.upper() != "AUTO":
        return f"TRY_CAST(try_strptime({source}, {literal(strptime_format(fmt))}) AS DATE)"
    formats = ", ".join(literal(f) for f in _DATES)
    return f"coalesce(TRY_CAST(try_strptime({source}, [{formats}]) AS DATE), {_timestamp(source, 'DATE', 'AUTO')})"


def _timestamp(source: str, kind: str, fmt: str) -> str:
    if fmt.upper() != "AUTO":
        return f"TRY_CAST(try_strptime({source}, {literal(strptime_format(fmt))}) AS {kind})"
    # AUTO takes ISO 8601 with T or a space, and seconds or milliseconds since 1970 as a whole number
    epoch = f"TRY_CAST({source} AS BIGINT)"
    micros = f"{epoch} * CASE WHEN abs({epoch}) < 31536000000 THEN 1000000 ELSE 1000 END"
    from_epoch = f"make_timestamp({micros})"
    return f"coalesce(TRY_CAST({source} AS {kind}), TRY_CAST({from_epoch} AS {kind}))"


def _binary(source: str, fmt: str) -> str:
    if fmt in ("UTF8", "UTF-8"):
        return f"encode({source})"
    if fmt == "BASE64":
        return f"CASE WHEN regexp_full_match({source}, '{_BASE64}') THEN from_base64({source}) END"
    return f"CASE WHEN regexp_full_match({source}, '([0-9A-Fa-f]{{2}})*') THEN unhex({source}) END"


def refusal(text: str | None, column: Column, *, by_select: bool = False) -> tuple[int, str, str]:
    """Number, SQL state and text of the error of a value that the column does not take.

    :param by_select: whether the value comes of a COPY's SELECT, for which a long text is worded otherwise.
    """
    kind = column.kind.upper()
    if text is None:
        return 100072, "22000", "NULL result in a non-nullable column"
    if kind.startswith("VARCHAR") and not by_select:
        return 100074, "54000", f"User character length limit ({column.length}) exceeded by string '{text}'"
    if kind.startswith("VARCHAR"):
        return 100078, "22000", f"String '{text}' is too long and would be truncated"
    if kind == "BOOLEAN":
        return 100037, "22018", f"Boolean value '{text}' is not recognized"
    if kind == "DATE":
        return 100040, "22007", f"Date '{text}' is not recognized"
    if kind.startswith("TIMESTAMP"):
        return 100035, "22007", f"Timestamp '{text}' is not recognized"
    if kind == "TIME":
        return 100108, "22007", f"Time '{text}' is not recognized"
    if kind == "BLOB":
        return 100115, "22000", f"The following string is not a legal hex-encoded value: '{text}'"
    return 100038, "22018", f"Numeric value '{text}' is not recognized"
