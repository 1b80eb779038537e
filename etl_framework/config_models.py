"""What ``etl.toml`` may say: the settings, their types, and the words for what is wrong with a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from etl_framework.columns import Column, ColumnType, Kind, TableName
from etl_framework.config_secrets import holds_secret
from etl_framework.errors import UsageError
from etl_framework.periods import Period
from etl_framework.terminal import did_you_mean
from etl_framework.values import Allowance, Check, Gate, Mode, OnBadRows

if TYPE_CHECKING:
    from etl_framework.config_lines import KeyPath

T = TypeVar("T")

# Sections that belong to plugins but whose shape everybody relies on.
KNOWN_SECTIONS = {"format": "table", "checks": "table", "rules": "list of tables"}

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_DECLARED = 'Write "bigint not null", or { type = "date", format = "%d.%m.%Y" }.'
_TIMED = {Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}


def _read(parse: Callable[[Any], T]) -> PlainValidator:
    """A validator out of a function that raises :class:`UsageError`."""

    def validate(value: object) -> T:
        try:
            return parse(value)
        except UsageError as error:
            context = {"message": error.message, "advice": error.advice}
            raise PydanticCustomError("unreadable", "{message}", context) from error

    return PlainValidator(validate)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"must be a text, not {value!r}", advice="Write it in quotes.")
    if not value.strip():
        raise UsageError("must not be empty", advice="Leave it out, or say what is meant.")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_text(value),)
    if not isinstance(value, list | tuple) or not value:
        raise UsageError(f"must be a text or a list of texts, not {value!r}")
    return tuple(map(_text, value))


def _table(value: object) -> TableName:
    return TableName.parse(_text(value))


def _url(value: object) -> str:
    url = _text(value)
    if holds_secret(url):
        raise UsageError("holds a password", advice="Put it into connections.toml or the environment.")
    if not re.match(r"[a-z][a-z0-9+.-]*:", url):
        raise UsageError(f"{url!r} is not a URL", advice="Write scheme:address, such as duckdb:warehouse.duckdb.")
    return url


def _period(value: object) -> Period:
    if isinstance(value, Period):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return Period(value, value)
    return Period.parse(_text(value))


def parse_size(value: object) -> int:
    """A number of bytes, as a number or as text with a unit: ``"128MiB"``.

    :raises UsageError: the value is no size, or less than one byte.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?b|)\s*", str(value), re.IGNORECASE)
    unit = _UNITS.get(match[2].upper()) if match else None
    if isinstance(value, bool) or match is None or unit is None or float(match[1]) * unit < 1:
        raise UsageError(f"{value!r} is not a size", advice='Write bytes as a number, or "64KiB", "128MiB", "1GB".')
    return int(float(match[1]) * unit)


def parse_allowance(value: object) -> Allowance:
    """A number of rows, or a share of them: ``100`` or ``"5%"``.

    :raises UsageError: the value is neither.
    """
    if isinstance(value, Allowance):
        return value
    match = re.fullmatch(r"\s*(?:(\d+)|(\d+(?:\.\d+)?)\s*%)\s*", str(value))
    if isinstance(value, bool) or match is None:
        raise UsageError(f"{value!r} is not a number of rows", advice='Write a number, or a share of all rows: "5%".')
    if float(match[2] or 0) > 100:
        raise UsageError(f"{value!r} is more than all rows", advice='Write a share of at most 100 %, such as "5%".')
    return Allowance(rows=int(match[1])) if match[1] else Allowance(share=float(match[2]) / 100)


def _executor(value: object) -> str:
    url = _text(value)
    if not re.match(r"[a-z][a-z0-9+.-]*:", url):
        raise UsageError(
            f"{url!r} is not an executor", advice='Write "threads:", "processes:" or what a plugin offers.'
        )
    return url


