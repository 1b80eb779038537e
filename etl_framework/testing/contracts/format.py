"""The contract of formats: what ``etl_analyze`` answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from etl_framework.errors import EtlError, InputError
from etl_framework.protocols import Lined, Located, MisplacedCut, TypesWidened
from etl_framework.sources import identify
from etl_framework.testing.checking import literal_job
from etl_framework.testing.contracts.base import PluginContract, travelled
from etl_framework.values import Analysis, Part

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.columns import Column
    from etl_framework.protocols import Block
    from etl_framework.values import Source

_PART_SIZES = (1, 7, 40, 1_000, 1 << 30)


class FormatContract(PluginContract):
    """The parts of a file are the file, and are read as the whole is.

    >>> class TestPipes(FormatContract):
    ...     content = b"id|name\\n1|a\\n2|b\\n"
    ...     rows = 2
    ...
    ...     def plugin(self):
    ...         return etl_pipes

    :cvar content: a file that the plugin can read.
    :cvar file: its name.
    :cvar rows: how many records it has, good or bad.
    :cvar sections: what the job says, such as ``{"format": {"delimiter": "|"}}``.
    """

    content: ClassVar[bytes]
    file: ClassVar[str] = "rows.csv"
    rows: ClassVar[int]
    sections: ClassVar[Mapping[str, object]] = {}

    @abstractmethod
    def plugin(self) -> object:
        """The plugin that knows the format."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        """The file."""
        path = tmp_path / self.file
        path.write_bytes(self.content)
        return identify(path)

    def analyze(self, source: Source, columns: tuple[Column, ...] = ()) -> Analysis:
        """What the plugin says of a file, as the core asks it."""
        job = literal_job(patterns=(source.path,), sections=self.sections, columns=columns)
        return self.plugins().analyze(source, job)

    def test_the_analysis_is_of_the_source_and_has_columns(self, source: Source) -> None:
        """It can travel and rest in the journal."""
        analysis = self.analyze(source)
        assert analysis.source == source
        assert analysis.columns, "there are no columns"
        names = [column.name for column in analysis.columns]
        assert len(set(names)) == len(names), f"two columns have one name: {names}"
        assert analysis.format.name
        assert travelled(analysis).columns == analysis.columns

    @pytest.mark.parametrize("exactly", [False, True])
    def test_the_parts_of_a_file_put_together_are_the_file(self, source: Source, exactly: bool) -> None:
        """Byte for byte, whatever the size of a part."""
        form = self.analyze(source).format
        for size in _PART_SIZES:
            cuts = list((form.split_exactly if exactly else form.split)(source, size))
            assert cuts, "there is no part at all"
            ends = [0, *(end for _, end in cuts)]
            assert [start for start, _ in cuts] == ends[:-1], f"parts of {size} bytes leave a gap or overlap: {cuts}"
            assert ends[-1] == source.size, f"parts of {size} bytes end at {ends[-1]} of {source.size}"

    def test_the_parts_are_read_as_the_whole_is(self, source: Source) -> None:
        """The same rows in the same order, of the same bytes, whatever the size of a part and of a block."""
        analysis = self.analyze(source)
        whole = read(analysis, [(0, source.size)], 1 << 20)
        for size in _PART_SIZES:
            for block in (64, 1 << 20):
                parts = read(analysis, _cuts(analysis, size), block)
                assert parts.rows.equals(whole.rows), f"other rows in parts of {size} bytes, blocks of {block}"
                assert parts.data == whole.data, f"other bytes in parts of {size} bytes, blocks of {block}"
                assert parts.bad == whole.bad, f"other bad rows in parts of {size} bytes, blocks of {block}"

    def test_it_is_read_the_same_in_another_process(self, source: Source) -> None:
        """A format travels to workers."""
        analysis = self.analyze(source)
        whole = [(0, source.size)]
        assert read(travelled(analysis), whole, 1 << 20).rows.equals(read(analysis, whole, 1 << 20).rows)

    def test_records_are_counted_as_they_are_read(self, source: Source) -> None:
        """Good and bad ones."""
        analysis = self.analyze(source)
        assert analysis.format.count_rows(source, 2) == self.rows
        whole = read(analysis, [(0, source.size)], 1 << 20)
        assert whole.rows.num_rows + whole.bad == self.rows
        assert not analysis.rows_exact or analysis.rows == self.rows

    def test_batches_have_the_columns_of_the_run(self, source: Source) -> None:
        """Names and types, in order."""
        analysis = self.analyze(source)
        whole = read(analysis, [(0, source.size)], 1 << 20)
        expected = [(column.name, column.type.arrow()) for column in whole.columns]
        assert [(field.name, field.type) for field in whole.rows.schema] == expected

    def test_every_row_can_be_found_again(self, source: Source) -> None:
        """Its line and its place within the file; both grow from row to row."""
        analysis = self.analyze(source)
        whole = read(analysis, [(0, source.size)], 64)
        assert len(whole.places) == whole.rows.num_rows
        for (line, offset), (next_line, next_offset) in zip(whole.places, whole.places[1:], strict=False):
            assert 1 <= line < next_line
            assert 0 <= offset < next_offset

    def test_places_are_told_alike_one_by_one_and_at_once(self, source: Source) -> None:
        """As far as blocks offer it."""
        analysis = self.analyze(source)
        for _, block in blocks_of(analysis, [(0, source.size)], 64):
            places = [block.position(row) for row in range(block.batch.num_rows)]
            assert list(block.positions(range(block.batch.num_rows))) == places
            if isinstance(block, Located):
                assert block.offsets().tolist() == [place.offset for place in places]
            if isinstance(block, Lined):
                assert block.row_lines().tolist() == [place.line for place in places]

    def test_an_empty_file_with_declared_columns_has_one_empty_part(self, source: Source) -> None:
        """So a configuration is checked; a format of which no file can be empty says so of the source."""
        columns = self.analyze(source).columns
        Path(source.path).write_bytes(b"")
        empty = identify(source.path)
        try:
            analysis = self.analyze(empty, columns)
        except InputError:
            return
        assert list(analysis.format.split(empty, 1_000)) == [(0, 0)]
        assert read(analysis, [(0, 0)], 1 << 20).rows.num_rows == 0

    def test_a_file_that_is_gone_is_told_as_an_error_of_the_source(self, source: Source) -> None:
        """Not as a defect of the plugin."""
        Path(source.path).unlink()
        with pytest.raises(EtlError) as caught:
            read(self.analyze(source), [(0, source.size)], 1 << 20)
        assert not type(caught.value).__name__.startswith(("Hook", "Plugin")), str(caught.value)


class Everything:
    """What was read of a file, put together."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.batches: list[pa.RecordBatch] = []
        self.data = b""
        self.bad = 0
        self.places: list[tuple[int, int]] = []

    @property
    def rows(self) -> pa.Table:
        """All good rows, in one piece."""
        import pyarrow as pa

        schema = pa.schema([(column.name, column.type.arrow()) for column in self.columns])
        return pa.Table.from_batches(self.batches, self.batches[0].schema if self.batches else schema).combine_chunks()


