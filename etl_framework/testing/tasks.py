"""What executors are tried with: tasks that worker processes can import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework.errors import InputError
from etl_framework.values import Event

if TYPE_CHECKING:
    from etl_framework.protocols import Emit

MOST_EVENTS = 200_000
"""Of a task that is to be stopped, so that one that is not stopped comes to an end all the same."""


def square(item: int, emit: Emit) -> int:
    """Tell of the item, and give its square."""
    emit(Event(name="part_progress", run="contract", part=item))
    return item * item


def square_but_for_five(item: int, emit: Emit) -> int:
    """Give the square; of 5, fail as a plugin's code does."""
    if item == 5:
        raise ValueError("five cannot be squared")
    return square(item, emit)


def refuse_five(item: int, emit: Emit) -> int:
    """Give the square; of 5, fail as the project does."""
    if item == 5:
        raise InputError("five cannot be read", advice="Take another number.")
    return square(item, emit)


def until_stopped(item: int, emit: Emit) -> int:
    """Tell of the item again and again."""
    for _ in range(MOST_EVENTS):
        emit(Event(name="part_progress", run="contract", part=item))
    return item
