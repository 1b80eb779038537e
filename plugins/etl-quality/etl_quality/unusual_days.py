"""Days whose number of rows is unusual, and what makes it so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from etl_framework import counted


@dataclass(frozen=True, slots=True)
class Unusual:
    """A kind of unusual day.

    :param name: what it is called.
    :param words: which bound it is beyond.
    :param below: it has fewer rows than this.
    :param above: or more than this.
    """

    name: str
    words: str
    below: float = 0.0
    above: float = math.inf

    def holds(self, rows: int) -> bool:
        """Whether a day of so many rows is one."""
        return rows < self.below or rows > self.above

    @property
    def advice(self) -> str:
        """The likely cause, and what to do."""
        if self.below:
            return (
                "Was the source delivered whole? Days without rows count as 0. Where fewer are due at weekends and on "
                "holidays, say so: weekends = true, and a calendar."
            )
        return "Was something delivered twice? `duplicates` tells rows that share a key."


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A day, or several without rows that follow each other.

    :param number: how many of them count: those that rows are due on.
    :param rows: of each of them.
    """

    first: int
    last: int
    number: int
    rows: int

    def in_rows(self) -> str:
        """How many rows, in words."""
        return counted(self.rows, "row") if self.rows else "no rows"

    def __str__(self) -> str:
        first, last = (str(np.datetime64(day, "D")) for day in (self.first, self.last))
        return first if first == last else f"{first} to {last}"
