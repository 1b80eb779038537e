"""Keys that occur more than once: ``duplicates = "error"``, in a file or in a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from etl_framework import RELATION, Finding, Sample, Severity, UsageError, counted, quote
from etl_quality.dialects import statement
from etl_quality.repeated_keys import RepeatedKey, RepeatedKeys, Repetition
from etl_quality.sections import Number, Settings, Texts, settings, unknown_column

if TYPE_CHECKING:
    from etl_framework import Analysis, Column, Job, Rows, TableCheck, Validator

NAME = "duplicates"
KEY = f"checks.{NAME}"

_KEYS_NAMED = 5
_PLACES_PER_KEY = 5
_MOST_SAMPLES = 10
_SHOWN = 100
_ROWS = quote("_etl_rows_of_the_key")


class DuplicatesSettings(Settings):
    """The settings of the check.

    :ivar keys: the columns that identify a row; the job's, when there are none.
    :ivar severity: what duplicates mean for a run.
    :ivar warning_below: share of extra rows among all, from 0 to 1, below which they are only a warning.
    """

    keys: Texts = ()
    severity: Severity = Severity.ERROR
    warning_below: Annotated[Number, Field(ge=0, le=1)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """A key that occurs more than once, for people.

    :param key: its values.
    :param rows: how many rows have it.
    :param placed: how many of the finding's samples are of it; they come in the order of the keys.
    """

    key: str
    rows: int
    placed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesFinding(Finding):
    """What the check found; ``count`` is that of the extra rows.

    :param keys: how many keys occur more than once.
    :param worst: those with the most rows.
    """

    keys: int
    worst: tuple[NamedKey, ...]


@dataclass(frozen=True, slots=True)
class Checks:
    """See :class:`etl_quality.sections.Checks`."""

    settings: DuplicatesSettings

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:  # noqa: ARG002 - columns are enough
        for name in self.settings.keys:
            if name not in {column.name for column in analysis.columns}:
                raise unknown_column(name, analysis.columns, f"{KEY}.keys")
        yield Duplicates(self.settings)

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:  # noqa: ARG002 - see above
        for name in self.settings.keys:
            # Warehouses spell names in their own ways.
            if name.casefold() not in {column.name.casefold() for column in columns}:
                raise unknown_column(name, columns, f"{KEY}.keys")
        yield DuplicatesInTable(self.settings)


def read(value: object, job: Job) -> Checks:
    """The check as ``duplicates = "error"`` or as a table with keys, severity and warning_below asks for it.

    :raises UsageError: the settings are not allowed, or neither they nor the job name a key.
    """
    given = {} if value is True else {"severity": value} if isinstance(value, str) else value
    read = settings(DuplicatesSettings, KEY, given)
    keys = read.keys or job.keys
    if not keys:
        raise UsageError(
            f"{KEY} needs to know which columns identify a row",
            advice='Set keys in the job, or in the check: duplicates = { keys = ["…"] }.',
            key=f"{KEY}.keys",
        )
    if len(set(keys)) < len(keys):
        raise UsageError(f"{KEY}.keys names a column twice", advice="Name each once.", key=f"{KEY}.keys")
    return Checks(read.model_copy(update={"keys": tuple(keys)}))


class Duplicates(RepeatedKeys):
    """The keys that occur more than once in files."""

    name = NAME

    def __init__(self, settings: DuplicatesSettings) -> None:
        super().__init__(settings.keys)
        self._settings = settings

    def finish(self) -> Iterator[Finding]:
        """See :meth:`etl_framework.Validator.finish`."""
        yield from _findings(self._settings, self.repetition(_KEYS_NAMED, _PLACES_PER_KEY))


class DuplicatesInTable:
    """The keys that occur more than once in a table."""

    name = NAME

    def __init__(self, settings: DuplicatesSettings) -> None:
        self._settings = settings

    def run(self, rows: Rows) -> Iterator[Finding]:
        """See :meth:`etl_framework.TableCheck.run`."""
        yield from _findings(self._settings, repetition_in(rows, self._settings.keys, _KEYS_NAMED))


def repetition_in(rows: Rows, keys: tuple[str, ...], worst: int) -> Repetition:
    """How often keys repeat in a table; the rows of a key have no places.

    :param keys: names of the columns.
    :param worst: how many keys to name.
    :raises UsageError: there is no such column.
    """
    columns = []
    for name in keys:
        if (column := rows.column(name)) is None:
            raise unknown_column(name, rows.columns, f"{KEY}.keys")
        columns.append(quote(column.name))
    names = ", ".join(columns)
    repeated = f"FROM {RELATION} GROUP BY {names} HAVING count(*) > 1"
    figures = (
        f"SELECT (SELECT count(*) FROM {RELATION}), count(*), coalesce(sum({_ROWS} - 1), 0) "  # noqa: S608 - quoted names
        f"FROM (SELECT count(*) AS {_ROWS} {repeated}) AS repeated"
    )
    [(total, count, extra)] = rows.query(statement(figures, (), rows.dialect)).rows
    if not count:
        return Repetition(rows=int(total))
    worst_first = f"ORDER BY count(*) DESC, {', '.join(f'{name} NULLS FIRST' for name in columns)} LIMIT {worst:d}"
    listed = f"SELECT {names}, count(*) {repeated} {worst_first}"
    found = rows.query(statement(listed, (), rows.dialect))
    named = tuple(RepeatedKey(values=tuple(row[:-1]), rows=int(row[-1])) for row in found.rows)
    return Repetition(rows=int(total), keys=int(count), extra=int(extra), worst=named)


def _findings(settings: DuplicatesSettings, found: Repetition) -> Iterator[Finding]:
    if not found.extra:
        return
    share = found.extra / found.rows
    tolerated = share < settings.warning_below and settings.severity is Severity.ERROR
    names = ", ".join(settings.keys)
    named = tuple(_named(settings.keys, found))
    occur = "occurs" if found.keys == 1 else "occur"
    yield DuplicatesFinding(
        rule=NAME,
        severity=Severity.WARNING if tolerated else settings.severity,
        count=found.extra,
        message=f"{counted(found.extra, 'row')} too many, {_in_percent(share)} of {found.rows:,}: "
        f"{counted(found.keys, 'key')} ({names}) {occur} more than once, "
        f"up to {found.worst[0].rows:,} times",
        advice="Was a file delivered or loaded twice? Remove the extra rows; where they are meant, name all columns "
        "of the key (keys).",
        samples=tuple(sample for _, samples in named for sample in samples),
        keys=found.keys,
        worst=tuple(key for key, _ in named),
    )


def _in_percent(share: float) -> str:
    shown = f"{share:.2%}"
    return "< 0.01%" if shown == f"{0:.2%}" else shown


def _named(names: tuple[str, ...], found: Repetition) -> Iterator[tuple[NamedKey, list[Sample]]]:
    """The worst keys, each with the first of its rows as far as they have places."""
    left = _MOST_SAMPLES
    for key in found.worst:
        value = key_in_words(names, key.values)
        sample = Sample(
            column=names[0] if len(names) == 1 else None, value=value, reason=f"{key.rows:,} rows have this key"
        )
        placed = [replace(sample, file=at.file, line=at.line, part=at.part) for at in key.places[:left]]
        left -= len(placed)
        if placed or not key.places:
            yield NamedKey(key=value, rows=key.rows, placed=len(placed)), placed or [sample]


def key_in_words(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """A key for people: the value alone, or each with its column."""
    shown = [_in_words(value) for value in values]
    return shown[0] if len(shown) == 1 else ", ".join(map(" = ".join, zip(names, shown, strict=True)))


def _in_words(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        # Warehouses disagree on whether the zeros at the end belong to the value.
        digits = f"{value:f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, date | time):
        return value.isoformat()
    text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
