# ruff: noqa: SLF001 - fakesnow offers its parts only under private names
"""MERGE as one statement: fakesnow takes it apart into several, which DuckDB refuses in a transaction."""

from collections import Counter
from typing import TYPE_CHECKING

import duckdb
from fakesnow.dialect import parse_one
from sqlglot import exp

from etl_snowflake.emulator import transactions
from etl_snowflake.emulator.errors import SnowflakeError, not_emulated
from etl_snowflake.emulator.ordinary import bound_values, translate
from etl_snowflake.emulator.results import Result, rows
from etl_snowflake.emulator.statements import Statement

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account
    from etl_snowflake.emulator.queries import Query

_MERGE = 0x3400
_ACTIONS = (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted"))


def run(account: "Account", query: "Query", statement: Statement) -> Result | None:
    """Run a MERGE.

    :raises SnowflakeError: 100090, two source rows would change one target row.
    """
    if not statement.accept("MERGE", "INTO"):
        return None
    session = query.session
    account.warehouses.require_running(session.warehouse)
    transactions.lock_table(account, query, session.qualify(statement.name()))
    merge = session.connection.cursor()._transform(parse_one(query.sql), None)
    if not isinstance(merge, exp.Merge):
        raise not_emulated("this form of MERGE")
    values, batch = bound_values(query)
    if batch is not None:
        raise not_emulated("a MERGE of many binds")
    _drop_qualifiers(merge)
    try:
        _refuse_duplicates(session.duck, merge, values)
        found = session.duck.execute(f"{merge.sql(dialect='duckdb')} RETURNING merge_action", values).fetchall()
    except duckdb.Error as error:
        query.check()
        transactions.note_aborted(session)
        raise translate(error) from error
    finally:
        transactions.after_statement(account, session)
    session.has_written = session.has_written or session.in_transaction
    counts = Counter(action for (action,) in found)
    clauses = {_kind(when) for when in merge.args["whens"].expressions}
    shown = [(f"number of rows {verb}", counts[action]) for action, verb in _ACTIONS if action in clauses]
    return rows([(name, "fixed") for name, _ in shown], [[count for _, count in shown]], _MERGE)


def _kind(when: exp.Expression) -> str:
    then = when.args["then"]
    if isinstance(then, exp.Insert):
        return "INSERT"
    return "UPDATE" if isinstance(then, exp.Update) else "DELETE"


def _drop_qualifiers(merge: exp.Merge) -> None:
    """Name the columns that are set without their table, as DuckDB wants them."""
    for when in merge.args["whens"].expressions:
        then = when.args["then"]
        if isinstance(then, exp.Update):
            for assignment in then.expressions:
                assignment.this.set("table", None)


def _refuse_duplicates(duck: duckdb.DuckDBPyConnection, merge: exp.Merge, values: list[object] | None) -> None:
    """https://docs.snowflake.com/en/sql-reference/sql/merge#nondeterministic-results-for-update-and-delete."""
    if all(_kind(when) == "INSERT" for when in merge.args["whens"].expressions):
        return
    target = merge.this.alias_or_name
    identifier = exp.to_identifier(target, quoted=True).sql(dialect="duckdb")
    tables = f"{merge.this.sql(dialect='duckdb')} JOIN {merge.args['using'].sql(dialect='duckdb')}"
    condition = merge.args["on"].sql(dialect="duckdb")
    join = f"SELECT 1 FROM {tables} ON {condition} GROUP BY {identifier}.rowid HAVING count(*) > 1 LIMIT 1"  # noqa: S608
    if values is None and duck.execute(join).fetchone() is not None:
        raise SnowflakeError("Duplicate row detected during DML action", 100090, "42P18")
