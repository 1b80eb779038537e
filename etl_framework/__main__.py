"""The program ``etl``."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from contextlib import suppress

_NEW_OBJECTS = 200_000
"""Between two collections of garbage: a program makes as many while it imports, nearly all of which stay."""

LIBRARIES = {
    # Arrow's allocator gives memory back to the system a moment after it was freed, and the next block takes it again,
    # page by page: a twentieth of the time of a load. After a second without use, it may have it.
    "MIMALLOC_PURGE_DELAY": "1000",
    # NumPy's linear algebra, which nothing here needs, begins with a thread for each core, all of which spin.
    "OPENBLAS_NUM_THREADS": "1",
}
"""Settings that libraries take from the environment while they are imported; those of the user win."""


def main() -> None:
    """Run the command that the program was called with."""
    # Until the command line can say something about it, Ctrl-C ends the program without a word, as SIGTERM does.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
    for name, value in LIBRARIES.items():
        os.environ.setdefault(name, value)

    from etl_framework import cli

    try:
        cli.main()
    except SystemExit as ended:
        # The end of Python waits for threads of libraries, such as one that uploads to a server that does not answer.
        # Whoever stopped the command does not.
        if ended.code in cli.STOPPED and threading.active_count() > 1:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(int(ended.code))
        # The end of Python looks for garbage among all modules, which the end of the process frees in no time.
        gc.freeze()
        raise


if __name__ == "__main__":
    main()
