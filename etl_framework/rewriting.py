"""Rewriting: records as plain delimited text, for a warehouse that would read other values from the source's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etl_framework.values import TextLayout

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.columns import Column
    from etl_framework.protocols import Warehouse
    from etl_framework.survey import Survey


def plain_layout(columns: Sequence[Column]) -> TextLayout:
    """How to read what :func:`plain_text` writes."""
    names = tuple(column.name for column in columns)
    if len(names) == 1:
        names = (*names, f"{names[0]}, then nothing")
    return TextLayout(
        fields=names, delimiter=",", quote='"', escape=None, newline="\n", null_values=("",), rewritten=True
    )


def plain_text(batch: pa.RecordBatch) -> bytes:
    """The rows as text: every value in quotes, nulls without, dates and times in ISO 8601, moments in UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    utc = pa.timestamp("us", tz="UTC")
    columns = [
        pc.binary_join_element_wise(pc.strftime(column.cast(utc), format="%Y-%m-%d %H:%M:%S"), "+00:00", "")
        if pa.types.is_timestamp(column.type) and column.type.tz
        else column
        for column in batch.columns
    ]
    if len(columns) == 1:
        # A null alone would be a blank line, which is nothing to some and an error to others.
        columns.append(pa.repeat("", batch.num_rows))
    sink = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    csv.write_csv(pa.RecordBatch.from_arrays(columns, names=[*map(str, range(len(columns)))]), sink, options)
    return bytes(sink.getvalue())


def staged_layouts(survey: Survey, warehouse: Warehouse) -> tuple[TextLayout | None, ...]:
    """How the staged parts of each source are to be read: as the source itself, where the warehouse can do that."""
    layouts = (analysis.format.text_layout() for analysis in survey.analyses)
    return tuple(
        layout if layout is None or warehouse.reads(layout, survey.columns) else plain_layout(survey.columns)
        for layout in layouts
    )


def rewritten(layouts: Sequence[TextLayout | None]) -> frozenset[int]:
    """The sources whose parts are written anew, by their index."""
    return frozenset(index for index, layout in enumerate(layouts) if layout is not None and layout.rewritten)
