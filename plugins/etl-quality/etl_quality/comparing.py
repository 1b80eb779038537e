"""Compare the figures of a run with those of an earlier one, and say what changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework import MOST_SAMPLES, Finding, Sample, Severity, counted

if TYPE_CHECKING:
    from etl_framework import Figure, Previous

NAME = "drift"
_ADVICE = {
    "rows": "Was the source delivered whole, only once, and for as long a time as before?",
    "nulls": "Is the column still filled at its source, and under the same name?",
    "distinct": "Are codes still written in the same way, and do rows come from as many sources as before?",
    "mean": "Has a unit, a currency or the decimal sign changed at the source?",
}
_KEPT = "The figures of each good load of this job are kept for the next one."
_SEVERAL_LOADS = (
    "A table that holds several loads is compared with none of them: give a period, or check loads (--check warehouse)."
)
_CALLED = {"nulls": "share of nulls", "distinct": "number of different values", "mean": "mean"}


def of_column(column: str, figure: str) -> str:
    """What a figure of a column is called among all; the name of the column is any text."""
    return f"{column}.{figure}"


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure of a column, or the number of rows, changed.

    :param size: of the change, in what its threshold counts.
    :param words: then and now, and by how much.
    :param now: the figure.
    """

    column: str | None
    size: float
    words: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifts:
    """What is compared with what.

    :param previous: the run to compare with, if there is one, and what this check measured in it.
    :param limits: by figure, how much it may change; 0 for any amount.
    :param severity: of what changed more.
    :param keys: columns that identify a row: their mean says nothing.
    :param in_table: whether rows of a table are compared, which may be those of several runs.
    """

    previous: Previous | None
    limits: Mapping[str, float]
    severity: Severity
    keys: tuple[str, ...] = ()
    in_table: bool = False

    def findings(self, now: Mapping[str, Figure]) -> Iterator[Finding]:
        """What changed too much, a finding for each figure; the first run has nothing to compare with."""
        if self.previous is None or not self.previous.measures.get("rows"):
            yield Finding(
                rule=NAME,
                severity=Severity.INFO,
                count=0,
                message="there is nothing to compare with",
                advice=f"{_KEPT} {_SEVERAL_LOADS}" if self.in_table else _KEPT,
            )
            return
        then = self.previous.measures
        run = f"run {self.previous.run} of {self.previous.finished:%Y-%m-%d}"
        for figure, limit in self.limits.items():
            found = self._changes(figure, then, now) if limit else ()
            if changes := sorted((c for c in found if c.size > limit), key=lambda change: -change.size):
                yield self._finding(figure, limit, changes, run)

    def _finding(self, figure: str, limit: float, changes: list[Change], run: str) -> Finding:
        first = changes[0]
        where = "" if first.column is None else f" of column {first.column!r}"
        more = f"; so did that of {counted(len(changes) - 1, 'more column')}" if len(changes) > 1 else ""
        return Finding(
            rule=NAME,
            severity=self.severity,
            count=len(changes),
            message=f"the {_CALLED.get(figure, 'number of rows')}{where} changed since {run}: {first.words}{more}",
            advice=f"{_ADVICE[figure]} What is no fault can be allowed for with checks.drift.{figure}, now {limit:g}.",
            samples=tuple(
                Sample(column=change.column, value=change.now, reason=change.words)
                for change in changes[:MOST_SAMPLES]
                if change.column is not None
            ),
        )

    def _changes(self, figure: str, then: Mapping[str, Figure], now: Mapping[str, Figure]) -> Iterator[Change]:
        if figure == "rows":
            change = _relative(then["rows"], now["rows"])
            if change is not None:
                yield Change(None, abs(change), _words(then["rows"], now["rows"], change), f"{now['rows']:,}")
        elif now["rows"]:
            columns = [name.removesuffix(f".{figure}") for name in now if name.endswith(f".{figure}")]
            known = {name.casefold(): value for name, value in then.items()}
            rows = float(then["rows"] or 0), float(now["rows"])
            for column in columns:
                before, after = _of(column, then, known), _of(column, now, {})
                if figure == "nulls":
                    yield from _nulls(column, before, after, *rows)
                elif figure == "distinct":
                    yield from _distinct(column, before, after, *rows)
                elif column.casefold() not in {key.casefold() for key in self.keys}:
                    yield from _mean(column, before, after)


Figures = dict[str, float | None]


def _of(column: str, measures: Mapping[str, Figure], folded: Mapping[str, Figure]) -> Figures:
    """The figures of a column; warehouses spell its name in their own way."""

    def of(figure: str) -> float | None:
        name = of_column(column, figure)
        found = measures.get(name, folded.get(name.casefold()))
        return None if found is None else float(found)

    return {figure: of(figure) for figure in ("nulls", "distinct", "mean", "deviation")}


def _nulls(column: str, then: Figures, now: Figures, rows_then: float, rows_now: float) -> Iterator[Change]:
    if then["nulls"] is not None and now["nulls"] is not None:
        before, after = then["nulls"] / rows_then, now["nulls"] / rows_now
        words = f"{before:.1%} then, {after:.1%} now: {(after - before) * 100:+.1f} percentage points"
        yield Change(column, abs(after - before), words, f"{after:.1%}")


def _distinct(column: str, then: Figures, now: Figures, rows_then: float, rows_now: float) -> Iterator[Change]:
    """Codes stay as many however many rows there are, and keys as many per row: either is no change."""
    before, after = then["distinct"], now["distinct"]
    change = _relative(before, after)
    per_row = _relative((before or 0) / rows_then, (after or 0) / rows_now)
    if change is not None and per_row is not None:
        yield Change(column, min(abs(change), abs(per_row)), _words(before, after, change), _number(after))


def _mean(column: str, then: Figures, now: Figures) -> Iterator[Change]:
    """Where the mean lies near zero, the spread of the values says what is a large change."""
    before, after = then["mean"], now["mean"]
    if before is None or after is None:
        return
    scale = max(abs(before), then["deviation"] or 0.0)
    if scale:
        by = "" if scale == abs(before) else " of the standard deviation then"
        change = (after - before) / scale
        yield Change(column, abs(change), _words(before, after, change) + by, _number(after))
    elif after:
        yield Change(column, math.inf, _words(before, after, math.inf), _number(after))


def _relative(then: float | None, now: float | None) -> float | None:
    if then is None or now is None:
        return None
    if not then:
        return math.inf if now else 0.0
    return (now - then) / then


def _words(then: float | None, now: float | None, change: float) -> str:
    # Of nothing, there is no share.
    by = f": {change * 100:+,.1f} %" if math.isfinite(change) else ""
    return f"{_number(then)} then, {_number(now)} now{by}"


def _number(value: float | None) -> str:
    if value is None:
        return "nothing"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"
