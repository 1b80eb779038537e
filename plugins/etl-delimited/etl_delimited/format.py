"""Delimited text as a format of the framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etl_delimited.dialect import Dialect
    from etl_framework import Block, Column, Part, Source, TextLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedFormat:
    """How to split and to read one delimited source; see :class:`etl_framework.Format`.

    :param dialect: how bytes make records and fields.
    :param header: the fields' names, each once, in the order of the file; made up where the file has no header. Empty
        for an empty file whose columns are not declared.
    """

    dialect: Dialect
    header: tuple[str, ...]
    name: str = "delimited"

    def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        """Cut the source at record boundaries, guessed from the data around each."""
        from etl_delimited.split import split

        return split(source, self.dialect, len(self.header), part_bytes)

    def split_exactly(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:
        """Cut the source at record boundaries, reading everything before each."""
        from etl_delimited.split import split_exactly

        return split_exactly(source, self.dialect, part_bytes)

    def read(self, source: Source, part: Part, columns: Sequence[Column], block_bytes: int) -> Iterator[Block]:
        """The blocks of one part; a block is valid until the next one is asked for.

        :param columns: by name among the header; the batches have them in this order.
        """
        from etl_delimited.read import read_part

        # An empty source among others does not know its fields; they are those of the others.
        header = self.header or tuple(column.name for column in columns)
        return read_part(self.dialect, header, source, part, columns, block_bytes)

    def text_layout(self) -> TextLayout:
        """How the bytes of a block are to be read."""
        from etl_framework import TextLayout

        dialect = self.dialect
        return TextLayout(
            fields=self.header,
            delimiter=dialect.delimiter,
            quote=dialect.quote,
            escape=dialect.escape,
            newline=dialect.newline,
            null_values=dialect.null_values,
        )

    def count_rows(self, source: Source, workers: int) -> int:
        """Exact number of records, parsing nothing."""
        from etl_delimited.count import count_rows

        return count_rows(source, self.dialect, len(self.header), workers)
