"""Calendars: which days nobody expects rows of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from etl_framework import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from etl_framework import Job

_CODE = re.compile(r"([A-Z]{2,6})(?:-(.+))?")
_YEARS = range(1900, 2200)
"""For which the library is asked: that takes no time, and whoever writes 0204 for 2024 still gets an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Holidays.

    :param name: as configured.
    :param holidays: the days, of type ``datetime64[D]``, ascending.
    """

    name: str
    holidays: npt.NDArray[np.datetime64]


def read_calendar(name: str, job: Job, key: str) -> Calendar:
    """The calendar that is meant by a code, such as ``US``, ``DE-BY`` or ``NYSE``, or by the path of a file.

    :param name: capital letters, with the code of a part of the country behind a hyphen, are a code; anything else is
        a path, which counts from the job's folder.
    :param key: where it is configured, such as ``checks.dates.calendar``.
    :raises UsageError: there is no such calendar, or the library that knows the codes is not installed.
    """
    code = _CODE.fullmatch(name)
    days = _known(code[1], code[2], key) if code else _written(job.folder / name, key)
    return Calendar(name=name, holidays=np.array(sorted(days), "datetime64[D]"))


@lru_cache(maxsize=16)
def _known(code: str, subdivision: str | None, key: str) -> tuple[date, ...]:
    try:
        import holidays
    except ImportError as error:
        raise UsageError(
            f"{key}: the calendar {code!r} needs the library holidays, which is not installed",
            advice="pip install 'etl-quality[calendars]', or name a file with one holiday a line (2024-12-25).",
            key=key,
        ) from error
    countries = holidays.list_supported_countries(include_aliases=True)
    markets = holidays.list_supported_financial(include_aliases=True)
    known = countries.get(code) if code in countries else markets.get(code)
    if known is None:
        raise _unknown(f"no calendar of a country or a market has the code {code!r}", code, [*countries, *markets], key)
    if subdivision is not None and subdivision not in known:
        raise _unknown(f"the calendar {code!r} has no part {subdivision!r}", subdivision, known, key)
    make = holidays.country_holidays if code in countries else holidays.financial_holidays
    return tuple(make(code, subdiv=subdivision, years=_YEARS))


def _unknown(said: str, asked: str, known: Sequence[str], key: str) -> UsageError:
    meant = did_you_mean(get_close_matches(asked, known, n=1))
    parts = f"It has {', '.join(known[:20])}. " if known and len(known) < 100 else ""
    return UsageError(
        f"{key}: {said}",
        advice=f"{meant}{parts}Codes are such as US, US-NY, DE-BY or NYSE; anything else is the path of a file.",
        key=key,
    )


def _written(path: Path, key: str) -> tuple[date, ...]:
    """The days of a file: one ISO day a line; what follows a # is a comment."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"{key}: the calendar {path} cannot be read: {why}",
            advice="Paths count from the folder of etl.toml. Codes are such as US, US-NY, DE-BY or NYSE.",
            key=key,
        ) from error
    days = []
    for number, line in enumerate(lines, start=1):
        written = line.partition("#")[0].strip()
        if not written:
            continue
        try:
            days.append(date.fromisoformat(written))
        except ValueError as error:
            raise UsageError(
                f"{key}: {path}:{number}: {written!r} is no day",
                advice="Write one day a line, such as 2024-12-25; what follows a # is a comment.",
                key=key,
            ) from error
    if not days:
        raise UsageError(f"{key}: the calendar {path} holds no days", advice="Write one day a line.", key=key)
    return tuple(days)
