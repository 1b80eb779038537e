"""The columns of a source: what the job declares, and for the rest what its sample says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from etl_delimited.header import match_by_name, nearest
from etl_delimited.infer import NULL_TOKENS, Inferred, Note
from etl_delimited.settings import SECTION
from etl_framework import Column, Finding, Kind, Sample, Severity, counted

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_delimited.settings import FormatSettings
    from etl_framework import Job

_DATES = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
_DOUBTS = frozenset({"ambiguous_dates", "mixed_date_formats"})
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a source, in its order.

    :param columns: declared ones under their declared names.
    :param null_values: what is null in columns other than text; first the empty text.
    :param findings: what does not match, and what is odd about the values.
    """

    columns: tuple[Column, ...]
    null_values: tuple[str, ...]
    findings: tuple[Finding, ...]


def schema(
    path: str,
    job: Job,
    settings: FormatSettings,
    names: Sequence[str],
    inferred: Sequence[Inferred],
    texts: pa.Table,
    *,
    header: bool,
) -> Schema:
    """Bring together what is declared and what was inferred.

    :param names: of the fields.
    :param inferred: of the fields.
    :param texts: the sample, one column per field.
    :param header: whether ``names`` come from the file.
    """
    found = [Column(name=name, type=one.type, format=one.format) for name, one in zip(names, inferred, strict=True)]
    columns, findings = _matched(path, job, settings, names, found, header=header)
    finished: list[Column] = []
    for column, one in zip(columns, inferred, strict=False):
        finished.append(_with_format(column, one, settings))
    findings += _notes(path, finished, inferred)
    seen = _null_values(finished, inferred, texts, settings)
    nulls = tuple(token for token in NULL_TOKENS if token in seen)
    findings += _nulls_found(path, nulls, seen)
    findings += named_columns(job, finished, rows=texts.num_rows)
    return Schema(
        tuple(finished), ("", *(nulls if settings.null_values is None else _declared(settings))), tuple(findings)
    )


def _declared(settings: FormatSettings) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in settings.null_values or () if text))


def _matched(
    path: str, job: Job, settings: FormatSettings, names: Sequence[str], found: Sequence[Column], *, header: bool
) -> tuple[tuple[Column, ...], list[Finding]]:
    if header:
        return match_by_name(path, names, found, job.columns, settings)
    if not job.columns:
        return tuple(found), []
    if len(job.columns) == len(found):
        return tuple(replace(column, declared=True) for column in job.columns), []
    finding = Finding(
        rule="column_count",
        severity=Severity.ERROR,
        count=1,
        message=f"the job declares {counted(len(job.columns), 'column')}, "
        f"the records of this file without a header have {counted(len(found), 'field')}",
        advice="Declare every column in the order of the file, or check the delimiter; "
        "header = true if the first record names the columns.",
        samples=(Sample(file=path),),
    )
    return tuple(found), [finding]


def _with_format(column: Column, inferred: Inferred, settings: FormatSettings) -> Column:
    """Give a declared date its pattern: its own, else what the sample shows, else the job's."""
    kind = column.type.kind
    if not column.declared or kind not in _DATES or column.format is not None:
        return column
    if inferred.known and inferred.type.kind is kind:
        return replace(column, format=inferred.format)
    return replace(column, format=settings.date_format if kind is Kind.DATE else settings.timestamp_format)


def _null_values(
    columns: Sequence[Column], inferred: Sequence[Inferred], texts: pa.Table, settings: FormatSettings
) -> dict[str, list[str]]:
    """The usual null values that the sample holds in columns other than text, and the names of these columns."""
    if settings.null_values is not None:
        return {}
    seen: dict[str, list[str]] = {}
    for at, (column, one) in enumerate(zip(columns, inferred, strict=True)):
        if column.type.kind is Kind.VARCHAR:
            continue
        # A declared column need not look like its type to have nulls.
        for token in _tokens_in(texts.column(at)) if one.is_text else one.null_tokens:
            seen.setdefault(token, []).append(column.name)
    return seen


