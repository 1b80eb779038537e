"""What every test starts from, in the core and in the plugins."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Take Ctrl-C as a terminal gives it: what is started in the background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
