"""Reading compressed streams so that damage is never taken for data, nor an early end for the end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, Protocol

from etl_framework import InputError, printable

if TYPE_CHECKING:
    from collections.abc import Callable


class _Plain(Protocol):
    def readinto(self, buffer: memoryview, /) -> int: ...

    def close(self) -> None: ...


class _Source(io.RawIOBase):
    """The compressed bytes, and whether there were any.

    :param raw: any readable stream; only its ``read`` is used.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.began = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self.raw.read(len(buffer))
        buffer[: len(data)] = data
        self.began = self.began or bool(data)
        return len(data)

    def close(self) -> None:
        self.raw.close()
        super().close()


class CheckedReader(io.RawIOBase):
    """The content of a compressed stream; every kind of damage is one kind of error.

    :param raw: the compressed stream, closed together with this one.
    :param decompress: gives what decompresses a stream; it takes an empty one for empty content.
    :param damage: the exceptions, besides OSErrors without a number, by which that tells that it cannot go on.
    """

    def __init__(
        self, raw: BinaryIO, decompress: Callable[[_Source], _Plain], damage: tuple[type[Exception], ...] = ()
    ) -> None:
        self._source = _Source(raw)
        self._plain = decompress(self._source)
        self._damage: tuple[type[Exception], ...] = (OSError, *damage)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill the buffer as far as the next bytes go; 0 at the end.

        :raises InputError: the stream is damaged, cut short or empty.
        """
        try:
            count = self._plain.readinto(buffer)
        except self._damage as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's own
            raise self._damaged(str(error)) from error
        if not count and not self._source.began:
            raise self._damaged("it is empty")
        return count

    def close(self) -> None:
        """Close both streams."""
        if not self.closed:
            self._plain.close()
            self._source.close()
        super().close()

    def _damaged(self, why: str) -> InputError:
        name = getattr(self._source.raw, "name", None)
        which = printable(name) if isinstance(name, str) else "a compressed stream"
        return InputError(f"{which} is damaged or cut short: {why}", advice="Get it again from where it comes from.")
