"""Packing: parts in local files, ready to upload."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_framework import BadRow, Codec, Column, ColumnType, Compressor, PackedPart, Part, Position, RunFailed
from etl_framework.packing import Packer, is_intact

COLUMNS = (
    Column(name="n", type=ColumnType.parse("bigint")),
    Column(name="price", type=ColumnType.parse("decimal(9,2)")),
    Column(name="day", type=ColumnType.parse("date")),
)
PART = Part(source=0, number=12, start=0, end=1000)
Content = Literal["source", "arrow"]


class Deflate:
    """A codec out of the standard library that holds back much of what it is fed."""

    name = "deflate"
    suffix = ".z"

    def compressor(self) -> Compressor:
        stream = zlib.compressobj()

        class Stream:
            def feed(self, data: bytes | bytearray | memoryview, /) -> bytes:
                return stream.compress(data)

            def finish(self) -> bytes:
                return stream.flush()

        return Stream()

    def reader(self, raw: BinaryIO) -> BinaryIO:
        return BytesIO(zlib.decompress(raw.read()))


class Plain:
    """No compression."""

    name = "none"
    suffix = ""

    def compressor(self) -> Compressor:
        class Stream:
            def feed(self, data: bytes | bytearray | memoryview, /) -> bytes:
                return bytes(data)

            def finish(self) -> bytes:
                return b""

        return Stream()

    def reader(self, raw: BinaryIO) -> BinaryIO:
        return raw


class HoldsBack(Deflate):
    """Gives nothing before the end."""

    def compressor(self) -> Compressor:
        held = bytearray()

        class Stream:
            def feed(self, data: bytes | bytearray | memoryview, /) -> bytes:
                held.extend(data)
                return b""

            def finish(self) -> bytes:
                return bytes(held)

        return Stream()


@dataclass
class Lines:
    """A block of numbered lines."""

    batch: pa.RecordBatch
    data: bytes | bytearray | memoryview
    source: str = "numbers.csv"
    part: int = PART.number
    bad_rows: Sequence[BadRow] = field(default_factory=tuple)
    lines: int = 0
    consumed: int = 0

    def position(self, row: int) -> Position:
        return Position(part=self.part, line=row + 1, offset=0)


def lines(numbers: Sequence[int]) -> Lines:
    schema = pa.schema([(column.name, column.type.arrow()) for column in COLUMNS])
    batch = pa.RecordBatch.from_pylist([{"n": number, "price": None, "day": None} for number in numbers], schema)
    return Lines(batch, memoryview("".join(f"{number},,\n" for number in numbers).encode()))


def pack(
    folder: Path, blocks: Sequence[Lines], content: Content, codec: Codec | None = None, piece_bytes: int = 1 << 30
) -> tuple[PackedPart, ...]:
    with Packer(folder, PART, COLUMNS, codec or Deflate(), content, piece_bytes) as packer:
        for block in blocks:
            packer.write(block)
        return packer.finish()


def unpack(packed: PackedPart, content: Content, codec: Codec) -> list[int]:
    """The numbers in a packed part."""
    with packed.path.open("rb") as file:
        stream = codec.reader(file)
        if content == "source":
            return [int(line.partition(b",")[0]) for line in stream]
        with pa.ipc.open_stream(stream) as reader:
            assert reader.schema == pa.schema([(column.name, column.type.arrow()) for column in COLUMNS])
            return [number for batch in reader for number in batch["n"].to_pylist()]


@pytest.mark.parametrize("content", ["source", "arrow"])
@pytest.mark.parametrize("codec", [Deflate(), Plain()], ids=["deflate", "plain"])
def test_what_is_packed_is_unpacked_again(tmp_path: Path, content: Content, codec: Codec) -> None:
    (packed,) = pack(tmp_path, [lines(range(100)), lines([]), lines(range(100, 150))], content, codec)
    assert unpack(packed, content, codec) == list(range(150))
    data = packed.path.read_bytes()
    assert (packed.size, packed.rows) == (len(data), 150)
    assert packed.digest == xxhash.xxh3_128(data).hexdigest()
    assert is_intact(packed)


@pytest.mark.parametrize(("content", "suffix"), [("source", ".txt.z"), ("arrow", ".arrow.z")])
def test_the_name_tells_part_piece_digest_content_and_codec(tmp_path: Path, content: Content, suffix: str) -> None:
    (packed,) = pack(tmp_path, [lines([1])], content)
    assert packed.name == f"000012-0000-{packed.digest[:16]}{suffix}"
    assert packed.path == tmp_path / packed.name
    assert (packed.part, packed.piece) == (12, 0)
    assert list(tmp_path.iterdir()) == [packed.path], "no unfinished file is left"


@pytest.mark.parametrize("content", ["source", "arrow"])
def test_a_part_that_outgrows_its_size_is_packed_in_pieces(tmp_path: Path, content: Content) -> None:
    blocks = [lines(range(10 * index, 10 * index + 10)) for index in range(7)]
    pieces = pack(tmp_path, blocks, content, piece_bytes=2 * len(blocks[0].data))
    assert [piece.piece for piece in pieces] == list(range(len(pieces)))
    assert 3 <= len(pieces) <= 4
    assert [number for piece in pieces for number in unpack(piece, content, Deflate())] == list(range(70))
    assert sum(piece.rows for piece in pieces) == 70
    assert sorted(tmp_path.iterdir()) == [piece.path for piece in pieces]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 40))
def test_pieces_hold_every_row_once_in_order_wherever_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], piece_bytes: int
) -> None:
    numbers = iter(range(1000))
    blocks = [lines([next(numbers) for _ in range(size)]) for size in sizes]
    pieces = pack(tmp_path_factory.mktemp("pack"), blocks, "source", piece_bytes=piece_bytes)
    assert [number for piece in pieces for number in unpack(piece, "source", Deflate())] == list(range(sum(sizes)))
    assert all(piece.rows for piece in pieces)


@pytest.mark.parametrize("content", ["source", "arrow"])
def test_a_part_without_rows_is_packed_in_no_file(tmp_path: Path, content: Content) -> None:
    assert pack(tmp_path, [lines([]), lines([])], content) == ()
    assert list(tmp_path.iterdir()) == []


def test_packing_the_same_again_gives_the_same_name_and_file(tmp_path: Path) -> None:
    first = pack(tmp_path, [lines(range(9))], "arrow")
    assert pack(tmp_path, [lines(range(9))], "arrow") == first
    assert pack(tmp_path, [lines(range(8))], "arrow")[0].name != first[0].name


@pytest.mark.parametrize("content", ["source", "arrow"])
def test_an_exception_removes_finished_and_unfinished_pieces(tmp_path: Path, content: Content) -> None:
    def fail_half_way() -> None:
        with Packer(tmp_path, PART, COLUMNS, Deflate(), content, piece_bytes=10) as packer:
            packer.write(lines(range(10)))
            packer.write(lines([1]))
            assert len(list(tmp_path.iterdir())) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_what_is_discarded_leaves_nothing_and_finishing_then_gives_nothing(tmp_path: Path) -> None:
    with Packer(tmp_path, PART, COLUMNS, Deflate(), "arrow", 1 << 30) as packer:
        packer.write(lines([1]))
        packer.discard()
        assert packer.finish() == ()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder where the first piece's file is a device without room."""
    (tmp_path / "000012-0000.packing").symlink_to("/dev/full")
    yield tmp_path
    assert list(tmp_path.iterdir()) == [], "what could not be written was left"


