"""Which ``strptime`` pattern the dates of a column are written in, when that is beyond doubt."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from etl_delimited.dates import DatePattern
from etl_framework import Column, ColumnType, Kind

# Reading patterns of varying width takes some microseconds each.
_MOST_READ = 5000

_MONTHS = (
    "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    "Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_TIMES = (
    ("", ""),
    (r"[0-9]{1,2}:[0-9]{2}", "%H:%M"),
    (r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}", "%H:%M:%S"),
    (r"(?i:[0-9]{1,2}:[0-9]{2} [ap]m)", "%I:%M %p"),
    (r"(?i:[0-9]{1,2}:[0-9]{2}:[0-9]{2} [ap]m)", "%I:%M:%S %p"),
)
_NUMERIC = re.compile(r"[0-9]{1,4}([./-])[0-9]{1,2}\1([0-9]{4}|[0-9]{1,2})(?:([ T])(.+))?", re.DOTALL)
_NAMED = re.compile(rf"[0-9]{{1,2}}([ /-])(?i:{_MONTHS})\1[0-9]{{4}}(?:([ T])(.+))?", re.DOTALL)

_FAMILIES = (
    ("2024-12-31", r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ].*)?$"),
    ("2024/12/31", r"^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}([T ].*)?$"),
    ("2024.12.31", r"^[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2}([T ].*)?$"),
    ("31.12.2024", r"^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}([T ].*)?$"),
    ("12/31/2024 or 31/12/2024", r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}([T ].*)?$"),
    ("12-31-2024 or 31-12-2024", r"^[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}([T ].*)?$"),
    ("31-Dec-2024", rf"^[0-9]{{1,2}}[ /-](?i:{_MONTHS})[ /-][0-9]{{4}}([T ].*)?$"),
)


@dataclass(frozen=True, slots=True)
class DateForm:
    """What the dates of a column are like.

    :param pattern: the ``strptime`` pattern when it is beyond doubt, else None.
    :param kind: date or timestamp.
    :param candidates: the patterns that all fit, when there are several.
    """

    pattern: str | None
    kind: Kind = Kind.DATE
    candidates: tuple[str, ...] = ()


def date_form(values: pa.Array) -> DateForm | None:
    """Find the pattern that all values are written in.

    :param values: distinct texts, at least one.
    :returns: None when they are no dates, or not all in one pattern.
    """
    first = values[0].as_py()
    if numeric := _NUMERIC.fullmatch(first):
        year_first = re.match("[0-9]{3}", first) is not None
        separator, last, gap, time = numeric.groups()
        if year_first == (len(last) == 4):
            return None
        clock = _clock(gap, time)
        return None if clock is None else _numeric(values, separator, year_first, clock)
    if named := _NAMED.fullmatch(first):
        clock = _clock(named[2], named[3])
        return None if clock is None else _named(values, named[1], clock)
    return None


def date_families(values: pa.Array) -> dict[str, int]:
    """How many values are written as dates in each of several ways; ways that do not occur are left out."""
    counts = {label: pc.sum(pc.match_substring_regex(values, regex)).as_py() or 0 for label, regex in _FAMILIES}
    return {label: count for label, count in counts.items() if count}


def day_and_month_change_places(values: pa.Array) -> bool:
    """Whether some values can only be day first and others only month first."""
    parts = pc.extract_regex(values, r"^(?P<a>[0-9]{1,2})[./-](?P<b>[0-9]{1,2})[./-][0-9]{4}")
    first, second = (_largest(parts, name) for name in "ab")
    return first > 12 and second > 12


def reads_all(values: pa.Array, pattern: str, kind: Kind) -> bool:
    """Whether a ``strptime`` pattern reads every value, judged as the run will judge it."""
    column = Column(name="", type=ColumnType(kind=kind), format=pattern)
    _, wrong = DatePattern(column, ()).read(values[:_MOST_READ])
    return not len(wrong)


def _clock(gap: str | None, time: str | None) -> tuple[str, str] | None:
    """The time of day as a regular expression and as a pattern, both with the gap before it."""
    for regex, pattern in _TIMES:
        if re.fullmatch(regex, time or ""):
            return (f"{gap or ''}{regex}", f"{gap or ''}{pattern}")
    return None


def _numeric(values: pa.Array, separator: str, year_first: bool, clock: tuple[str, str]) -> DateForm | None:
    sign = re.escape(separator)
    a, b, y = "(?P<a>[0-9]{1,2})", "(?P<b>[0-9]{1,2})", "(?P<y>[0-9]{4})"
    order = (y, a, b) if year_first else (a, b, y)
    parts = pc.extract_regex(values, f"^{sign.join(order)}{clock[0]}$")
    if parts.null_count:
        return None
    kind = Kind.TIMESTAMP if clock[1] else Kind.DATE
    if year_first:
        # Nobody writes year, day, month.
        fitting = [pattern for pattern in (f"%Y{separator}%m{separator}%d",) if _in_calendar(parts, "a", "b")]
    else:
        fitting = [f"%d{separator}%m{separator}%Y"] if _in_calendar(parts, "b", "a") else []
        fitting += [f"%m{separator}%d{separator}%Y"] if _in_calendar(parts, "a", "b") else []
    candidates = [pattern + clock[1] for pattern in fitting if reads_all(values, pattern + clock[1], kind)]
    if not candidates:
        return None
    return DateForm(candidates[0] if len(candidates) == 1 else None, kind, tuple(candidates))


def _named(values: pa.Array, separator: str, clock: tuple[str, str]) -> DateForm | None:
    regex = rf"^(?P<d>[0-9]{{1,2}}){re.escape(separator)}(?i:{_MONTHS}){re.escape(separator)}[0-9]{{4}}{clock[0]}$"
    parts = pc.extract_regex(values, regex)
    if parts.null_count:
        return None
    kind = Kind.TIMESTAMP if clock[1] else Kind.DATE
    # All texts have either short or long names; only May is both.
    for name in ("%b", "%B"):
        pattern = f"%d{separator}{name}{separator}%Y{clock[1]}"
        if reads_all(values, pattern, kind):
            return DateForm(pattern, kind, (pattern,))
    return None


def _in_calendar(parts: pa.StructArray, month: str, day: str) -> bool:
    columns = [
        pc.struct_field(parts, "y"),
        *(pc.utf8_lpad(pc.struct_field(parts, name), 2, "0") for name in (month, day)),
    ]
    try:
        pc.binary_join_element_wise(*columns, "-").cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def _largest(parts: pa.StructArray, name: str) -> int:
    return int(pc.max(pc.struct_field(parts, name).cast(pa.int32())).as_py() or 0)
