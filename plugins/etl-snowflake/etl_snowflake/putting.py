"""What PUT uploads: a file's content from memory, or the file itself where it is large."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl_snowflake.line import IS_NEW_LINE
from etl_snowflake.sql import literal

LARGEST_IN_MEMORY = 64 << 20
"""Bytes. Up to here the driver sends a file in one request, and would read all of it at once anyway."""

_KEEPING = "OVERWRITE=FALSE"
# Line 4 makes a second digest of what it is not to replace; once its stream is closed, it finds nothing to replace it
# with. Where it sends a stream in several requests, it would read it on several threads at once.
_OF_MEMORY = _KEEPING if IS_NEW_LINE else "OVERWRITE=TRUE PARALLEL=1"

_GLOB = frozenset("*?[]")


@dataclass(frozen=True, slots=True)
class Source:
    """One file that is compressed already.

    :param name: as PUT takes it, holding nothing that it takes for a pattern.
    :param options: of the statement.
    :param content: what is uploaded under that name; None for the file of that name.
    """

    name: str
    options: str
    content: io.BytesIO | None = None

    def statement(self, location: str) -> str:
        """The PUT.

        :param location: folder in a stage, as a quoted literal.
        """
        return (
            f"PUT {literal(f'file://{self.name}')} {location} AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE "
            f"{self.options}"
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """What the driver's ``execute`` is given beside the statement."""
        return {} if self.content is None else {"file_stream": self.content}


@contextmanager
def source_of(path: Path) -> Iterator[Source]:
    """What PUT is to take of a file.

    An upload that is given up lives on in its thread. It must not replace later what has been copied: encrypted anew,
    the same rows would be other bytes, and be loaded again.

    :raises OSError: the file cannot be read.
    """
    if path.stat().st_size <= LARGEST_IN_MEMORY:
        with io.BytesIO(path.read_bytes()) as content:
            yield Source(path.name, _OF_MEMORY, content)
        return
    with _plainly_named(path) as plain:
        yield Source(str(plain), _KEEPING)


@contextmanager
def _plainly_named(path: Path) -> Iterator[Path]:
    """The file under a name that PUT takes for no pattern: a folder on the way to it may hold any character."""
    if not _GLOB & set(str(path)) and str(path).isprintable() and "'" not in str(path) and "\\" not in str(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="etl-put-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path)
        yield link