def read(analysis: Analysis, cuts: Sequence[tuple[int, int]], block_bytes: int) -> Everything:
    """Read parts, with types widened as often as the format asks for it."""
    import pyarrow as pa

    everything = Everything(analysis.columns)
    for columns, block in blocks_of(analysis, cuts, block_bytes):
        if everything.columns != columns:
            everything = Everything(columns)
        batch: Any = block.batch
        # The block's memory is used again.
        everything.batches.append(pa.RecordBatch.from_pylist(batch.to_pylist(), schema=batch.schema))
        everything.data += bytes(block.data)
        everything.bad += len(block.bad_rows)
        places = [block.position(row) for row in range(batch.num_rows)]
        everything.places += [(place.line, place.offset) for place in places]
    return everything


def blocks_of(
    analysis: Analysis, cuts: Sequence[tuple[int, int]], block_bytes: int
) -> Iterator[tuple[tuple[Column, ...], Block]]:
    """The blocks of parts, each with the columns of the run; those widen as often as the format asks for it.

    After a widening, all blocks come again from the first one on.
    """
    columns = analysis.columns
    for _ in range(20):
        try:
            for number, (start, end) in enumerate(cuts):
                part = Part(source=0, number=number, start=start, end=end)
                for block in analysis.format.read(analysis.source, part, columns, block_bytes):
                    yield columns, block
        except TypesWidened as widened:
            columns = widened.columns
        else:
            return
    raise AssertionError("the format widens types without an end")


def _cuts(analysis: Analysis, size: int) -> Sequence[tuple[int, int]]:
    cuts = analysis.format.split(analysis.source, size)
    try:
        read(analysis, cuts, 1 << 20)
    except MisplacedCut:
        return analysis.format.split_exactly(analysis.source, size)
    return cuts
