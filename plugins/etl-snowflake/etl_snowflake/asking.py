"""What can be asked of the account's tables without changing anything."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers, bound values and a user's own query

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_framework import (
    EVERY_ROW,
    Condition,
    PeriodCount,
    QueryFailed,
    QueryResult,
    Rows,
    Statement,
    TableName,
    TableSummary,
    Unit,
    UsageError,
    printable,
    quote,
)
from etl_snowflake import ledger
from etl_snowflake.failing import StatementFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from etl_snowflake.plan import Plan
    from etl_snowflake.pool import Pool
    from etl_snowflake.session import Session

_SHOWN = 500
_NO_QUERY = (8, 1003)
"""Snowflake's numbers of more than one statement, and of what it cannot parse where a query is wanted."""

_FIXED = 0
_ZONED = (6, 7)
"""The driver's numbers of the types NUMBER, TIMESTAMP_LTZ and TIMESTAMP_TZ."""


def landed(pool: Pool, plan: Plan) -> Rows:
    """The rows of a run's landing table, with the names and types of the sources."""
    return _of_run(
        plan,
        plan.landing.sql,
        EVERY_ROW,
        lambda statement, limit: pool.do(lambda session: query(session, statement, limit)),
    )


def copied(session: Session, plan: Plan, where: Condition) -> Rows:
    """Rows that were copied into the run's table, asked about within the transaction that is under way."""
    return _of_run(plan, plan.place.sql, where, lambda statement, limit: query(session, statement, limit))


def _of_run(plan: Plan, table: str, where: Condition, ask: Callable[[Statement, int], QueryResult]) -> Rows:
    values = ", ".join(f"{quote(name)} AS {quote(column.name)}" for column, name in plan.measured())
    return Rows(
        definition=Statement(f"SELECT {values} FROM {table} WHERE {where.sql}", where.values),
        columns=plan.run.columns,
        dialect="snowflake",
        ask=ask,
    )


def is_own(name: str) -> bool:
    """Whether a table is this plugin's: the load ledger, or a landing table."""
    return name == ledger.NAME or name.startswith("_ETL_LANDING_")


def tables(session: Session, database: str, schema: str | None) -> tuple[TableSummary, ...]:
    """Every table and view of a database that the role may see, but this plugin's own.

    :param schema: which names need not tell.
    """
    found = session.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ROW_COUNT, BYTES, LAST_ALTERED "
        f"FROM {quote(database)}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA' "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME"
    )
    return tuple(
        TableSummary(
            name=TableName((name,) if within == schema else (within, name)),
            view="VIEW" in type_,
            rows=None if rows is None else int(rows),
            bytes=None if size is None else int(size),
            changed_at=None if changed is None else _in_utc(changed),
        )
        for within, name, type_, rows, size, changed in found
        if not is_own(name)
    )


def query(session: Session, statement: Statement, limit: int) -> QueryResult:
    """Run one SELECT.

    :raises UsageError: it is no query, or more than one statement.
    :raises RunFailed: Snowflake cannot run it.
    """
    written = statement.sql.strip().rstrip(";")
    try:
        # What can be a subquery changes nothing; the query itself is sent as it is, since a subquery has no order.
        session.describe(Statement(f"SELECT * FROM (\n{written}\n)", statement.values))
        columns, rows = session.first(Statement(written, statement.values), limit + 1)
    except StatementFailed as error:
        shown = printable(str(statement), limit=_SHOWN)
        if error.number in _NO_QUERY:
            raise UsageError(
                f"this is not one query: {shown}: {error.message}", advice="Write one SELECT; nothing else is run here."
            ) from error
        raise QueryFailed(
            f"the query cannot be run: {error.message}: {shown}",
            advice=error.advice or "Correct the query.",
            reason=error.message,
        ) from error
    return QueryResult(
        columns=tuple(column[0] for column in columns),
        rows=tuple(tuple(map(_plain, row, columns)) for row in rows[:limit]),
        complete=len(rows) <= limit,
    )


def _plain(value: Any, column: Any) -> Any:
    """A value as the type that control totals of such a column have."""
    _, type_, _, _, _, scale, *_ = column
    if value is None:
        return None
    if type_ == _FIXED:
        return Decimal(value) if scale else int(value)
    return _in_utc(value) if type_ in _ZONED else value


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def count_by(session: Session, table: str, days: str, unit: Unit, where: Condition) -> tuple[PeriodCount, ...]:
    """How many rows lie in each span that has any.

    :param days: SQL for the day of a row.
    """
    # Where weeks begin is a parameter of accounts, which DATE_TRUNC obeys.
    first = f"DATEADD(DAY, 1 - DAYOFWEEKISO({days}), {days})" if unit is Unit.WEEK else f"DATE_TRUNC('{unit}', {days})"
    found = session.rows(
        Statement(
            f"SELECT {first}::DATE AS FIRST_DAY, COUNT(*) FROM {table} WHERE {where.sql} "
            "GROUP BY FIRST_DAY ORDER BY FIRST_DAY NULLS FIRST",
            where.values,
        )
    )
    return tuple(PeriodCount(first=_day(day), rows=int(rows)) for day, rows in found)


def _day(value: date | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value
