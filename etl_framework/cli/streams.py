"""The standard streams, made so that what becomes of them changes nothing but what is said in the end."""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO


class StandardStream(io.FileIO):
    """Writes until a write fails; what comes after that goes nowhere, so that no command breaks off in its middle.

    :param descriptor: of the stream; it stays open.
    :ivar failure: why a write failed, None while none has.
    """

    failure: OSError | None = None

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write(self, data: object) -> int:
        """Write bytes, or drop them.

        :returns: how many bytes are done with.
        """
        size = memoryview(data).nbytes  # type: ignore[arg-type]  # whatever has bytes
        if self.failure is None:
            try:
                # A stream that somebody made non-blocking says None while it is full.
                while (written := super().write(data)) is None:  # type: ignore[arg-type]
                    select.select([], [self], [])
            except OSError as error:
                self.failure = error
            else:
                return written
        return size


@contextmanager
def lasting_streams() -> Iterator[StandardStream | None]:
    """Have standard output and standard error take everything, whatever becomes of whoever reads them.

    :returns: what standard output ends in, None where it is no file. Flush before asking whether it failed.
    """
    before = sys.stdout, sys.stderr
    sys.stderr, _ = _lasting(sys.stderr)
    sys.stdout, output = _lasting(sys.stdout)
    try:
        yield output
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _lasting(stream: TextIO | None) -> tuple[TextIO, StandardStream | None]:
    if stream is None:
        # Closed by whoever called: nothing is wanted. Its number may be that of another file by now.
        return Path("/dev/null").open("w", encoding="utf-8"), None
    if isinstance(stream, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):
            raw = StandardStream(stream.fileno())
            return io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            ), raw
    return stream, None


@contextmanager
def kept_output() -> Iterator[None]:
    """Keep standard output free: what is printed meanwhile goes to standard error.

    So does what libraries in C and processes that are begun meanwhile write: to the descriptor, which knows no Python.
    It is the whole process's, so that in another thread than the main one nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    sys.stdout.flush()
    with _kept_descriptor(), redirect_stdout(sys.stderr):
        yield


@contextmanager
def _kept_descriptor() -> Iterator[None]:
    if sys.__stdout__ is None:
        # Closed by whoever called. Its number may be that of another file by now, such as the journal.
        yield
        return
    import ctypes

    output, error = 1, 2
    aside = os.dup(output)
    try:
        if sys.__stderr__ is not None:
            os.dup2(error, output)
        else:
            with Path("/dev/null").open("wb") as nowhere:
                os.dup2(nowhere.fileno(), output)
        yield
    finally:
        # What was printed past `sys.stdout`, and by libraries in C, waits in buffers of its own.
        with suppress(OSError, ValueError):
            sys.__stdout__.flush()
        ctypes.CDLL(None).fflush(None)
        os.dup2(aside, output)
        os.close(aside)
