"""What checks find, and where: findings, their samples, and bad rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding means for the run: an error stops it at the gate."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a record begins.

    :param part: number of the part.
    :param line: line within the part, from 1; the core turns it into the line of the file once all parts are read.
    :param offset: byte within the source (for a compressed one, within what it decompresses to).
    """

    part: int
    line: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A record that cannot be loaded.

    :param position: where it begins.
    :param rule: which check it fails: ``too_few_fields``, ``wrong_type``, ….
    :param column: which column, or None when the record as a whole is bad.
    :param value: the offending value as text, shortened to 200 characters.
    :param reason: one sentence.
    :param data: the record's original bytes with its line end.
    """

    position: Position
    rule: str
    column: str | None
    value: str | None
    reason: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One place where a finding shows.

    :param file: path of the source, or None when the finding is about a table.
    :param line: line of the file, from 1; within its part while ``part`` is set.
    :param offset: byte offset of the record.
    :param column: which column, or None for the whole record.
    :param value: the value as text.
    :param reason: why it is bad.
    :param part: number of the part while the line is not yet known within the file; None afterwards.
    """

    file: str | None = None
    line: int | None = None
    offset: int | None = None
    column: str | None = None
    value: str | None = None
    reason: str = ""
    part: int | None = None


def in_file(sample: Sample, lines_before: Mapping[int, int]) -> Sample:
    """The sample with its line counted from the beginning of the file.

    :param lines_before: by part number, the lines of the same source that precede the part.
    """
    if sample.part is None or sample.line is None:
        return sample
    return dataclasses.replace(sample, line=sample.line + lines_before.get(sample.part, 0), part=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    :param rule: the check's name, as in the configuration.
    :param severity: whether it stops the run.
    :param count: how often.
    :param message: one line: what is wrong.
    :param advice: the likely cause and what to do.
    :param samples: the first places, in the order of the data.
    :param cause: what it comes of, in a word that other checks know, such as ``NO_ROWS``: of findings with an equal
        cause one is told. Empty where it speaks for itself.
    :param also: the rules of those that are not told beside it; the core names them.
    """

    rule: str
    severity: Severity
    count: int
    message: str
    advice: str = ""
    samples: tuple[Sample, ...] = ()
    cause: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line for people, of an analysis (``delimiter``, ``tab``) or of what a warehouse found about itself.

    :param ok: whether it is as a load needs it.
    :param advice: what to do, several lines where there are several commands; with ``ok``, what is worth knowing.
    """

    label: str
    value: str
    ok: bool = True
    advice: str = ""
