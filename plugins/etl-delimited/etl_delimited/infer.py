"""The type of a column, from a sample of its texts; every row of the run verifies it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from etl_delimited.checks import outside_calendar
from etl_delimited.dateforms import date_families, date_form, day_and_month_change_places, reads_all
from etl_delimited.misfits import wrong
from etl_delimited.settings import SECTION
from etl_framework import ColumnType, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl_delimited.settings import FormatSettings

NULL_TOKENS = ("NA", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "None", "\\N", "NaN", "nan")
"""Texts that are null where a column is otherwise not text."""

_BOOLEANS = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_INTEGER = r"^-?(?:0|[1-9][0-9]*)$"
_DOUBLE = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$|^-?(?i:inf|infinity)$"
_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?$"
_ZONED = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[-+][0-9]{2}(?::?[0-9]{2})?)$"
)
_TIME = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?$"
_THOUSANDS = r"^-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$"
_DECIMAL_COMMA = r"^-?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+$"
_PADDED = r"^ *-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)? *$"
_TWO_DIGIT_YEAR = r"^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2}$"

_SPELLINGS = (
    (_THOUSANDS, "thousands separators"),
    (_DECIMAL_COMMA, "a decimal comma"),
    (_PADDED, "spaces around them"),
)
_DECIMAL = ColumnType(kind=Kind.DECIMAL, precision=38, scale=0)
_PROBED = 40
_DIGITS_SOUGHT = 1000
# A double holds any number of so many digits, and any integer up to this.
_SAFE_DIGITS = 15
_SAFE_INTEGER = 1 << 53
# With fewer odd values than one in ten, a text column is probably one of numbers or dates with errors.
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about a column: the start of a finding.

    :param rule: of the finding.
    :param severe: whether it is worth a warning.
    :param text: what is so about the column, a predicate.
    :param advice: what to do.
    :param values: the texts that show it.
    """

    rule: str
    severe: bool
    text: str
    advice: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a sample says of a column.

    :param type: the narrowest type of all values.
    :param format: ``strptime`` pattern of dates and timestamps that are not ISO 8601.
    :param null_tokens: the texts that count as null here.
    :param known: False when the sample has no value, so that the type says nothing.
    :param notes: what is odd.
    :param digits: whether every value holds a digit, so that a name hardly would be one of them.
    """

    type: ColumnType
    format: str | None = None
    null_tokens: tuple[str, ...] = ()
    known: bool = True
    notes: tuple[Note, ...] = ()
    digits: bool = False

    @property
    def is_text(self) -> bool:
        """Whether every text would do."""
        return self.type.kind is Kind.VARCHAR


def infer(texts: pa.Array, settings: FormatSettings) -> Inferred:
    """Infer a column's type.

    Declared null values count in place of the usual ones. Either count only where the other values are not text.

    :param texts: strings; null where the field is empty and not quoted.
    """
    tokens = NULL_TOKENS if settings.null_values is None else tuple(settings.null_values)
    values, nulls = _without(texts, ("", *tokens))
    if not len(values):
        return Inferred(ColumnType(kind=Kind.VARCHAR), known=False)
    found = _of_values(values, settings)
    if found.is_text:
        return replace(found, digits=_all_match(values[:_DIGITS_SOUGHT], "[0-9]"))
    return Inferred(found.type, found.format, nulls, notes=found.notes)


def _without(texts: pa.Array, tokens: tuple[str, ...]) -> tuple[pa.Array, tuple[str, ...]]:
    """The distinct texts but for some, and which of those there are, without null and empty ones."""
    distinct = pc.unique(texts)
    if texts.null_count:
        distinct = distinct.drop_null()
    is_token = pc.is_in(distinct, value_set=_strings(tokens))
    if not is_token.true_count:
        return distinct, ()
    return distinct.filter(pc.invert(is_token)), tuple(filter(None, distinct.filter(is_token).to_pylist()))


@lru_cache(maxsize=16)
def _strings(texts: tuple[str, ...]) -> pa.Array:
    return pa.array(texts, pa.string())


def is_null(text: str, settings: FormatSettings) -> bool:
    """Whether a text is null where the column is not text."""
    return not text or text in (NULL_TOKENS if settings.null_values is None else settings.null_values)


def fits(text: str, inferred: Inferred, settings: FormatSettings) -> bool:
    """Whether one more text would leave the type as it is."""
    if inferred.is_text:
        return True
    value = pa.array([text], pa.string())
    if inferred.format is not None:
        return reads_all(value, inferred.format, inferred.type.kind)
    if text[:1].isalpha() and inferred.type.kind is Kind.BIGINT:
        return False
    alone = _of_values(value, settings)
    wider = {Kind.DOUBLE: {Kind.BIGINT}, Kind.DECIMAL: {Kind.BIGINT}, Kind.TIMESTAMP: {Kind.DATE}}
    return alone.type.kind in {inferred.type.kind, *wider.get(inferred.type.kind, ())}


def _of_values(values: pa.Array, settings: FormatSettings) -> Inferred:
    for pattern, kind in ((settings.date_format, Kind.DATE), (settings.timestamp_format, Kind.TIMESTAMP)):
        zoned = Kind.TIMESTAMPTZ if pattern and "%z" in pattern and kind is Kind.TIMESTAMP else kind
        if pattern and reads_all(values[:_PROBED], pattern, zoned) and reads_all(values, pattern, zoned):
            return Inferred(ColumnType(kind=zoned), pattern)
    probe = values[:_PROBED].to_pylist()
    for looks_so, infer_kind in _CASCADE:
        if all(map(looks_so, probe)) and (found := infer_kind(values)) is not None:
            return found
    return Inferred(ColumnType(kind=Kind.VARCHAR), notes=_notes(values, probe))


def _boolean(values: pa.Array) -> Inferred | None:
    same = len(values) <= len(_BOOLEANS) and _BOOLEANS.issuperset(values.to_pylist())
    return Inferred(ColumnType(kind=Kind.BOOLEAN)) if same else None


def _integer(values: pa.Array) -> Inferred | None:
    try:
        numbers = values.cast(pa.int64())
    except pa.ArrowInvalid:
        if _all_match(values, _INTEGER):
            longest = pc.max(pc.utf8_length(pc.utf8_ltrim(values, "-"))).as_py()
            return Inferred(_DECIMAL) if longest <= 38 else None
        return None
    # A leading zero says that the digits are no number: they would not come back.
    same = pc.all(pc.equal(numbers.cast(pa.string()), values)).as_py()
    return Inferred(ColumnType(kind=Kind.BIGINT)) if same else None


def _double(values: pa.Array) -> Inferred | None:
    if not _all_match(values, _DOUBLE) or wrong(values, ColumnType(kind=Kind.DOUBLE)).any():
        return None
    if lossy := _lossy(values):
        note = Note(
            "too_precise",
            severe=False,
            text="holds numbers with more digits than a double keeps, so it stays text",
            advice="Declare the column, for instance as decimal(38,10), to load numbers.",
            values=lossy,
        )
        return Inferred(ColumnType(kind=Kind.VARCHAR), notes=(note,))
    return Inferred(ColumnType(kind=Kind.DOUBLE))


def _lossy(values: pa.Array) -> tuple[str, ...]:
    """Some of the numbers that would change as a double; an integer counts as soon as its neighbours would."""
    long = values.filter(pc.greater(pc.utf8_length(values), _SAFE_DIGITS))
    found = []
    for text in long[:10_000].to_pylist():
        if "inf" in text.lower():
            continue
        exact = Decimal(text)
        whole_and_large = exact == exact.to_integral_value() and abs(exact) > _SAFE_INTEGER and "e" not in text.lower()
        if whole_and_large or not _comes_back(text, exact):
            found.append(text)
            if len(found) == 3:
                break
    return tuple(found)


def _comes_back(text: str, exact: Decimal) -> bool:
    """Whether a double keeps every digit of a number: written with as many digits, or as short as it can be told.

    The two differ where the double lies halfway between two numbers of so many digits, as 2**-24 does.
    """
    double = float(text)
    return exact in (Decimal(f"{double:.{len(exact.as_tuple().digits)}g}"), Decimal(repr(double)))


def _iso_date(values: pa.Array) -> Inferred | None:
    return _cast(values, _ISO_DATE, ColumnType(kind=Kind.DATE))


def _iso_timestamp(values: pa.Array) -> Inferred | None:
    zoned = _cast(values, _ZONED, ColumnType(kind=Kind.TIMESTAMPTZ))
    return zoned or _cast(values, _ISO_TIMESTAMP, ColumnType(kind=Kind.TIMESTAMP))


def _cast(values: pa.Array, regex: str, to: ColumnType) -> Inferred | None:
    if not re.search(regex, values[0].as_py()):
        return None
    try:
        moments = values.cast(to.arrow())
    except pa.ArrowInvalid:
        return None
    return Inferred(to) if _all_match(values, regex) and not outside_calendar(moments, to.kind) else None


def _time(values: pa.Array) -> Inferred | None:
    return Inferred(ColumnType(kind=Kind.TIME)) if _all_match(values, _TIME) else None


def _other_date(values: pa.Array) -> Inferred | None:
    form = date_form(values)
    if form is None:
        return None
    if form.pattern is not None:
        return Inferred(ColumnType(kind=form.kind), form.pattern)
    key = "date_format" if form.kind is Kind.DATE else "timestamp_format"
    choices = " or ".join(f'{key} = "{pattern}"' for pattern in form.candidates)
    note = Note(
        "ambiguous_dates",
        severe=True,
        text="holds dates in which day and month cannot be told apart, so it stays text",
        advice=f"Declare {choices} in {SECTION}.",
        values=tuple(values[:3].to_pylist()),
    )
    return Inferred(ColumnType(kind=Kind.VARCHAR), notes=(note,))


_CASCADE = (
    (_BOOLEANS.__contains__, _boolean),
    (re.compile(r"-?[0-9]+\Z").match, _integer),
    (re.compile(r"-?[0-9.]|-?(?i:inf)").match, _double),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z").match, _iso_date),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").match, _iso_timestamp),
    (re.compile(r"[0-9]{2}:[0-9]{2}").match, _time),
    (re.compile(r"[0-9]{1,4}[ ./-]").match, _other_date),
)


def _notes(values: pa.Array, probe: Sequence[str]) -> tuple[Note, ...]:
    """What a text column nearly is."""
    digits = sum(text.lstrip(" -.")[:1].isdigit() for text in probe)
    if 2 * digits < len(probe):
        return ()
    return _date_notes(values) or _number_notes(values)


def _date_notes(values: pa.Array) -> tuple[Note, ...]:
    families = date_families(values)
    dates = sum(families.values())
    mixed = len(families) > 1 or (dates and day_and_month_change_places(values))
    if dates >= _MOSTLY * len(values) and mixed:
        ways = ", ".join(f"{count} like {label}" for label, count in families.items())
        advice = "Write all dates in one format; it loads as text until then."
        note = Note("mixed_date_formats", True, f"holds dates in several formats ({ways})", advice, _spread(values))
        return (note,)
    if dates >= _MOSTLY * len(values):
        text = "holds dates, but not only valid ones, so it stays text"
        return (Note("mixed_values", True, text, "Declare it as date or timestamp to have the others refused."),)
    if _share(values, _TWO_DIGIT_YEAR) == 1:
        advice = f'Declare date_format, for instance "%d.%m.%y", in {SECTION}.'
        note = Note("two_digit_years", False, "holds dates with two-digit years", advice, _spread(values))
        return (note,)
    return ()


def _number_notes(values: pa.Array) -> tuple[Note, ...]:
    numbers = _share(values, _DOUBLE)
    if _MOSTLY <= numbers < 1:
        odd = values.filter(pc.invert(pc.match_substring_regex(values, _DOUBLE)))
        if not _all_match(odd, r"^-?0[0-9]"):
            shown = tuple(odd[:3].to_pylist())
            text = "holds numbers, but not only, so it stays text"
            return (
                Note(
                    "mixed_values",
                    True,
                    text,
                    'Declare it as a number to have the others refused, or null_values = ["…"] if they mean nothing.',
                    shown,
                ),
            )
        return ()
    for regex, what in _SPELLINGS:
        if numbers < 1 and _share(values, regex) > 0 and _share(values, f"{regex}|{_DOUBLE}") == 1:
            advice = "Write numbers without separators and spaces, and with a point, to load them as numbers."
            return (
                Note("number_format", False, f"holds numbers with {what}, so it stays text", advice, _spread(values)),
            )
    return ()


def _spread(values: pa.Array) -> tuple[str, ...]:
    return tuple(values[at].as_py() for at in sorted({0, len(values) // 2, len(values) - 1}))


def _share(values: pa.Array, regex: str) -> float:
    return (pc.sum(pc.match_substring_regex(values, regex)).as_py() or 0) / max(len(values), 1)


def _all_match(values: pa.Array, regex: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, regex)).as_py())
