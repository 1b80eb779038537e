"""What COPY reads a staged file into: the table's columns, good rows, and the errors of the others."""

from dataclasses import dataclass, field

import pyarrow as pa

from etl_snowflake.emulator.conversion import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """A row that could not be loaded, and where in the file.

    :param character: from 1; `offset`: bytes from 0; `row`: among data records, from 1.
    :param start_line: the line on which its record starts, from 1.
    """

    message: str
    errno: int
    sqlstate: str
    line: int
    character: int
    offset: int
    row: int
    start_line: int
    column: str
    is_structural: bool


@dataclass(slots=True)
class ParsedFile:
    """A file's rows.

    :param table: the good rows, one column per target column.
    :param rows: records seen, good or bad.
    """

    table: pa.Table
    rows: int
    errors: list[RowError] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a COPY fills: the table's name, its columns in the order of the fields, the SELECT list's SQL if any.

    :param counts_fields: whether a record must have as many fields as the table has columns, unless the format says
        otherwise. A list of columns switches that off, as a SELECT does.
    """

    table: str
    columns: tuple[Column, ...]
    counts_fields: bool = True
    select: str | None = None
    width: int = 0
    missing_required: tuple[Column, ...] = ()
    truncate: bool = False

    def label(self, index: int) -> str:
        """A field as Snowflake's messages name it: "T"["C":2], or "T"[3] beyond the last column."""
        if index >= len(self.columns):
            return f'"{self.table}"[{index + 1}]'
        return f'"{self.table}"["{self.columns[index].name}":{index + 1}]'
