"""Blocks of a source that begin and end where lines do, read one after the other into buffers that are used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_delimited.scan import line_cut
from etl_delimited.settings import SECTION
from etl_delimited.structure import marks_of
from etl_framework import InputError

if TYPE_CHECKING:
    from etl_delimited.dialect import Dialect
    from etl_delimited.stream import Readable


class LineReader:
    """Reads a stream in blocks that end just past a line end, which may lie inside quotes, or at the stream's end.

    :param stream: begins where a line begins.
    :param path: of the source, for messages.
    :ivar offset: of the next block, in bytes from where the stream began.
    """

    def __init__(self, stream: Readable, dialect: Dialect, path: str) -> None:
        self._stream, self._path = stream, path
        self._marks, self._limit = marks_of(dialect), dialect.max_record_bytes
        self._rest = b""
        self._ended = False
        self.offset = 0

    def fill(self, buffer: bytearray) -> int:
        """Read the next block into the beginning of the buffer, which grows when a line does not fit.

        :returns: bytes of the block; 0 at the end.
        :raises InputError: the source cannot be read, or a line is longer than a record may be.
        """
        filled = len(self._rest)
        if filled > len(buffer):
            buffer.extend(bytes(filled - len(buffer)))
        buffer[:filled] = self._rest
        while True:
            filled = self._read(buffer, filled)
            size = self._cut(buffer, filled)
            if size or self._ended:
                break
            if filled > self._limit:
                raise self._too_long()
            buffer.extend(bytes(len(buffer)))
        self._rest = bytes(memoryview(buffer)[size:filled])
        self.offset += size
        return size

    def _read(self, buffer: bytearray, filled: int) -> int:
        view = memoryview(buffer)
        while not self._ended and filled < len(buffer):
            count = self._stream.readinto(view[filled:])
            filled += count
            self._ended = not count
        return filled

    def _cut(self, buffer: bytearray, filled: int) -> int:
        if self._ended:
            return filled
        units = self._marks.units(memoryview(buffer)[:filled])
        # An LF may follow a CR at the very end.
        end = len(units) - 1 if units[-1] == self._marks.cr else len(units)
        return line_cut(units, self._marks, 0, end) * self._marks.unit

    def _too_long(self) -> InputError:
        return InputError(
            f"{self._path}: a line after byte {self.offset} is longer than a record may be: {self._limit >> 20} MiB",
            advice=f"Raise max_record_mib in {SECTION} or [defaults.format] if records are that long.",
        )
