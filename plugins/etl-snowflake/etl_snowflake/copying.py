"""COPY: staged parts into a table, and every row of its answer read."""

# ruff: noqa: S608 - statements are put together here, of quoted names, numbers and bound values only

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_framework import RunFailed, counted, quote
from etl_snowflake.failing import TOO_LONG, StatementFailed
from etl_snowflake.formats import expressions, file_format
from etl_snowflake.sql import literal
from etl_snowflake.table import fold

if TYPE_CHECKING:
    from etl_framework import Run, StagedPart, TextLayout
    from etl_snowflake.session import Session
    from etl_snowflake.stage import Stage
    from etl_snowflake.table import Place

MOST_FILES = 1000
"""Names that one COPY takes (https://docs.snowflake.com/en/sql-reference/sql/copy-into-table)."""

_CLOCKS_APART = 5
"""Minutes that are looked back further: the load's table is new, so that it holds nothing from before."""

_PLACE = re.compile(r"File '(?P<file>[^']*)', line \d+(?:(?!File ').)*?Row (?P<row>\d+)", re.DOTALL)
_COLUMN = re.compile(r"""column "(?:[^"]|"")*"\[(?:"(?P<name>(?:[^"]|"")*)":)?(?P<number>\d+)\]""")
"""A column of the table as in ``"T"["PRICE":3]``, or a field as in ``"TRANSIENT_STAGE_TABLE"["$3":3]`` or ``…[3]``."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One COPY statement and the parts that it names."""

    sql: str
    parts: tuple[StagedPart, ...]

    @property
    def bytes(self) -> int:
        """Size of the staged parts."""
        return sum(part.size for part in self.parts)

    def marked(self, mark: str) -> MarkedCopy:
        """The statement as it is sent once, to be told from the same one of an earlier attempt.

        :param mark: of letters and digits, never used before.
        """
        # Snowflake's history drops a comment before a statement, and what is beyond 100,000 characters.
        beginning = f"COPY INTO /* {mark} */ "
        return MarkedCopy(beginning, beginning + self.sql.removeprefix("COPY INTO "))


@dataclass(frozen=True, slots=True)
class MarkedCopy:
    """One sending of a COPY: by its beginning Snowflake's query history knows it."""

    beginning: str
    sql: str


def copies(table: str, names: Sequence[str], parts: Sequence[StagedPart], stage: Stage, run: Run) -> Iterator[Copy]:
    """The statements that bring staged parts into a table: for each layout, as many as the number of parts asks for.

    :param table: quoted.
    :param names: of the run's columns, in the table.
    """
    for layout, several in _by_layout(parts, run).items():
        columns = ", ".join(map(quote, names))
        values = ", ".join(expressions(run.columns, layout))
        for at in range(0, len(several), MOST_FILES):
            chosen = tuple(several[at : at + MOST_FILES])
            files = ", ".join(literal(part.name) for part in chosen)
            yield Copy(
                f"COPY INTO {table} ({columns}) FROM (SELECT {values} FROM {stage.folder(run.id)}) "
                f"FILES = ({files}) FILE_FORMAT = {file_format(layout, run.codec.name)} "
                "ON_ERROR = ABORT_STATEMENT PURGE = FALSE FORCE = FALSE",
                chosen,
            )


def _by_layout(parts: Sequence[StagedPart], run: Run) -> Mapping[TextLayout, Sequence[StagedPart]]:
    """The parts that are read alike, in order."""
    found: dict[TextLayout, list[StagedPart]] = {}
    for part in parts:
        layout = run.layout(part.part)
        if layout is None:
            raise RunFailed("a source is no text that Snowflake could read", advice="Please report this as a defect.")
        found.setdefault(layout, []).append(part)
    return found


def told_by_history(session: Session, table: Place, copy: Copy, seconds: float) -> list[dict[str, Any]]:
    """What COPY would have answered of its parts, as far as they were loaded into a table.

    :param table: one that this load made.
    :param seconds: how long ago the statement was sent.
    """
    since = int(seconds / 60) + _CLOCKS_APART
    found = session.rows(
        f"SELECT FILE_NAME, STATUS, ROW_PARSED, ROW_COUNT, FIRST_ERROR_MESSAGE "
        f"FROM TABLE({quote(table.database)}.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => {literal(table.sql)}, "
        f"START_TIME => DATEADD(minute, -{since}, CURRENT_TIMESTAMP())))"
    )
    names = ("file", "status", "rows_parsed", "rows_loaded", "first_error")
    rows = [dict(zip(names, row, strict=True)) for row in found]
    ours = {part.name for part in copy.parts}
    return [row for row in rows if str(row["file"]).rpartition("/")[2] in ours]


def check_answer(copy: Copy, answer: Sequence[Mapping[str, Any]]) -> int:
    """Insist that every part was loaded whole.

    :param answer: the rows of COPY's answer.
    :returns: rows that were loaded.
    :raises RunFailed: a part is missing, or anything but loaded with as many rows as were staged.
    """
    told = {str(row["file"]).rpartition("/")[2]: row for row in answer if "file" in row}
    for part in copy.parts:
        row = told.get(part.name)
        if row is None:
            raise RunFailed(f"COPY says nothing of part {part.name}", advice="Nothing was published.")
        status, parsed, loaded = str(row["status"]).upper(), int(row["rows_parsed"] or 0), int(row["rows_loaded"] or 0)
        if status != "LOADED" or not parsed == loaded == part.rows:
            raise RunFailed(
                f"part {part.name} was not loaded whole: {status}, {counted(parsed, 'row')} parsed and {loaded:,} "
                f"loaded of {part.rows:,}" + (f": {row['first_error']}" if row.get("first_error") else ""),
                advice="Nothing was published.",
            )
    return sum(part.rows for part in copy.parts)


def located(error: StatementFailed, parts: Sequence[StagedPart], run: Run) -> RunFailed:
    """The error of a COPY, told of the source that the row came from instead of the part that it was staged in.

    :param parts: every staged part of the run.
    """
    # The value that is not taken comes first, and may hold anything.
    *_, found = (None, *_PLACE.finditer(error.said))
    name = found["file"].rpartition("/")[2] if found else None
    part = next((part for part in parts if part.name == name), None)
    if found is None or part is None:
        return error
    before = sum(other.rows for other in parts if other.part == part.part and other.piece < part.piece)
    place = run.locate(part.part, before + int(found["row"]) - 1)
    if place is None:
        return error
    column = _column_of(error.said, part, run)
    return RunFailed(
        f"{place.file}, line {place.line}{column and f', column {column}'}: Snowflake does not take the row: "
        f"{error.message}",
        advice=error.advice or f"The table is as it was. {_remedy(error)}",
    )


def _remedy(error: StatementFailed) -> str:
    if error.number in TOO_LONG:
        return "Let the column of the table take longer texts, or correct the row."
    return "Correct the row."


def _column_of(message: str, part: StagedPart, run: Run) -> str:
    """What the source calls the column that an error is about; empty where that is not known."""
    layout = run.layout(part.part)
    *_, found = (None, *_COLUMN.finditer(message))
    if found is None or layout is None:
        return ""
    stored = (found["name"] or "").replace('""', '"')
    if stored and stored != f"${found['number']}":
        return next((column.name for column in run.columns if stored in (column.name, fold(column.name))), "")
    at = int(found["number"]) - 1
    return layout.fields[at] if at in range(len(layout.fields)) else ""
