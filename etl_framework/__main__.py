"""The program ``etl``."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command that the program was called with."""
    # Until the command line can say something about it, Ctrl-C ends the program without a word, as SIGTERM does.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from etl_framework import cli

    cli.main()


if __name__ == "__main__":
    main()
