"""The codecs: Zstandard, gzip by ISA-L, and none.

Zstandard gives the same bytes for the same input, level and chunks on every machine with the same library. So does
ISA-L nearly always: in one of some thousand processes on a busy machine it was seen to give others, of the same
content. No stream holds a time, a file name, or anything else of the environment. Zstandard and ISA-L release the
interpreter lock while they work.
"""

from __future__ import annotations

import io
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from etl_framework import UsageError

if TYPE_CHECKING:
    import zstandard

    from etl_framework import Codec, Compressor

Data = bytes | bytearray | memoryview

_READ_BYTES = 1 << 17
_GZIP_WINDOW = 31  # 15 bits of window, and 16 for a gzip header and trailer


def make_codec(name: str, level: int | None = None, threads: int = 0) -> Codec:
    """The codec of that name.

    :param name: one of :data:`CODECS`.
    :param level: None for the codec's own default, which is 1.
    :param threads: threads that a stream may use besides its caller's; only zstd can. Their number does not change
        the output, but whether there are any does.
    :raises UsageError: the codec has no such level.
    """
    levels = CODECS[name]
    if level is not None and level not in levels:
        raise UsageError(
            f"codec {name} has no level {level}",
            advice=f"Give a level from {levels[0]} to {levels[-1]}." if levels else "Leave the level out: it has none.",
            key="compress_level",
        )
    if name == "none":
        return NoCodec()
    level = 1 if level is None else level
    return GzipCodec(level) if name == "gzip" else ZstdCodec(level, threads)


CODECS = {"zstd": range(1, 20), "gzip": range(4), "none": range(0)}
"""The names and their levels."""


class ZstdCodec:
    """Zstandard frames with a checksum of the content.

    :param level: 1 to 19.
    :param threads: as for :func:`make_codec`.
    """

    name = "zstd"
    suffix = ".zst"

    def __init__(self, level: int, threads: int = 0) -> None:
        self._level = level
        self._threads = threads
        self._idle: deque[zstandard.ZstdCompressor] = deque()

    def __reduce__(self) -> tuple[object, ...]:
        return ZstdCodec, (self._level, self._threads)

    def compressor(self) -> Compressor:
        """A compressor for a new stream; its working memory is that of an ended one where there is one."""
        # A ZstdCompressor serves one stream at a time; handing it on keeps memory from being allocated for every part.
        try:
            context = self._idle.pop()
        except IndexError:
            import zstandard

            context = zstandard.ZstdCompressor(level=self._level, write_checksum=True, threads=self._threads)
        return _ZstdStream(context, self._idle)

    def reader(self, raw: BinaryIO) -> BinaryIO:
        """A readable stream of the content; closing it closes ``raw``.

        :raises InputError: (when read from) the stream is damaged, cut short, empty or followed by something else.
        """
        # The reader of zstandard takes a stream that ends too early for one that ends.
        import pyarrow as pa

        from etl_compression.reading import CheckedReader

        reader = CheckedReader(raw, lambda source: pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd"))
        return io.BufferedReader(reader, _READ_BYTES)


class _ZstdStream:
    def __init__(self, context: zstandard.ZstdCompressor, idle: deque[zstandard.ZstdCompressor]) -> None:
        self._context = context
        self._idle = idle
        self._stream = context.compressobj()

    def feed(self, data: Data, /) -> bytes:
        return self._stream.compress(data)

    def finish(self) -> bytes:
        rest = self._stream.flush()
        self._idle.append(self._context)
        return rest


class GzipCodec:
    """gzip as every gunzip reads it, compressed by ISA-L.

    :param level: 0 to 3, where 0 still compresses.
    """

    name = "gzip"
    suffix = ".gz"

    def __init__(self, level: int) -> None:
        self._level = level

    def __reduce__(self) -> tuple[object, ...]:
        return GzipCodec, (self._level,)

    def compressor(self) -> Compressor:
        """A compressor for a new stream."""
        return _GzipStream(self._level)

    def reader(self, raw: BinaryIO) -> BinaryIO:
        """A readable stream of the content of all members; closing it closes ``raw``.

        :raises InputError: (when read from) the stream is damaged, cut short, empty or followed by something else
            than zeros.
        """
        from isal import igzip, isal_zlib

        from etl_compression.reading import CheckedReader

        damage: tuple[type[Exception], ...] = (EOFError, isal_zlib.error)  # type: ignore[assignment]  # its stub errs
        reader = CheckedReader(raw, igzip.open, damage)
        return io.BufferedReader(reader, _READ_BYTES)


class _GzipStream:
    def __init__(self, level: int) -> None:
        from isal import isal_zlib

        self._stream = isal_zlib.compressobj(level, isal_zlib.DEFLATED, _GZIP_WINDOW)

    def feed(self, data: Data, /) -> bytes:
        return self._stream.compress(data)

    def finish(self) -> bytes:
        return self._stream.flush()


class NoCodec:
    """No compression: bytes as they are."""

    name = "none"
    suffix = ""

    def compressor(self) -> Compressor:
        """A compressor that gives what it takes."""
        return _PlainStream()

    def reader(self, raw: BinaryIO) -> BinaryIO:
        """``raw`` itself: plain bytes carry nothing that would tell damage."""
        return raw


class _PlainStream:
    def feed(self, data: Data, /) -> bytes:
        return bytes(data)

    def finish(self) -> bytes:
        return b""
