"""What ``etl targets test`` shows of an account: who we are there, and what a load would lack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import Fact, Mode
from etl_snowflake import compute, ledger, reachability
from etl_snowflake.connections import configured, configured_name
from etl_snowflake.external import is_implicit, taken_apart
from etl_snowflake.failing import StatementFailed
from etl_snowflake.privileges import Need, held_by, missing, stored, written
from etl_snowflake.sql import literal
from etl_snowflake.stage import NAME as OWN_STAGE
from etl_snowflake.stage import Stage, own_stage
from etl_snowflake.table import Place, find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl_framework import Job
    from etl_snowflake.address import Address
    from etl_snowflake.privileges import Held
    from etl_snowflake.session import Session

_WHO = (
    "SELECT CURRENT_VERSION(), CURRENT_ACCOUNT(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), "
    "CURRENT_DATABASE(), CURRENT_SCHEMA()"
)
_LEDGER = ("SELECT", "INSERT", "UPDATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What was found beside the tables that loads go into.

    :param needs: what loads need of what can be seen, or is to be made.
    :param hidden: what they need of things that are not there, or cannot be seen.
    :param stages: where parts would go, and whether that is there.
    """

    needs: tuple[Need, ...]
    hidden: tuple[Need, ...]
    stages: tuple[tuple[Stage, bool], ...]


def check(session: Session, address: Address, load_bytes: int | None, jobs: Sequence[Job]) -> Iterator[Fact]:
    """Everything that is worth knowing before a load, in the order in which one needs it.

    :param load_bytes: the most bytes that one load would bring at once, when that is known.
    :param jobs: those that load into the target.
    """
    [(version, account, user, role, warehouse, database, schema)] = session.rows(_WHO)
    named = configured(address)
    yield Fact(label="Snowflake", value=str(version))
    yield Fact(label="account", value=str(account))
    yield Fact(label="user", value=str(user))
    yield Fact(label="role", value=str(role or "none"))
    yield from compute.facts(session, warehouse, named.get("warehouse"))
    yield from compute.capacity(session, warehouse, load_bytes)
    yield _current("database", database, named)
    yield _current("schema", schema, named)
    places = tuple(
        _places(database or configured_name(named, "database"), schema or configured_name(named, "schema"), jobs)
    )
    looked = _look(session, address, places)
    of_warehouse = warehouse or configured_name(named, "warehouse")
    needs = looked.needs if of_warehouse is None else (Need(("USAGE",), "WAREHOUSE", (of_warehouse,)), *looked.needs)
    held = held_by(session, role, {place.database for place, _ in places})
    lacking = missing(held, needs)
    yield from _privileges(lacking, missing(held, looked.hidden), held, str(role or "…"))
    lacked = {need.name for need in lacking} if held.whole else set()
    for stage, there in looked.stages:
        if lacked.isdisjoint(_names_of(stage)):
            yield reachability.reach(session, stage, there=there)
        else:
            shown = stage.name.replace('"', "")
            yield Fact(label="staging", value=f"{shown}: not tried, since privileges are missing", ok=False)


def _current(what: str, current: str | None, named: Mapping[str, str]) -> Fact:
    if current is not None:
        return Fact(label=what, value=current)
    if what in named:
        value = f"none: {named[what]} is not there, or not for this role"
        return Fact(label=what, value=value, ok=False, advice="Check the name; the role needs USAGE on it.")
    advice = f"Jobs must name it before their tables; or name one in connections.toml, or as ?{what}= of the target."
    return Fact(label=what, value="none", advice=advice)


def _places(database: str | None, schema: str | None, jobs: Iterable[Job]) -> Iterator[tuple[Place, Mode | None]]:
    """The tables that jobs load into; a ledger at least, for what is loaded without a job."""
    if database and schema:
        yield Place(database=database, schema=schema, name=ledger.NAME), None
    for job in jobs:
        if (database or len(job.table.parts) > 2) and (schema or len(job.table.parts) > 1):
            yield Place.of(job.table, database, schema), job.mode


