"""What a table looks like, and whether the columns of a run fit it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_framework import (
    Column,
    ColumnType,
    Kind,
    TableColumn,
    TableName,
    UsageError,
    any_row,
    misfits,
    quote,
    same_names,
)
from etl_snowflake.failing import MISSING, StatementFailed

if TYPE_CHECKING:
    from etl_framework import Totals
    from etl_snowflake.session import Session

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_NUMBER = re.compile(r"NUMBER\((\d+),(\d+)\)")
_SECONDS = re.compile(r"TIME\w*\((\d+)\)")
_LENGTH = re.compile(r"VARCHAR\((\d+)\)")
_LONGEST = 16_777_216
"""Characters that a text column takes whose definition names no length."""
_WIDER = {
    Kind.BOOLEAN: {"BOOLEAN"},
    Kind.REAL: {"FLOAT"},
    Kind.DOUBLE: {"FLOAT"},
    Kind.DATE: {"DATE", "TIMESTAMP_NTZ"},
    Kind.TIME: {"TIME"},
    Kind.TIMESTAMP: {"TIMESTAMP_NTZ"},
    Kind.TIMESTAMPTZ: {"TIMESTAMP_TZ", "TIMESTAMP_LTZ"},
    Kind.VARCHAR: {"VARCHAR"},
}
_DESCRIBED = {
    "BOOLEAN": "boolean",
    "FLOAT": "double",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP_NTZ": "timestamp",
    "TIMESTAMP_TZ": "timestamptz",
    "TIMESTAMP_LTZ": "timestamptz",
}


def fold(name: str) -> str:
    """A name as Snowflake takes it where it is not quoted: in capitals, when it needs no quotes."""
    return name.upper() if _PLAIN.fullmatch(name) else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table lies; names as Snowflake stores them."""

    database: str
    schema: str
    name: str

    @classmethod
    def of(cls, table: TableName, database: str | None, schema: str | None) -> Place:
        """The place of a table.

        :param database: where tables without a database lie.
        :param schema: where tables without a schema lie.
        :raises UsageError: there is no current database or schema to complete the name.
        """
        *before, name = map(fold, table.parts)
        found_database = before[0] if len(before) == 2 else database
        found_schema = before[-1] if before else schema
        if found_database is None or found_schema is None:
            missing = "database" if found_database is None else "schema"
            raise UsageError(
                f"table {table} is in no {missing}, and the session has none",
                advice=f"Name it: in connections.toml, or as ?{missing}= of the target, or before the table's name. "
                "One that is named there does not exist, or not for this role: `etl targets test` tells.",
            )
        return cls(database=found_database, schema=found_schema, name=name)

    @property
    def schema_sql(self) -> str:
        """The schema, quoted, within its database."""
        return f"{quote(self.database)}.{quote(self.schema)}"

    @property
    def sql(self) -> str:
        """The table's whole name, quoted."""
        return f"{self.schema_sql}.{quote(self.name)}"

    def sibling(self, name: str) -> Place:
        """Another table in the same schema."""
        return Place(database=self.database, schema=self.schema, name=name)

    def __str__(self) -> str:
        return str(TableName((self.database, self.schema, self.name)))


