"""The bytes of one part as UTF-8 text, a block of whole records at a time, in one buffer that is used again."""

from __future__ import annotations

import codecs
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from etl_delimited import scan
from etl_delimited.settings import SECTION
from etl_framework import InputError, MisplacedCut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from etl_delimited.dialect import Dialect
    from etl_delimited.stream import Readable

    Look = Callable[[bytearray, int, int], bool]

# Comparisons stay within the second-level cache; shorter ones would make threads wait for each other.
_STRIDE = 1 << 19
_FIRST_BYTES = 1 << 16
_OVERLAP = 2
_NUL, _LINE_FEED, _RETURN = 0, ord("\n"), ord("\r")
_CONTINUATION = 0b1100_0000, 0b1000_0000


class TextStream:
    """A stream's text in UTF-8.

    What is no text in the source's encoding becomes lone surrogates, which are invalid in UTF-8 too, so that such
    records are found as those of a UTF-8 source are, and :func:`source_bytes` gives the original bytes back.
    """

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
        self._raw = memoryview(bytearray(1 << 18))
        self._ready = memoryview(b"")
        self._ended = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the beginning of the buffer with UTF-8; 0 only at the end."""
        while not self._ready and not self._ended:
            size = self._stream.readinto(self._raw)
            self._ended = not size
            self._ready = memoryview(self._decoded(bytes(self._raw[:size])).encode("utf-8", "surrogatepass"))
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _decoded(self, raw: bytes) -> str:
        try:
            return self._decoder.decode(raw, final=self._ended)
        except UnicodeDecodeError:
            # Only half a unit at the very end of UTF-16 is left to fail.
            return "\udc00"


def source_bytes(text: bytes | memoryview, encoding: str) -> bytes:
    """The bytes that a piece of :class:`TextStream` was in the source."""
    if encoding == "utf-8":
        return bytes(text)
    return bytes(text).decode("utf-8", "surrogatepass").encode(encoding, _errors(encoding))


def source_size(text: bytes | memoryview, encoding: str) -> int:
    """How many bytes a piece of :class:`TextStream` was in the source."""
    if encoding == "utf-8":
        return len(text)
    letters = np.frombuffer(text, np.uint8)
    mask, tag = _CONTINUATION
    characters = len(letters) - int(np.count_nonzero((letters & mask) == tag))
    if not encoding.startswith("utf-16"):
        return characters
    # Four bytes of UTF-8 are two units of UTF-16.
    return 2 * (characters + int(np.count_nonzero(letters >= 0b1111_0000)))


def _errors(encoding: str) -> str:
    return "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"


class RecordBuffer:
    """A window over the text of a part, that begins and ends at record boundaries.

    The end is first taken to be the last line end, which only a quoted line break proves wrong: whoever parses the
    window sees that, and asks for :meth:`cut_exactly`.

    :param stream: the text in UTF-8 from the first record on.
    :param dialect: of the source.
    :param block_bytes: nominal size of the window.
    :param path: of the source, for messages.
    :param offset: of the first byte within the source.
    :param line: physical lines of the part before the first record.
    :param last: whether the source ends where the stream ends.
    :param looks: what to look for while the window is gone through: given the buffer and where a piece begins and ends,
        whether it is there. Each begins two bytes before the one before it ends.
    :param counted: letters of ASCII whose occurrences ``counts`` tells.
    :ivar offset: byte of the source at which the window begins.
    :ivar line: physical lines of the part before the window.
    :ivar lines: physical lines in the window.
    :ivar has_nul: whether a NUL byte occurs in the window.
    :ivar is_ascii: whether every byte of the window is ASCII, so that it is valid UTF-8 for certain.
    :ivar seen: those of ``looks`` that found something in the window.
    :ivar counts: how often each of the letters ``counted`` occurs in the window.
    :ivar unclosed: whether the window ends with a quoted field that is never closed.
    """

    def __init__(
        self,
        stream: Readable,
        dialect: Dialect,
        block_bytes: int,
        *,
        path: str,
        offset: int,
        line: int,
        last: bool,
        looks: Iterable[Look] = (),
        counted: bytes = b"",
    ) -> None:
        self._stream = stream
        self.dialect = replace(dialect, encoding="utf-8")
        self._encoding = dialect.encoding
        self._nominal = max(block_bytes, 16)
        self._path = path
        self._last = last
        self._looks = tuple(looks)
        self._counted = counted
        self.seen: set[Look] = set()
        self.counts: dict[int, int] = {}
        self.offset = offset
        self.line = line
        self.lines = 0
        self.has_nul = False
        self.is_ascii = False
        self.unclosed = False
        # One byte more, for the line end that the last record may lack.
        self._buffer = bytearray(min(self._nominal, _FIRST_BYTES) + 1)
        self._filled = 0
        self._cut = 0
        self._ended = False
        self._lacks_line_end = False
        self._exact = False
        self._flags = np.empty((2, _STRIDE), np.bool_)

    @property
    def data(self) -> memoryview:
        """The window's bytes as they are in the source, in UTF-8."""
        return memoryview(self._buffer)[: self._cut]

    @property
    def records(self) -> memoryview:
        """The same, with a line end behind the source's last record if it has none.

        A last record that ends with an escape character gets none: it would be escaped, and part of the value.
        """
        return memoryview(self._buffer)[: self._cut + self._lacks_line_end]

    @property
    def source_size(self) -> int:
        """Bytes of the source that the window covers."""
        return source_size(self.data, self._encoding)

    def advance(self) -> bool:
        """Move on to the next records; False when there are no more."""
        self._drop()
        self._fill(self._nominal)
        if not self._filled:
            return False
        self._find_cut(self._exact)
        return True

    def cut_exactly(self) -> bool:
        """Cut at the last line end that is neither quoted nor escaped; if that is another one, do so from now on.

        :returns: whether the window changed.
        :raises MisplacedCut: the part ends within a record.
        :raises InputError: a record is longer than the dialect allows.
        """
        if self.dialect.quote is None and self.dialect.escape is None:
            return False
        before = self._cut
        self._find_cut(exact=True)
        self._exact = self._exact or self._cut != before
        return self._cut != before

    def _drop(self) -> None:
        if self._cut:
            self.offset += self.source_size
            self.line += self.lines
            rest = self._filled - self._cut
            if len(self._buffer) > 4 * self._nominal and rest < self._nominal:
                self._buffer = bytearray(memoryview(self._buffer)[self._cut : self._filled])
                self._buffer.extend(bytes(self._nominal + 1 - rest))
            else:
                view = memoryview(self._buffer)
                view[:rest] = view[self._cut : self._filled]
            self._filled, self._cut = rest, 0

    def _fill(self, size: int) -> None:
        """Read until there are so many bytes or no more; the buffer grows, since thousands of files may be small."""
        while not self._ended and self._filled < size:
            room = len(self._buffer) - 1
            if self._filled == room:
                room = min(4 * room, size)
                larger = bytearray(room + 1)
                larger[: self._filled] = memoryview(self._buffer)[: self._filled]
                self._buffer = larger
            count = self._stream.readinto(memoryview(self._buffer)[self._filled : min(room, size)])
            self._filled += count
            self._ended = not count

    def _find_cut(self, exact: bool) -> None:
        while not (cut := self._cut_at_end() if self._ended else self._last_cut(exact)):
            if self._filled > self.dialect.max_record_bytes:
                raise self._too_long()
            self._fill(min(self._filled * 2, self.dialect.max_record_bytes + self._nominal))
        self._cut = cut
        if self._ended and (exact or self._exact):
            self._check_end()
        self._survey()

    def _survey(self) -> None:
        """Count lines and letters, look for NUL bytes, for any but ASCII and for what else is sought, stride by stride.

        So memory is gone through once.
        """
        letters = np.frombuffer(self._buffer, np.uint8, count=self._cut)
        line_feeds, returns = self._flags
        ends, largest, after_return = 0, 0, False
        self.has_nul = False
        self.seen = set()
        self.counts = dict.fromkeys(self._counted, 0)
        for begin in range(0, self._cut, _STRIDE):
            end = min(begin + _STRIDE, self._cut)
            piece = letters[begin:end]
            feeds = np.equal(piece, _LINE_FEED, out=line_feeds[: len(piece)])
            ends += int(np.count_nonzero(feeds))
            self.has_nul = self.has_nul or self._buffer.find(_NUL, begin, end) >= 0
            largest = max(largest, int(piece.max()))
            if after_return:
                ends -= int(feeds[0])
            if self._buffer.find(_RETURN, begin, end) >= 0:
                carriage_returns = np.equal(piece, _RETURN, out=returns[: len(piece)])
                ends += int(np.count_nonzero(carriage_returns))
                # CR LF is one line end, not two.
                ends -= int(np.count_nonzero(np.logical_and(feeds[1:], carriage_returns[:-1], out=feeds[1:])))
            after_return = bool(piece[-1] == _RETURN)
            for letter in self._counted:
                if self._buffer.find(letter, begin, end) >= 0:
                    found = np.equal(piece, letter, out=returns[: len(piece)])
                    self.counts[letter] += int(np.count_nonzero(found))
            ahead = min(end + _OVERLAP, self._cut)
            self.seen.update(look for look in self._looks if look not in self.seen and look(self._buffer, begin, ahead))
        self.is_ascii = largest < 0x80
        self.lines = ends + int(self._buffer[self._cut - 1] not in b"\r\n")

    def _last_cut(self, exact: bool) -> int:
        view = memoryview(self._buffer)[: self._filled]
        if exact:
            return scan.last_record_end(view, self.dialect, final=False)
        found = self._buffer.rfind(b"\n", 0, self._filled) + 1
        if found and self.dialect.newline != "\r":
            return found
        # A CR at the very end may be the first half of CR LF.
        return max(found, self._buffer.rfind(b"\r", 0, self._filled - 1) + 1)

    def _cut_at_end(self) -> int:
        if self._buffer[self._filled - 1] not in b"\r\n":
            if not self._last:
                raise MisplacedCut
            if self._buffer.endswith((self.dialect.escape or "\n").encode(), 0, self._filled):
                # A line end behind it would be escaped, so nothing would show that a quote is still open.
                self._exact = True
            else:
                self._buffer[self._filled] = ord("\n")
                self._lacks_line_end = True
        return self._filled

    def _check_end(self) -> None:
        self.unclosed = scan.unclosed_quote(self.data, self.dialect) is not None
        if not self._last and (self.unclosed or self._ends_escaped()):
            raise MisplacedCut

    def _ends_escaped(self) -> bool:
        """Whether the last line end is escaped."""
        if self.dialect.escape is None:
            return False
        end = self._cut - 1
        return (end - len(self._buffer[:end].rstrip(self.dialect.escape.encode()))) % 2 == 1

    def _too_long(self) -> InputError:
        limit = self.dialect.max_record_bytes >> 20
        advice = f"Raise max_record_mib in {SECTION} or [defaults.format] if records are that long."
        if self.dialect.quote is not None:
            advice = f'Most likely a quote is never closed: repair it, or set quote = "none". {advice}'
        return InputError(
            f"{self._path}: the record at byte {self.offset}, line {self.line + 1} of its part, exceeds {limit} MiB",
            advice=advice,
        )