def _tokens_in(texts: pa.ChunkedArray) -> set[str]:
    import pyarrow as pa

    distinct = pc.unique(texts.drop_null())
    return set(distinct.filter(pc.is_in(distinct, value_set=pa.array(NULL_TOKENS))).to_pylist())


def _nulls_found(path: str, nulls: Sequence[str], columns: Mapping[str, Sequence[str]]) -> list[Finding]:
    if not nulls:
        return []
    return [
        Finding(
            rule="null_values",
            severity=Severity.INFO,
            count=len(nulls),
            message=f"{', '.join(map(repr, nulls))} count as null in columns that are not text; in text they stay",
            advice=f"Declare null_values in {SECTION} to decide it yourself; [] for none.",
            samples=tuple(
                Sample(file=path, column=name, value=token, reason="counts as null")
                for token in nulls
                for name in columns[token][:_LISTED]
            ),
        )
    ]


def _notes(path: str, columns: Sequence[Column], inferred: Sequence[Inferred]) -> list[Finding]:
    """One finding per rule, however many columns it concerns."""
    by_rule: dict[tuple[str, Severity], list[tuple[Column, Note]]] = {}
    for column, one in zip(columns, inferred, strict=True):
        for note in one.notes:
            if (severity := _severity(column, note)) is not None:
                by_rule.setdefault((note.rule, severity), []).append((column, note))
    return [_noted(path, rule, severity, noted) for (rule, severity), noted in by_rule.items()]


def _severity(column: Column, note: Note) -> Severity | None:
    """How much a note matters: to a declared column only what makes its dates unreadable does."""
    if not column.declared:
        return Severity.WARNING if note.severe else Severity.INFO
    if note.rule not in _DOUBTS:
        return None
    if column.type.kind not in _DATES:
        return Severity.INFO
    return None if column.format else Severity.ERROR


def _noted(path: str, rule: str, severity: Severity, noted: Sequence[tuple[Column, Note]]) -> Finding:
    texts = [f"column {column.name!r} {_text(column, note)}" for column, note in noted[:_LISTED]]
    more = f"; and {counted(len(noted) - _LISTED, 'more column')}" if len(noted) > _LISTED else ""
    return Finding(
        rule=rule,
        severity=severity,
        count=len(noted),
        message="; ".join(texts) + more,
        advice=noted[0][1].advice,
        samples=tuple(
            Sample(file=path, column=column.name, value=value, reason=note.text)
            for column, note in noted[:_LISTED]
            for value in note.values[:3]
        ),
    )


def _text(column: Column, note: Note) -> str:
    return note.text.removesuffix(", so it stays text") if column.declared else note.text


def named_columns(job: Job, columns: Sequence[Column], *, rows: int) -> list[Finding]:
    """Errors for the date column and keys that the job names and the source does not have as such."""
    by_name = {column.name: column for column in columns}
    findings = []
    for setting, name in [("date_column", job.date_column), *(("keys", key) for key in job.keys)]:
        if name is None:
            continue
        if name not in by_name:
            near = nearest(name, tuple(by_name))
            findings.append(_no_such_column(setting, name, near))
        elif setting == "date_column" and rows and by_name[name].type.kind not in _DATES:
            findings.append(_no_date(by_name[name]))
    return findings


def _no_such_column(setting: str, name: str, near: str | None) -> Finding:
    return Finding(
        rule="missing_column",
        severity=Severity.ERROR,
        count=1,
        message=f"{setting} names {name!r}, which is no column of the source",
        advice=(f"Did you mean {near!r}? " if near else "") + f"Correct {setting} in the job.",
        samples=(Sample(column=name),),
    )


def _no_date(column: Column) -> Finding:
    return Finding(
        rule="date_column_type",
        severity=Severity.ERROR,
        count=1,
        message=f"date_column {column.name!r} is of type {column.type}, which tells no day",
        advice="Declare it as date or timestamp, with its format if that is not ISO 8601.",
        samples=(Sample(column=column.name),),
    )
