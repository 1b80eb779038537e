"""The embedded warehouse: a DuckDB file, addressed as ``duckdb:PATH``.

Options follow the path: ``duckdb:PATH?memory_limit=200MB&threads=2&schema=main``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import hookimpl

if TYPE_CHECKING:
    from etl_framework import PackedPart, Receipt, Run, StagedPart, Warehouse

SCHEME = "duckdb:"


@hookimpl
def etl_connect(url: str) -> Warehouse | None:
    """Open the database file, when there is one; a missing one is made by the first load, not before."""
    if not url.startswith(SCHEME):
        return None
    from etl_duckdb.warehouse import DuckDBWarehouse

    return DuckDBWarehouse(url)


@hookimpl
def etl_upload(part: PackedPart, warehouse: Warehouse, run: Run) -> StagedPart | None:
    """Move the packed part into the run's staging folder."""
    if not warehouse.url.startswith(SCHEME):
        return None
    from etl_duckdb.staging import stage

    return stage(part, run)


@hookimpl
def etl_load(parts: tuple[StagedPart, ...], warehouse: Warehouse, run: Run) -> Receipt | None:
    """Load the staged parts in one transaction with the ledger row and the comparison of the control totals."""
    if not warehouse.url.startswith(SCHEME):
        return None
    from etl_duckdb.warehouse import DuckDBWarehouse

    return warehouse.load(parts, run) if isinstance(warehouse, DuckDBWarehouse) else None
