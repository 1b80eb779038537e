"""Snowflake keeps the contracts of the test kit: the driver and the emulator, or a live account."""

from __future__ import annotations

from pathlib import Path

import etl_snowflake
import pytest

from etl_framework.testing import CommandsContract, QuestionsContract, WarehouseContract


class TestAnAccount(WarehouseContract):
    def url(self, folder: Path) -> str:
        raise NotImplementedError

    @pytest.fixture
    def target(self, account, write_connections) -> str:
        write_connections(test=account.connection())
        return "snowflake:test"


class TestTheCommand(CommandsContract):
    def plugin(self) -> object:
        return etl_snowflake


class TestTheAnswers(QuestionsContract):
    def plugin(self) -> object:
        return etl_snowflake
