"""The project's values as JSON, and run reports back from it.

Every ``--json`` of the command line and every report file is one document that begins with ``schema_version`` and
``kind``. Dates and times are ISO 8601, decimals are text with every digit, types, tables and periods are written as a
user writes them (``decimal(18,4)``, ``schema.table``, ``2024-01``). Everything outside ASCII is escaped, so that a
document is safe on every terminal and survives file names that are not UTF-8.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from etl_framework.columns import ColumnType, Kind, TableName
from etl_framework.errors import InputError, UsageError
from etl_framework.periods import Period
from etl_framework.values import Allowance, RunReport

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1
RUN_REPORT = "run_report"

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_AS_TEXT = (Decimal, PurePath, ColumnType, TableName, Period, Allowance)
_COMPUTED = ("reconciled", "seconds")
_FROM_TEXT: dict[Kind, Callable[[str], Any]] = {
    Kind.DECIMAL: Decimal,
    Kind.DATE: date.fromisoformat,
    Kind.TIME: time.fromisoformat,
    Kind.TIMESTAMP: datetime.fromisoformat,
    Kind.TIMESTAMPTZ: datetime.fromisoformat,
}


def to_jsonable(value: object) -> Json:
    """A value of this project as what :mod:`json` can write.

    Dataclasses become objects, sequences and sets arrays. Numbers that JSON cannot write become ``"nan"``, ``"inf"``
    and ``"-inf"``; bytes become text, those that are not UTF-8 as ``\\xff``. A run report also tells ``reconciled``
    and ``seconds``.

    :raises TypeError: the value, or one within it, is nothing that a plugin may hand over.
    """
    if isinstance(value, Enum):
        return to_jsonable(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    if isinstance(value, Mapping):
        return {str(to_jsonable(key)): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [to_jsonable(item) for item in sorted(value)]
    if isinstance(value, Iterable):
        return [to_jsonable(item) for item in value]
    raise TypeError(f"{type(value).__qualname__} cannot be written as JSON")


def _object(value: Any) -> dict[str, Json]:
    fields = {field.name: to_jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, RunReport):
        fields |= {name: to_jsonable(getattr(value, name)) for name in _COMPUTED}
    return fields


def dumps(kind: str, value: object) -> str:
    """One JSON document: ``{"schema_version": 1, "kind": kind, …}``, with a newline at its end.

    :param kind: what the document is, such as ``run_report``; consumers switch on it.
    :param value: its fields when it is a dataclass or a mapping; anything else stands under ``items``.
    :raises ValueError: the value has a field ``schema_version`` or ``kind`` of its own.
    """
    body = to_jsonable(value)
    document: dict[str, Json] = {"schema_version": SCHEMA_VERSION, "kind": kind}
    fields = body if isinstance(body, dict) else {"items": body}
    if taken := document.keys() & fields.keys():
        raise ValueError(f"a document of kind {kind!r} must not have a field {min(taken)!r}")
    return json.dumps(document | fields, indent=2, allow_nan=False) + "\n"


def report_from_json(text: str | bytes) -> RunReport:
    """The run report that :func:`dumps` wrote, equal in every field.

    Minima, maxima and sums get the type of their column back; those of a column that the report does not list stay
    text. Unknown fields are ignored, so that an older version reads what a newer one wrote.

    :raises InputError: the text is no run report, or one of another schema version.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _unreadable(f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != RUN_REPORT:
        raise _unreadable("it is another kind of document")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise _unreadable(f"its schema version is {document.get('schema_version')}, not {SCHEMA_VERSION}")
    try:
        types = {column["name"]: ColumnType.parse(column["type"]) for column in document["columns"]}
        columns = [{**column, "type": types[column["name"]]} for column in document["columns"]]
        totals = _typed_totals(document["totals"], types)
        times = {name: datetime.fromisoformat(document[name]) for name in ("started", "finished")}
        return _adapter().validate_python({**document, **times, "columns": columns, "totals": totals})
    except (KeyError, TypeError, ArithmeticError, ValueError, UsageError) as error:
        raise _unreadable(f"{type(error).__name__}: {error}") from error


def _unreadable(why: str) -> InputError:
    return InputError(
        f"the stored run report cannot be read: {why}",
        advice="It was written by another version, or changed since. `etl runs list` shows the other runs.",
    )


def _typed_totals(totals: Any, types: Mapping[str, ColumnType]) -> Any:
    """The totals with every figure as the type that it had before it was written."""
    if totals is None:
        return None
    return {**totals, "columns": [_typed_figures(column, types.get(column["name"])) for column in totals["columns"]]}


def _typed_figures(column: Mapping[str, Any], of: ColumnType | None) -> dict[str, Any]:
    restore = _FROM_TEXT.get(of.kind) if of else None
    if restore is None:
        return dict(column)
    figures = ("minimum", "maximum", "total")
    return {key: restore(v) if key in figures and isinstance(v, str) else v for key, v in column.items()}


@cache
def _adapter() -> TypeAdapter[RunReport]:
    from pydantic import TypeAdapter

    return TypeAdapter(RunReport)