Text = Annotated[str, _read(_text)]
Texts = Annotated[tuple[str, ...], _read(_texts)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ColumnSettings(_Settings):
    """A column: ``"decimal(18,4) not null"``, or a table of type, required and format."""

    type: Annotated[ColumnType, _read(lambda value: ColumnType.parse(_text(value)))]
    required: bool = False
    format: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        type_text, required = re.subn(r"\s+not\s+null\s*$", "", value, flags=re.IGNORECASE)
        return {"type": type_text, "required": bool(required)}

    @model_validator(mode="after")
    def _format_fits(self) -> Self:
        if self.format is not None and (self.type.kind not in _TIMED or "%" not in self.format):
            raise PydanticCustomError(
                "format",
                "format is for dates, times and timestamps, written like %d.%m.%Y; null texts stand in [format]",
            )
        return self

    def column(self, name: str) -> Column:
        """The column as the run sees it."""
        return Column(name=name, type=self.type, required=self.required, declared=True, format=self.format)


class Use(_Settings):
    """Who is to answer where several plugins could: names of plugins by question."""

    connect: Text | None = None
    executor: Text | None = None
    analyze: Text | None = None
    profile: Text | None = None
    compress: Text | None = None
    upload: Text | None = None
    load: Text | None = None


class JobSettings(_Settings):
    """The settings of a job, a default or an override; what was not given is None."""

    source: Texts | None = None
    table: Annotated[TableName, _read(_table)] | None = None
    target: Text | None = None
    columns: dict[str, ColumnSettings] | None = None
    date_column: Text | None = None
    keys: Texts | None = None
    mode: Mode | None = None
    period: Annotated[Period, _read(_period)] | None = None
    check: Check | None = None
    check_timeout: Annotated[int, Field(ge=1)] | None = None
    gate: Gate | None = None
    on_bad_rows: OnBadRows | None = None
    max_bad_rows: Annotated[Allowance, _read(parse_allowance)] | None = None
    compress: Text | None = None
    compress_level: int | None = None
    part_size: Annotated[int, _read(parse_size)] | None = None
    block_size: Annotated[int, _read(parse_size)] | None = None
    jobs: Annotated[int, Field(ge=1)] | None = None
    executor: Annotated[str, _read(_executor)] | None = None
    recursive: bool | None = None
    required_plugins: Texts | None = None
    use: Use | None = None


class TargetSettings(_Settings):
    """A named warehouse."""

    url: Annotated[str, _read(_url)]


class UserFile(_Settings):
    """What the user's own file may say, for every project."""

    targets: dict[str, TargetSettings] = {}
    defaults: JobSettings = JobSettings()


class ProjectFile(UserFile):
    """What ``etl.toml`` may say."""

    plugins: Texts | tuple[()] = ()
    required_plugins: Texts | tuple[()] = ()
    disabled_plugins: Texts | tuple[()] = ()
    state_dir: Annotated[Path, _read(lambda value: Path(_text(value)))] | None = None
    jobs: dict[str, JobSettings] = {}


def split_sections(table: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Tell the settings of a job from the sections that belong to plugins.

    A table whose name resembles a setting or a known section counts as a setting, so that it is refused as misspelt.

    :param table: ``[jobs.NAME]`` or ``[defaults]`` as read.
    :returns: settings and sections.
    """
    settings: dict[str, object] = {}
    sections: dict[str, object] = {}
    for key, value in table.items():
        (sections if _is_section(key, value) else settings)[key] = value
    return settings, sections


def _is_section(key: str, value: object) -> bool:
    if key in JobSettings.model_fields:
        return False
    is_list = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    if key in KNOWN_SECTIONS:
        return is_list if key == "rules" else isinstance(value, dict)
    return (isinstance(value, dict) or (is_list and bool(value))) and not similar(key, _job_keys())


def _job_keys() -> list[str]:
    return [*JobSettings.model_fields, *KNOWN_SECTIONS]


def similar(word: str, words: object) -> list[str]:
    """The known word that a misspelt one most likely means, or nothing."""
    known = list(words) if isinstance(words, list | tuple | Mapping) else []
    return get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.75)


def known_keys(model: type[BaseModel], table: KeyPath) -> list[str]:
    """The keys that a table of a configuration file may hold.

    :param table: path of the table.
    """
    match table:
        case ():
            return list(model.model_fields)
        case ("targets", _):
            return list(TargetSettings.model_fields)
        case (*_, "columns", _):
            return list(ColumnSettings.model_fields)
        case (*_, "use"):
            return list(Use.model_fields)
        case _:
            return _job_keys()


def explain_error(error: ErrorDetails, known: list[str]) -> tuple[str, str]:
    """What is wrong with a value, and what is allowed.

    :param error: as pydantic found it.
    :param known: the keys that the table may hold.
    :returns: message and advice.
    """
    value, kind, context = error["input"], error["type"], error.get("ctx", {})
    if kind == "unreadable":
        return str(context["message"]), str(context["advice"])
    if kind == "extra_forbidden":
        return _explain_unknown_key(str(error["loc"][-1]), known)
    if kind == "missing":
        return "is missing", ""
    if kind == "enum":
        return f"{value!r} is not allowed", f"Allowed: {str(context['expected']).replace(' or ', ', ')}."
    if kind == "model_type":
        is_column = context["class_name"] == ColumnSettings.__name__
        return f"must be a {'type or a table' if is_column else 'table'}, not {value!r}", _DECLARED * is_column
    said = error["msg"].replace("Input should be", "must be").replace("a valid dictionary", "a table")
    is_table = isinstance(value, dict | list)
    return (said if is_table or kind == "format" else f"{said}, not {value!r}"), ""


def _explain_unknown_key(key: str, known: list[str]) -> tuple[str, str]:
    if key in KNOWN_SECTIONS and key in known:
        example = f": [[jobs.NAME.{key}]], in double brackets" if KNOWN_SECTIONS[key] == "list of tables" else ""
        return f"must be a {KNOWN_SECTIONS[key]}{example}", "See the plugins' documentation for what stands in it."
    meant = did_you_mean(similar(key, known))
    return "is not a known key", f"{meant}Allowed here: {', '.join(known)}."
