"""What is read: source files, their parts, and what an analysis tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.columns import Column
from etl_framework.values.findings import Fact, Finding

if TYPE_CHECKING:
    from etl_framework.protocols import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to load, and what identifies its content: a changed source is refused.

    :param path: absolute path.
    :param size: bytes.
    :param modified_ns: time of the last change, in nanoseconds since 1970.
    :param changed_ns: time at which content or metadata last changed (POSIX ``ctime``), which nobody can put back.
    :param inode: the file system's number of the file.
    :param digest: xxh3-128 of the size and of the first and last 64 KiB, in hexadecimal.
    """

    path: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    digest: str

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record-aligned byte range of a source: the unit of work, of retry, of resume and of distribution.

    The parts of a source, concatenated, are the source, byte for byte; what is no record (a byte order mark, a
    header) lies at the beginning of the first part. A source that cannot be cut, such as a compressed one, is one part.

    :param source: index of the source within the run.
    :param number: index of the part within the run, from 0, in the order of the data.
    :param start: first byte.
    :param end: one past the last byte.
    """

    source: int
    number: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes of the source that the part covers."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayout:
    """How the bytes of staged parts that hold a source's own records are to be read: what a warehouse needs to know.

    They are UTF-8, whatever the source was in, and hold neither a header nor bad rows.

    :param fields: names of the fields, in the order of the records; some may be none that the run loads.
    :param delimiter: between fields; one or several characters.
    :param quote: around fields, doubled within; None when quotes have no meaning.
    :param escape: takes the special meaning from the next character; or None.
    :param newline: what ends records: LF (or CR LF), or CR.
    :param null_values: texts that are null in columns other than text; in text columns only the empty unquoted one is.
    :param rewritten: whether these are not the source's own records but typed values written anew, dates and times as
        ISO 8601, whatever the formats of the columns say.
    """

    fields: tuple[str, ...]
    delimiter: str
    quote: str | None
    escape: str | None
    newline: str
    null_values: tuple[str, ...]
    rewritten: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is known of one source before its data is read.

    :param source: the file.
    :param format: how to split and to read it; see :class:`~etl_framework.protocols.Format`.
    :param columns: in the order of the file.
    :param rows: number of records, an estimate unless ``rows_exact``.
    :param rows_exact: whether ``rows`` was counted.
    :param facts: the format in words, for people; files of one format have the same facts.
    :param findings: what is odd about the source; an error among them refuses the run before any data is read.
    """

    source: Source
    format: Format
    columns: tuple[Column, ...]
    rows: int
    rows_exact: bool = False
    facts: tuple[Fact, ...] = ()
    findings: tuple[Finding, ...] = ()