def _look(session: Session, address: Address, places: Sequence[tuple[Place, Mode | None]]) -> _Looked:
    needs: list[Need] = []
    hidden: list[Need] = []
    stages: list[tuple[Stage, bool]] = []
    for database, schema in dict.fromkeys((place.database, place.schema) for place, _ in places):
        needs.append(Need(("USAGE",), "DATABASE", (database,)))
        needs.append(Need(("USAGE",), "SCHEMA", (database, schema)))
        needs.append(Need(("CREATE TABLE",), "SCHEMA", (database, schema)))
        if address.stage is None:
            there = _sees_stage(session, database, schema)
            stages.append((own_stage(database, schema), there))
            of_stage = Need(("READ", "WRITE"), "STAGE", (database, schema, OWN_STAGE))
            needs.append(of_stage if there else Need(("CREATE STAGE",), "SCHEMA", (database, schema)))
            hidden += [] if there else [of_stage]
        loads = Place(database=database, schema=schema, name=ledger.NAME)
        (needs if find(session, loads) else hidden).append(_of_table(loads, _LEDGER))
    if address.stage is not None:
        stages.append((Stage(address.stage, made=False), True))
        needs += _of_named_stage(session, address.stage, places)
    for place, mode in places:
        if mode is not None:
            privileges = ("SELECT", "INSERT") if mode is Mode.APPEND else ("SELECT", "INSERT", "DELETE")
            (needs if find(session, place) else hidden).append(_of_table(place, privileges))
    return _Looked(needs=tuple(needs), hidden=tuple(dict.fromkeys(hidden)), stages=tuple(stages))


def _of_table(place: Place, privileges: tuple[str, ...]) -> Need:
    return Need(privileges, "TABLE", (place.database, place.schema, place.name))


def _sees_stage(session: Session, database: str, schema: str) -> bool:
    in_schema = written((database, schema))
    try:
        rows = session.table(f"SHOW STAGES LIKE {literal(OWN_STAGE)} IN SCHEMA {in_schema}")
    except StatementFailed:
        return False
    return any(row["name"] == OWN_STAGE for row in rows)


def _of_named_stage(session: Session, stage: str, places: Sequence[tuple[Place, Mode | None]]) -> list[Need]:
    """What a load needs of a stage of one's own; nothing of the user's and of a table's stage."""
    named = taken_apart(stage)
    if is_implicit(stage) or named is None or not places:
        return []
    pieces = tuple(stored(piece if piece.startswith('"') else piece.upper())[0] for piece in named[0])
    first = places[0][0]
    database, schema, own = (first.database, first.schema)[: 3 - len(pieces)] + pieces
    try:
        rows = session.table(f"SHOW STAGES LIKE {literal(own)} IN SCHEMA {written((database, schema))}")
    except StatementFailed:
        rows = []
    # Of an external stage, its URL tells.
    external = any(row["name"] == own and row.get("url") for row in rows)
    return [Need(("USAGE",) if external else ("READ", "WRITE"), "STAGE", (database, schema, own))]


def _names_of(stage: Stage) -> set[tuple[str, ...]]:
    """The objects without whose privileges there is no trying the stage."""
    if not stage.made:
        return set()
    pieces = tuple(piece.strip('"') for piece in stage.name.removeprefix("@").split('"."'))
    return {pieces[:1], pieces[:2], pieces}


def _privileges(lacking: Sequence[Need], hidden: Sequence[Need], held: Held, role: str) -> Iterator[Fact]:
    grants = "\n".join(need.grant(role) for need in lacking)
    if not lacking:
        yield Fact(label="privileges", value="what a load needs")
    elif held.whole:
        value = f"missing: {'; '.join(map(str, lacking))}"
        yield Fact(label="privileges", value=value, ok=False, advice=grants)
    else:
        value = f"not found: {'; '.join(map(str, lacking))}; but not all grants can be read"
        yield Fact(label="privileges", value=value, advice=f"Where they are missing:\n{grants}")
    if hidden:
        names = ", ".join(written(need.name) for need in hidden)
        advice = "A load makes them. Where one is there, but hidden from the role:\n"
        grants = "\n".join(need.grant(role) for need in hidden)
        yield Fact(label="not seen", value=names, advice=advice + grants)
