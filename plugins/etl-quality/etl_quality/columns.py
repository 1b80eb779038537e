"""The section ``checks.columns``: what the values of each column must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import Kind, UsageError
from etl_quality.column_pass import ColumnPass
from etl_quality.column_query import ColumnQuery
from etl_quality.column_rules import Among, ColumnRule, Least, Length, Matches, Most, NotNull, whole
from etl_quality.column_settings import ColumnSettings, LengthSettings, ReferencesSettings
from etl_quality.monotonic import Monotonic, MonotonicInTable
from etl_quality.references import NAME as REFERENCES
from etl_quality.references import AskedReferences, References, ReferencesInWarehouse, ReferencesOfTable, in_file
from etl_quality.sections import settings, unknown_column
from etl_quality.typed import highest, lowest, typed
from etl_quality.words import Words, named

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework import Analysis, Column, Job, TableCheck, Validator

NAME = "columns"
_KEY = f"checks.{NAME}"


@dataclass(frozen=True, slots=True)
class Checks:
    """See :class:`etl_quality.sections.Checks`."""

    columns: Mapping[str, ColumnSettings]

    def validators(self, job: Job, analysis: Analysis) -> Iterator[Validator]:
        """The rules about single values in one pass, then those about values among each other."""
        if not analysis.columns:
            # An empty file without declared columns, of which nothing is read.
            return
        asked = self._found(analysis.columns)
        rules = [(column, column_rules(said, column, key)) for key, column, said in asked]
        if any(found for _, found in rules):
            yield ColumnPass(NAME, [(column.name, found) for column, found in rules if found])
        for name, column, said in asked:
            if said.references is not None:
                yield _references_of_files(said, column, name, job)
            if said.unique:
                from etl_quality.unique import Unique

                yield Unique(column.name, name, said.severity)
            if said.monotonic is not None:
                yield Monotonic(column.name, name, said.monotonic, said.severity)

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> Iterator[TableCheck]:
        """The same rules; the order is none that a table could be asked about."""
        asked = self._found(columns)
        rules = [(column, column_rules(said, column, key)) for key, column, said in asked]
        if any(found for _, found in rules):
            yield ColumnQuery(NAME, [(column, found) for column, found in rules if found], job.keys)
        for name, column, said in asked:
            if said.references is not None:
                yield _references_of_table(said, column, name, job)
            if said.unique:
                from etl_quality.unique import UniqueInTable

                yield UniqueInTable(column.name, name, said.severity)
            if said.monotonic is not None:
                yield MonotonicInTable(name, said.monotonic)

    def _found(self, columns: Sequence[Column]) -> list[tuple[str, Column, ColumnSettings]]:
        """Of each column that is named, its name as the job spells it, what it is, and the settings."""
        return [(name, find(name, columns, f"{_KEY}.{name}"), said) for name, said in self.columns.items()]


def read(value: object, job: Job) -> Checks:  # noqa: ARG001 - columns are known only once a source is analyzed
    """The rules of each column.

    :raises UsageError: they cannot be understood.
    """
    if not isinstance(value, Mapping):
        raise UsageError(
            f"{_KEY} must be a table of columns, not {value!r}",
            advice=f"Write [jobs.NAME.{_KEY}], and below it lines such as price = {{ min = 0 }}.",
            key=_KEY,
        )
    return Checks({str(name): settings(ColumnSettings, f"{_KEY}.{name}", said) for name, said in value.items()})


def find(name: str, columns: Sequence[Column], key: str) -> Column:
    """The column of that name; without regard to the case of letters where none is spelled like this.

    :param key: of the setting that names it.
    :raises UsageError: there is none.
    """
    for column in columns:
        if column.name == name:
            return column
    for column in columns:
        if column.name.casefold() == name.casefold():
            return column
    raise unknown_column(name, columns, key)


def column_rules(said: ColumnSettings, column: Column, name: str) -> list[ColumnRule]:
    """The rules about single values of a column, in the order of the settings.

    :param name: of the column as the job spells it, for messages: warehouses have their own ways.
    :raises UsageError: one does not suit the column's type.
    """
    return list(_Rules(said, column, name))


def _references_of_files(said: ColumnSettings, column: Column, name: str, job: Job) -> Validator:
    assert said.references is not None
    words, key = _Rules(said, column, name).references(said.references), f"{_KEY}.{name}.references"
    if said.references.query is not None:
        return AskedReferences(words, column, said.references.query, key)
    return ColumnPass(REFERENCES, [(column.name, [References(words=words, values=_known(said, column, key, job))])])


def _references_of_table(said: ColumnSettings, column: Column, name: str, job: Job) -> TableCheck:
    assert said.references is not None
    words, key = _Rules(said, column, name).references(said.references), f"{_KEY}.{name}.references"
    if said.references.query is not None:
        return ReferencesInWarehouse(words, column, said.references.query, key, job.keys)
    return ReferencesOfTable(words, column, _known(said, column, key, job), job.keys)


def _known(said: ColumnSettings, column: Column, key: str, job: Job) -> pa.Array:
    assert said.references is not None
    assert said.references.file is not None
    return in_file(job.folder / said.references.file, said.references.column, column, key)


class _Rules:
    """Makes the rules of one column out of its settings."""

    def __init__(self, said: ColumnSettings, column: Column, name: str) -> None:
        self._said, self._column, self._name, self._key = said, column, name, f"{_KEY}.{name}"

    def __iter__(self) -> Iterator[ColumnRule]:
        said = self._said
        if said.not_null:
            yield NotNull(
                words=self._words(
                    "not_null",
                    "has no value",
                    "have no value",
                    "there is no value",
                    "Supply the values, or allow them to be missing.",
                    of="row",
                )
            )
        yield from self._bounds()
        if said.length is not None:
            yield self._length(said.length)
        if said.regex is not None:
            yield self._matches(said.regex)
        if said.allowed is not None:
            yield self._among(said.allowed)

    def _bounds(self) -> Iterator[ColumnRule]:
        least = most = None
        if self._said.min is not None:
            least = lowest(self._said.min, self._column, f"{self._key}.min")
        if self._said.max is not None:
            most = highest(self._said.max, self._column, f"{self._key}.max")
        if least and most and least.value > most.value:
            raise UsageError(
                f"{self._key}.min ({least.said}) is above max ({most.said})",
                advice="Swap the two.",
                key=f"{self._key}.min",
            )
        is_number = self._column.type.is_number
        likely = "Is the unit, or the sign, that of the other rows?" if is_number else "Was it mistyped?"
        advice = f"{likely} Correct the values, or the bound."
        if least:
            below = f"below {least.said}"
            yield Least(words=self._words("min", f"is {below}", f"are {below}", f"is {below}", advice), bound=least)
        if most:
            above = f"above {most.said}"
            yield Most(words=self._words("max", f"is {above}", f"are {above}", f"is {above}", advice), bound=most)

    def _length(self, said: LengthSettings) -> Length:
        self._insist_on_text("length")
        if said.max is not None and said.min > said.max:
            raise UsageError(
                f"{self._key}.length: min ({said.min}) is above max ({said.max})",
                advice="Swap the two.",
                key=f"{self._key}.length",
            )
        if said.min == said.max:
            wanted = f"{said.min}"
        elif said.max is None:
            wanted = f"at least {said.min}"
        else:
            wanted = f"{said.min} to {said.max}" if said.min else f"at most {said.max}"
        advice = "Was a value cut off, padded, or moved into the wrong column?"
        reason = f"has not {wanted} characters"
        return Length(
            words=self._words("length", reason, f"have not {wanted} characters", reason, advice),
            least=said.min,
            most=said.max,
        )

    def _matches(self, pattern: str) -> Matches:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._insist_on_text("regex")
        key = f"{self._key}.regex"
        try:
            # By itself first: of what it is wrapped in, messages would say what nobody wrote.
            for asked in (pattern, whole(pattern)):
                pc.match_substring_regex(pa.array([""]), asked)
        except pa.ArrowInvalid as error:
            why = str(error).partition(": ")[2].replace(whole(pattern), pattern) or error
            raise UsageError(
                f"{key}: {why}",
                advice="Write a regular expression as RE2 understands it: without look-around and backreferences.",
                key=key,
            ) from error
        advice = "The whole value must match, from its beginning to its end. Correct the values, or the expression."
        unlike = f"not match {pattern}"
        return Matches(
            words=self._words("regex", f"does {unlike}", f"do {unlike}", f"does {unlike}", advice), pattern=pattern
        )

    def _among(self, allowed: Sequence[object]) -> Among:
        import pyarrow as pa

        values = [typed(value, self._column, f"{self._key}.allowed") for value in allowed]
        advice = "Add the values to allowed if they are right; else look for a changed code list at the source."
        listed = named(values)
        none_of = f"not {listed}" if len(values) == 1 else f"none of {listed.replace(' or ', ', ')}"
        return Among(
            words=self._words("allowed", f"is {none_of}", f"are {none_of}", f"is {none_of}", advice),
            values=pa.array(values, self._column.type.arrow()),
        )

    def references(self, said: ReferencesSettings) -> Words:
        """What is said of values that refer to nothing."""
        where = f"in {said.file}" if said.file is not None else "in the answer of the query"
        strange = f"not {where}"
        advice = "Are the references complete, and as new as the data? Load them first, or correct the values."
        return self._words("references", f"is {strange}", f"are {strange}", f"is {strange}", advice)

    def _insist_on_text(self, rule: str) -> None:
        if self._column.type.kind is not Kind.VARCHAR:
            key = f"{self._key}.{rule}"
            raise UsageError(
                f"{key}: column {self._column.name!r} is {self._column.type}, and only text has a {rule}",
                advice=f"Declare the column as varchar, or leave {rule} out.",
                key=key,
            )

    def _words(self, rule: str, one: str, several: str, reason: str, advice: str, *, of: str = "value") -> Words:
        where = f"{of}{{s}} of column {self._name!r}"
        return Words(
            rule=rule,
            column=self._name,
            severity=self._said.severity,
            one=f"{where.replace('{s}', '')} {one}",
            several=f"{where.replace('{s}', 's')} {several}",
            reason=reason,
            advice=advice,
        )
