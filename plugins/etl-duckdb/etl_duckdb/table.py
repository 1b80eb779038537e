"""What a table looks like, and whether the columns of a run fit it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from etl_framework import Column, ColumnType, Kind, TableColumn, TableName, UsageError, misfits, quote, same_names

if TYPE_CHECKING:
    import duckdb

    from etl_framework import Totals

_ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_DESCRIBED = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "integer",
    "INTEGER": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "decimal(20,0)",
    "HUGEINT": "decimal(38,0)",
    "FLOAT": "real",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
_WIDER = {
    Kind.BOOLEAN: {"BOOLEAN"},
    Kind.SMALLINT: {"SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE"},
    Kind.INTEGER: {"INTEGER", "BIGINT", "HUGEINT", "DOUBLE"},
    Kind.BIGINT: {"BIGINT", "HUGEINT"},
    Kind.REAL: {"FLOAT", "DOUBLE"},
    Kind.DOUBLE: {"DOUBLE"},
    Kind.DATE: {"DATE", "TIMESTAMP"},
    Kind.TIME: {"TIME"},
    Kind.TIMESTAMP: {"TIMESTAMP"},
    Kind.TIMESTAMPTZ: {"TIMESTAMP WITH TIME ZONE"},
    Kind.VARCHAR: {"VARCHAR"},
}


def fold(name: str) -> str:
    """A name as DuckDB compares it: without regard to the case of ASCII letters, and of those only."""
    return name.translate(_ASCII_LOWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table lies.

    :param database: DuckDB's name of the open file; None while there is no file.
    """

    schema: str
    name: str
    database: str | None = None

    @classmethod
    def of(cls, table: TableName, schema: str, database: str | None) -> Place:
        """The place of a table.

        :param schema: where tables without a schema lie.
        :raises UsageError: the name begins with another database.
        """
        *before, name = table.parts
        if len(before) == 2 and database is not None and fold(before[0]) != fold(database):
            raise UsageError(
                f"table {table} is not in this database, which is named {database!r}",
                advice="Leave the name of the database out.",
            )
        return cls(schema=before[-1] if before else schema, name=name, database=database)

    @property
    def schema_sql(self) -> str:
        """The schema, quoted, within its database: a schema and a database of one name are not mixed up."""
        return ".".join(quote(name) for name in (self.database, self.schema) if name is not None)

    @property
    def sql(self) -> str:
        """The table's whole name, quoted."""
        return f"{self.schema_sql}.{quote(self.name)}"

    def __str__(self) -> str:
        return str(TableName((self.schema, self.name)))


def as_column(column: TableColumn) -> Column:
    """The nearest type that every warehouse has; text for what has no like."""
    text = column.type.lower() if _DECIMAL.fullmatch(column.type) else _DESCRIBED.get(column.type, "varchar")
    return Column(name=column.name, type=ColumnType.parse(text), required=column.required, declared=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table or view as it is.

    :param columns: by folded name, in order.
    """

    place: Place
    columns: Mapping[str, TableColumn]
    view: bool

    def column(self, name: str) -> TableColumn | None:
        """The column of that name, None when there is none."""
        return self.columns.get(fold(name))


_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, NOT is_nullable, column_default IS NOT NULL
FROM duckdb_columns() WHERE database_name = ? AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)
ORDER BY column_index
"""
_VIEWS = "SELECT view_name FROM duckdb_views() WHERE database_name = ? AND lower(schema_name) = lower(?)"


def find(connection: duckdb.DuckDBPyConnection, place: Place) -> Table | None:
    """The table or view of that name, None when there is none."""
    where = [place.database, place.schema, place.name]
    rows = connection.execute(_COLUMNS, where).fetchall()
    # SQL's lower() takes more letters for equal than DuckDB does in names.
    mine = [row[2:] for row in rows if (fold(row[0]), fold(row[1])) == (fold(place.schema), fold(place.name))]
    if not mine:
        return None
    views = {fold(name) for (name,) in connection.execute(_VIEWS, where[:2]).fetchall()}
    columns = {
        fold(name): TableColumn(name=name, type=type_, required=required, filled=filled)
        for name, type_, required, filled in mine
    }
    return Table(place=place, columns=columns, view=fold(place.name) in views)


def differences(columns: Sequence[Column], table: Table | None, totals: Totals | None) -> Iterator[str]:
    """Every reason why rows of these columns cannot be put into the table, a sentence each.

    :param table: the table as it is; None when the load is to make it.
    :param totals: control totals of the rows, when they are known: they tell of missing values.
    """
    yield from same_names(columns, fold, "DuckDB")
    if table is None:
        return
    if table.view:
        yield f"{table.place} is a view, which cannot be loaded."
        return
    yield from misfits(columns, table.column, holds, totals)
    given = {fold(column.name) for column in columns}
    for name, target in table.columns.items():
        if name not in given and not target.filled:
            yield f"Column {target.name!r} of the table is not in the sources, and has no default."


def holds(target: str, type_: ColumnType) -> bool:
    """Whether a table's type holds every value of a source's type, unchanged.

    :param target: spelt as in DuckDB's catalog.
    """
    if wide := _DECIMAL.fullmatch(target):
        return type_.fits_decimal(int(wide[1]), int(wide[2]))
    if type_.kind is Kind.DECIMAL:
        return type_.fits_decimal({"SMALLINT": 4, "INTEGER": 9, "BIGINT": 18, "HUGEINT": 38}.get(target, 0), 0)
    return target in _WIDER[type_.kind]
