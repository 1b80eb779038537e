"""The reconciliation table: every column's control totals, and where the table differs from the sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from etl_framework import ColumnTotals, Totals, counted

if TYPE_CHECKING:
    from etl_framework import RunReport
    from etl_reports.page import Page

MOST_COLUMNS = 40
_FIGURES = ("nulls", "minimum", "maximum", "total")
_HEADINGS = ("column", *_FIGURES)
_NARROWEST = {0: 10, 2: 8, 3: 8}
_LONGEST_SUM = 30


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[str, ...]
    wrong: frozenset[str]


def print_control_totals(page: Page, report: RunReport) -> None:
    """Print the section; nothing when the run did not come so far."""
    if report.totals is None or not (report.totals.columns or report.differences):
        return
    compared = (report.reconciled and not report.counted_only) or bool(report.differences)
    page.heading("Control totals", _note(report, compared))
    if report.totals.columns:
        _print_table(page, report, report.totals, compared)
    for difference in report.differences[:MOST_COLUMNS]:
        page.print(page.text((f"{page.bad} {difference}", "red")), indent=2)


def _note(report: RunReport, compared: bool) -> str:
    if report.reconciled and report.counted_only:
        return "of the sources; in the table the rows were counted, no column was compared"
    if report.reconciled:
        return "the table holds what the sources hold"
    return "the table differs from the sources" if compared else "of the sources; nothing was compared"


def _print_table(page: Page, report: RunReport, totals: Totals, compared: bool) -> None:
    wrong: dict[str, set[str]] = {}
    for difference in report.differences:
        wrong.setdefault(difference.column, set()).add(difference.figure)
    # Columns that differ must be seen, however many there are.
    order = sorted(totals.columns, key=lambda column: column.name not in wrong)
    rows = [_row(page, column, frozenset(wrong.get(column.name, ()))) for column in order[:MOST_COLUMNS]]
    widths = _widths(rows, page.width - 2 - 2 * len(_HEADINGS) - (cell_len(page.good) + 2 if compared else 0))
    table = page.table()
    if compared:
        table.add_column("", overflow="fold")
    for index, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if index else "left", overflow="fold")
    for row in rows:
        cells = [_cell(page, *figure, row.wrong) for figure in zip(_HEADINGS, row.cells, widths, strict=True)]
        mark = page.text((page.bad, "bold red") if row.wrong else (page.good, "green"))
        table.add_row(*([mark] if compared else []), *cells)
    page.print(table, indent=2)
    if len(order) > len(rows):
        page.print(page.text((f"and {counted(len(order) - len(rows), 'more column')}", "dim")), indent=2)


def _row(page: Page, column: ColumnTotals, wrong: frozenset[str]) -> _Row:
    figures = (f"{column.nulls:,}", _value(column.minimum), _value(column.maximum), _sum(column.total))
    return _Row(tuple(page.safe(text, limit=200) for text in (column.name, *figures)), wrong)


def _cell(page: Page, figure: str, content: str, width: int, wrong: frozenset[str]) -> Text:
    return Text(page.fitted(content, width), style="bold red" if figure in wrong else "")


def _widths(rows: list[_Row], available: int) -> list[int]:
    """Cells for each column: what they need, names and extremes shortened until all fit; counts and sums never."""
    lines = [_HEADINGS, *(row.cells for row in rows)]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(_HEADINGS))]
    while sum(widths) > available:
        roomiest = max(_NARROWEST, key=lambda index: widths[index] - _NARROWEST[index])
        if widths[roomiest] <= _NARROWEST[roomiest]:
            break
        widths[roomiest] -= 1
    return widths


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _sum(value: float | Decimal | None) -> str:
    if value is None:
        return ""
    whole = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return whole if len(whole) <= _LONGEST_SUM else f"{value:.12e}"
