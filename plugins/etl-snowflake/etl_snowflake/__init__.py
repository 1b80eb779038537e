"""Snowflake, addressed as ``snowflake:NAME``: a connection of Snowflake's own ``connections.toml``.

Options follow the name: ``snowflake:NAME?database=DB&schema=SCHEMA&warehouse=WH&role=ROLE&stage=@~``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from etl_framework import Job, PackedPart, Receipt, Run, StagedPart, Warehouse

SCHEME = "snowflake:"


@hookimpl
def etl_configure(job: Job) -> Iterable[str]:
    """Look at the section ``snowflake``; what it means for the mode counts only for loads into Snowflake."""
    from etl_snowflake.settings import SECTION, load_settings, read_settings

    (load_settings if job.target.startswith(SCHEME) else read_settings)(job)
    return (SECTION,)


@hookimpl
def etl_connect(url: str) -> Warehouse | None:
    """Open a session."""
    if not url.startswith(SCHEME):
        return None
    from etl_snowflake.warehouse import SnowflakeWarehouse

    return SnowflakeWarehouse(url)


@hookimpl
def etl_upload(part: PackedPart, warehouse: Warehouse, run: Run) -> StagedPart | None:
    """PUT the packed part into the run's folder, and believe it when LIST shows it."""
    if not warehouse.url.startswith(SCHEME):
        return None
    from etl_snowflake.warehouse import SnowflakeWarehouse

    return warehouse.upload(part, run) if isinstance(warehouse, SnowflakeWarehouse) else None


@hookimpl
def etl_commands() -> Iterable[click.Command]:
    """The emulator, to rehearse a load without an account."""
    from etl_snowflake.emulator.command import snowflake_emulator

    return (snowflake_emulator,)


@hookimpl
def etl_load(parts: tuple[StagedPart, ...], warehouse: Warehouse, run: Run) -> Receipt | None:
    """COPY into a landing table, audit it, publish it in one transaction with the ledger's row."""
    if not warehouse.url.startswith(SCHEME):
        return None
    from etl_snowflake.warehouse import SnowflakeWarehouse

    return warehouse.load(parts, run) if isinstance(warehouse, SnowflakeWarehouse) else None
