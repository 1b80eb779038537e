"""Telling observers what happens, whatever becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_framework.protocols import Emit
    from etl_framework.values import Event


def tell_observers(observers: list[Emit], event: Event) -> None:
    """Tell every observer; one that has nobody left to show it to is told no more.

    A closed terminal or pipe raises OSError, or SystemExit where a library thinks that this is the program's end: no
    reason to stop a run.
    """
    for observer in tuple(observers):
        try:
            observer(event)
        except (OSError, SystemExit):
            observers.remove(observer)
