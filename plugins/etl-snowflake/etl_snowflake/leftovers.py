"""What runs left behind: folders in a stage, and landing tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from etl_framework import Leftover, quote
from etl_snowflake.external import is_implicit, taken_apart
from etl_snowflake.failing import MISSING, StatementFailed
from etl_snowflake.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etl_snowflake.session import Session
    from etl_snowflake.stage import Stage

_LANDING = "_ETL_LANDING_"
_RUN = re.compile(r"\d{8}t\d{6}-[0-9a-f]{6}")
_TABLE = re.compile(rf"{_LANDING}(\d{{8}}T\d{{6}}_[0-9A-F]{{6}})")


@dataclass(slots=True)
class _Found:
    """What was found of one run, counted instead of kept: a stage may hold any number of files."""

    files: int = 0
    bytes: int = 0
    tables: list[str] = field(default_factory=list)
    written: datetime | None = None

    def seen(self, moment: datetime | None) -> None:
        if moment is not None and (self.written is None or moment > self.written):
            self.written = moment


def in_stage(session: Session, stage: Stage) -> Iterator[Leftover]:
    """What lies in a stage in folders that are named like runs; a stage that is not there holds nothing.

    The place is the stage, or of one that the plugin made its schema, where landing tables lie, too.
    """
    place = stage.name.removeprefix("@").rpartition(".")[0] if stage.made else stage.name
    found: dict[str, _Found] = defaultdict(_Found)
    folder = _folder_in_list(stage)
    try:
        for row in session.each(f"LIST {literal(stage.name)}"):
            before, _, file = str(row["name"]).rpartition("/")
            above, _, run = before.rpartition("/")
            if file and (above.partition("://")[2] or above) == folder and _RUN.fullmatch(run):
                found[run].files += 1
                found[run].bytes += int(row["size"])
                found[run].seen(_moment(row.get("last_modified")))
    except StatementFailed as error:
        if error.number not in MISSING:
            raise
    for run, what in found.items():
        yield Leftover(run=run, place=place, files=what.files, bytes=what.bytes, written=what.written)


def in_schema(session: Session, database: str, schema: str) -> Iterator[Leftover]:
    """The landing tables in a schema; one that is not there holds none."""
    place = f"{quote(database)}.{quote(schema)}"
    try:
        for row in session.each(f"SHOW TABLES LIKE {literal(_LANDING + '%')} IN SCHEMA {place}"):
            if match := _TABLE.fullmatch(str(row["name"])):
                run = match[1].lower().replace("_", "-")
                name, moment = str(row["name"]), _moment(row.get("created_on"))
                yield Leftover(run=run, place=place, tables=(name,), written=moment)
    except StatementFailed as error:
        if error.number not in MISSING:
            raise


def together(found: Iterable[Leftover]) -> tuple[Leftover, ...]:
    """Of one run in one schema and its stage, one."""
    runs: dict[tuple[str, str], _Found] = defaultdict(_Found)
    for leftover in found:
        what = runs[leftover.run, leftover.place]
        what.files += leftover.files
        what.bytes += leftover.bytes
        what.tables += leftover.tables
        what.seen(leftover.written)
    return tuple(
        Leftover(
            run=run,
            place=place,
            files=what.files,
            bytes=what.bytes,
            tables=tuple(what.tables),
            written=what.written,
        )
        for (run, place), what in runs.items()
    )


def _folder_in_list(stage: Stage) -> str:
    """What LIST writes before the run's folder: the stage's name in small letters, unless it is a user's or table's.

    Of an external stage that is its URL, here without the scheme.
    """
    if stage.url:
        return stage.url.partition("://")[2].strip("/")
    if is_implicit(stage.name):
        return stage.name.partition("/")[2].strip("/")
    named = taken_apart(stage.name)
    if named is None:
        return ""
    (*_, last), below = named
    name = (last[1:-1].replace('""', '"') if last.startswith('"') else last).lower()
    return f"{name}/{below}" if below else name


def _moment(said: Any) -> datetime | None:
    """A moment as SHOW gives it, or as LIST writes it: ``Wed, 31 Jan 2024 23:59:59 GMT``."""
    if isinstance(said, str):
        try:
            said = parsedate_to_datetime(said)
        except ValueError:
            return None
    return said.astimezone(UTC) if isinstance(said, datetime) else None
