"""Where each key of a TOML text stands, so that an error can name the line."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

KeyPath = tuple[str | int, ...]

_GAP = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every key, table and array element.

    :param text: valid TOML, that is, :mod:`tomllib` has read it.
    :returns: by path: ``("jobs", "sales", "mode")``; elements of arrays are numbered from 0.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._last_element: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._peek():
            if self._take("[["):
                table = self._header(array=True)
                self._take("]]")
            elif self._take("["):
                table = self._header(array=False)
                self._take("]")
            else:
                self._pair(table)
        return self.lines

    def _peek(self) -> str:
        match = _GAP.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def _take(self, token: str) -> bool:
        self._peek()
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def _note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, bisect_right(self._line_starts, self.at))

    def _key(self) -> list[str]:
        parts = [self._key_part()]
        while self._take("."):
            parts.append(self._key_part())
        return parts

    def _key_part(self) -> str:
        self._peek()
        match = _KEY.match(self.text, self.at)
        if match is None:
            raise ValueError(f"no TOML key at character {self.at}")
        self.at = match.end()
        if match[0][0] in "\"'":
            return next(iter(tomllib.loads(f"{match[0]} = 0")))
        return match[0]

    def _header(self, *, array: bool) -> KeyPath:
        self._peek()
        start = self.at
        *outer, last = self._key()
        end, self.at = self.at, start
        path: KeyPath = ()
        for part in outer:
            path = (*path, part)
            self._note(path)
            if path in self._last_element:
                path = (*path, self._last_element[path])
        path = (*path, last)
        self._note(path)
        if array:
            self._last_element[path] = self._last_element.get(path, -1) + 1
            path = (*path, self._last_element[path])
            self._note(path)
        self.at = end
        return path

    def _pair(self, table: KeyPath) -> None:
        self._peek()
        start = self.at
        parts = self._key()
        end, self.at = self.at, start
        path = table
        for part in parts:
            path = (*path, part)
            self._note(path)
        self.at = end
        self._take("=")
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._peek()
        if self._take("["):
            index = 0
            while not self._take("]"):
                self._note((*path, index))
                self._value((*path, index))
                self._take(",")
                index += 1
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                self._take(",")
        else:
            match = _SCALAR.match(self.text, self.at)
            if match is None:
                raise ValueError(f"no TOML value at character {self.at}")
            self.at = match.end()
