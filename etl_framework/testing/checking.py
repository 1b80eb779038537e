"""Checks on literal rows: what they find, however the rows are cut."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

from etl_framework.columns import TableName
from etl_framework.findings import sound_findings
from etl_framework.plugins import Plugins
from etl_framework.protocols import Spilling
from etl_framework.testing.blocks import FILE, LiteralBlock
from etl_framework.testing.literal import Cutting, LiteralRows
from etl_framework.values import Finding, Job, in_file

if TYPE_CHECKING:
    from etl_framework.protocols import Validator
    from etl_framework.testing.blocks import PlainBlock
    from etl_framework.testing.literal import ColumnTypes, RowsLike

Makes: TypeAlias = "Callable[[], Iterable[Validator]]"
"""Gives new accumulators at each call, the same ones in the same order."""


def literal_job(**settings: Any) -> Job:
    """A job that loads literal rows.

    :param settings: fields of :class:`~etl_framework.values.Job`, such as ``sections={"checks": {…}}``.
    """
    given = {"name": "literal", "patterns": (FILE,), "table": TableName.parse("literal"), "target": "literal:"}
    return Job(**{**given, **settings})


def check_rows(
    subject: object,
    rows: RowsLike,
    *,
    types: ColumnTypes | None = None,
    job: Job | None = None,
    parts: int = 3,
    blocks: int = 2,
) -> tuple[Finding, ...]:
    """What a check finds in rows that stand here, as if they were in a CSV file with a header.

    The rows are cut into parts and blocks; each part has accumulators of its own, which travel as to another process
    and are merged from the last to the first, as a run may do it.

    >>> import pyarrow.compute as pc
    >>> from etl_framework import row_check
    >>> [finding] = check_rows(lambda: row_check("cheap", lambda b: pc.less(b["price"], 10)), {"price": [9, 10, 11]})
    >>> finding.count, [sample.line for sample in finding.samples]
    (2, [3, 4])

    :param subject: what gives a new validator at each call; or a plugin, a module or an object with ``etl_validate``;
        or one validator, which then sees all rows as one part.
    :param rows: lists of values by column name, or an Arrow table.
    :param types: of columns whose type the values do not tell: ``{"price": "decimal(18,4)"}``.
    :param job: whose sections the plugin reads; see :func:`literal_job`.
    :param parts: how many, as far as the rows suffice.
    :param blocks: how many of each part.
    :returns: the findings, with the lines of the file in their samples; the header is line 1.
    :raises AssertionError: a check changed the block that it was given.
    :raises TypeError: what it found are no findings.
    """
    literal = LiteralRows.of(rows, types)
    if hasattr(subject, "update"):
        return in_one_pass(lambda: [subject], literal, blocks)  # type: ignore[list-item]
    return observe(makes(subject, literal, job), literal, Cutting.even(literal.table.num_rows, parts, blocks))


def makes(subject: object, rows: LiteralRows, job: Job | None = None) -> Makes:
    """How new accumulators are made: by calling what gives one or several, or by asking a plugin."""
    if callable(subject) and not hasattr(subject, "etl_validate"):
        return lambda: _several(subject())
    plugins = subject if isinstance(subject, Plugins) else Plugins()
    if plugins is not subject:
        plugins.register(subject, name="plugin")
    asked, analysis = job or literal_job(columns=rows.columns), rows.analysis()
    return lambda: [validator for _, validator in plugins.validators(asked, analysis)]


def _several(given: Any) -> list[Validator]:
    return [given] if hasattr(given, "update") else list(given)


def observe(
    make: Makes,
    rows: LiteralRows,
    cutting: Cutting,
    *,
    travels: bool = True,
    lasting: bool = False,
    kind: type[PlainBlock] = LiteralBlock,
) -> tuple[Finding, ...]:
    """The findings of new accumulators over rows that are cut in a certain way.

    :param travels: whether each part's accumulators are pickled before they are merged.
    :param lasting: whether blocks stay as they are; otherwise their memory is zeroed once the next one is read.
    :param kind: of the blocks.
    :raises AssertionError: a check changed the block that it was given.
    :raises TypeError: what it found are no findings.
    """
    with ExitStack() as stack:
        parts = rows.blocks(cutting, kind)
        gathered = {part: _gathered(make(), blocks, stack, lasting=lasting) for part, blocks in parts}
        if travels:
            gathered = {part: pickle.loads(pickle.dumps(checks)) for part, checks in gathered.items()}  # noqa: S301
        merged = list(make())
        for part in cutting.order:
            for check, more in zip(merged, gathered[part], strict=True):
                check.merge(more)
        found = [finding for check in merged for finding in sound_findings(check.finish(), cutting.order)]
    return _in_the_file(found, rows, cutting)


def in_one_pass(make: Makes, rows: LiteralRows, blocks: int = 1) -> tuple[Finding, ...]:
    """The findings of accumulators that see all rows, finish themselves, and are neither pickled nor merged.

    :raises AssertionError: a check changed the block that it was given.
    :raises TypeError: what it found are no findings.
    """
    cutting = Cutting.even(rows.table.num_rows, 1, blocks)
    with ExitStack() as stack:
        [(_, given)] = rows.blocks(cutting)
        checks = _gathered(make(), given, stack, lasting=False)
        found = [finding for check in checks for finding in sound_findings(check.finish(), cutting.order)]
    return _in_the_file(found, rows, cutting)


def _in_the_file(found: Iterable[Finding], rows: LiteralRows, cutting: Cutting) -> tuple[Finding, ...]:
    before = rows.lines_before(cutting)
    return tuple(
        dataclasses.replace(finding, samples=tuple(in_file(sample, before) for sample in finding.samples))
        for finding in found
    )


def _gathered(
    checks: Iterable[Validator], blocks: Iterable[PlainBlock], stack: ExitStack, *, lasting: bool
) -> Sequence[Validator]:
    """One part's accumulators, after its last block."""
    checks = list(checks)
    for check in checks:
        if isinstance(check, Spilling):
            check.spill_to(Path(stack.enter_context(TemporaryDirectory(prefix="etl-spilled-"))))
    for block in blocks:
        for check in checks:
            check.update(block)
            assert not block.changed, f"{check.name} wrote into the block; other checks and the warehouse see it, too"
        if not lasting:
            block.end()
    for check in checks:
        if isinstance(check, Spilling):
            check.settle()
    return checks
