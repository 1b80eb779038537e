"""Which encoding a text is in: certain, declared, or a finding that asks; never a guess."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_delimited.settings import SECTION
from etl_framework import Finding, Sample, Severity

if TYPE_CHECKING:
    from etl_delimited.settings import FormatSettings

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ADVICE = f'Declare it in {SECTION}: encoding = "cp1252" (Windows, western Europe) or "latin-1".'


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoding:
    """How the bytes of a source make characters.

    :param name: ``utf-8``, ``utf-16-le``, ``utf-16-be``, ``latin-1`` or ``cp1252``.
    :param bom: length of the byte order mark, bytes.
    :param findings: what is odd about it.
    """

    name: str
    bom: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def unit(self) -> int:
        """Bytes of a code unit."""
        return 2 if self.name.startswith("utf-16") else 1


def encoding_of(path: str, head: bytes, settings: FormatSettings, *, whole: bool) -> TextEncoding:
    """Find the encoding.

    :param head: the first bytes of the (decompressed) source.
    :param whole: whether they are all.
    """
    mark, marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", None))
    declared = settings.encoding
    if marked and declared not in ("auto", marked.removesuffix("-le").removesuffix("-be")):
        return TextEncoding(name=marked, bom=len(mark), findings=(_contradiction(path, declared, marked),))
    if marked:
        broken = _invalid(path, head[len(mark) :], marked, whole=whole, bom=len(mark), certain=True)
        return TextEncoding(name=marked, bom=len(mark), findings=(_mark_found(path, marked), *broken))
    if declared in ("latin-1", "cp1252"):
        return TextEncoding(name=declared, findings=_invalid(path, head, declared, whole=whole, bom=0, certain=True))
    wide = _wide(head)
    if declared == "utf-16" or (declared == "auto" and wide):
        name = wide or "utf-16-le"
        return TextEncoding(name=name, findings=_invalid(path, head, name, whole=whole, bom=0, certain=True))
    certain = declared == "utf-8" or _mostly_utf8(head)
    return TextEncoding(name="utf-8", findings=_invalid(path, head, "utf-8", whole=whole, bom=0, certain=certain))


def invalid_bytes(path: str, offset: int, data: bytes, encoding: str) -> Finding:
    """The finding for bytes that are no text in an encoding that is certain: those rows will be bad."""
    return Finding(
        rule="invalid_encoding",
        severity=Severity.WARNING,
        count=1,
        message=f"byte 0x{data[:1].hex()} at offset {offset} is not valid in {encoding}: its row is a bad row",
        advice="Repair the file, take such rows out with --on-bad-rows quarantine, or declare another encoding.",
        samples=(Sample(file=path, offset=offset, value=data[:20].hex(" "), reason=f"not {encoding}"),),
    )


def _invalid(path: str, data: bytes, name: str, *, whole: bool, bom: int, certain: bool) -> tuple[Finding, ...]:
    try:
        codecs.getincrementaldecoder(name)("strict").decode(data, whole)
    except UnicodeDecodeError as error:
        offset, wrong = bom + error.start, data[error.start : error.start + 20]
        if certain:
            return (invalid_bytes(path, offset, wrong, name),)
        return (_not_utf8(path, data, offset, error.start),)
    return ()


def _not_utf8(path: str, data: bytes, offset: int, start: int) -> Finding:
    around = data[max(start - 15, 0) : start + 15].decode("cp1252", "replace")
    return Finding(
        rule="encoding",
        severity=Severity.ERROR,
        count=1,
        message=f"{path} is not UTF-8: byte 0x{data[start]:02x} at offset {offset}, read as cp1252: {around!r}",
        advice=_ADVICE + ' If it is UTF-8 with a few broken rows: encoding = "utf-8".',
        samples=(Sample(file=path, offset=offset, value=around, reason="not UTF-8"),),
    )


def _contradiction(path: str, declared: str, marked: str) -> Finding:
    return Finding(
        rule="encoding",
        severity=Severity.ERROR,
        count=1,
        message=f"{path} is declared as {declared}, but begins with the byte order mark of {marked}",
        advice='Take the declaration out, or set encoding = "auto".',
        samples=(Sample(file=path, line=1, offset=0, reason=f"byte order mark of {marked}"),),
    )


def _mark_found(path: str, name: str) -> Finding:
    return Finding(
        rule="byte_order_mark",
        severity=Severity.INFO,
        count=1,
        message=f"the file begins with the byte order mark of {name}; it is not part of the data",
        samples=(Sample(file=path, line=1, offset=0),),
    )


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: its line ends, delimiters and digits have a NUL in every other byte, on one side only."""
    head = head[: 1 << 16]
    head = head[: len(head) // 2 * 2]
    even, odd = head[::2], head[1::2]
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        nuls = zeros.count(0)
        if nuls < max(2, 0.1 * len(zeros)) or others.count(0):
            continue
        text = head.decode(name, "replace")
        lines = "\n" in text or "\r" in text or not (b"\n" in head or b"\r" in head)
        if lines and _prints(text[:4096]):
            return name
    return None


def _prints(text: str) -> bool:
    odd = sum(not letter.isprintable() and letter not in "\t\r\n\x01\x1f" for letter in text)
    return odd <= 0.02 * len(text)


def _mostly_utf8(head: bytes) -> bool:
    """Whether a text that is not quite UTF-8 is so nearly: more valid than broken sequences beyond ASCII."""
    text = head[: 1 << 20].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    beyond = len(text) - len(text.encode("ascii", "ignore")) - broken
    return beyond > broken
