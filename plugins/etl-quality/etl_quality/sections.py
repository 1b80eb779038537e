"""What a job says of its checks: the sections ``checks`` and ``rules``, and the modules that understand them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from etl_framework import NoSuchColumn, UsageError, did_you_mean

if TYPE_CHECKING:
    from etl_framework import Analysis, Column, Job, TableCheck, Validator

Model = TypeVar("Model", bound=BaseModel)

MODULES: dict[str, str] = {
    "dates": "etl_quality.dates",
    "daily_rows": "etl_quality.daily_rows",
    "freshness": "etl_quality.freshness",
    "drift": "etl_quality.drift",
    "columns": "etl_quality.columns",
    "duplicates": "etl_quality.duplicates",
    "schema": "etl_quality.schema",
}
"""Of each key of the section ``checks``, the module whose ``read(value, job)`` gives its :class:`Checks`."""


Flag = Annotated[bool, Field(strict=True)]
"""True or false, and no word or number for it."""

Number = Annotated[float, Field(strict=True)]
"""Not true or false, which Python takes for 1 and 0."""

Texts = Annotated[tuple[str, ...], BeforeValidator(lambda said: (said,) if isinstance(said, str) else said)]
"""A single text will do for a list of one."""


class Settings(BaseModel):
    """The settings of a check: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Checks(Protocol):
    """What one key of the configuration asks for."""

    def validators(self, job: Job, analysis: Analysis) -> Iterable[Validator]:
        """New accumulators for a part of a file."""

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterable[TableCheck]:
        """The same questions to a table of these columns."""


def asked(job: Job) -> Iterator[Checks]:
    """Everything that the job wants checked, in the order of the configuration.

    :raises UsageError: a key is unknown, or its value is not allowed; ``key`` names it.
    """
    section = job.section("checks")
    rules = job.sections.get("rules")
    if section or rules:
        yield _module("etl_quality.no_rows").read(True, job)
    for key, value in section.items():
        if key not in MODULES:
            meant = did_you_mean(get_close_matches(key, MODULES, n=1))
            raise UsageError(
                f"checks.{key} is no check", advice=f"{meant}The checks are {', '.join(MODULES)}.", key=f"checks.{key}"
            )
        # What is switched off is as if it were not there, so that a job can do without a default.
        if value is not False:
            yield _module(MODULES[key]).read(value, job)
    if rules:
        yield _module("etl_quality.rules").read(rules, job)


def settings(model: type[Model], key: str, value: object) -> Model:
    """The settings of a check, checked.

    :param key: where they stand, such as ``checks.dates``.
    :param value: a table, as read.
    :raises UsageError: a key of it is unknown, or a value is not allowed.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # A misspelt key comes before the one that is missing for it.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        place = ".".join([key, *(str(step) for step in first["loc"] if isinstance(step, str))])
        said = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        said = _WORDS.get(first["type"], said)
        known = ", ".join(model.model_fields)
        if first["type"] == "extra_forbidden":
            meant = did_you_mean(get_close_matches(str(first["loc"][-1]), model.model_fields, n=1))
            raise UsageError(
                f"{place} is not a known key", advice=f"{meant}The keys are {known}.", key=place
            ) from error
        raise UsageError(f"{place}: {said}", advice=f"The keys are {known}.", key=place) from error


def unknown_column(name: str, columns: Sequence[Column], key: str) -> NoSuchColumn:
    """The error for a setting that names none of the columns; it tells which one may have been meant.

    :param key: of the setting.
    """
    names = {column.name.casefold(): column.name for column in columns}
    guess = get_close_matches(name.casefold(), names, n=1)
    meant = did_you_mean([names[each] for each in guess])
    listed = ", ".join(column.name for column in columns[:_LISTED])
    return NoSuchColumn(f"{key}: there is no column {name!r}", advice=f"{meant}The columns are {listed}.", key=key)


_LISTED = 20
_WORDS = {
    "missing": "is missing",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
}
"""What pydantic says in the words of Python, in those of TOML."""


def _module(name: str) -> Any:
    return import_module(name)
