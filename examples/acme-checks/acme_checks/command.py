"""The command ``etl currencies``."""

from __future__ import annotations

from collections import Counter

import click


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--column", default="currency", show_default=True, help="Which column holds the currency.")
def currencies(files: tuple[str, ...], column: str) -> None:
    """Count the rows of each currency in FILEs."""
    from etl_framework import printable

    for currency, rows in sorted(count(files, column).items(), key=lambda item: -item[1]):
        click.echo(f"{printable(currency):<10}{rows:>15,}")


def count(files: tuple[str, ...], column: str) -> Counter[str]:
    """How many good rows each currency has.

    :raises UsageError: a file has no such column.
    """
    from etl_framework import Part, UsageError, analyze

    rows: Counter[str] = Counter()
    for analysis in analyze(*files):
        if column not in [known.name for known in analysis.columns]:
            raise UsageError(f"{analysis.source.path} has no column {column!r}", advice="Name one with --column.")
        whole = Part(source=0, number=0, start=0, end=analysis.source.size)
        for block in analysis.format.read(analysis.source, whole, analysis.columns, 8 << 20):
            for counted in block.batch[column].value_counts().to_pylist():
                rows[str(counted["values"])] += counted["counts"]
    return rows
