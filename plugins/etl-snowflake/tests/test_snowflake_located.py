"""Which column of the source the error of a COPY is about, whichever way Snowflake names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from etl_snowflake.copying import located
from etl_snowflake.failing import StatementFailed

from etl_framework import Column, ColumnType, Sample, StagedPart, TextLayout

LAYOUT = TextLayout(
    fields=("skipped", "Price", 'or"der'), delimiter=",", quote='"', escape=None, newline="\n", null_values=("",)
)
COLUMNS = tuple(
    Column(name=name, type=ColumnType.parse("varchar"), required=False, declared=True) for name in ("Price", 'or"der')
)
PARTS = tuple(StagedPart(part=3, piece=piece, name=f"part-{piece}", size=1, digest="", rows=100) for piece in range(2))


@dataclass
class Loading:
    """As much of a run as telling a place takes: its part 3 begins at line 1,000."""

    columns: tuple[Column, ...] = COLUMNS

    def layout(self, part: int) -> TextLayout:
        return LAYOUT

    def locate(self, part: int, row: int) -> Sample:
        return Sample(file=Path("sales.csv"), line=1000 + row, offset=0)


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ('"TRANSIENT_STAGE_TABLE"["$2":2]', ", column Price"),
        ('"TRANSIENT_STAGE_TABLE"[3]', ', column or"der'),
        ('"_ETL_LANDING_1"["PRICE":1]', ", column Price"),
        ('"odd ""table"""["or""der":2]', ', column or"der'),
        ('"TRANSIENT_STAGE_TABLE"[4]', ""),
        ('"T"["ELSE":1]', ""),
    ],
)
def test_the_place_of_a_row_that_is_not_taken_is_told_as_of_the_source(column: str, named: str) -> None:
    said = f"Found character File 'run/part-1', line 6, character 1 Row 5 starts at line 6, column {column}"
    error = StatementFailed(said, advice="", number=100038, sqlstate="22018", query=None)
    told = located(error, PARTS, Loading())
    assert told.message == f"sales.csv, line 1104{named}: Snowflake does not take the row: {said}"


@pytest.mark.parametrize("more", ["", " Row 1 starts at line 1"])
def test_a_value_of_many_lines_neither_hides_the_place_nor_feigns_another(more: str) -> None:
    said = f"""Numeric value 'a
b
c
File 'run/part-0', line 1, character 1{more}, column "T"["OR""DER":1]
d' is not recognized
  File 'run/part-1', line 6, character 1
  Row 5, column "TRANSIENT_STAGE_TABLE"["$2":2]"""
    error = StatementFailed("Numeric value 'a b c", advice="", number=100038, sqlstate="22018", query=None, said=said)
    told = located(error, PARTS, Loading())
    assert told.message == "sales.csv, line 1104, column Price: Snowflake does not take the row: Numeric value 'a b c"
