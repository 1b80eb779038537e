"""Packing: the bytes of a part, compressed, in local files that are ready to upload."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import xxhash

from etl_framework.columns import Column
from etl_framework.errors import RunFailed
from etl_framework.rewriting import plain_text
from etl_framework.values import PackedPart, Part

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_framework.protocols import Block, Codec

# Allocators give larger blocks back to the system at once; fetching them again, page by page, costs as much as reading.
_BATCH_BYTES = 4 << 20
Content = Literal["source", "plain", "arrow"]
_SUFFIX: dict[Content, str] = {"arrow": ".arrow", "source": ".txt", "plain": ".csv"}


class Packer:
    """Writes the blocks of one part into one file, or into several when the part outgrows its nominal size.

    Leaving the ``with`` block early removes what was written.

    :param folder: where the files go.
    :param part: the part.
    :param columns: of every batch.
    :param codec: what compresses.
    :param content: what is packed: see :class:`~etl_framework.protocols.Warehouse`; ``plain`` is text written anew.
    :param piece_bytes: begin a new file after so many bytes of records.
    """

    def __init__(
        self,
        folder: Path,
        part: Part,
        columns: Sequence[Column],
        codec: Codec,
        content: Content,
        piece_bytes: int,
    ) -> None:
        self._folder = folder
        self._part = part
        self._columns = columns
        self._codec = codec
        self._content = content
        self._piece_bytes = piece_bytes
        self._piece: _Piece | None = None
        self._packed: list[PackedPart] = []
        self._whole = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if not self._whole:
            self.discard()

    def write(self, block: Block) -> None:
        """Take in the next block.

        :raises RunFailed: the local disk is full or not writable.
        """
        if not block.batch.num_rows:
            return
        try:
            if self._piece is None:
                path = self._folder / f"{self._part.number:06}-{len(self._packed):04}.packing"
                self._piece = _Piece(path, self._codec, self._content, self._columns)
            self._piece.write(block)
            if self._piece.fed >= self._piece_bytes:
                self._end_piece()
        except OSError as error:
            raise no_room(self._folder, error) from error

    def finish(self) -> tuple[PackedPart, ...]:
        """End the last file and give all of them."""
        try:
            self._end_piece()
        except OSError as error:
            raise no_room(self._folder, error) from error
        self._whole = True
        return tuple(self._packed)

    def discard(self) -> None:
        """Remove everything that was packed."""
        if self._piece is not None:
            self._piece.discard()
            self._piece = None
        for packed in self._packed:
            packed.path.unlink(missing_ok=True)
        self._packed.clear()

    def _end_piece(self) -> None:
        if self._piece is None:
            return
        piece = self._piece
        size, digest, rows = piece.finish()
        number, part = len(self._packed), self._part.number
        name = f"{part:06}-{number:04}-{digest[:16]}{_SUFFIX[self._content]}{self._codec.suffix}"
        path = self._folder / name
        piece.path.replace(path)
        self._piece = None
        self._packed.append(
            PackedPart(part=part, piece=number, path=path, name=name, size=size, digest=digest, rows=rows)
        )


class _Piece:
    """One file: records → (Arrow stream →) codec → digest → disk."""

    def __init__(self, path: Path, codec: Codec, content: str, columns: Sequence[Column]) -> None:
        self.path = path
        self.fed = 0
        self._rows = 0
        self._size = 0
        self._compressor = codec.compressor()
        self._digest = xxhash.xxh3_128()
        self._file = path.open("wb", buffering=0)
        self._stream: Any = None
        self._rewriting = content == "plain"
        if content == "arrow":
            import pyarrow as pa

            schema = pa.schema([(column.name, column.type.arrow()) for column in columns])
            self._stream = pa.ipc.new_stream(_Sink(self._feed), schema)

    def write(self, block: Block) -> None:
        self._rows += block.batch.num_rows
        self.fed += len(block.data)
        if self._rewriting:
            self._feed(plain_text(block.batch))
        elif self._stream is None:
            self._feed(block.data)
        else:
            for batch in _in_pieces(block.batch):
                self._stream.write_batch(batch)

    def finish(self) -> tuple[int, str, int]:
        if self._stream is not None:
            self._stream.close()
        self._keep(self._compressor.finish())
        self._file.close()
        return self._size, self._digest.hexdigest(), self._rows

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _feed(self, data: bytes | bytearray | memoryview) -> None:
        self._keep(self._compressor.feed(data))

    def _keep(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self._digest.update(data)
            self._size += len(data)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]


def _in_pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch into pieces that whoever reads them can keep in memory that is used again, and in the cache."""
    pieces = max(1, -(-batch.nbytes // _BATCH_BYTES))
    rows = -(-batch.num_rows // pieces)
    return (batch.slice(begin, rows) for begin in range(0, batch.num_rows, rows))


class _Sink:
    """The writing half of a file, as Arrow wants it."""

    closed = False

    def __init__(self, feed: Any) -> None:
        self.write = feed

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Nothing is held back here."""


def no_room(folder: Path, error: OSError) -> RunFailed:
    """What a run fails with when its own files cannot be written."""
    return RunFailed(
        f"cannot write to {folder}: {os.strerror(error.errno) if error.errno else error}",
        advice="Make room there, or allow writing.",
    )


def is_intact(packed: PackedPart) -> bool:
    """Whether a packed part is still there, whole; reads it."""
    try:
        with packed.path.open("rb") as file:
            digest = xxhash.xxh3_128()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
            return file.tell() == packed.size and digest.hexdigest() == packed.digest
    except OSError:
        return False
