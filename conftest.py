"""What every test starts from, in the core and in the plugins."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

import pytest

NOBODY = 65534


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Take Ctrl-C as a terminal gives it: what is started in the background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    collect = sys.unraisablehook

    def strike_again(dropped: sys.UnraisableHookArgs) -> None:
        # Python drops what is raised within a callback of the garbage collector, and hypothesis has one.
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            collect(dropped)

    sys.unraisablehook = strike_again


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Makes this process, for a while, a user's who may not read everything, as root may.

    Import before what is needed then: that user may not read where this Python lies.
    """

    @contextmanager
    def unprivileged() -> Iterator[None]:
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(user)

    return unprivileged
