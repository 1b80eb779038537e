"""Checks over rows: mergeable validators made from the question which rows are good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import ref

from etl_framework.errors import UsageError
from etl_framework.findings import rules_of
from etl_framework.origins import MadeAt
from etl_framework.terminal import counted, listed
from etl_framework.values import BadRow, Check, Finding, Job, Sample, Severity

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.columns import Column
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Block, TableCheck, Validator
    from etl_framework.values import Analysis

T = TypeVar("T")

MOST_SAMPLES = 10
"""Places shown per finding."""

_LONGEST_VALUE = 200
"""Characters of a value that a sample shows."""


def row_check(
    name: str,
    good: Callable[[pa.RecordBatch], pa.Array],
    *,
    column: str | None = None,
    severity: Severity = Severity.ERROR,
    reason: str = "",
    advice: str = "",
) -> RowCheck:
    """A validator from a predicate over rows; line numbers, counts and samples come with it.

    :param name: the rule's name in findings.
    :param good: given a batch, a boolean array with one value per row: whether the row is good; null counts as good,
        as in SQL's CHECK.
    :param column: whose value the samples show.
    :param severity: what a bad row means for the run.
    :param reason: why a bad row is bad, for people.
    :param advice: the likely cause and what to do.
    """
    return RowCheck(name, good, column=column, severity=severity, reason=reason, advice=advice)


class RowCheck:
    """See :func:`row_check`. Leaves the predicate behind when pickled: an accumulator that travels only merges."""

    def __init__(
        self,
        name: str,
        good: Callable[[pa.RecordBatch], pa.Array] | None,
        *,
        column: str | None,
        severity: Severity,
        reason: str,
        advice: str,
    ) -> None:
        self.name = name
        self._good = good
        self._column = column
        self._severity = severity
        self._reason = reason or f"fails {name}"
        self._advice = advice
        self._made = MadeAt(name)
        self._count = 0
        self._samples: list[Sample] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_good": None}

    def update(self, block: Block) -> None:
        """See :meth:`etl_framework.protocols.Validator.update`."""
        assert self._good is not None, "an accumulator that travelled only merges"
        with self._made:
            if self._column is not None:
                insist_on_column(self.name, block.batch, self._column)
            bad = failing_rows(self.name, block.batch, self._good)
        self._count += len(bad)
        for row in bad[: MOST_SAMPLES - len(self._samples)].to_pylist():
            where = block.position(row)
            self._samples.append(
                Sample(
                    file=block.source,
                    line=where.line,
                    offset=where.offset,
                    part=where.part,
                    column=self._column,
                    value=None if self._column is None else shown(block.batch[self._column][row].as_py()),
                    reason=self._reason,
                )
            )

    def merge(self, other: Self) -> None:
        """See :meth:`etl_framework.protocols.Validator.merge`."""
        self._count += other._count
        self._samples = first_samples([*self._samples, *other._samples])

    def finish(self) -> Iterable[Finding]:
        """See :meth:`etl_framework.protocols.Validator.finish`."""
        if self._count:
            yield Finding(
                rule=self.name,
                severity=self._severity,
                count=self._count,
                message=f"{counted(self._count, 'row')}: {self._reason}",
                advice=self._advice,
                samples=tuple(self._samples),
            )


def insist_on_column(check: str, batch: pa.RecordBatch, column: str) -> None:
    """Make sure that there is what a check looks at.

    :raises KeyError: there is no such column.
    """
    names = batch.schema.names
    if column not in names:
        from difflib import get_close_matches

        guesses = get_close_matches(column, names, n=1)
        hint = f"; did you mean {guesses[0]!r}?" if guesses else f" among {listed(names)}"
        raise KeyError(f"{check}: there is no column {column!r}{hint}")


def failing_rows(check: str, batch: pa.RecordBatch, good: Callable[[pa.RecordBatch], pa.Array]) -> pa.Array:
    """The indices of the rows that a predicate does not call good.

    :raises TypeError: it gives no booleans.
    :raises ValueError: it gives another number of them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    verdict = good(batch)
    if isinstance(verdict, pa.ChunkedArray):
        verdict = verdict.combine_chunks()
    if not isinstance(verdict, pa.Array):
        raise TypeError(f"{check}: the predicate gives {type(verdict).__name__}, not a boolean Arrow array")
    if not pa.types.is_boolean(verdict.type):
        raise TypeError(f"{check}: the predicate gives {verdict.type}, not boolean")
    if len(verdict) != batch.num_rows:
        raise ValueError(f"{check}: {len(verdict)} verdicts for {batch.num_rows} rows")
    return pc.indices_nonzero(pc.invert(pc.fill_null(verdict, True)))


def once_per_batch(make: Callable[[pa.RecordBatch], T]) -> Callable[[pa.RecordBatch], T]:
    """What several checks need of a batch, made for the first of them and forgotten with the batch.

    :param make: such as a conversion into the frame of another library.
    """
    batch: ref[pa.RecordBatch] | None = None
    made: list[T] = []

    def once(rows: pa.RecordBatch) -> T:
        nonlocal batch
        if batch is None or batch() is not rows:
            new = make(rows)
            # In this order: while it is there, the reference to the batch before would forget what is new.
            batch = ref(rows, lambda _: made.clear())
            made[:] = [new]
        return made[0]

    return once


