"""What plugin code raises: an answer, which comes through, or a defect, told in one line with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from etl_framework.errors import EtlError
from etl_framework.origins import PlaceNote


def is_answer(error: BaseException) -> bool:
    """Whether a plugin may raise this: an error of the project, a signal of the protocols, or somebody's Ctrl-C."""
    from etl_framework.protocols import MisplacedCut, TypesWidened

    return isinstance(error, (EtlError, MisplacedCut, TypesWidened, KeyboardInterrupt, GeneratorExit))


def told(error: BaseException, package: str = "") -> str:
    """An exception in one line, with the place where it was raised.

    :param package: the last place within it is told instead, where there is one; else where it made the check.
    """
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return f"{type(error).__name__}: {error.msg} (at {Path(error.filename).name}:{error.lineno})"
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place, own, trace = "", "", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith("<"):
            place = f" (at {Path(code.co_filename).name}:{trace.tb_lineno})"
            if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == package:
                own = place
        trace = trace.tb_next
    made = next((f" ({note})" for note in getattr(error, "__notes__", ()) if isinstance(note, PlaceNote)), "")
    return text + (own or made or place)


def defined_at(function: Callable[..., object]) -> str:
    """Where a function is defined, as :func:`told` writes places; empty where nobody can read it."""
    from inspect import getsourcelines, unwrap

    code = getattr(unwrap(function), "__code__", None)
    if code is None:
        return ""
    try:
        lines, first = getsourcelines(code)
    except OSError:
        return ""
    # A function begins with its decorators.
    line = next((number for number, text in enumerate(lines, first) if text.lstrip().startswith("def ")), first)
    return f" (at {Path(code.co_filename).name}:{line})"
