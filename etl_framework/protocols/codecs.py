"""What compresses parts."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class Compressor(Protocol):
    """A compressor for one stream."""

    def feed(self, data: bytes | bytearray | memoryview, /) -> bytes:
        """Take bytes in, give what is ready, possibly nothing."""

    def finish(self) -> bytes:
        """End the stream and give the rest. Nothing may be fed afterwards."""


class Codec(Protocol):
    """A compression, at one level. Picklable.

    :ivar name: as in ``compress = "zstd"``.
    :ivar suffix: what file names end with, such as ``.zst``; empty for none.
    """

    name: str
    suffix: str

    def compressor(self) -> Compressor:
        """A compressor for a new stream."""

    def reader(self, raw: BinaryIO) -> BinaryIO:
        """A readable stream of what the compressed stream ``raw`` holds; raises on a damaged or truncated one."""
