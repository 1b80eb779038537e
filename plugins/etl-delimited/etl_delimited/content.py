"""What a file's first bytes say that it is: text or not, compressed or not."""

from __future__ import annotations

from pathlib import PurePath

from etl_framework import InputError

COMPRESSION_SUFFIXES = {
    ".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2",
}  # fmt: skip
_COMPRESSION_MAGIC = (("gzip", b"\x1f\x8b"), ("zstd", b"\x28\xb5\x2f\xfd"))
_BZIP2 = b"BZh"
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")

_DELIMITED_SUFFIXES = frozenset({"", ".csv", ".tsv", ".txt", ".tab", ".psv", ".dat", ".tbl", ".text", ".asc", ".out"})
_OTHER_TEXT_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".geojson", ".xml", ".html", ".htm"})

_BINARY_MAGIC = (
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"PK\x03\x04", "a ZIP archive, which an Excel workbook also is"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word document"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"\xfd7zXZ\0", "an XZ archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\xff\xfe\0\0", "text in UTF-32"),
    (b"\0\0\xfe\xff", "text in UTF-32"),
)
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x01\x02\x1c\x1d\x1e\x1f") + b"\x7f"
# Above this share of control characters nobody would call it text.
_MOST_CONTROLS = 0.3


def compression_of(name: str, head: bytes) -> str | None:
    """How a file is compressed, by its first bytes.

    :raises InputError: the name says otherwise.
    """
    found = next((kind for kind, magic in _COMPRESSION_MAGIC if head.startswith(magic)), None)
    if head.startswith(_BZIP2) and head[4:10] in _BZIP2_BLOCKS:
        found = "bz2"
    named = COMPRESSION_SUFFIXES.get(PurePath(name).suffix.lower())
    if named and named != found:
        holds = f"{found} data" if found else describe(head) or ("nothing" if not head else "no compressed data")
        raise InputError(
            f"{name} is named as if compressed with {named}, but holds {holds}",
            advice="Rename it to what it is, or fetch it again: a transfer may have unpacked or cut it.",
        )
    return found


def suffix_of(name: str) -> str:
    """The suffix that tells the format, in lower case: ``.tsv`` for ``a.tsv.gz``."""
    path = PurePath(name)
    if path.suffix.lower() in COMPRESSION_SUFFIXES:
        path = path.with_suffix("")
    return path.suffix.lower()


def describe(head: bytes) -> str | None:
    """What a binary file seems to be, by its first bytes; None when they are no known ones."""
    found = next((kind for magic, kind in _BINARY_MAGIC if head.startswith(magic)), None)
    return "a TAR archive" if found is None and head[257:262] == b"ustar" else found


def is_delimited_text(name: str, head: bytes, *, wide: bool) -> bool:
    """Whether a (decompressed) file is text that can be delimited.

    :param head: its first bytes.
    :param wide: whether it is UTF-16, where half of the bytes may be NUL.
    :returns: False when both content and suffix say that it is something else, for another plugin to answer.
    :raises InputError: the content is binary although the suffix promises text.
    """
    suffix = suffix_of(name)
    if suffix in _OTHER_TEXT_SUFFIXES and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<"):
        return False
    kind = describe(head)
    if kind is None and not wide and _is_binary(head):
        kind = "binary data"
    if kind is None:
        return True
    if suffix not in _DELIMITED_SUFFIXES:
        return False
    raise InputError(
        f"{name} is no delimited text: it seems to be {kind}",
        advice="Give the text file itself, or a plugin that reads this format.",
    )


def _is_binary(head: bytes) -> bool:
    head = head[: 1 << 16]
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls > _MOST_CONTROLS * len(head):
        return True
    # A stray NUL in a text is a bad row; NULs among bytes that are no text in any of its encodings are not.
    return b"\0" in head and not _is_utf8(head) and controls > 0.02 * len(head)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end >= len(data) and len(data) - error.start < 4
    return True
