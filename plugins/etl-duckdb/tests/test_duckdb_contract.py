"""A DuckDB file keeps the contract of warehouses."""

from __future__ import annotations

from pathlib import Path

import etl_duckdb

from etl_framework.testing import QuestionsContract, WarehouseContract


class TestADatabaseFile(WarehouseContract):
    def url(self, folder: Path) -> str:
        return f"duckdb:{folder / 'w.duckdb'}"


class TestTheAnswers(QuestionsContract):
    def plugin(self) -> object:
        return etl_duckdb
