"""File formats: the options of delimited files, inline, named, or on a stage.

Options and defaults as https://docs.snowflake.com/en/sql-reference/sql/create-file-format lists them for TYPE = CSV.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_snowflake.emulator.errors import SnowflakeError, does_not_exist, not_emulated
from etl_snowflake.emulator.results import Result, status
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query
    from etl_snowflake.emulator.sessions import Session

_CREATE = re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?(TEMP\s+|TEMPORARY\s+)?FILE\s+FORMAT\b", re.IGNORECASE)
COMPRESSIONS = ("AUTO", "GZIP", "BZ2", "ZSTD", "DEFLATE", "RAW_DEFLATE", "NONE")
_ENCODINGS = {
    "UTF8": "utf-8",
    "UTF16": "utf-16",
    "UTF16LE": "utf-16-le",
    "UTF16BE": "utf-16-be",
    "UTF32": "utf-32",
    "ISO88591": "latin-1",
    "ISO885915": "iso8859-15",
    "WINDOWS1252": "cp1252",
    "WINDOWS1250": "cp1250",
    "WINDOWS1251": "cp1251",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """The options of a delimited file; None stands for NONE."""

    compression: str = "AUTO"
    record_delimiter: str | None = "\n"
    field_delimiter: str | None = ","
    skip_header: int = 0
    skip_blank_lines: bool = False
    date_format: str = "AUTO"
    time_format: str = "AUTO"
    timestamp_format: str = "AUTO"
    binary_format: str = "HEX"
    escape: str | None = None
    escape_unenclosed_field: str | None = "\\"
    trim_space: bool = False
    field_optionally_enclosed_by: str | None = None
    null_if: tuple[str, ...] = ("\\N",)
    error_on_column_count_mismatch: bool = True
    replace_invalid_characters: bool = False
    empty_field_as_null: bool = True
    skip_byte_order_mark: bool = True
    encoding: str = "utf-8"


def format_options(statement: Statement) -> dict[str, object]:
    """`(TYPE = CSV …)` or `(FORMAT_NAME = …)`, or a bare name, as options."""
    if not statement.accept_mark("("):
        token = statement.peek()
        return {"FORMAT_NAME": statement.string() if token.kind == "string" else _dotted(statement)}
    found = statement.options({"FORMAT_NAME": _format_name})
    statement.expect_mark(")")
    return found


def _format_name(statement: Statement) -> str:
    return statement.string() if statement.peek().kind == "string" else _dotted(statement)


def _dotted(statement: Statement) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in statement.name())


def resolve(account: "Account", session: "Session", options: dict[str, object]) -> FileFormat:
    """The format that options describe, a named one looked up.

    :raises SnowflakeError: an unknown name or option, or a value that the option does not take.
    """
    if "FORMAT_NAME" in options:
        name = session.qualify(Statement(str(options["FORMAT_NAME"])).name())
        if name not in account.file_formats:
            raise does_not_exist("File format", ".".join(name))
        options = account.file_formats[name]
    kind = str(options.get("TYPE", "CSV")).upper()
    if kind != "CSV":
        raise not_emulated(f"files of TYPE = {kind}")
    known: dict[str, object] = {}
    for name_, value in options.items():
        if name_ in ("TYPE", "COMMENT"):
            continue
        known |= _option(name_, value)
    return FileFormat(**known)  # type: ignore[arg-type]


def _option(name: str, value: object) -> dict[str, object]:
    """One option as an argument of `FileFormat`; none for an option that changes nothing here."""
    key = name.lower()
    if name == "PARSE_HEADER" and value is True:
        raise not_emulated("PARSE_HEADER = TRUE")
    if name in ("PARSE_HEADER", "MULTI_LINE"):
        return {}
    if name == "COMPRESSION":
        return {key: _compression(str(value).upper())}
    if name == "ENCODING":
        return {key: _encoding(str(value))}
    if name == "NULL_IF":
        return {key: tuple(str(v) for v in value) if isinstance(value, tuple) else (str(value),)}
    if name == "SKIP_HEADER":
        if not isinstance(value, int) or value < 0:
            raise _invalid(name, value)
        return {key: value}
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise _invalid(name, value)
        return {key: value}
    if name in _CHARACTERS:
        text = None if str(value).upper() == "NONE" else _character(str(value))
        if name in _SINGLE and text is not None and len(text) != 1:
            raise _invalid(name, value)
        return {key: text}
    if name in _FORMATS:
        return {key: str(value)}
    raise SnowflakeError(f"SQL compilation error:\ninvalid parameter '{name}'", 1006, "42601")


def _invalid(name: str, value: object) -> SnowflakeError:
    return SnowflakeError(f"SQL compilation error:\ninvalid value [{value}] for parameter '{name}'", 1008, "22023")


def _compression(value: str) -> str:
    if value == "BROTLI":
        raise not_emulated("COMPRESSION = BROTLI")
    if value not in COMPRESSIONS:
        raise _invalid("COMPRESSION", value)
    return value


def _encoding(value: str) -> str:
    encoding = _ENCODINGS.get(value.upper().replace("-", ""))
    if encoding is None:
        raise not_emulated(f"ENCODING = {value}")
    return encoding


_FLAGS = (
    "SKIP_BLANK_LINES",
    "TRIM_SPACE",
    "ERROR_ON_COLUMN_COUNT_MISMATCH",
    "REPLACE_INVALID_CHARACTERS",
    "EMPTY_FIELD_AS_NULL",
    "SKIP_BYTE_ORDER_MARK",
)
_CHARACTERS = (
    "RECORD_DELIMITER",
    "FIELD_DELIMITER",
    "ESCAPE",
    "ESCAPE_UNENCLOSED_FIELD",
    "FIELD_OPTIONALLY_ENCLOSED_BY",
)
_SINGLE = ("ESCAPE", "ESCAPE_UNENCLOSED_FIELD", "FIELD_OPTIONALLY_ENCLOSED_BY")
_FORMATS = ("DATE_FORMAT", "TIME_FORMAT", "TIMESTAMP_FORMAT", "BINARY_FORMAT")


def _character(text: str) -> str:
    if re.fullmatch(r"(0x[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text.replace("0x", "")).decode("latin-1")
    return text


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """CREATE and DROP FILE FORMAT."""
    session = query.session
    if match := _CREATE.match(query.sql):
        while not statement.take().is_word("FORMAT"):
            pass
        if_not_exists = statement.accept("IF", "NOT", "EXISTS")
        name = session.qualify(statement.name())
        options = statement.options()
        statement.end()
        if name in account.file_formats and not match[1]:
            if if_not_exists:
                return status(f"{name[2]} already exists, statement succeeded.")
            raise SnowflakeError(f"SQL compilation error:\nObject '{name[2]}' already exists.", 2002, "42710")
        resolve(account, session, options)
        account.file_formats[name] = options
        return status(f"File format {name[2]} successfully created.")
    if statement.accept("DROP", "FILE", "FORMAT"):
        if_exists = statement.accept("IF", "EXISTS")
        name = session.qualify(statement.name())
        if account.file_formats.pop(name, None) is None and not if_exists:
            raise does_not_exist("File format", ".".join(name))
        return status(f"{name[2]} successfully dropped.")
    return None
