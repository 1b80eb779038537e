"""The rows that ``etl plugins check`` tries checks with, and what it says of a check that raises of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_framework.errors import EtlError, HookFailed
from etl_framework.plugins import Plugins
from etl_framework.sources import find_sources
from etl_framework.testing.contracts.format import read
from etl_framework.testing.literal import LiteralRows

if TYPE_CHECKING:
    from etl_framework.testing.examining import Request
    from etl_framework.values import Job, Source

_LARGEST = 4 << 20
"""Bytes of a source that is read several times over."""
_MOST_ROWS = 300

GENERATED: Mapping[str, Any] = {
    "id": [1, 2, 3, 4, 5],
    "day": [date(2024, 1, 1), date(2024, 1, 2), None, date(2024, 1, 4), date(2024, 1, 4)],
    "price": [Decimal("1.50"), Decimal("-2.25"), Decimal("0.00"), None, Decimal("99999.99")],
    "name": ["one", "two, with a comma", None, 'a "quote"', "naïve ☃"],
}


def first_source(request: Request, contract: str) -> Source | None:
    """The first source of the job, when it is there and small enough."""
    assert request.job is not None
    try:
        source = find_sources(request.job)[0]
    except EtlError as error:
        request.pass_over(contract, f"job {request.job.name!r}: {error.message}")
        return None
    if source.size > _LARGEST:
        request.pass_over(contract, f"{source.path} is larger than {_LARGEST >> 20} MiB; take a job of a small file")
        return None
    return source


def rows_for(request: Request, contract: str) -> LiteralRows | None:
    """Rows to check: the first ones of the job's first source, or generated ones."""
    job: Job | None = request.job
    if job is None:
        return LiteralRows.of(GENERATED)
    if (source := first_source(request, contract)) is None:
        return None
    try:
        everybody = Plugins.load(request.settings)
        everybody.use(job.use)
        everything = read(everybody.analyze(source, job), [(0, source.size)], 1 << 20)
    except EtlError as error:
        request.pass_over(contract, f"job {job.name!r}: {error.message}")
        return None
    types = {column.name: str(column.type) for column in everything.columns}
    return LiteralRows.of(everything.rows.slice(0, _MOST_ROWS), types)


def take_down(request: Request, contract: str, error: BaseException, check: str = "") -> None:
    """Tell a plugin that is broken from one whose columns are not among the generated ones, as far as that shows.

    :param check: which one raised; of :class:`HookFailed`, the message tells.
    """
    import pyarrow as pa

    cause = error.__cause__ if isinstance(error, HookFailed) else error
    said = error.message if isinstance(error, HookFailed) else f"check {check!r} raised {request.plugin.told(error)}"
    if isinstance(cause, (KeyError, pa.ArrowException)):
        request.pass_over(contract, f"generated rows do not suit it ({said}); give --job JOB")
    else:
        request.fail(
            contract, "it takes rows", f"{said}; if it is made for other rows than generated ones, give --job JOB"
        )
