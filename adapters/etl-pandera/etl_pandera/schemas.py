"""The schema that a job names, of a kind whose verdict on a row needs no other row."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from importlib.machinery import SourceFileLoader
from inspect import isclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pandera.polars import DataFrameModel, DataFrameSchema

from etl_framework import Job, UsageError

_KEY = "pandera.schema"


def read_schema(job: Job) -> DataFrameSchema:
    """The schema that the job's section ``pandera`` names.

    :raises UsageError: there is none, or it asks what cannot be told from a row alone.
    """
    section = job.section("pandera")
    named = section.get("schema")
    if section.keys() != {"schema"} or not isinstance(named, str):
        key = f"pandera.{next(iter(section.keys() - {'schema'}), 'schema')}"
        advice = (
            'Say no more than schema = "checks/schema.py:SalesSchema", "team.schemas:SalesSchema" or "schema.yaml".'
        )
        raise UsageError(f"{key}: the section pandera names a schema", advice=advice, key=key)
    try:
        found = _found(named, job.folder)
    except Exception as error:  # whatever importing a module or reading a file raises
        said = f"{_KEY}: {named} cannot be read: {type(error).__name__}: {error}"
        raise UsageError(said, advice="YAML and JSON need `pip install etl-pandera[files]`.", key=_KEY) from error
    if isclass(found) and issubclass(found, DataFrameModel):
        found = found.to_schema()
    if not isinstance(found, DataFrameSchema):
        kind = f"{type(found).__module__}.{type(found).__name__}"
        advice = "Blocks are checked as polars frames: `import pandera.polars as pa` where the schema is written."
        raise UsageError(f"{_KEY}: {named} is {kind}, no schema of pandera.polars", advice=advice, key=_KEY)
    if not (found.columns or found.checks or found.dtype):
        raise UsageError(f"{_KEY}: {named} asks nothing", advice="Give it columns or checks.", key=_KEY)
    if beyond := ", ".join(dict.fromkeys(_beyond_a_row(found))):
        said = f"{_KEY}: {named} has {beyond}: rows are judged one by one, as they are in the file"
        advice = "Leave it out: a job declares types, and its sections checks and rules ask for unique keys and totals."
        raise UsageError(said, advice=advice, key=_KEY)
    return found


def _found(named: str, folder: Path) -> Any:
    if named.endswith((".yaml", ".yml", ".json")):
        # The path of a file that is not there would be taken for the text of a schema.
        text = Path(folder, named).read_text(encoding="utf-8")
        return DataFrameSchema.from_json(text) if named.endswith(".json") else DataFrameSchema.from_yaml(text)
    place, _, name = named.rpartition(":")
    module = _module_of_file(Path(folder, place)) if place.endswith(".py") else import_module(place)
    return reduce(getattr, name.split("."), module)


def _module_of_file(path: Path) -> ModuleType:
    module = ModuleType(f"etl_pandera_schema_{path.stem}")
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
