"""The schema that a job names, of a kind whose verdict on a row needs no other row."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import get_close_matches
from functools import reduce
from importlib import import_module
from importlib.machinery import SourceFileLoader
from inspect import isclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pandera.polars import DataFrameModel, DataFrameSchema

from etl_framework import Job, UsageError, did_you_mean, told

_PACKAGE = "etl_pandera_schema"
_SUFFIXES = (".yaml", ".yml", ".json")


def read_schema(job: Job) -> DataFrameSchema:
    """The schema that the job's section ``pandera`` names.

    :raises UsageError: there is none, or it asks what cannot be told from a row alone.
    """
    section = job.section("pandera")
    named = str(section.get("schema"))
    if section.keys() != {"schema"} or not (named.endswith(_SUFFIXES) or ":" in named):
        key = f"pandera.{next(iter(section.keys() - {'schema'}), 'schema')}"
        advice = 'Say schema = "checks/schema.py:SalesSchema", "team.schemas:SalesSchema" or "schema.yaml", no more.'
        raise UsageError(f"{key}: the section pandera names a schema", advice=advice, key=key)
    found = _found(named, job.folder)
    if not _is_schema(found):
        advice = "Blocks are checked as polars frames: `import pandera.polars as pa` where the schema is written."
        raise refusal(f"{named} is {type(found).__module__}.{type(found).__name__}, no pandera.polars schema", advice)
    schema: DataFrameSchema = found if isinstance(found, DataFrameSchema) else found.to_schema()
    if not (schema.columns or schema.checks or schema.dtype):
        raise refusal(f"{named} asks nothing", "Give it columns or checks.")
    if beyond := ", ".join(dict.fromkeys(_beyond_a_row(schema))):
        advice = "Leave it out: a job declares types, and its sections checks and rules ask for unique keys and totals."
        raise refusal(f"{named} has {beyond}: rows are judged one by one, as they are in the file", advice)
    return schema


def refusal(said: str, advice: str) -> UsageError:
    """The error to raise of a schema."""
    return UsageError(f"pandera.schema: {said}", advice=advice, key="pandera.schema")


def _is_schema(value: object) -> bool:
    return isinstance(value, DataFrameSchema) or (isclass(value) and issubclass(value, DataFrameModel))


def _found(named: str, folder: Path) -> Any:
    place, _, name = named.rpartition(":")
    path = folder / (place or named)
    if path.suffix in (".py", *_SUFFIXES) and not path.is_file():
        raise refusal(f"there is no file {path}", "Give its path as seen from etl.toml.")
    try:
        if not place:
            text = path.read_text(encoding="utf-8")
            return DataFrameSchema.from_json(text) if path.suffix == ".json" else DataFrameSchema.from_yaml(text)
        module = _module_of_file(path) if path.suffix == ".py" else import_module(place)
    except Exception as error:  # whatever importing a module or reading a file raises
        said, advice = f"{type(error).__name__}: {error}", f"Correct {place or named}."
        if isinstance(error, ImportError) and not place:
            advice = "YAML and JSON need `pip install etl-pandera[files]`."
        elif isinstance(error, ModuleNotFoundError) and f"{place}.".startswith(f"{error.name}."):
            advice = 'Install the module, or name a file beside etl.toml, such as "schema.py:Sales".'
        elif place:
            said = told(error, _PACKAGE if path.suffix == ".py" else place.partition(".")[0])
        raise refusal(f"{place or named} cannot be read: {said}", advice) from error
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError as error:
        there = [name for name, value in vars(module).items() if _is_schema(value)]
        meant = did_you_mean(get_close_matches(name, there, n=1))
        raise refusal(f"{place} has no {name!r}", f"{meant}It has {', '.join(there) or 'no schema'}.") from error


def _module_of_file(path: Path) -> ModuleType:
    module = ModuleType(f"{_PACKAGE}.{path.stem}")
    # Annotations that are texts are looked up by the module's name.
    sys.modules[module.__name__] = module
    SourceFileLoader(module.__name__, str(path)).exec_module(module)
    return module


def _beyond_a_row(schema: DataFrameSchema) -> Iterator[str]:
    """What a schema asks that needs other rows, or that changes values."""
    for of, part in (("", schema), *((f" of {name}", column) for name, column in schema.columns.items())):
        for setting in ("unique", "coerce", "parsers", "default", "drop_invalid_rows", "add_missing_columns"):
            asked = getattr(part, setting, None)
            # A default may be 0 or an empty text.
            if asked is not None and asked is not False and asked != []:
                yield f"{setting}{of}"
        for check in part.checks:
            if check.groupby or check.name == "unique_values_eq":
                yield f"{check.name}{of}"
    if type(schema.dtype).__name__ == "PydanticModel":
        yield "a model of pydantic"
