"""The virtual warehouse: size, state, and whether it is fit for a load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_framework import Fact, bytes_in_words
from etl_snowflake.privileges import written
from etl_snowflake.sql import literal

if TYPE_CHECKING:
    from etl_snowflake.session import Session

_MUCH = 10 * 10**9
_SMALLEST = "X-SMALL"


def facts(session: Session, current: str | None, named: str | None) -> tuple[Fact, ...]:
    """What there is to say of the session's warehouse.

    :param current: the one that the session has.
    :param named: the one that the target or its connection names.
    """
    if current is None:
        advice = (
            "Name one: as warehouse in connections.toml, or as ?warehouse= of the target."
            if named is None
            else "Check the name; the role needs USAGE on it."
        )
        value = "none" if named is None else f"none: {named} is not there, or not for this role"
        return (Fact(label="warehouse", value=value, ok=False, advice=advice),)
    row = _shown(session, current)
    if row is None:
        return (Fact(label="warehouse", value=current),)
    state, resumes = str(row["state"]), str(row["auto_resume"]).lower() == "true"
    value = f"{current}, {row['size']}, {state.lower()}, {'resumes' if resumes else 'does not resume'} by itself"
    if state.upper() in ("SUSPENDED", "SUSPENDING") and not resumes:
        name = written((current,))
        advice = f"Have it resume:\nALTER WAREHOUSE {name} SET AUTO_RESUME = TRUE;"
        return (Fact(label="warehouse", value=value, ok=False, advice=advice),)
    return (Fact(label="warehouse", value=value),)


def capacity(session: Session, current: str | None, load_bytes: int | None) -> tuple[Fact, ...]:
    """What there is to say when so many bytes are loaded with the session's warehouse."""
    if current is None or load_bytes is None or load_bytes <= _MUCH:
        return ()
    row = _shown(session, current)
    if row is None or str(row["size"]).upper() != _SMALLEST:
        return ()
    return (
        Fact(
            label="warehouse size",
            value=f"{current} is {row['size']}, for {bytes_in_words(load_bytes)} at once",
            advice="A larger one loads faster, as many files at a time as it has cores, and runs for less long:\n"
            f"ALTER WAREHOUSE {written((current,))} SET WAREHOUSE_SIZE = 'MEDIUM';",
        ),
    )


def _shown(session: Session, name: str) -> dict[str, Any] | None:
    rows = session.table(f"SHOW WAREHOUSES LIKE {literal(name)}")
    return next((row for row in rows if row["name"] == name), None)
