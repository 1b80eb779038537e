"""Ages as they are typed: ``12h``, ``30d``, ``8w``."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def age(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    """Read the value of an option that is an age.

    :raises click.BadParameter: it is none.
    """
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,4})([hdw])", value)
    if not match:
        raise click.BadParameter(f"{value!r} is no age: write 12h, 30d or 8w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
