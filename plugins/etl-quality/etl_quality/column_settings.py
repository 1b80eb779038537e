"""What can be said of the values of a column in ``checks.columns``."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from etl_framework import Severity
from etl_quality.monotonic import DIRECTIONS
from etl_quality.sections import Flag, Settings
from etl_quality.words import named


class LengthSettings(Settings):
    """How many characters a text has."""

    min: int = Field(default=0, ge=0)
    max: int | None = Field(default=None, ge=0)


class ReferencesSettings(Settings):
    """Where the values are that those of a column must be among."""

    file: str | None = None
    column: str | None = None
    query: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> ReferencesSettings:
        if (self.file is None) == (self.query is None):
            raise ValueError("needs either a file or a query")
        if self.query is not None and self.column is not None:
            raise ValueError("takes no column of a query, which must have only one")
        return self


class ColumnSettings(Settings):
    """What the values of a column must be."""

    not_null: Flag = False
    unique: Flag = False
    min: Any = None
    max: Any = None
    length: LengthSettings | None = None
    regex: str | None = None
    allowed: tuple[Any, ...] | None = Field(default=None, min_length=1)
    references: ReferencesSettings | None = None
    monotonic: str | None = None
    severity: Severity = Severity.ERROR

    @field_validator("length", mode="before")
    @classmethod
    def _exactly(cls, value: object) -> object:
        return {"min": value, "max": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("references", mode="before")
    @classmethod
    def _in_file(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value

    @field_validator("monotonic")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in DIRECTIONS:
            raise ValueError(f"must be {named(list(DIRECTIONS))}")
        return value

    @model_validator(mode="after")
    def _asks_something(self) -> ColumnSettings:
        if not self.model_fields_set - {"severity"}:
            raise ValueError("asks nothing of the column")
        return self
