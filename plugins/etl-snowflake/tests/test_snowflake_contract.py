"""Snowflake keeps the contracts of the test kit: the driver and the emulator, or a live account."""

from __future__ import annotations

import os
from pathlib import Path

import etl_snowflake
import pytest

from etl_framework.testing import CommandsContract, QuestionsContract, SettingsContract, WarehouseContract

LIVE = bool(os.environ.get("ETL_LIVE"))


class TestAnAccount(WarehouseContract):
    # The emulator's statements about names take no apostrophe.
    odd_names = tuple(name for name in WarehouseContract.odd_names if LIVE or "'" not in name)
    odd_ending = WarehouseContract.odd_ending if LIVE else ' "odd" ;'

    def url(self, folder: Path) -> str:
        return "snowflake:test"

    @pytest.fixture
    def target(self, tmp_path, account, write_connections) -> str:
        write_connections(test=account.connection())
        return self.url(tmp_path)


class TestTheCommand(CommandsContract):
    def plugin(self) -> object:
        return etl_snowflake


class TestTheAnswers(QuestionsContract):
    def plugin(self) -> object:
        return etl_snowflake


class TestTheSettings(SettingsContract):
    def plugin(self) -> object:
        return etl_snowflake
