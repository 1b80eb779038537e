"""What a role may do, what a load needs, and the statements that would give what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import quote
from etl_snowflake.failing import StatementFailed

if TYPE_CHECKING:
    from etl_snowflake.session import Session

_MOST_ROWS = 10_000
"""SHOW tells no more (https://docs.snowflake.com/en/sql-reference/sql/show)."""

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")
_PIECE = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')

Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """Privileges that a load needs on one object.

    :param kind: as in GRANT, such as ``TABLE``.
    :param name: of the object, its pieces as Snowflake stores them.
    """

    privileges: tuple[str, ...]
    kind: str
    name: Name

    def __str__(self) -> str:
        return f"{', '.join(self.privileges)} on {self.kind.lower()} {written(self.name)}"

    def grant(self, role: str) -> str:
        """The statement that gives them to a role."""
        privileges = ", ".join(self.privileges)
        return f"GRANT {privileges} ON {self.kind} {written(self.name)} TO ROLE {written((role,))};"


@dataclass(frozen=True, slots=True)
class Held:
    """What a session's roles hold.

    :param primary: of its own role and those below it: kind, name and privilege.
    :param others: of its secondary roles and those below them, which do not allow to create anything.
    :param whole: whether all of it could be read.
    """

    primary: Collection[tuple[str, Name, str]]
    others: Collection[tuple[str, Name, str]]
    whole: bool

    def lacks(self, need: Need) -> Need | None:
        """What of it is not held; None when nothing is missing."""
        missing = tuple(privilege for privilege in need.privileges if not self._has(privilege, need))
        return Need(missing, need.kind, need.name) if missing else None

    def _has(self, privilege: str, need: Need) -> bool:
        wanted = {(need.kind, need.name, privilege), (need.kind, need.name, "OWNERSHIP")}
        if not wanted.isdisjoint(self.primary):
            return True
        return not privilege.startswith("CREATE ") and not wanted.isdisjoint(self.others)


def held_by(session: Session, role: str | None, databases: Collection[str]) -> Held:
    """Everything that the session's roles hold, by way of every role that was granted to them.

    :param role: the session's own; None when it has none.
    :param databases: those that matter: database roles hold nothing outside of their own.
    """
    [(said,)] = session.rows("SELECT CURRENT_SECONDARY_ROLES()")
    named = str(json.loads(said or "{}").get("roles") or "")
    primary, whole = _walk(session, [] if role is None else [(role,)], databases)
    others, others_whole = _walk(session, [stored(name) for name in named.split(",") if name], databases)
    return Held(primary, others, whole and others_whole)


def _walk(
    session: Session, roles: Sequence[Name], databases: Collection[str]
) -> tuple[set[tuple[str, Name, str]], bool]:
    """The privileges of roles and of those granted to them, of PUBLIC too, and whether all could be read."""
    held: set[tuple[str, Name, str]] = set()
    whole = True
    waiting = [("ROLE", role) for role in (*roles, ("PUBLIC",))]
    seen = set(waiting)
    while waiting:
        kind, name = waiting.pop()
        try:
            rows = session.table(f"SHOW GRANTS TO {kind} {written(name)}")
        except StatementFailed:
            whole = False
            continue
        whole = whole and len(rows) < _MOST_ROWS
        for row in rows:
            about = str(row["granted_on"]).replace("_", " ")
            object_ = stored(str(row["name"]))
            if about in ("ROLE", "DATABASE ROLE") and row["privilege"] == "USAGE":
                matters = about == "ROLE" or object_[0] in databases
                if matters and (about, object_) not in seen:
                    seen.add((about, object_))
                    waiting.append((about, object_))
            else:
                held.add((about, object_, str(row["privilege"])))
    return held, whole


def missing(held: Held, needs: Iterable[Need]) -> tuple[Need, ...]:
    """What of the needs is not held, each once."""
    lacked = (held.lacks(need) for need in needs)
    return tuple(dict.fromkeys(need for need in lacked if need is not None))


def written(name: Name) -> str:
    """A name as it is written in a statement, quoted only where it must be: people are to read and run it."""
    return ".".join(piece if _PLAIN.fullmatch(piece) else quote(piece) for piece in name)


def stored(shown: str) -> Name:
    """The pieces of a name as SHOW writes it; unquoted ones are in capitals already."""
    pieces = _PIECE.finditer(shown.strip())
    return tuple(piece[1].replace('""', '"') if piece[1] is not None else piece[2] for piece in pieces)
