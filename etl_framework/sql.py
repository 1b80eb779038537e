"""SQL that every warehouse takes alike. Names are always quoted; values are always bound, as ``?``.

A table's whole name comes quoted from the warehouse's plugin, which alone knows how its names are completed; names of
columns are quoted here.
"""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from etl_framework.columns import quote


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the values that it is sent with.

    :param sql: with a ``?`` for each value.
    :param values: in the order of the statement.
    """

    sql: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.sql} -- {', '.join(map(str, self.values))}" if self.values else self.sql


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on rows and the values that it is sent with.

    :param sql: with a ``?`` for each value.
    :param values: in the order of the condition.
    """

    sql: str
    values: tuple[Any, ...] = ()


EVERY_ROW = Condition("true")


def both(one: Condition, other: Condition) -> Condition:
    """Both conditions at once."""
    return Condition(f"{one.sql} AND {other.sql}", (*one.values, *other.values))


def no(condition: Condition) -> Condition:
    """The rows for which the condition is false or unknown."""
    return Condition(f"NOT coalesce({condition.sql}, false)", condition.values)


def any_row(table: str) -> Statement:
    """One row when there are any."""
    return Statement(f"SELECT 1 FROM {table} LIMIT 1")


def count_rows(table: str, condition: Condition) -> Statement:
    """How many rows fulfil the condition."""
    return Statement(f"SELECT count(*) FROM {table} WHERE {condition.sql}", condition.values)


def without_key(table: str, keys: Sequence[str]) -> Statement:
    """How many rows have no value in a key column."""
    return count_rows(table, Condition(" OR ".join(f"{quote(key)} IS NULL" for key in keys)))


def duplicates(table: str, keys: Sequence[str], limit: int) -> Statement:
    """The first keys that several rows share: the keys, then how many rows.

    :param limit: how many keys at most.
    """
    names = ", ".join(map(quote, keys))
    return Statement(
        f"SELECT {names}, count(*) FROM {table} GROUP BY {names} HAVING count(*) > 1 ORDER BY {names} LIMIT {limit}"
    )


def delete_rows(table: str, condition: Condition) -> Statement:
    """Delete the rows that fulfil the condition."""
    where = "" if condition == EVERY_ROW else f" WHERE {condition.sql}"
    return Statement(f"DELETE FROM {table}{where}", condition.values)


def delete_matches(table: str, source: str, keys: Iterable[tuple[str, str]]) -> Statement:
    """Delete the rows whose keys are among those of another table.

    :param keys: of each key column, its name in the table and in the other one.
    """
    same = " AND ".join(f"target.{quote(mine)} = landed.{quote(theirs)}" for mine, theirs in keys)
    return Statement(f"DELETE FROM {table} AS target USING {source} AS landed WHERE {same}")


def insert_from(table: str, source: str, columns: Iterable[tuple[str, str]]) -> Statement:
    """Insert every row of another table.

    :param columns: of each column, its name in the table and in the other one.
    """
    mine, theirs = (", ".join(map(quote, names)) for names in zip(*columns, strict=True))
    return Statement(f"INSERT INTO {table} ({mine}) SELECT {theirs} FROM {source}")


def definitions(columns: Iterable[tuple[str, str, bool]]) -> str:
    """What stands between the brackets of CREATE TABLE.

    :param columns: of each column, its name, its type as the warehouse spells it, and whether it must have a value.
    """
    return ", ".join(f"{quote(name)} {type_}{' NOT NULL' if required else ''}" for name, type_, required in columns)
