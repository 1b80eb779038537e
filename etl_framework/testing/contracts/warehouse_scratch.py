"""A scratch place in a warehouse: a table of known rows, loaded as any other."""

from __future__ import annotations

import dataclasses
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from etl_framework.columns import TableName
from etl_framework.plugins import Plugins, PluginSettings
from etl_framework.sql import Statement
from etl_framework.testing.runs import EtlRun

if TYPE_CHECKING:
    from etl_framework.protocols import Warehouse
    from etl_framework.testing.runs import LoadOutcome

COLUMNS = {
    "id": "bigint",
    "day": "date",
    "moment": "timestamp",
    "seen": "timestamptz",
    "amount": "decimal(10,2)",
    "name": "varchar",
    "x": "double",
}
# Ids 1 to 3 in January, 4 and 5 in February, of which 5 just ends it; 6 has nothing but an id.
ROWS = (
    "1,2024-01-01,2024-01-01T00:00:00,2024-01-01T00:30:00+01:00,1.50,a,0.5",
    "2,2024-01-15,2024-01-15T12:00:00,2024-01-15T12:00:00Z,2.50,B,1.5",
    "3,2024-01-31,2024-01-31T23:59:59.999999,2024-01-31T23:59:59.999999Z,3.50,c,2.5",
    "4,2024-02-01,2024-02-01T00:00:00,2024-02-01T00:00:00Z,4.50,ü,3.5",
    "5,2024-02-29,2024-02-29T23:59:59,2024-02-29T23:59:59Z,5.50,z?',4.5",
    "6,,,,,,",
)
IDS = [1, 2, 3, 4, 5, 6]
JANUARY = (date(2024, 1, 1), date(2024, 1, 31))
MISSING = TableName(("etl_contract_missing",))


_NEEDED = {"etl_connect", "etl_executor", "etl_analyze", "etl_compress", "etl_upload", "etl_load"}
"""Hooks without which there is no load."""


class Scratch:
    """A table of a name of its own, and how to load into it.

    :param folder: for files and state.
    :param url: of the warehouse.
    :param settings: which plugins are loaded; None for those that are installed.
    """

    def __init__(self, folder: Path, url: str, settings: PluginSettings | None) -> None:
        self.url = url
        self.folder = folder
        self.table = TableName((f"etl_contract_{uuid.uuid4().hex[:12]}",))
        self._settings = _without_bystanders(settings or PluginSettings())
        self.run = EtlRun(folder, self._settings)
        self.warehouse = self.connect()

    def connect(self) -> Warehouse:
        """Another connection."""
        return Plugins.load(self._settings).connect(self.url)

    def attempt(self, *rows: str, file: str = "rows.csv", **options: Any) -> LoadOutcome:
        """Load records of :data:`COLUMNS`; whether it goes well or not."""
        text = "".join(f"{line}\n" for line in (",".join(COLUMNS), *rows))
        given = {"target": self.url, "table": str(self.table), "columns": COLUMNS, **options}
        return self.run(text, file=file, **given)

    def load(self, *rows: str, file: str = "rows.csv", **options: Any) -> LoadOutcome:
        """Load records of :data:`COLUMNS`.

        :raises EtlError: the load was refused, or failed.
        """
        outcome = self.attempt(*rows, file=file, **options)
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def ids(self) -> list[int]:
        """The ids in the table, in order."""
        return [row[0] for row in self.query("SELECT id FROM {t} ORDER BY id")]

    def query(self, sql: str, *values: object) -> tuple[tuple[Any, ...], ...]:
        """Ask about the table, which is called ``{t}``."""
        whole_name = self.warehouse.reference(self.table)
        return self.warehouse.query(Statement(sql.format(t=whole_name), values)).rows

    def others(self) -> Iterable[TableName]:
        """Every other table."""
        return [summary.name for summary in self.warehouse.tables() if not self.is_mine(summary.name)]

    def is_mine(self, name: TableName) -> bool:
        """Whether it is the table, however the warehouse spells it."""
        return name.name.casefold() == self.table.name.casefold()


def _without_bystanders(settings: PluginSettings) -> PluginSettings:
    """Those plugins alone that a load needs: nobody is to be notified of it, and no check to object to its rows."""
    infos = Plugins.survey(settings).infos
    idle = tuple(info.name for info in infos if not _NEEDED & set(info.hooks))
    return dataclasses.replace(settings, disabled=tuple(dict.fromkeys((*settings.disabled, *idle))))


class ScratchContract(ABC):
    """What the parts of the warehouses' contract stand on."""

    @abstractmethod
    def url(self, folder: Path) -> str:
        """The URL of a warehouse in which tables called ``etl_contract_…`` may be made and are left behind.

        :param folder: an empty folder, for those that lie in one; a new one for each test.
        """

    def settings(self) -> PluginSettings | None:
        """Which plugins are loaded; None for those that are installed."""
        return None

    @pytest.fixture
    def target(self, tmp_path: Path) -> str:
        """The URL; override it where it needs other fixtures."""
        return self.url(tmp_path)

    @pytest.fixture
    def empty(self, tmp_path: Path, target: str) -> Iterator[Scratch]:
        """A table that is not yet there."""
        scratch = Scratch(tmp_path, target, self.settings())
        with closing(scratch.warehouse):
            yield scratch

    @pytest.fixture
    def scratch(self, empty: Scratch) -> Scratch:
        """A table of :data:`ROWS`."""
        empty.load(*ROWS)
        return empty
