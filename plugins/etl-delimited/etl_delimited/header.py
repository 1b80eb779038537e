"""Whether the first record names the columns, and what the columns are called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etl_delimited.infer import Inferred, fits, is_null
from etl_delimited.settings import SECTION
from etl_framework import Column, Finding, Sample, Severity

if TYPE_CHECKING:
    from etl_delimited.settings import FormatSettings

_NAME_LIKE = re.compile(r"[^\W\d][\w .:/()%#@$&*?+-]{0,99}")
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Guess:
    """Whether the first record is a header.

    :param header: the answer.
    :param certain: whether the data leaves no doubt.
    """

    header: bool
    certain: bool


def guess_header(
    first: Sequence[str],
    inferred: Sequence[Inferred],
    seen_again: Sequence[bool],
    declared: Sequence[Column],
    settings: FormatSettings,
) -> Guess:
    """Decide whether the first record names the columns.

    :param first: its fields.
    :param inferred: of the fields of the other records.
    :param seen_again: for each field, whether its text occurs among the other records' fields.
    :param declared: the job's columns.
    """
    names = [name.strip().lower() for name in first]
    speaks = [_speaks(text, column, settings) for text, column in zip(first, inferred, strict=False)]
    for_it, against = speaks.count(True), speaks.count(False)
    wanted = {column.name.strip().lower() for column in declared}
    if met := wanted & set(names):
        # One name alone could be a value by chance.
        return Guess(True, certain=2 * len(met) > len(wanted) or for_it > against)
    if for_it or against:
        return Guess(for_it > against or (for_it == against and all_names(first)), certain=not (for_it and against))
    if all_names(first):
        return Guess(len(set(names)) == len(names) and not any(seen_again), certain=False)
    alone = not any(column.known for column in inferred)
    return Guess(False, certain=any(seen_again) or (alone and any(map(is_value, names))))


def _speaks(text: str, column: Inferred, settings: FormatSettings) -> bool | None:
    """Whether a field of the first record is of another kind than the rest of its column; None says nothing."""
    text = text.strip()
    if column.is_text:
        return True if column.digits and not any(letter.isdigit() for letter in text) and text else None
    if is_null(text, settings):
        return None
    return not fits(text, column, settings)


def is_value(text: str) -> bool:
    """Whether a text begins as numbers, dates and times do, and names do not."""
    return text[:1].isdigit() or text[:1] in ("-", ".")


def all_names(first: Sequence[str]) -> bool:
    """Whether all texts could be names of columns."""
    return all(_NAME_LIKE.fullmatch(name.strip()) for name in first)


def header_doubt(path: str, first: Sequence[str], guess: Guess, lines: int = 0) -> Finding:
    """The finding that a guess may be wrong.

    :param lines: how many stand before another record that may well be the header; 0 when there is none.
    """
    below = f" Line {lines + 1} looks like names, too: if it is the header, set skip_lines = {lines}." if lines else ""
    taken = "taken as the names of the columns" if guess.header else "taken as data"
    return Finding(
        rule="header_uncertain",
        severity=Severity.WARNING,
        count=1,
        message=f"the first record is {taken}, but nothing in the data proves it: {_shown(first)}",
        advice=f"Declare header = {str(guess.header).lower()} in {SECTION} if that is right, "
        f"header = {str(not guess.header).lower()} if not.{below}",
        samples=(Sample(file=path, value=_shown(first)),),
    )


def column_names(path: str, fields: Sequence[str]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Names that differ even without regard to case, from a header.

    An empty name becomes ``column_3``, a repeated one gets a number: ``name_2``.

    :returns: the names, and what had to be changed.
    """
    taken = {_cleaned(field).lower() for field in fields}
    names: list[str] = []
    used: set[str] = set()
    for number, field in enumerate(fields, start=1):
        name = _cleaned(field)
        if not name or name.lower() in used:
            base, suffix = (name, 2) if name else ("column", number)
            while f"{base}_{suffix}".lower() in used | taken:
                suffix += 1
            name = f"{base}_{suffix}"
        names.append(name)
        used.add(name.lower())
    changed = [(field, name) for field, name in zip(fields, names, strict=True) if field.strip() != name]
    padded = [field for field in fields if field != field.strip() and field.strip()]
    findings = [*_renamed(path, changed), *_padded(path, padded)]
    return tuple(names), tuple(findings)


