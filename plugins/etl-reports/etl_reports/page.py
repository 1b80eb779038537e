"""The page that a report is printed on: how wide it is, what its stream can hold, what its signs look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from etl_framework import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_WIDTH = 120
_UNLIMITED = 1_000_000
INDENT = 2


class Page:
    """Prints what is safe to print: no markup is ever read from data, and no control character reaches the stream.

    :param stream: where to print. Colour is used on terminals only, and not when ``NO_COLOR`` is set; lines and
        signs beyond ASCII only where the stream's encoding has them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False, force_jupyter=False)
        # A program may read what no terminal shows: nothing is folded away for a width that is not there.
        self._console.width = min(self._console.width, MAX_WIDTH) if self._console.is_terminal else _UNLIMITED
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self.rich_signs = _holds(self._encoding, "✓✗→·…█▏╭─╰")
        self.framed = self._console.is_terminal and self.rich_signs
        self.dot, self.arrow, self.ellipsis = ("·", "→", "…") if self.rich_signs else ("-", "->", "...")
        self.good, self.bad = ("✓", "✗") if self.rich_signs else ("ok", "NO")
        self.bar = "█" if self.rich_signs else "#"

    @property
    def width(self) -> int:
        """Cells per line: of a terminal; more than any line needs elsewhere."""
        return self._console.width

    def safe(self, value: object, limit: int | None = None) -> str:
        """Any text with what is invisible, steers a terminal or cannot be encoded escaped."""
        return printable(str(value), limit=limit, encoding=self._encoding)

    def text(self, *pieces: str | tuple[str, str]) -> Text:
        """One text from pieces and (piece, style) pairs; every piece is made safe."""
        made = Text()
        for piece in pieces:
            content, style = (piece, "") if isinstance(piece, str) else piece
            made.append(self.safe(content), style)
        return made

    def fitted(self, content: str, width: int) -> str:
        """The content, shortened to so many cells with an ellipsis."""
        if cell_len(content) <= width:
            return content
        room = width - cell_len(self.ellipsis)
        return set_cell_size(content, room).rstrip() + self.ellipsis if room > 0 else set_cell_size(content, width)

    def print(self, what: RenderableType = "", indent: int = 0) -> None:
        """Print a text, a table or an empty line."""
        padded = Padding(what, (0, 0, 0, indent)) if indent else what
        if self._console.is_terminal:
            self._console.print(padded, overflow="fold")
            return
        with self._console.capture() as captured:
            self._console.print(padded, overflow="fold", width=max(self._console.measure(padded).maximum, 1))
        # The blanks that fill up lines are noise in a log.
        self._stream.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())

    def heading(self, title: str, note: str = "") -> None:
        """Begin a section."""
        self.print()
        self.print(self.text((title, "bold"), (f"  {note}" if note else "", "dim")))

    def pairs(self, rows: Sequence[tuple[Text, Text]], indent: int = INDENT) -> None:
        """Labels and what belongs to them, the second column wrapped within its own edges."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(overflow="fold")
        grid.add_column(overflow="fold")
        for row in rows:
            grid.add_row(*row)
        self.print(grid, indent=indent)

    def table(self) -> Table:
        """An empty table with a line below its headings."""
        lines = box.SIMPLE_HEAD if self.rich_signs else _ASCII_HEAD
        return Table(box=lines, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))


_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def _holds(encoding: str, characters: str) -> bool:
    try:
        characters.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
