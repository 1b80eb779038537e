"""Patterns of file names: globs with placeholders for the days that a file covers."""

from __future__ import annotations

import calendar
import glob
import os
import re
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.errors import InputError, UsageError
from etl_framework.periods import Period

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAY = r"\d{4}(?:-\d{2}-\d{2}|\d{4})"
PLACEHOLDERS = {
    "month": r"\d{4}-\d{2}",
    "month_folder": r"\d{2}\d{4}|\d{4}-\d{2}",
    "date": _DAY,
    "date_range": r"\d{8}-\d{8}",
}
# A file for a month is asked for every month of the period; days and ranges may leave gaps.
_WHOLE_MONTHS = {"month", "month_folder"}
_TOKEN = re.compile(r"\{(?P<name>[^{}]*)\}|\[(?P<not>!?)(?P<set>\][^\]]*|[^\]]+)\]|(?P<star>\*+)|(?P<any>\?)")


def anchored(pattern: str, folder: Path) -> str:
    """A path or pattern as an absolute one.

    A path that exists is meant as it is, whatever characters it holds; of anything else, only ``pattern`` itself is
    a pattern, never the folder that it is relative to.

    :param pattern: path, glob or pattern.
    :param folder: what it is relative to, absolute.
    :raises UsageError: it cannot be a path on this machine.
    """
    if "\0" in pattern or "://" in pattern or not pattern:
        raise UsageError(f"{pattern!r} is not a path of a local file", advice="Name files of this machine.")
    home = str(Path(pattern).expanduser()) if pattern.startswith("~") else pattern
    path = os.path.normpath(folder / home)
    if os.path.lexists(path):
        return path
    escaped = glob.escape(str(folder)).replace("{", "[{]")
    return os.path.normpath(Path(escaped) / home)


@dataclass(frozen=True, slots=True)
class Match:
    """A path that a pattern matches.

    :param path: absolute.
    :param months: first days of the months that placeholders for months matched on the way to it.
    :param by_name: whether its own name is given or described by a placeholder, not just by a wildcard.
    """

    path: str
    months: frozenset[date]
    by_name: bool


def matches(pattern: str, period: Period | None, *, recursive: bool = False) -> Iterator[Match]:
    """The files and folders that a pattern matches and that overlap the period.

    :param pattern: absolute.
    :param period: None lets placeholders match anything of their shape.
    :param recursive: whether the last component is also looked for in all folders below.
    :raises UsageError: the pattern holds an unknown placeholder.
    :raises InputError: a folder cannot be listed.
    """
    root, *components = Path(pattern).parts
    if recursive and components and _is_pattern(components[-1]) and "**" not in components:
        components.insert(-1, "**")
    compiled = [component if component == "**" else _Component(component) for component in components]
    return _walk(root, compiled, period, Match(root, frozenset(), by_name=True))


def check_pattern(pattern: str) -> None:
    """Make sure that a pattern can be read; what it matches is not looked at.

    :param pattern: absolute; a path that exists is no pattern.
    :raises UsageError: it holds an unknown placeholder or an unfinished set of characters.
    """
    if not os.path.lexists(pattern):
        matches(pattern, None)


def follows_period(pattern: str) -> bool:
    """Whether the period of a run chooses files of a pattern: by placeholders.

    :param pattern: absolute.
    """
    _, *components = Path(pattern).parts
    return any(component != "**" and _Component(component).has_placeholder for component in components)


def fixed_folder(pattern: str) -> str:
    """The deepest folder of a pattern that holds no wildcard: where the search begins."""
    root, *components = Path(pattern).parts
    folder = Path(root)
    for component in components[:-1]:
        if component == "**" or _is_pattern(component):
            break
        folder /= _Component(component).text
    return str(folder)


