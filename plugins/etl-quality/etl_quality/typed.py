"""What a configuration compares values with, as the type of their column, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation, localcontext
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from etl_framework import FLOATS, INTEGERS, NUMBERS, Kind, UsageError, shown

if TYPE_CHECKING:
    from etl_framework import Column

_DIGITS = 38
_WORDS = {
    **dict.fromkeys(NUMBERS, "a number"),
    Kind.BOOLEAN: "true or false",
    Kind.DATE: 'a day, such as "2024-01-31"',
    Kind.TIME: 'a time, such as "09:30:00"',
    Kind.TIMESTAMP: 'a day or a moment, such as "2024-01-31T09:30:00"',
    Kind.TIMESTAMPTZ: 'a day or a moment, such as "2024-01-31T09:30:00+01:00"',
    Kind.VARCHAR: "a text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The lowest or the highest value that is good.

    :param value: of the column's type, or beyond what it can hold.
    :param said: as it was written.
    :param excluded: whether the value itself is bad already: a day as the highest moment ends where the next begins.
    """

    value: Any
    said: str
    excluded: bool = False


def typed(value: object, column: Column, key: str) -> Any:
    """A value to compare those of a column with for equality.

    :param value: as read from the configuration, or from a file of references.
    :param key: where it stands.
    :raises UsageError: no value of the column's type is equal to it.
    """
    kind = column.type.kind
    found = _read(value, column, key)
    if isinstance(found, Decimal):
        exact = _scaled(found, column, key, ROUND_FLOOR)
        if exact != found:
            raise _unfit(value, column, key)
        found = int(exact) if kind in INTEGERS else exact
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ) and not isinstance(found, datetime):
        found = _midnight(found, column)
    return found


def lowest(value: object, column: Column, key: str) -> Bound:
    """The lowest value that is good, for ``min``.

    :raises UsageError: values of the column cannot be compared with it.
    """
    found = _comparable(value, column, key)
    if isinstance(found, Decimal):
        found = _scaled(found, column, key, ROUND_CEILING)
    elif isinstance(found, date) and not isinstance(found, datetime) and column.type.kind is not Kind.DATE:
        found = _midnight(found, column)
    return Bound(value=found, said=_said(value))


def highest(value: object, column: Column, key: str) -> Bound:
    """The highest value that is good, for ``max``.

    :raises UsageError: values of the column cannot be compared with it.
    """
    found = _comparable(value, column, key)
    if isinstance(found, Decimal):
        found = _scaled(found, column, key, ROUND_FLOOR)
    elif isinstance(found, date) and not isinstance(found, datetime) and column.type.kind is not Kind.DATE:
        if found == date.max:
            raise UsageError(f"{key}: {value} has no day after it", advice="Leave the bound out.", key=key)
        return Bound(value=_midnight(found + timedelta(days=1), column), said=_said(value), excluded=True)
    return Bound(value=found, said=_said(value))


def sent(value: object, column: Column) -> tuple[str, str]:
    """SQL for a value, with a ``?``, and the text that it is sent with: text is read alike by every driver."""
    kind = column.type.kind
    if kind in FLOATS:
        return f"CAST(? AS {'REAL' if kind is Kind.REAL else 'DOUBLE'})", repr(value)
    if kind in INTEGERS or kind is Kind.DECIMAL:
        return f"CAST(? AS DECIMAL({_DIGITS}, {column.type.scale or 0}))", f"{Decimal(str(value)):f}"
    match value:
        case bool():
            return "CAST(? AS BOOLEAN)", str(value).lower()
        case datetime():
            zoned = kind is Kind.TIMESTAMPTZ
            return f"CAST(? AS {'TIMESTAMPTZ' if zoned else 'TIMESTAMP'})", value.isoformat(sep=" ")
        case date():
            return "CAST(? AS DATE)", value.isoformat()
        case time():
            return "CAST(? AS TIME)", value.isoformat()
    return "?", str(value)


def _comparable(value: object, column: Column, key: str) -> Any:
    if column.type.kind is Kind.BOOLEAN:
        raise UsageError(
            f"{key}: column {column.name!r} is boolean, which has no order", advice="Use allowed instead.", key=key
        )
    return _read(value, column, key)


def _read(value: object, column: Column, key: str) -> Any:
    try:
        # TOML has days and times of its own; they are no texts.
        of_time = isinstance(value, date | time) and column.type.kind is not Kind.VARCHAR
        found = _READERS[column.type.kind](value.isoformat() if of_time else value)  # type: ignore[attr-defined]
        # What is written is compared with as a value of the column would be: 0.1 is there the float next to it.
        return _single(found) if column.type.kind is Kind.REAL else found
    except (ValueError, TypeError, InvalidOperation) as error:
        raise _unfit(value, column, key) from error


def _unfit(value: object, column: Column, key: str) -> UsageError:
    return UsageError(
        f"{key}: column {column.name!r} is {column.type}, which cannot be compared with {shown(_said(value))}",
        advice=f"Write {_WORDS[column.type.kind]}, or declare the column as another type.",
        key=key,
    )


def _scaled(value: Decimal, column: Column, key: str, rounding: str) -> Decimal:
    """A bound among the values that the column can hold: what lies between two of them says no more than the next."""
    with localcontext() as context:
        context.prec = 2 * _DIGITS
        scaled = value.quantize(Decimal(1).scaleb(-(column.type.scale or 0)), rounding)
    if abs(scaled) >= Decimal(10) ** (_DIGITS - (column.type.scale or 0)):
        raise UsageError(
            f"{key}: {value} is beyond what column {column.name!r} of type {column.type} can be compared with",
            advice=f"Write a number of at most {_DIGITS} digits.",
            key=key,
        )
    return scaled


def _midnight(day: date, column: Column) -> datetime:
    zone = UTC if column.type.kind is Kind.TIMESTAMPTZ else None
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _said(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value) if isinstance(value, str) else str(value)


def _number(value: object) -> Decimal:
    # The shortest text of a float is what was written: 0.1, not the binary number next to it.
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise TypeError
    number = Decimal(str(value).strip())
    if not number.is_finite():
        raise ValueError
    return number


def _float(value: object) -> float:
    number = float(_number(value))
    if not isfinite(number):
        raise ValueError
    return number


def _single(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: object) -> bool:
    known: dict[object, bool] = {"true": True, "false": False}
    found = known.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise TypeError
    return found


def _moment(value: object) -> date:
    """A day where only a day is written."""
    if isinstance(value, date):
        return value
    text = _text(value).strip()
    return date.fromisoformat(text) if len(text) == len("2024-01-31") else datetime.fromisoformat(text)


def _day(value: object) -> date:
    found = _moment(value)
    if isinstance(found, datetime):
        raise TypeError
    return found


def _time(value: object) -> time:
    return value if isinstance(value, time) else time.fromisoformat(_text(value).strip())


def _without_zone(value: object) -> date:
    found = _moment(value)
    if isinstance(found, datetime) and found.tzinfo is not None:
        raise ValueError
    return found


def _with_zone(value: object) -> date:
    found = _moment(value)
    if not isinstance(found, datetime):
        return found
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_READERS: dict[Kind, Callable[[object], Any]] = {
    **dict.fromkeys(INTEGERS | {Kind.DECIMAL}, _number),
    **dict.fromkeys(FLOATS, _float),
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _day,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _without_zone,
    Kind.TIMESTAMPTZ: _with_zone,
    Kind.VARCHAR: _text,
}