@pytest.mark.parametrize("content", ["source", "arrow"])
def test_a_full_disk_while_writing_says_where_and_what_to_do(full_disk: Path, content: Content) -> None:
    with pytest.raises(RunFailed, match="No space left on device") as caught:
        pack(full_disk, [lines(range(10))], content, Plain())
    assert str(full_disk) in caught.value.message
    assert "Make room there" in caught.value.advice
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


@pytest.mark.parametrize("content", ["source", "arrow"])
def test_a_full_disk_at_the_end_of_a_piece_is_told_too(full_disk: Path, content: Content) -> None:
    with pytest.raises(RunFailed, match="No space left on device"):
        pack(full_disk, [lines(range(10))], content, HoldsBack())


def test_a_folder_that_is_gone_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="No such file or directory"):
        pack(tmp_path / "gone", [lines([1])], "source")


LIMITED = """
import sys
from pathlib import Path
from etl_framework import Part, RunFailed
from etl_framework.packing import Packer

class Batch:
    num_rows = 1

class Block:
    batch = Batch()
    data = b"x" * 60_000

class Plain:
    name, suffix = "none", ""
    def compressor(self):
        return self
    def feed(self, data):
        return data
    def finish(self):
        return b""

folder = Path(sys.argv[1])
try:
    with Packer(folder, Part(source=0, number=0, start=0, end=1), (), Plain(), "source", 1 << 30) as packer:
        packer.write(Block())
        packer.write(Block())
except RunFailed as error:
    print(error.message, list(folder.iterdir()))
"""


def test_a_write_that_stops_half_way_fails_and_removes_the_file(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    done = subprocess.run([sys.executable, "-c", limit + LIMITED, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write to {tmp_path}: File too large []\n"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


@pytest.mark.parametrize("damage", ["shorter", "longer", "changed", "gone", "a folder"])
def test_a_packed_part_that_is_not_what_it_was_is_not_intact(tmp_path: Path, damage: str) -> None:
    (packed,) = pack(tmp_path, [lines(range(100))], "source")
    data = packed.path.read_bytes()
    packed.path.unlink()
    match damage:
        case "shorter":
            packed.path.write_bytes(data[:-1])
        case "longer":
            packed.path.write_bytes(data + b"\0")
        case "changed":
            packed.path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "a folder":
            packed.path.mkdir()
    assert not is_intact(packed)


def test_a_packed_part_elsewhere_is_intact_as_long_as_its_bytes_are(tmp_path: Path) -> None:
    (packed,) = pack(tmp_path, [lines(range(100))], "source")
    moved = tmp_path / "moved"
    packed.path.rename(moved)
    assert not is_intact(packed)
    assert is_intact(replace(packed, path=moved))
