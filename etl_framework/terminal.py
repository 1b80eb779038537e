"""Text for people: data and names made harmless for a terminal, sizes and durations in words.

Values come from files that anybody may have written. Printed raw, an escape sequence among them could move the cursor,
forge a line or run a terminal's commands.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_LISTED = 8
"""Names that a message lists before it only counts them."""

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def printable(text: str, *, limit: int | None = None, encoding: str = "utf-8") -> str:
    r"""The text with everything escaped that is not a visible character or a space: ``\x1b``, ``\n``, ``\u202e``.

    :param limit: most characters of the answer; longer text ends in an ellipsis. None for all.
    :param encoding: of the stream that it is meant for; what it cannot hold is escaped too.
    """
    if limit is not None:
        # Escaping only lengthens, so nothing behind the limit is worth looking at.
        shown = printable(text[: limit + 1], encoding=encoding)
        ellipsis = "…" if _holds(encoding, "…") else "..."
        return shown if len(shown) <= limit else shown[: max(limit - len(ellipsis), 0)] + ellipsis
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    if not text.isascii():
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def quoted(text: str, *, limit: int | None = None, encoding: str = "utf-8") -> str:
    r"""The text in quotes, as Python writes it, everything that does not print escaped once: ``'two\nlines'``.

    :param limit: most characters between the quotes; longer text ends in an ellipsis. None for all.
    :param encoding: as of :func:`printable`.
    """
    shown = repr(text if limit is None else text[: limit + 1])
    return shown[0] + printable(shown[1:-1], limit=limit, encoding=encoding) + shown[0]


def _holds(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def counted(number: int, one: str, several: str = "") -> str:
    """A number of things: ``1 row``, ``12,000 rows``.

    :param one: the word for one of them.
    :param several: the word for any other number of them; by default with an s at its end.
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def did_you_mean(guesses: Sequence[str]) -> str:
    """The beginning of an advice about a misspelt word; empty where nothing is like it.

    :param guesses: what may be meant, the likeliest first, as :func:`difflib.get_close_matches` gives it.
    """
    return f"Did you mean {str(guesses[0])!r}? " if guesses else ""


def listed(names: Sequence[str], most: int = MOST_LISTED) -> str:
    """Names for a message: ``a, b and 12 more``."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def valid_text(text: str) -> str:
    """A text that may name a file whose name is any bytes, those escaped: databases take only valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()


def bytes_in_words(number: float) -> str:
    """A number of bytes, three digits in decimal units: ``31.2 MB``."""
    if abs(number) < 1000:
        return f"{number:.0f} B"
    for unit in _UNITS:
        number /= 1000
        # 999.95 would be printed as 1000.0.
        if abs(number) < 999.5 or unit == _UNITS[-1]:
            break
    return f"{number:.{2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0}f} {unit}"


def seconds_in_words(seconds: float) -> str:
    """A duration: ``0.21 s``, ``12.3 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
