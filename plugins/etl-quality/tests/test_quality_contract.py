"""The profiles and the plugin's own check keep the contracts of the test kit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import etl_quality
from etl_quality.no_rows import AnyRows, AnyRowsInTable

from etl_framework.testing import CommandsContract, ProfilerContract, TableCheckContract, ValidatorContract


class TestProfiles(ProfilerContract):
    rows = {
        "id": [1, 2, 3, 4, 4, None],
        "day": [date(2024, 1, 1), date(2024, 1, 2), None, date(2024, 1, 4), date(2024, 1, 4), None],
        "price": [Decimal("1.50"), Decimal("-2.25"), None, Decimal("0.00"), Decimal("9.99"), None],
        "x": [0.1, float("nan"), float("inf"), -1e300, 2.5, None],
        "name": ["AB-1", "", None, "naïve ☃", "AB-2", "x" * 300],
        "flag": [True, False, None, True, True, None],
    }
    keys = ("id",)

    def plugin(self) -> object:
        return etl_quality


class TestProfilesOfFlawlessRows(ProfilerContract):
    rows = {"price": [2.5, -1.0], "currency": ["EUR", "XXX"]}

    def plugin(self) -> object:
        return etl_quality


class TestCommands(CommandsContract):
    def plugin(self) -> object:
        return etl_quality


class TestAnyRows(ValidatorContract):
    rows = {"id": [1, 2, 3]}
    finds_something = False

    def validator(self) -> Any:
        return AnyRows()


class TestAnyRowsInTable(TableCheckContract):
    rows: Any = {"id": []}
    types = {"id": "bigint"}
    finds_something = True

    def check(self) -> Any:
        return AnyRowsInTable()

    def twin(self) -> Any:
        return AnyRows()
