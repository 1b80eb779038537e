"""The staging area: one folder per run in a stage, filled by PUT or at its URL, believed only after LIST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework import PackedPart, RunFailed, StagedPart, quote
from etl_snowflake import external
from etl_snowflake.failing import MISSING, ConnectionLost, StatementFailed
from etl_snowflake.making import make
from etl_snowflake.retrying import attempts
from etl_snowflake.sql import literal

if TYPE_CHECKING:
    from etl_framework import Run
    from etl_snowflake.pool import Pool
    from etl_snowflake.session import Session

NAME = "_ETL_STAGE"
_ATTEMPTS = 6
_BLOCK = 16
"""Client-side encryption fills the last block of a file, and adds one to a file that fills it already."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage.

    :param name: as in SQL, such as ``@"DB"."SCHEMA"."_ETL_STAGE"`` or ``@~``.
    :param made: whether the plugin makes it when it is missing.
    :param url: where an external one keeps its files, ending with a slash; empty for an internal one.
    """

    name: str
    made: bool
    url: str = ""

    def folder(self, run: str) -> str:
        """The run's own folder, as SQL takes it."""
        return literal(f"{self.name}/{_confined(run)}/")

    def file(self, run: str, name: str) -> str:
        """A staged part, as SQL takes it."""
        return literal(f"{self.name}/{_confined(run)}/{_confined(name)}")

    def folder_url(self, run: str) -> str:
        """The run's own folder in the storage of an external stage, ending with a slash."""
        return f"{self.url}{_confined(run)}/"

    def is_whole(self, listed_size: int, size: int) -> bool:
        """Whether a size that LIST tells is that of a whole file, as it is or encrypted by the driver."""
        return listed_size == size or (not self.url and listed_size == (size // _BLOCK + 1) * _BLOCK)

    def located(self, session: Session) -> Stage:
        """The same, with its URL when it is an external one.

        :raises UsageError: there is no such stage.
        """
        return self if self.made or self.url else replace(self, url=external.url_of(session, self.name))

    def make(self, session: Session) -> None:
        """Make it, when it is the plugin's own, and the schema that it is to lie in."""
        if not self.made:
            return
        name = self.name.removeprefix("@")
        create, probe = f"CREATE STAGE IF NOT EXISTS {name}", f"LIST {self.folder('none')}"
        try:
            make(session, create, probe)
        except StatementFailed as error:
            if error.number not in MISSING:
                raise
            session.rows(f"CREATE SCHEMA IF NOT EXISTS {name.rpartition('.')[0]}")
            make(session, create, probe)


def _confined(name: str) -> str:
    """A name that leads nowhere else.

    :raises RunFailed: it could.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise RunFailed(f"{name!r} is no name of a folder or file in a stage", advice="Please report this as a defect.")
    return name


def own_stage(database: str, schema: str) -> Stage:
    """The stage that the plugin makes in a schema."""
    return Stage(f"@{quote(database)}.{quote(schema)}.{quote(NAME)}", made=True)


def upload(pool: Pool, stage: Stage, part: PackedPart, run: Run) -> StagedPart:
    """Bring a packed part into the run's folder, again and again if need be, and look whether it is there, whole.

    :raises RunFailed: it did not arrive whole, and trying again did not or would not help.
    """
    staged = StagedPart(
        part=part.part, piece=part.piece, name=part.name, size=part.size, digest=part.digest, rows=part.rows
    )
    try:
        for attempt in attempts(_may_go_away, _ATTEMPTS, longest_wait=20, tell=pool.tell, what=f"part {part.name}"):
            with attempt, pool.session() as session:
                _upload_once(session, stage, part, run, again=attempt.num > 1)
                return staged
    except _NotWhole as error:
        advice = "Check that the stage's URL ends with a slash." if stage.url else "Check the network."
        raise RunFailed(f"part {part.name} did not arrive: {error.message}", advice=advice) from error
    raise AssertionError("the last attempt returns or raises")


class _NotWhole(RunFailed):
    """What PUT reported as uploaded is not there, or only half of it."""


def _may_go_away(error: Exception) -> bool:
    if isinstance(error, StatementFailed):
        return not error.is_lasting
    return isinstance(error, ConnectionLost | external.StorageFailed | _NotWhole)


def _upload_once(session: Session, stage: Stage, part: PackedPart, run: Run, *, again: bool) -> None:
    found = listed(session, stage, run.id, part.name).get(part.name) if again or not part.path.exists() else None
    if found is not None and stage.is_whole(found, part.size):
        return
    if found is not None and not stage.url:
        # Half of a file keeps its name, and line 5 would skip it.
        session.rows(f"REMOVE {stage.file(run.id, part.name)}")
    bring(session, stage, run.id, part.path, part.name, part.size)
    size = listed(session, stage, run.id, part.name).get(part.name)
    if size is None or not stage.is_whole(size, part.size):
        raise _NotWhole(f"it was brought, but LIST shows {'nothing' if size is None else f'{size:,} bytes'}")


def bring(session: Session, stage: Stage, run: str, path: Path, name: str, size: int) -> None:
    """Bring a file into the run's folder: by PUT, or to the URL of an external stage.

    :param path: of the file, whose name PUT gives it in the stage, too.
    :param name: of the file in the stage.
    :raises RunFailed: it could not be brought.
    """
    if stage.url:
        external.bring(stage.folder_url(run) + _confined(name), path, size)
        return
    answer = session.put(path, stage.folder(run))
    if (status := str(answer["status"]).upper()) not in ("UPLOADED", "SKIPPED"):
        raise _NotWhole(f"PUT says {status} {answer.get('message') or ''}".rstrip())


def listed(session: Session, stage: Stage, run: str, name: str = "") -> Mapping[str, int]:
    """Sizes of the staged parts of a run by name, or of one of them."""
    found = session.table(f"LIST {stage.file(run, name) if name else stage.folder(run)}")
    return {str(row["name"]).rpartition("/")[2]: int(row["size"]) for row in found}


def verify(session: Session, stage: Stage, parts: Sequence[StagedPart], run: Run) -> None:
    """Insist that all staged parts are there, whole, before anything is copied.

    :raises RunFailed: one is not.
    """
    # Without a part nobody has made the stage.
    sizes = listed(session, stage, run.id) if parts else {}
    for part in parts:
        size = sizes.get(part.name)
        if size is None or not stage.is_whole(size, part.size):
            raise RunFailed(
                f"staged part {part.name} {'is gone' if size is None else f'has {size:,} bytes, not {part.size:,}'}",
                advice="Somebody else may have cleaned the stage. A resumed run uploads it again.",
            )


def discard(session: Session, stage: Stage, run: str) -> None:
    """Remove the run's folder; nothing there is no error, nor is no stage where the plugin would make it."""
    try:
        session.rows(f"REMOVE {stage.folder(run)}")
    except StatementFailed as error:
        if not stage.url and not (stage.made and error.number in MISSING):
            raise
    # Snowflake may be allowed to do no more than to read there.
    if stage.url and listed(session, stage, run):
        external.remove(stage.folder_url(run))
