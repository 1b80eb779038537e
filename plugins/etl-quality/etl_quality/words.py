"""What a check found, in words: the same on the side of files and on the side of warehouses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_framework import MOST_SAMPLES, Finding, Sample, Severity, counted, first_samples, shown

if TYPE_CHECKING:
    from etl_framework import Block

_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a rule speaks of the rows that break it.

    :param rule: its name.
    :param column: whose values the samples show; None where a rule is about rows as a whole.
    :param severity: of the finding.
    :param one: what follows ``1`` in the message.
    :param several: what follows any other number.
    :param reason: why one of them is bad.
    :param advice: the likely cause and what to do.
    """

    rule: str
    column: str | None
    severity: Severity
    one: str
    several: str
    reason: str
    advice: str

    def finding(self, count: int, samples: Iterable[Sample]) -> Iterator[Finding]:
        """The finding, when there is anything to tell."""
        if count:
            yield Finding(
                rule=self.rule,
                severity=self.severity,
                count=count,
                message=counted(count, self.one, self.several),
                advice=self.advice,
                samples=tuple(samples),
            )

    def of_value(self, value: object) -> Sample:
        """A sample from a table, where rows have no place."""
        return Sample(column=self.column, value=shown(value), reason=self.reason)


@dataclass(slots=True)
class Tally:
    """Counts the rows of files that break a rule, and keeps the first of them."""

    words: Words
    count: int = 0
    samples: list[Sample] = field(default_factory=list)

    def add(self, block: Block, rows: Sequence[int], values: Sequence[object], *, more: int = 0) -> None:
        """Take in bad rows.

        :param rows: indexes in the batch, ascending; as many as are wanted for samples at least.
        :param values: of these rows.
        :param more: bad rows of the batch beyond these.
        """
        self.count += len(rows) + more
        for row, value in list(zip(rows, values, strict=True))[: MOST_SAMPLES - len(self.samples)]:
            where = block.position(row)
            self.samples.append(
                Sample(
                    file=block.source,
                    line=where.line,
                    offset=where.offset,
                    part=where.part,
                    column=self.words.column,
                    value=shown(value),
                    reason=self.words.reason,
                )
            )

    def merge(self, other: Tally) -> None:
        """Take in what another tally of the same rule counted."""
        self.count += other.count
        self.samples = first_samples([*self.samples, *other.samples])

    def findings(self) -> Iterator[Finding]:
        """The finding, when there is one."""
        yield from self.words.finding(self.count, self.samples)


def named(values: Sequence[object]) -> str:
    """Some values for a message: ``'a', 'b' or 'c'``."""
    texts = [repr(value) if isinstance(value, str) else str(value) for value in values]
    if len(texts) > _LISTED:
        return f"{', '.join(texts[:_LISTED])} or {counted(len(texts) - _LISTED, 'other')}"
    return " or ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