def _walk(folder: str, components: list[_Component | str], period: Period | None, so_far: Match) -> Iterator[Match]:
    if not components:
        yield so_far
        return
    component, rest = components[0], components[1:]
    if isinstance(component, str):
        for below in _folders_below(folder):
            yield from _walk(below, rest, period, so_far)
        return
    names = [component.text] if not component.is_pattern else sorted(entry.name for entry in _entries(folder))
    for name in names:
        months = component.match(name, period)
        path = os.path.join(folder, name)  # noqa: PTH118 - ten thousand names at a time
        if months is not None and (os.path.isdir(path) if rest else os.path.lexists(path)):  # noqa: PTH112
            match = Match(path, so_far.months | months, component.has_placeholder or not component.is_pattern)
            yield from _walk(path, rest, period, match)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}", advice="Check the folder's permissions.") from error


def _folders_below(folder: str) -> Iterator[str]:
    yield folder
    for entry in sorted(_entries(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _folders_below(entry.path)


def _is_pattern(component: str) -> bool:
    return component == "**" or _Component(component).is_pattern


class _Component:
    """One component of a path: a plain name, or something that matches names."""

    def __init__(self, component: str) -> None:
        self.is_pattern = False
        self.placeholders: list[str] = []
        self.text = ""
        expression = ""
        at = 0
        for token in _TOKEN.finditer(component):
            plain = component[at : token.start()]
            self.text += plain
            expression += re.escape(plain) + self._translate(token)
            at = token.end()
        self.text += component[at:]
        self._shows_hidden = self.text.startswith(".") and not component.startswith(("*", "?", "[!"))
        try:
            self._expression = re.compile(expression + re.escape(component[at:]), re.DOTALL)
        except re.error as error:
            raise UsageError(f"{component!r} is not a pattern: {error.msg}", advice="Correct the brackets.") from error

    @property
    def has_placeholder(self) -> bool:
        return bool(self.placeholders)

    def _translate(self, token: re.Match[str]) -> str:
        if token["set"] is not None and not token["not"] and len(token["set"]) == 1:
            # An escaped character: it is meant as it is.
            self.text += token["set"]
            return re.escape(token["set"])
        self.is_pattern = True
        if token["name"] is not None:
            return self._placeholder(token["name"])
        if token["set"] is not None:
            listed = re.sub(r"([\\\[\]^&~|])", r"\\\1", token["set"])
            return f"[{'^' if token['not'] else ''}{listed}]"
        return "." if token["any"] else ".*"

    def _placeholder(self, name: str) -> str:
        if name not in PLACEHOLDERS:
            guess = get_close_matches(name, PLACEHOLDERS, n=1)
            meant = f"Did you mean {{{guess[0]}}}? " if guess else ""
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise UsageError(f"{{{name}}} is not a placeholder of patterns", advice=f"{meant}There are: {known}.")
        self.placeholders.append(name)
        return rf"(?<!\d)({PLACEHOLDERS[name]})(?!\d)"

    def match(self, name: str, period: Period | None) -> frozenset[date] | None:
        """The months that the name tells, or None when it does not match or lies outside of the period."""
        if not self.is_pattern:
            return frozenset()
        found = self._expression.fullmatch(name)
        if found is None or (name.startswith(".") and not self._shows_hidden):
            return None
        months: set[date] = set()
        for placeholder, text in zip(self.placeholders, found.groups(), strict=True):
            covered = _covered(placeholder, text)
            if covered is None or (period is not None and not covered.overlaps(period)):
                return None
            if placeholder in _WHOLE_MONTHS:
                months.add(covered.first)
        return frozenset(months)


def _covered(placeholder: str, text: str) -> Period | None:
    """The days that a placeholder's text tells; None when they are not in the calendar."""
    digits = text.replace("-", "")
    try:
        if placeholder == "date":
            day = _day(digits)
            return Period(day, day)
        if placeholder == "date_range":
            return Period(_day(digits[:8]), _day(digits[8:]))
        year, month = (digits[:4], digits[4:]) if "-" in text else (digits[2:], digits[:2])
        first = date(int(year), int(month), 1)
        return Period(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))
    except (ValueError, UsageError):
        return None


def _day(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))


def asks_for_whole_months(pattern: str) -> bool:
    """Whether a pattern holds a placeholder for months."""
    return any(_WHOLE_MONTHS & set(_Component(part).placeholders) for part in Path(pattern).parts[1:] if part != "**")
