"""What plugin code raises: an answer, which comes through, or a defect, told in one line with its place."""

from __future__ import annotations

from pathlib import Path

from etl_framework.errors import EtlError


def is_answer(error: BaseException) -> bool:
    """Whether a plugin may raise this: an error of the project, a signal of the protocols, or somebody's Ctrl-C."""
    from etl_framework.protocols import MisplacedCut, TypesWidened

    return isinstance(error, (EtlError, MisplacedCut, TypesWidened, KeyboardInterrupt, GeneratorExit))


def told(error: BaseException, package: str = "") -> str:
    """An exception in one line, with the place where it was raised.

    :param package: the last place within it is told instead, where there is one.
    """
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place, own, trace = "", "", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith("<"):
            place = f" (at {Path(code.co_filename).name}:{trace.tb_lineno})"
            if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == package:
                own = place
        trace = trace.tb_next
    return text + (own or place)
