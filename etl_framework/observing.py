"""Telling observers what happens, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etl_framework.values import Event

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Emit


class Observers:
    """Whoever is told what happens in one run: those who asked for it, and then the plugins.

    :param run: id of the run.
    """

    def __init__(self, run: str, observers: Iterable[Emit], plugins: Plugins) -> None:
        self._run = run
        self._observers = tuple(observers)
        self._plugins = plugins

    def tell(self, event: Event) -> None:
        """Tell everybody, from any thread; an observer that has nobody left to show it to is told no more.

        A closed terminal or pipe raises OSError, or SystemExit where a library thinks that this is the program's end:
        no reason to stop a run.
        """
        for observer in self._observers:
            try:
                observer(event)
            except (OSError, SystemExit):
                # Another thread may have come upon the same at the same time.
                self._observers = tuple(left for left in self._observers if left is not observer)
        self._plugins.event(event)

    def happened(
        self,
        name: str,
        *,
        step: str = "",
        part: int | None = None,
        bytes: int | None = None,  # noqa: A002 - the event's own word
        total_bytes: int | None = None,
        rows: int | None = None,
        message: str = "",
    ) -> None:
        """Tell everybody of something that happened in the run; see :class:`Event`."""
        self.tell(
            Event(
                name=name,
                run=self._run,
                step=step,
                part=part,
                bytes=bytes,
                total_bytes=total_bytes,
                rows=rows,
                message=message,
            )
        )
