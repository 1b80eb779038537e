"""Whether files can really be staged: a few bytes are uploaded, listed and removed again."""

from __future__ import annotations

import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework import EtlError, Fact, RunFailed, quote
from etl_snowflake.stage import Stage, bring, discard, listed

if TYPE_CHECKING:
    from etl_snowflake.session import Session

_CONTENT = b"etl was here\n"
_FILE = "reachability"


def reach(session: Session, stage: Stage, *, there: bool) -> Fact:
    """Stage a few bytes in a folder of their own, and remove them.

    :param stage: where parts would go.
    :param there: whether it is there; one that a load would make stands aside for a temporary one, so that nothing is
        left.
    """
    shown = stage.name.replace('"', "")
    try:
        _stage_and_remove(session, stage.located(session) if there else _temporary(session, stage))
    except EtlError as error:
        return Fact(label="staging", value=f"{shown}: {error.message}", ok=False, advice=error.advice)
    made = "" if there else "; the first load makes it"
    return Fact(label="staging", value=f"{shown}: {len(_CONTENT)} bytes uploaded, listed and removed{made}")


def _temporary(session: Session, stage: Stage) -> Stage:
    schema, _, _ = stage.name.rpartition(".")
    name = f"{schema}.{quote(f'_ETL_STAGE_{secrets.token_hex(4).upper()}')}"
    session.rows(f"CREATE TEMPORARY STAGE {name.removeprefix('@')}")
    return Stage(name, made=True)


def _stage_and_remove(session: Session, stage: Stage) -> None:
    """:raises RunFailed: one of the three did not work."""
    # Shaped like the id of a run: cleaning the stage finds it should it stay there.
    folder = f"{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="etl-check-") as local:
        path = Path(local, _FILE)
        path.write_bytes(_CONTENT)
        try:
            bring(session, stage, folder, path, _FILE, len(_CONTENT))
            size = listed(session, stage, folder).get(_FILE)
        finally:
            discard(session, stage, folder)
    if size is None or not stage.is_whole(size, len(_CONTENT)):
        raise RunFailed(
            "the file was brought, but LIST does not show it",
            advice="Ask whether a network policy or proxy stands between here and the storage of the stage.",
        )
