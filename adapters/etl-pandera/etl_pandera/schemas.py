"""The schema that a job names: found, and of a kind whose verdict on a row needs no other row."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pandera.polars import DataFrameModel, DataFrameSchema

from etl_framework import UsageError

if TYPE_CHECKING:
    from etl_framework import Job

_KEY = "pandera.schema"


def read_schema(job: Job) -> DataFrameSchema:
    """The schema of the job's section ``pandera``.

    :raises UsageError: there is none, or it asks what cannot be told from a row alone.
    """
    section = job.section("pandera")
    for unknown in section.keys() - {"schema"}:
        raise UsageError(f"pandera.{unknown} is not a known key", advice="The key is schema.", key=f"pandera.{unknown}")
    named = section.get("schema")
    if not isinstance(named, str) or not named:
        raise UsageError(
            "pandera.schema must name a schema",
            advice='Such as "checks/schema.py:SalesSchema", "team.schemas:SalesSchema" or "checks/schema.yaml".',
            key=_KEY,
        )
    try:
        found = _found(named, job.folder)
    except Exception as error:
        raise UsageError(
            f"{_KEY}: {named} cannot be read: {type(error).__name__}: {error}",
            advice="Schemas in YAML or JSON need `pip install etl-pandera[files]`." if _is_written(named) else "",
            key=_KEY,
        ) from error
    if isclass(found) and issubclass(found, DataFrameModel):
        found = found.to_schema()
    if not isinstance(found, DataFrameSchema):
        raise UsageError(
            f"{_KEY}: {named} is {type(found).__module__}.{type(found).__name__}, no schema of pandera.polars",
            advice="Blocks are checked as polars frames: write `import pandera.polars as pa` in the schema's module.",
            key=_KEY,
        )
    if not (found.columns or found.checks or found.dtype):
        raise UsageError(f"{_KEY}: {named} asks nothing", advice="Give it columns or checks.", key=_KEY)
    if beyond := list(dict.fromkeys(_beyond_a_row(found))):
        raise UsageError(
            f"{_KEY}: {named} has {', '.join(beyond)}: rows are judged one by one, and loaded as they are in the file",
            advice="Leave it out; [checks] and [[rules]] ask for keys without duplicates, and for totals.",
            key=_KEY,
        )
    return found


def _is_written(named: str) -> bool:
    return named.endswith((".yaml", ".yml", ".json"))


def _found(named: str, folder: Path) -> object:
    if _is_written(named):
        # A wrong path would be taken for the text of a schema.
        text = Path(folder, named).read_text(encoding="utf-8")
        return DataFrameSchema.from_json(text) if named.endswith(".json") else DataFrameSchema.from_yaml(text)
    place, _, name = named.rpartition(":")
    module = _module_of_file(Path(folder, place)) if place.endswith(".py") else import_module(place)
    found = module
    for step in name.split("."):
        found = getattr(found, step)
    return found


def _module_of_file(path: Path) -> ModuleType:
    name = f"etl_pandera_schema_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec, path
    assert spec.loader, path
    module = module_from_spec(spec)
    # Annotations that are texts are looked up by the module's name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _beyond_a_row(schema: DataFrameSchema) -> Iterator[str]:
    """What a schema asks that needs other rows, or that would change them."""
    for named, part in (("", schema), *((f" of {name}", column) for name, column in schema.columns.items())):
        for setting in ("unique", "parsers", "default", "drop_invalid_rows", "add_missing_columns"):
            asked = getattr(part, setting, None)
            # A default may be 0 or an empty text.
            if asked is not None and asked is not False and asked != []:
                yield f"{setting}{named}"
        for check in part.checks:
            if check.groupby or check.name == "unique_values_eq":
                yield f"{'groupby' if check.groupby else check.name}{named}"
    if type(schema.dtype).__name__ == "PydanticModel":
        yield "a dtype that is a model of pydantic"