def as_column(column: TableColumn) -> Column:
    """The nearest type that every warehouse has; text for what has no like."""
    if number := _NUMBER.fullmatch(column.type):
        digits, scale = int(number[1]), int(number[2])
        text = "bigint" if scale == 0 and digits <= 19 else f"decimal({digits},{scale})"
    else:
        text = _DESCRIBED.get(column.type.partition("(")[0], "varchar")
    return Column(name=column.name, type=ColumnType.parse(text), required=column.required, declared=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table or view as it is.

    :param columns: by name, in order; their types without the length of texts, and without the digits of seconds when
        they are six or more, which is all that a source's values have.
    :param lengths: by name, how many characters text columns take, where that is fewer than if nothing had been said.
    """

    place: Place
    columns: Mapping[str, TableColumn]
    lengths: Mapping[str, int]

    def column(self, name: str) -> TableColumn | None:
        """The column that a source's column goes into: of its very name, or of its name in capitals."""
        return self.columns.get(name) or self.columns.get(fold(name))


def find(session: Session, place: Place) -> Table | None:
    """The table or view of that name, None when there is none.

    :raises StatementFailed: it cannot be looked at.
    """
    try:
        rows = session.table(f"DESCRIBE TABLE {place.sql}")
    except StatementFailed as error:
        if error.number in MISSING:
            return None
        raise
    columns = {
        row["name"]: TableColumn(
            name=row["name"],
            type=_spelt(row["type"]),
            required=row["null?"] == "N",
            filled=row["default"] is not None or row.get("kind") == "VIRTUAL",
        )
        for row in rows
    }
    return Table(place=place, columns=columns, lengths=dict(_lengths(rows)))


def insist_on_database(session: Session, place: Place) -> None:
    """Make sure that the database of a table that is not there is there itself.

    :raises UsageError: it is not.
    :raises StatementFailed: it cannot be looked at.
    """
    try:
        session.table(f"SHOW SCHEMAS LIKE 'none' IN DATABASE {quote(place.database)}")
    except StatementFailed as error:
        if error.number not in MISSING:
            raise
        raise UsageError(
            f"table {place} is in a database that does not exist, or not for this role: {place.database}",
            advice="Check the name before the table's; the role needs USAGE on the database.",
        ) from error


def is_filled(session: Session, place: Place) -> bool:
    """Whether there is a table or view of that name, and any row in it.

    :raises StatementFailed: it cannot be looked at.
    """
    try:
        return bool(session.rows(any_row(place.sql)))
    except StatementFailed as error:
        if error.number in MISSING:
            return False
        raise


def _lengths(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for row in rows:
        # A collation may follow.
        length = _LENGTH.match(row["type"].upper())
        if length is not None and int(length[1]) < _LONGEST:
            yield row["name"], int(length[1])


def _spelt(type_: str) -> str:
    name = type_.upper().replace(", ", ",")
    coarse = (seconds := _SECONDS.fullmatch(name)) is not None and int(seconds[1]) < 6
    return name if coarse or name.startswith("NUMBER") else name.partition("(")[0]


def stored_names(columns: Sequence[Column], table: Table | None) -> tuple[str, ...]:
    """What the columns of a run are called in the table, or in one that is to be made."""
    return tuple(_stored(column.name, table) for column in columns)


def _stored(name: str, table: Table | None) -> str:
    there = table.column(name) if table else None
    return there.name if there else fold(name)


def differences(
    columns: Sequence[Column], table: Table | None, totals: Totals | None, *, evolving: bool = False
) -> Iterator[str]:
    """Every reason why rows of these columns cannot be put into the table, a sentence each.

    :param table: the table as it is; None when the load is to make it.
    :param totals: control totals of the rows, when they are known: they tell of missing values.
    :param evolving: whether columns that the table lacks are added to it.
    """
    yield from same_names(columns, lambda name: _stored(name, table), "Snowflake")
    for column in columns:
        if column.type.kind is Kind.REAL:
            yield f"Column {column.name!r} is real, but Snowflake has floats of double precision only: declare double."
    if table is None:
        return
    yield from misfits(columns, table.column, holds, totals, evolving=evolving)
    given = set(stored_names(columns, table))
    for name, target in table.columns.items():
        if name not in given and target.required and not target.filled:
            yield f"Column {name!r} of the table is not in the sources, must have a value, and has no default."


def holds(target: str, type_: ColumnType) -> bool:
    """Whether a table's type holds every value of a source's type, unchanged.

    :param target: as Snowflake spells it.
    """
    if number := _NUMBER.fullmatch(target):
        return type_.fits_decimal(int(number[1]), int(number[2]))
    if target == "FLOAT" and type_.kind in {Kind.SMALLINT, Kind.INTEGER}:
        return True
    if type_.kind is Kind.DATE:
        target = target.partition("(")[0]
    return target in _WIDER.get(type_.kind, ())
