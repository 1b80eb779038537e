"""Rows that a test writes down, as the blocks that a plugin gets of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

from etl_framework.columns import Column, ColumnType, Kind
from etl_framework.testing.blocks import FILE, LiteralBlock, PlainBlock
from etl_framework.values import Analysis, Fact, Source, TextLayout

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.protocols import Block
    from etl_framework.values import Part

RowsLike: TypeAlias = "Mapping[str, Sequence[object]] | pa.Table | pa.RecordBatch"
"""Columns by name, or what Arrow has of them."""

ColumnTypes: TypeAlias = Mapping[str, str]
"""The types of columns as in ``etl.toml``: ``{"price": "decimal(18,4)"}``; the others follow from the values."""

_KINDS = {
    "bool": Kind.BOOLEAN,
    "int16": Kind.SMALLINT,
    "int32": Kind.INTEGER,
    "int64": Kind.BIGINT,
    "float": Kind.REAL,
    "double": Kind.DOUBLE,
    "date32[day]": Kind.DATE,
    "time64[us]": Kind.TIME,
    "timestamp[us]": Kind.TIMESTAMP,
    "timestamp[us, tz=UTC]": Kind.TIMESTAMPTZ,
    "string": Kind.VARCHAR,
    "null": Kind.VARCHAR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How rows are cut into parts and blocks, and in which order the parts come together.

    :param parts: of each part, how many rows each of its blocks has; a part may have no block at all.
    :param order: the numbers of the parts, in the order in which their accumulators are merged.
    """

    parts: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]

    @classmethod
    def whole(cls, rows: int) -> Cutting:
        """One part of one block, or of none when there are no rows."""
        return cls(parts=((rows,) if rows else (),), order=(0,))

    @classmethod
    def even(cls, rows: int, parts: int, blocks: int) -> Cutting:
        """So many parts of so many blocks each, as far as the rows suffice; merged from the last to the first."""
        cut = [_shares(share, blocks) for share in _shares(rows, parts)] or [()]
        return cls(parts=tuple(cut), order=tuple(reversed(range(len(cut)))))


