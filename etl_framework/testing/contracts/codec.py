"""The contract of codecs."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from etl_framework.testing.contracts.base import travelled

if TYPE_CHECKING:
    from etl_framework.protocols import Codec

_LINES = b"".join(b"%d,%d.5,name %d\n" % (number, number * 7, number % 13) for number in range(20_000))
_NOISE = random.Random(0).randbytes(300_000)  # noqa: S311 - nothing is secret
_STREAMS = {"nothing": b"", "a byte": b"\n", "lines": _LINES, "noise": _NOISE, "zeros": bytes(1 << 20)}


class CodecContract(ABC):
    """A codec gives back what was put in, and tells when it cannot.

    >>> class TestZstd(CodecContract):
    ...     def codec(self):
    ...         return make_codec("zstd")
    """

    @abstractmethod
    def codec(self) -> Codec:
        """The codec."""

    def test_it_has_a_name_and_a_suffix_that_stay_the_same(self) -> None:
        """The name is what the configuration says, the suffix what file names end with."""
        codec = self.codec()
        assert codec.name.strip() == codec.name != ""
        assert codec.suffix == "" or codec.suffix.startswith("."), f"the suffix {codec.suffix!r} has no dot"
        assert not set(codec.suffix) & set("/\\ \0"), f"the suffix {codec.suffix!r} is no part of a file's name"
        again = travelled(codec)
        assert (again.name, again.suffix) == (codec.name, codec.suffix)

    @pytest.mark.parametrize("data", _STREAMS.values(), ids=_STREAMS)
    def test_it_gives_back_what_was_put_in(self, data: bytes) -> None:
        """Whatever it is, fed at once or in pieces of any kind of bytes."""
        codec = self.codec()
        for size in (len(data) or 1, 65_537):
            assert read_all(codec, compressed(codec, data, size)) == data

    def test_it_can_be_read_in_small_pieces(self) -> None:
        """As those do who read line by line."""
        codec = self.codec()
        read = codec.reader(BytesIO(compressed(codec, _LINES, 1 << 16)))
        pieces = []
        while piece := read.read(4_099):
            assert len(piece) <= 4_099, "a read gave more than it was asked for"
            pieces.append(piece)
        assert b"".join(pieces) == _LINES

    def test_what_one_process_compresses_another_reads(self) -> None:
        """A codec travels to workers, before and after it was used."""
        codec = self.codec()
        stream = compressed(travelled(codec), _LINES, 1 << 16)
        assert read_all(codec, stream) == _LINES
        assert read_all(travelled(codec), compressed(travelled(codec), _NOISE, 1 << 16)) == _NOISE

    def test_streams_do_not_disturb_each_other(self) -> None:
        """Several parts are compressed at once, by one codec."""
        codec = self.codec()
        one, other = codec.compressor(), codec.compressor()
        ones, others = [], []
        for at in range(0, len(_NOISE), 50_000):
            ones.append(one.feed(_NOISE[at : at + 50_000]))
            others.append(other.feed(_LINES[at : at + 50_000]))
        ones.append(one.finish())
        others.append(other.finish())
        assert read_all(codec, b"".join(ones)) == _NOISE
        assert read_all(codec, b"".join(others)) == _LINES[: len(range(0, len(_NOISE), 50_000)) * 50_000]

    def test_a_stream_that_was_cut_off_is_refused(self) -> None:
        """A staged part that is not whole must never pass for one."""
        codec = self.codec()
        stream = self._proven(codec)
        for end in (len(stream) - 1, len(stream) - 4, len(stream) * 3 // 4, len(stream) // 2, 10):
            with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
                read_all(codec, stream[:end])

    def test_a_damaged_stream_is_refused(self) -> None:
        """A flipped bit in the midst of the data shows."""
        codec = self.codec()
        stream = self._proven(codec)
        for place in (len(stream) // 4, len(stream) // 2, len(stream) * 3 // 4):
            damaged = bytearray(stream)
            damaged[place] ^= 0x10
            with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
                read_all(codec, bytes(damaged))

    def _proven(self, codec: Codec) -> bytes:
        stream = compressed(codec, _NOISE, 1 << 16)
        if stream == _NOISE:
            pytest.skip("the codec leaves the data as they are, and can tell nothing about them")
        return stream


def compressed(codec: Codec, data: bytes, size: int) -> bytes:
    """A whole stream, fed in pieces, by turns as bytes, bytearray and memoryview."""
    kinds = (bytes, bytearray, memoryview)
    compressor = codec.compressor()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    fed = [compressor.feed(kinds[number % 3](piece)) for number, piece in enumerate(pieces)]
    return b"".join((*fed, compressor.finish()))


def read_all(codec: Codec, stream: bytes) -> bytes:
    """What a stream holds."""
    return codec.reader(BytesIO(stream)).read()