def shown(value: object) -> str | None:
    """A value as a sample shows it: samples rest in the journal and in reports, where many MiB have no place."""
    return None if value is None else str(value)[:_LONGEST_VALUE]


def first_samples(samples: Iterable[Sample]) -> list[Sample]:
    """The first :data:`MOST_SAMPLES` in the order of the data, whatever the order they came in."""
    return sorted(samples, key=lambda s: (-1 if s.part is None else s.part, s.line or 0, s.offset or 0))[:MOST_SAMPLES]


def insist_on_checks(job: Job, plugins: Plugins) -> None:
    """Make sure that what the job wants checked has somebody to check it.

    :raises UsageError: nobody does; a check that is asked for must never be passed over in silence.
    """
    hooks = {hook for info in plugins.infos for hook in info.hooks}
    if job.check in (Check.WAREHOUSE, Check.BOTH) and "etl_check" not in hooks:
        raise UsageError(
            f"check = {job.check}: no installed plugin checks in the warehouse",
            advice="Check the file (--check file), or nothing but its structure (--check none).",
            key="check",
        )
    asked = [name for name in ("checks", "rules") if job.sections.get(name)]
    if asked and job.check is not Check.NONE and "etl_validate" not in hooks:
        raise UsageError(
            f"job {job.name!r} asks for {' and '.join(asked)}, but no installed plugin implements etl_validate",
            advice="Install or write a plugin that does, or leave them out; --check none goes on without.",
            key=asked[0],
        )


def insist_on_settings(
    job: Job, analyses: Iterable[Analysis], columns: tuple[Column, ...], plugins: Plugins
) -> tuple[str, ...]:
    """Have the job's checks made for no rows, which tells whether their settings can be understood.

    :param analyses: of its sources.
    :param columns: of the run.
    :returns: names of the rules that they make.
    :raises UsageError: they cannot.
    """
    made: list[tuple[str, Validator | TableCheck, str]] = []
    if job.check in (Check.FILE, Check.BOTH):
        for analysis in analyses:
            validators = plugins.validators(job, replace(analysis, columns=columns))
            made += [(plugin, check, "etl_validate") for plugin, check in validators]
    if job.check in (Check.WAREHOUSE, Check.BOTH):
        made += [(plugin, check, "etl_check") for plugin, check in plugins.table_checks(job, columns)]
    names: dict[str, None] = {}
    for plugin, check, hook in made:
        with plugins.blaming(plugin, hook):
            names |= dict.fromkeys(rules_of(check))
    return tuple(names)


_ADVICE = {
    "too_few_fields": "A line break or a missing delimiter inside the record? Check the quoting and the delimiter.",
    "too_many_fields": "An unquoted delimiter inside a value? Check the quoting and the delimiter.",
    "unbalanced_quote": 'A quote is opened and never closed: mend the record, or declare quote = "none".',
    "invalid_encoding": "The file is not in the encoding that it is read in: declare encoding in the format section.",
    "nul_byte": "The file was damaged in transfer, or is UTF-16 or binary.",
    "wrong_type": "Correct the value, or declare the column with a type or a format that fits.",
    "null_in_required": "Supply the value, or declare the column without `not null`.",
    "too_long": "Shorten the value, or declare a longer varchar.",
}


class BadRowTally:
    """Counts bad rows by rule and column, and keeps the first of each. Mergeable, picklable."""

    def __init__(self) -> None:
        self.rows = 0
        self._counts: dict[tuple[str, str | None], int] = {}
        self._samples: dict[tuple[str, str | None], list[Sample]] = {}

    def add(self, row: BadRow, file: str) -> None:
        """Take in a bad row of ``file``."""
        key = (row.rule, row.column)
        self.rows += 1
        self._counts[key] = self._counts.get(key, 0) + 1
        samples = self._samples.setdefault(key, [])
        if len(samples) < MOST_SAMPLES:
            samples.append(
                Sample(
                    file=file,
                    line=row.position.line,
                    offset=row.position.offset,
                    part=row.position.part,
                    column=row.column,
                    value=row.value,
                    reason=row.reason,
                )
            )

    def merge(self, other: BadRowTally) -> None:
        """Take in what another tally counted."""
        self.rows += other.rows
        for key, count in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + count
            self._samples[key] = first_samples([*self._samples.get(key, []), *other._samples[key]])

    def findings(self, severity: Severity) -> tuple[Finding, ...]:
        """One finding per rule and column, the most frequent first."""
        return tuple(
            Finding(
                rule=rule,
                severity=severity,
                count=count,
                message=f"{counted(count, 'bad row')}: {rule.replace('_', ' ')}"
                + (f" in column {column!r}" if column is not None else ""),
                advice=_ADVICE.get(rule, ""),
                samples=tuple(self._samples[rule, column]),
            )
            for (rule, column), count in sorted(self._counts.items(), key=lambda item: (-item[1], str(item[0])))
        )
