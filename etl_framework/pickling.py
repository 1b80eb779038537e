"""What rests between the attempts of a run: pickles that a later version reads, too, whose values have more fields."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from etl_framework.errors import UnreadableRun

T = TypeVar("T")


def pickled(value: object) -> bytes:
    """A value as :func:`unpickled` reads it, now or in a later version."""
    with io.BytesIO() as written:
        _ByName(written).dump(value)
        return written.getvalue()


def unpickled(data: bytes, run: str) -> Any:
    """What was pickled for a run.

    :raises UnreadableRun: another version of etl or of its plugins did, whose values are others.
    """
    try:
        return pickle.loads(data)  # noqa: S301 - our own file, readable by its owner only
    except (pickle.UnpicklingError, AttributeError, ImportError, TypeError, ValueError, LookupError, EOFError) as error:
        raise UnreadableRun(
            f"run {run} was written down by another version of etl or of its plugins ({error})",
            advice="Finish it with the versions that began it, or begin anew with `etl load`; "
            f"`etl runs prune {run} --forget` removes it without asking its warehouse.",
        ) from error


class _ByName(pickle.Pickler):
    """Writes frozen dataclasses by the names of their fields.

    Their own way is by position: a new field moves those of every subclass, and what was written before lacks it.
    """

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if _goes_by_position(kind):
            return _made, (kind, {field.name: getattr(value, field.name) for field in fields(kind)})
        return NotImplemented


def _goes_by_position(kind: type) -> bool:
    """Of all dataclasses, those that are frozen and have slots are given a __getstate__, unless they have their own."""
    if not is_dataclass(kind) or getattr(kind.__getstate__, "__module__", "") != "dataclasses":
        return False
    return not any("__reduce__" in vars(base) or "__reduce_ex__" in vars(base) for base in kind.__mro__[:-1])


def _made(kind: type[T], values: Mapping[str, object]) -> T:
    """:raises TypeError: what was written has other fields, and not only fewer of those that have a default."""
    made = object.__new__(kind)
    expected: Any = fields(kind)  # type: ignore[arg-type]
    if strange := values.keys() - {field.name for field in expected}:
        raise TypeError(f"{kind.__qualname__} has no {min(strange)!r}")
    for field in expected:
        if field.name in values:
            value = values[field.name]
        elif field.default is not MISSING:
            value = field.default
        elif field.default_factory is not MISSING:
            value = field.default_factory()
        else:
            raise TypeError(f"{kind.__qualname__} wants {field.name!r}")
        object.__setattr__(made, field.name, value)
    return made