def _shares(rows: int, shares: int) -> tuple[int, ...]:
    ends = [rows * number // shares for number in range(1, shares + 1)]
    return tuple(size for size in (end - start for start, end in zip([0, *ends], ends, strict=False)) if size)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralRows:
    """Rows as they would stand in a CSV file with a header, read and typed.

    :param table: the rows, typed as the columns say.
    :param columns: of the file, and of the run.
    :param header: the text of the first line.
    :param records: the text of each row, with its line end.
    :param starts: the byte of the file at which each record begins.
    """

    table: pa.Table
    columns: tuple[Column, ...]
    header: bytes
    records: tuple[bytes, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, rows: RowsLike, types: ColumnTypes | None = None) -> LiteralRows:
        """Type literal rows.

        :param types: of columns whose type the values do not tell, such as ``{"price": "decimal(18,4)"}``.
        :raises UsageError: a type is unknown.
        :raises TypeError: no column of a file has values of such an Arrow type.
        """
        table = _arrow_table(rows, types or {})
        columns = tuple(
            Column(name=field.name, type=_type_of(field.type, (types or {}).get(field.name)), declared=True)
            for field in table.schema
        )
        schema = _schema(columns)
        # A decimal's or a text's value may have been given as another type.
        table = table.cast(schema).replace_schema_metadata(None)
        lines = list(_csv(columns, table))
        return cls(
            table=table,
            columns=columns,
            header=lines[0],
            records=tuple(lines[1:]),
            starts=tuple(accumulate(map(len, lines)))[:-1],
        )

    @property
    def types(self) -> ColumnTypes:
        """Of each column, as in ``etl.toml``."""
        return {column.name: str(column.type) for column in self.columns}

    def repeated(self, times: int) -> LiteralRows:
        """The same rows several times, one after the other."""
        import pyarrow as pa

        return type(self).of(pa.concat_tables([self.table] * times), self.types)

    def blocks(
        self, cutting: Cutting, kind: type[PlainBlock] = LiteralBlock
    ) -> Iterator[tuple[int, Iterator[PlainBlock]]]:
        """Each part's number and blocks; the header is the first line of the first part."""
        at = 0
        for part, sizes in enumerate(cutting.parts):
            yield part, self._blocks_of(part, at, sizes, kind)
            at += sum(sizes)

    def lines_before(self, cutting: Cutting) -> dict[int, int]:
        """By part, the lines of the file that precede it."""
        lines = [sum(record.count(b"\n") for record in self.records[:at]) for at in self._begins(cutting)]
        return {part: before + (part > 0) for part, before in enumerate(lines)}

    def analysis(self) -> Analysis:
        """What a hook learns of the file beforehand."""
        size = self.starts[-1] + len(self.records[-1]) if self.records else 0
        source = Source(path=FILE, size=size, modified_ns=0, changed_ns=0, inode=0, digest="0" * 32)
        return Analysis(
            source=source,
            format=LiteralFormat(rows=self),
            columns=self.columns,
            rows=self.table.num_rows,
            rows_exact=True,
            facts=(Fact(label="format", value="rows that a test wrote down"),),
        )

    @staticmethod
    def _begins(cutting: Cutting) -> tuple[int, ...]:
        return tuple(accumulate((sum(sizes) for sizes in cutting.parts), initial=0))[:-1]

    def _blocks_of(self, part: int, at: int, sizes: Sequence[int], kind: type[PlainBlock]) -> Iterator[PlainBlock]:
        lines = int(part == 0)
        for size in sizes:
            block = kind(self, part, at, at + size, lines)
            yield block
            at += size
            lines += block.lines


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralFormat:
    """The format of literal rows, which are one part: see :class:`~etl_framework.protocols.Format`."""

    rows: LiteralRows
    name: str = "literal"

    def split(self, source: Source, part_bytes: int) -> Sequence[tuple[int, int]]:  # noqa: ARG002
        """One part."""
        return [(0, source.size)]

    split_exactly = split

    def read(self, source: Source, part: Part, columns: Sequence[Column], block_bytes: int) -> Iterator[Block]:  # noqa: ARG002
        """All rows as one block."""
        for _, blocks in self.rows.blocks(Cutting.whole(self.rows.table.num_rows)):
            yield from blocks

    def text_layout(self) -> TextLayout | None:
        """As CSV."""
        return TextLayout(
            fields=tuple(column.name for column in self.rows.columns),
            delimiter=",",
            quote='"',
            escape=None,
            newline="\n",
            null_values=("",),
        )

    def count_rows(self, source: Source, workers: int) -> int:  # noqa: ARG002
        """As many as were written down."""
        return len(self.rows.records)


def _arrow_table(rows: RowsLike, types: ColumnTypes) -> pa.Table:
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        return rows
    arrow = {name: ColumnType.parse(types[name]).arrow() for name in rows if name in types}
    return pa.table({name: pa.array(values, arrow.get(name)) for name, values in rows.items()})


def _schema(columns: Sequence[Column]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(column.name, column.type.arrow()) for column in columns])


def _type_of(arrow: Any, declared: str | None) -> ColumnType:
    import pyarrow as pa

    if declared is not None:
        return ColumnType.parse(declared)
    if pa.types.is_decimal(arrow):
        return ColumnType(kind=Kind.DECIMAL, precision=min(arrow.precision, 38), scale=max(arrow.scale, 0))
    if pa.types.is_timestamp(arrow):
        return ColumnType(kind=Kind.TIMESTAMPTZ if arrow.tz else Kind.TIMESTAMP)
    if (kind := _KINDS.get(str(arrow))) is None:
        raise TypeError(f"no column of a file has values of the Arrow type {arrow}")
    return ColumnType(kind=kind)


def _csv(columns: Sequence[Column], table: pa.Table) -> Iterator[bytes]:
    import csv
    import io

    names = tuple(column.name for column in columns)
    for values in (names, *zip(*(column.to_pylist() for column in table.columns), strict=True)):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(["" if value is None else value for value in values])
        yield line.getvalue().encode("utf-8", "surrogatepass")
