"""Making what a load needs, with a role that may not make what is there already."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from etl_snowflake.failing import StatementFailed

if TYPE_CHECKING:
    from etl_framework import Statement
    from etl_snowflake.plan import Plan
    from etl_snowflake.session import Session

_MAY_NOT = 3001


def make(session: Session, statement: Statement | str, probe: str) -> None:
    """Run a ``CREATE … IF NOT EXISTS``.

    Snowflake wants the privilege to create even where the thing exists; a load does without it then.

    :param probe: a statement that fails when the thing is not there.
    :raises StatementFailed: it is not there, and may not be made.
    """
    try:
        session.rows(statement)
    except StatementFailed as error:
        if error.number != _MAY_NOT:
            raise
        with suppress(StatementFailed):
            session.rows(probe)
            return
        raise


def prepare(session: Session, plan: Plan) -> None:
    """Make everything that must be there before the publishing transaction.

    :raises StatementFailed: something is not there, and may not be made.
    """
    for statement, probe in plan.prepare():
        if probe:
            make(session, statement, probe)
        else:
            session.rows(statement)
