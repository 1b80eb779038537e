"""The dialect of a delimited file: how its bytes make records, and its records fields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How bytes make records and fields.

    A quote character is special only where a field begins; inside a quoted field it is doubled, or escaped when there
    is an escape character. Outside of quotes CR LF, LF and CR each end a record, as in Python's :mod:`csv`.

    :param delimiter: between fields; one or several characters.
    :param quote: around fields, or None when quotes have no meaning.
    :param escape: takes the special meaning from the next character, inside and outside of quotes; or None.
    :param newline: what ends most records: LF, CR LF or CR.
    :param encoding: ``utf-8``, ``utf-16-le``, ``utf-16-be``, ``latin-1`` or ``cp1252``.
    :param bom: length of the byte order mark, bytes.
    :param skip_lines: lines before the header, or before the data when there is no header.
    :param header: whether the first record names the columns.
    :param null_values: unquoted texts that are null in columns other than text; in text columns only the empty one is.
    :param compression: ``gzip``, ``zstd`` or ``bz2``; None for a plain file.
    :param data_start: byte (of what a compressed source decompresses to) at which the first data record begins.
    :param max_record_bytes: a longer record is an error: most likely a quote that is never closed.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    newline: str = "\n"
    encoding: str = "utf-8"
    bom: int = 0
    skip_lines: int = 0
    header: bool = True
    null_values: tuple[str, ...] = ("",)
    compression: str | None = None
    data_start: int = 0
    max_record_bytes: int = 128 << 20

    @property
    def unit(self) -> int:
        """Bytes of a code unit: 2 for UTF-16, else 1."""
        return 2 if self.encoding.startswith("utf-16") else 1
