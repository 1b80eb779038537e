"""Where a check was made: told when it fails in the framework's code, where no line of its plugin leads to."""

from __future__ import annotations

from inspect import currentframe
from pathlib import Path


class PlaceNote(str):
    """The note that an exception carries: what is to be mended, and where."""

    __slots__ = ()


class MadeAt:
    """Within it, exceptions learn which check they come of, and where a plugin made that.

    :param check: its name.
    """

    def __init__(self, check: str) -> None:
        self._check = check
        frame = currentframe()
        while frame and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
            frame = frame.f_back
        self._place = f"at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else ""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            named = str(next(iter(error.args), "")).startswith(f"{self._check}: ")
            error.add_note(PlaceNote(self._place if named else f"in check {self._check!r}, {self._place}"))