def _cleaned(field: str) -> str:
    """One line, no white space around it, no control characters: no warehouse can name a NUL."""
    return "".join(letter for letter in " ".join(field.split()) if letter.isprintable())


def _renamed(path: str, changed: Sequence[tuple[str, str]]) -> list[Finding]:
    if not changed:
        return []
    shown = ", ".join(f"{field!r} → {name!r}" for field, name in changed[:_LISTED])
    return [
        Finding(
            rule="header_names",
            severity=Severity.WARNING,
            count=len(changed),
            message=f"empty, repeated or unprintable names in the header were replaced: {shown}",
            advice="Declare the columns under these names, or repair the header.",
            samples=tuple(Sample(file=path, column=name, value=field) for field, name in changed[:5]),
        )
    ]


def _padded(path: str, padded: Sequence[str]) -> list[Finding]:
    if not padded:
        return []
    return [
        Finding(
            rule="header_names",
            severity=Severity.INFO,
            count=len(padded),
            message=f"white space around names in the header was taken off: {', '.join(map(repr, padded[:_LISTED]))}",
            samples=(Sample(file=path, value=padded[0]),),
        )
    ]


def numbered(count: int) -> tuple[str, ...]:
    """Names for columns that have none."""
    return tuple(f"column_{number}" for number in range(1, count + 1))


def match_by_name(
    path: str, names: Sequence[str], found: Sequence[Column], declared: Sequence[Column], settings: FormatSettings
) -> tuple[tuple[Column, ...], list[Finding]]:
    """Put the declared columns in the places of their names.

    A name that differs in case only matches when it is the only one.

    :param names: in the header.
    :param found: the inferred columns of these names.
    :returns: the columns in the file's order, under their declared names, and an error for what does not match.
    """
    columns = list(found)
    missing: list[str] = []
    placed: set[int] = set()
    for column in declared:
        exact = [at for at, name in enumerate(names) if name == column.name]
        alike = exact or [at for at, name in enumerate(names) if name.lower() == column.name.strip().lower()]
        if len(alike) == 1 and alike[0] not in placed:
            placed.add(alike[0])
            columns[alike[0]] = replace(column, declared=True)
        else:
            missing.append(column.name)
    extra = [name for at, name in enumerate(names) if at not in placed]
    if missing or (extra and settings.undeclared == "error"):
        return tuple(columns), [_mismatch(path, missing, extra if settings.undeclared == "error" else [], extra)]
    return tuple(columns), [_undeclared(extra)] if extra and declared else []


def _mismatch(path: str, missing: Sequence[str], refused: Sequence[str], extra: Sequence[str]) -> Finding:
    said = []
    if missing:
        said.append(f"the header lacks the declared {_plural('column', missing)} {', '.join(map(repr, missing))}")
    if refused:
        said.append(
            f"it names {_plural('column', refused)} that the job does not declare: {', '.join(map(repr, refused))}"
        )
    hints = [f"{name!r} may be {near!r} in the file." for name in missing if (near := nearest(name, extra))]
    return Finding(
        rule="header_mismatch",
        severity=Severity.ERROR,
        count=len(missing) + len(refused),
        message="; ".join(said),
        advice=" ".join([*hints, "Correct the declared columns or the file's header."]),
        samples=tuple(
            Sample(file=path, line=1, column=name, reason=reason)
            for group, reason in ((missing, "declared, not in the header"), (refused, "in the header, not declared"))
            for name in group[:_LISTED]
        ),
    )


def _undeclared(extra: Sequence[str]) -> Finding:
    shown = ", ".join(map(repr, extra[:_LISTED]))
    return Finding(
        rule="undeclared_columns",
        severity=Severity.INFO,
        count=len(extra),
        message=f"the job does not declare {_plural('column', extra)} {shown}; their types are inferred",
        advice=f'Declare them, or set undeclared = "error" in {SECTION} to have them refused.',
    )


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The name that somebody may have meant."""
    lower = {other.lower(): other for other in names}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return lower[near[0]] if near else None


def _plural(word: str, things: Sequence[object]) -> str:
    return word if len(things) == 1 else f"{word}s"


def _shown(fields: Sequence[str]) -> str:
    return ", ".join(repr(field) for field in fields[:8]) + (" …" if len(fields) > 8 else "")
