"""Where a row of a part lies in its file: for a warehouse that finds fault with a row that it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from etl_framework.values import Sample

if TYPE_CHECKING:
    from etl_framework.survey import Survey


def locate(survey: Survey, lines_before: Mapping[int, int], part: int, row: int, *, block_bytes: int) -> Sample | None:
    """Find a row by reading its part anew.

    :param lines_before: by part number, how many lines of the file come before the part.
    :param part: number of the part.
    :param row: index among the good rows of the part, from 0.
    :returns: file, line and byte offset; None when the part has no such row.
    """
    piece = survey.parts[part]
    analysis = survey.analyses[piece.source]
    for block in analysis.format.read(analysis.source, piece, survey.columns, block_bytes):
        if row < block.batch.num_rows:
            place = block.position(row)
            line = lines_before[part] + place.line
            return Sample(file=analysis.source.path, line=line, offset=place.offset)
        row -= block.batch.num_rows
    return None
