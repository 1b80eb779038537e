"""Find the dialect of a text: which delimiter, quote and escape character make its records alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etl_delimited.cells import Cells, cut

if TYPE_CHECKING:
    from etl_delimited.settings import FormatSettings

# How seldom each occurs in text that it does not delimit.
_DELIMITERS = {
    "\x01": 2.0,
    "\x1f": 2.0,
    "|~|": 2.0,
    "||": 1.6,
    "\t": 1.5,
    "|": 1.1,
    ";": 1.1,
    ",": 1.0,
    "::": 0.9,
}
_BY_SUFFIX = {".tsv": "\t", ".tab": "\t", ".csv": ",;", ".psv": "|", ".tbl": "|"}
# Everybody calls everything .csv; who writes .tsv means it.
_SUFFIX_BONUS = {".csv": 1.3}
_CLEAR_SUFFIX_BONUS = 3.0
_WIDTH_BONUS = 1.5
_FIRST_DIFFERS = 0.5
# A text of one column whose lines happen to hold delimiters scores below this, a ragged file above.
_ONE_COLUMN = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposition:
    """A dialect and what it makes of the text.

    :param width: cells of most records.
    :param disagreeing: records of another width, and ill-formed quoted cells.
    :param swallowed: lines that look like records and lie in a quoted cell that does not end.
    """

    delimiter: str
    quote: str | None
    escape: str | None
    cells: Cells
    width: int
    disagreeing: int
    swallowed: int

    @property
    def doubts(self) -> int:
        """How much speaks against it."""
        return self.disagreeing + self.swallowed


def sniff(
    text: str,
    settings: FormatSettings,
    *,
    suffix: str,
    whole: bool,
    widths: tuple[int, ...] = (),
    lines: int = 200,
    characters: int = 1 << 16,
) -> Supposition:
    """Find the dialect of a text that begins at a record.

    :param settings: what is declared is not looked for.
    :param suffix: of the file, in lower case, such as ``.tsv``.
    :param whole: nothing follows the text.
    :param widths: the number of columns that the job declares, when it does.
    :param lines: how many to look at, at most.
    :param characters: how many to look at, at most.
    """
    text, whole = _beginning(text, whole, lines, characters)
    if settings.delimiter is not None:
        return _with_quotes(text, settings.delimiter, settings, whole)
    found: list[tuple[float, Supposition]] = []
    for delimiter, rarity in _DELIMITERS.items():
        if delimiter not in text or (delimiter == "||" and text.count("|") != 2 * text.count("||")):
            continue
        if any(delimiter in sign for sign in (settings.quote or "", settings.escape or "")):
            continue
        supposed = _with_quotes(text, delimiter, settings, whole)
        score = rarity * _score(supposed)
        if delimiter in _BY_SUFFIX.get(suffix, ""):
            score *= _SUFFIX_BONUS.get(suffix, _CLEAR_SUFFIX_BONUS)
        score *= _WIDTH_BONUS if supposed.width in widths else 1
        found.append((score, supposed))
    score, best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    if best is None or score < _ONE_COLUMN or best.width < 2:
        return _one_column(text, settings, suffix, whole)
    return best


def _beginning(text: str, whole: bool, lines: int, characters: int) -> tuple[str, bool]:
    """Enough of a text to judge it by, and whether that is all."""
    end = 0
    for _ in range(lines):
        found = text.find("\n", end, characters) + 1 or text.find("\r", end, characters) + 1
        if not found:
            end = characters
            break
        end = found
    return text[:end], whole and end >= len(text)


def _one_column(text: str, settings: FormatSettings, suffix: str, whole: bool) -> Supposition:
    """A delimiter is needed even so: one that the text does not hold, lest a record be cut."""
    usual = _BY_SUFFIX.get(suffix, ",")[0]
    for delimiter in (usual, *"\t,;|", "\x01", "\x1f"):
        supposed = _with_quotes(text, delimiter, settings, whole)
        if supposed.width == 1 and not supposed.doubts:
            return supposed
    return _with_quotes(text, "\x1f", settings, whole)


def _score(supposed: Supposition) -> float:
    if supposed.width < 2:
        return 0.0
    agreement = max(1 - supposed.disagreeing / max(len(supposed.cells.records), 1), 0.0)
    clean = 1 - supposed.cells.unclean / max(supposed.cells.judged, 1)
    first = 1.0 if supposed.cells.records and len(supposed.cells.records[0]) == supposed.width else _FIRST_DIFFERS
    return float(agreement**2 * (0.3 + 0.7 * clean) * (1 - 1 / supposed.width) ** 0.25 * first)


def _with_quotes(text: str, delimiter: str, settings: FormatSettings, whole: bool) -> Supposition:
    """The best quote and escape character for a delimiter."""
    escapes = _declared(settings.escape, [None, "\\"] if "\\" in text else [None])
    quotes = _declared(settings.quote, ['"'] if '"' in text else [])
    supposed = [_suppose(text, delimiter, quote, escape, whole) for quote in quotes for escape in escapes]
    if settings.quote is not None:
        return min(supposed, key=_doubts)
    if any(one.cells.unclosed is None for one in supposed):
        # An escape character that opens a cell for good is none.
        supposed = [one for one in supposed if one.cells.unclosed is None]
    plain = min((_suppose(text, delimiter, None, escape, whole) for escape in escapes), key=_doubts)
    if supposed:
        quoted = min(supposed, key=_doubts)
        if _quotes_mean_something(quoted, plain):
            return quoted
    elif (single := _single_quoted(text, plain, whole)) is not None:
        return single
    else:
        # No quote yet; one further on must not go unnoticed.
        return replace(plain, quote='"')
    return plain


def _quotes_mean_something(quoted: Supposition, plain: Supposition) -> bool:
    """Whether quotes enclose cells, or are letters like any other."""
    cells = quoted.cells
    if not cells.records:
        return False
    if not cells.quoted and cells.unclosed is None:
        # They stand within cells only. Tabs need no quotes, elsewhere a quoted cell may well follow.
        return quoted.delimiter != "\t"
    if _doubts(quoted) <= _doubts(plain):
        return True
    sound = cells.quoted - cells.malformed
    if quoted.delimiter != "\t":
        # A single quote that is never closed must not go unnoticed either.
        return sound > 0 or cells.malformed + (cells.unclosed is not None) < 2
    return sound > quoted.doubts - plain.doubts


def _doubts(supposed: Supposition) -> tuple[bool, int]:
    return supposed.width < 2, supposed.doubts


def _declared(value: str | None, otherwise: list[str | None]) -> list[str | None]:
    if value is None:
        return otherwise
    return [None if value == "none" else value]


def _single_quoted(text: str, plain: Supposition, whole: bool) -> Supposition | None:
    """Apostrophes enclose cells only if they always do, and either often or for a reason."""
    if "'" not in text:
        return None
    supposed = _suppose(text, plain.delimiter, "'", plain.escape, whole)
    cells = supposed.cells
    sound = not cells.malformed and cells.unclosed is None and supposed.disagreeing <= plain.disagreeing
    needed = cells.needed > 0 and supposed.disagreeing < plain.disagreeing
    return supposed if sound and (needed or cells.quoted >= max(2, len(cells.records))) else None


def _suppose(text: str, delimiter: str, quote: str | None, escape: str | None, whole: bool) -> Supposition:
    cells = cut(text, delimiter, quote, escape, whole=whole)
    widths = Counter(map(len, cells.records))
    width, agreeing = widths.most_common(1)[0] if widths else (1, 0)
    swallowed = 0
    if cells.unclosed is not None:
        # Either a long field goes on beyond the text, or a stray quote swallows what look like records.
        tail = text[cells.unclosed :].splitlines()[1:]
        swallowed = whole + sum(line.count(delimiter) == width - 1 for line in tail)
    return Supposition(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        cells=cells,
        width=width,
        disagreeing=len(cells.records) - agreeing + cells.malformed,
        swallowed=swallowed,
    )
