"""Figures beside their limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    :param name: what was measured.
    :param value: the figure.
    :param limit: what it must reach.
    :param at_least: whether the limit is a floor; else a ceiling.
    :param unit: of both.
    :param detail: what it was computed from.
    """

    name: str
    value: float
    limit: float
    at_least: bool
    unit: str
    detail: str

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side of its limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self) -> str:
        """The figure as a row of a Markdown table."""
        sign = "≥" if self.at_least else "≤"
        mark = "reached" if self.reached else "**missed**"
        figures = f"{self.value:.2f} {self.unit} | {sign} {self.limit:g} {self.unit}"
        return f"| {self.name} | {figures} | {mark} | {self.detail} |"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    runs: int
    large: float
    work: Path


def listed(ratios: list[float]) -> str:
    """The runs that a figure is the median of."""
    return " ".join(f"{ratio:.2f}" for ratio in ratios)
