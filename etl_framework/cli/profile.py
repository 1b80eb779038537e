"""A profile for people: one table of all columns, then what is worth knowing of each."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from etl_framework.cli.session import facts, findings, table
from etl_framework.terminal import bytes_in_words, counted, printable, quoted, seconds_in_words

if TYPE_CHECKING:
    from etl_framework.profiles import ColumnProfile, Profile, Quantile, Score
    from etl_framework.profiling import Profiling

_SHOWN, _TOP, _PATTERNS = 24, 5, 5
_FIGURES = ["column", "type", "nulls", "distinct", "minimum", "maximum", "mean", "score"]


def show_profiling(profiling: Profiling) -> None:
    """Print a profile, and what it comes from."""
    findings(profiling.findings)
    if profiling.profile is None:
        return
    profile = profiling.profile
    show_profile(profile)
    speed = profiling.bytes / max(profiling.seconds, 1e-9)
    click.echo(
        f"{counted(profile.rows, 'good row')}, {counted(profile.bad_rows, 'bad row')} "
        f"in {counted(len(profiling.sources), 'file')}, {bytes_in_words(profiling.bytes)} "
        f"in {seconds_in_words(profiling.seconds)} ({bytes_in_words(speed)}/s)"
    )


def show_profile(profile: Profile) -> None:
    """Print a profile."""
    table("", _FIGURES, map(_figures, profile.columns), right=frozenset({"nulls", "distinct", "mean", "score"}))
    click.echo()
    for column in profile.columns:
        _show_column(column, sampled=profile.sampled < profile.rows)
    _show_score("quality", profile.score)


def _figures(column: ColumnProfile) -> tuple[str, ...]:
    return (
        column.name,
        str(column.type),
        _share(column.nulls, column.rows),
        f"{'~' if column.distinct_error else ''}{column.distinct:,}",
        _said(column.minimum),
        _said(column.maximum),
        _said(column.mean),
        "" if column.score.value is None else f"{column.score.value:.1f}",
    )


def _show_column(column: ColumnProfile, *, sampled: bool) -> None:
    """Print what does not fit into a line of the table; ``~`` marks estimates.

    :param sampled: whether shapes were looked at in some of the rows alone.
    """
    told: list[tuple[str, object]] = []
    if column.deviation is not None:
        told.append(("  deviation", _said(column.deviation)))
    if column.quantiles:
        ranks = "  ".join(f"{quantile.share:.0%} {_quantile(quantile)}" for quantile in column.quantiles)
        told.append(("  quantiles", ranks))
    if column.top:
        about = "~" if column.top_error else ""
        shown = ", ".join(f"{_quoted(top.value)} {about}{top.share:.1%}" for top in column.top[:_TOP])
        told.append(("  top values", shown))
    elif column.no_top:
        told.append(("  top values", f"none: {printable(column.no_top)}"))
    if column.lengths is not None:
        shortest, longest = column.lengths.shortest, column.lengths.longest
        told.append(("  length", f"{shortest:,} to {longest:,} characters, {column.lengths.mean:,.1f} on average"))
    if column.patterns:
        about = "~" if sampled else ""
        usual = column.patterns[:_PATTERNS]
        shown = ", ".join(f"{_said(pattern.shape)} {about}{pattern.share:.1%}" for pattern in usual)
        told.append(("  patterns", shown))
    told += _parts(column.score)
    if told:
        click.secho(printable(column.name), bold=True)
        facts(told)
        click.echo()


def _show_score(title: str, score: Score) -> None:
    if score.value is not None:
        click.secho(f"{title}: {score.value:.1f} of 100", bold=True)
        facts(_parts(score))


def _parts(score: Score) -> list[tuple[str, object]]:
    return [(f"  {part.dimension}", f"{part.value:.1%} × {part.weight:.2f}: {part.reason}") for part in score.parts]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if part else "0"


def _quantile(quantile: Quantile) -> str:
    return f"{'~' if quantile.low != quantile.high else ''}{_said(quantile.value)}"


def _quoted(value: object) -> str:
    return quoted(value, limit=_SHOWN) if isinstance(value, str) else f"'{_said(value)}'"


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:,}"
    return printable(value.isoformat() if isinstance(value, date | time) else str(value), limit=_SHOWN)
