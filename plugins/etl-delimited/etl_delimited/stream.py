"""The bytes of a source in order, decompressed if need be."""

from __future__ import annotations

import os
from bz2 import BZ2Decompressor
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from etl_framework import InputError, SourceChanged, SourceDamaged, bytes_in_words, counted

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_delimited.dialect import Dialect
    from etl_framework import Source

_CHUNK_BYTES = 2 << 20
_PACKED_BYTES = 256 << 10


class Readable(Protocol):
    """Bytes in order. Not for several threads at once."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the beginning of the buffer.

        :returns: bytes read; 0 only at the end, fewer than fit at any time.
        :raises InputError: the source cannot be read.
        :raises SourceDamaged: it is damaged or cut short in its compression.
        """


class ByteStream(Readable, Protocol):
    """The bytes of a source; to be closed, best as a context manager."""

    def tell(self) -> int:
        """How far the source itself has been read, in bytes; ahead of what was given when it is compressed."""

    def close(self) -> None:
        """Let go of the file; may be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def open_source(path: str, dialect: Dialect, start: int = 0) -> ByteStream:
    """Open a source for reading.

    :param path: of the file.
    :param dialect: tells the compression.
    :param start: byte at which to begin; 0 when the source is compressed.
    :raises InputError: the file cannot be opened.
    """
    if dialect.compression is None:
        return PlainStream(path, start)
    assert start == 0, "a compressed source is read from its beginning"
    return DecompressedStream(path, dialect.compression)


def unreadable(path: str, error: OSError) -> InputError:
    """The error for a source that the operating system does not let us read."""
    return InputError(
        f"{path} cannot be read: {error.strerror or error}", advice="Check the path, its permissions and the disk."
    )


def damaged(path: str, compression: str, reason: str, content: int = 0) -> SourceDamaged:
    """The error for a compressed source that does not decompress to its end.

    :param reason: what the decompressor says.
    :param content: bytes that it gave before, more or less.
    """
    after = f" after some {bytes_in_words(content)} of content" if content else ""
    if "cut short" in reason or "truncated" in reason.lower():
        what = f"is cut short{after}: its {compression} data does not reach its end"
    else:
        what = f"is damaged{after}: {compression} data does not decompress ({reason})"
    return SourceDamaged(f"{path} {what}", advice="Fetch the file again, and begin anew.")


class PlainStream:
    """A file as it is, read without a buffer between."""

    def __init__(self, path: str, start: int = 0) -> None:
        self._path = path
        try:
            # Open for the life of the stream, which is a context manager itself.
            self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise unreadable(path, error) from error
        self._file.seek(start)

    def readinto(self, buffer: memoryview, /) -> int:
        """See :meth:`ByteStream.readinto`."""
        try:
            return self._file.readinto(buffer) or 0
        except OSError as error:
            raise unreadable(self._path, error) from error

    def tell(self) -> int:
        """Offset of the next byte in the file."""
        return self._file.tell()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class LimitedStream:
    """Some bytes of a source, and no more.

    :param stream: begins where they begin.
    :param size: how many.
    """

    def __init__(self, stream: Readable, source: Source, size: int) -> None:
        self._stream = stream
        self._source = source
        self._left = size

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the beginning of the buffer; 0 only at the end.

        :raises SourceChanged: the source ends too early.
        """
        if not self._left:
            return 0
        count = self._stream.readinto(buffer[: self._left])
        if not count and len(buffer):
            raise SourceChanged(
                f"{self._source.path} changed after the run began: it ends {counted(self._left, 'byte')} before the "
                "end of what was to be read",
                advice="Bring the file back as it was.",
            )
        self._left -= count
        return count


class DecompressedStream:
    """What a compressed file holds: all its gzip members, zstd frames or bz2 streams.

    A thread decompresses the next chunk while the caller works on the one before, and never more than that.

    :param compression: ``gzip``, ``zstd`` or ``bz2``.
    """

    def __init__(self, path: str, compression: str) -> None:
        import pyarrow as pa

        self._path, self._compression = path, compression
        try:
            # Arrow's own message for a file that does not open lacks the reason.
            Path(path).open("rb").close()
            self._file = pa.OSFile(os.fsencode(path))
        except OSError as error:
            raise unreadable(path, error) from error
        if self._file.size() == 0:
            self._file.close()
            raise damaged(path, compression, "cut short")
        # Arrow's stumbles over an empty bz2 stream between others.
        self._stream = (
            _Bz2Reader(self._file) if compression == "bz2" else pa.CompressedInputStream(self._file, compression)
        )
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="decompress")
        self._consumed = self._given = 0
        self._chunk = memoryview(b"")
        self._next: Future[bytes] | None = self._worker.submit(self._decompress)

    def readinto(self, buffer: memoryview, /) -> int:
        """See :meth:`ByteStream.readinto`."""
        if not self._chunk:
            self._chunk = memoryview(self._take())
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size

    def tell(self) -> int:
        """Bytes of the compressed file that were read so far."""
        return self._consumed

    def close(self) -> None:
        """Stop decompressing and let go of the file."""
        self._next = None
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _take(self) -> bytes:
        import pyarrow as pa

        if self._next is None:
            return b""
        try:
            chunk = self._next.result()
        except (OSError, pa.ArrowException) as error:
            raise damaged(self._path, self._compression, str(error), self._given) from error
        self._given += len(chunk)
        self._next = self._worker.submit(self._decompress) if chunk else None
        return chunk

    def _decompress(self) -> bytes:
        chunk: bytes = self._stream.read(_CHUNK_BYTES)
        self._consumed = self._file.tell()
        return chunk


class _Bz2Reader:
    """Reads the bz2 streams of a file, one after the other."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file = file
        self._decompressor = BZ2Decompressor()

    def read(self, size: int) -> bytes:
        """At most so many bytes; none only at the end.

        :raises OSError: the file is damaged or cut short.
        """
        while True:
            packed = b""
            if self._decompressor.eof:
                packed = self._decompressor.unused_data or self._file.read(_PACKED_BYTES)
                if not packed:
                    return b""
                self._decompressor = BZ2Decompressor()
            elif self._decompressor.needs_input:
                packed = self._file.read(_PACKED_BYTES)
                if not packed:
                    raise OSError("it is cut short")
            if data := self._decompressor.decompress(packed, size):
                return data
