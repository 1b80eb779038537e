"""`python -m etl_snowflake.emulator`: serve the emulator until the process is ended."""

import argparse
import atexit
import os
import shutil
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import uvicorn

from etl_snowflake.emulator.app import create_app


def _say(url: str) -> None:
    print(url, flush=True)


def serve(
    host: str,
    port: int,
    data: Path | None,
    ready_file: Path | None,
    announce: Callable[[str], object] = _say,
    certificate: Path | None = None,
) -> None:
    """Listen, say where, and serve.

    :param port: TCP port; 0 takes a free one.
    :param data: folder to keep data in; None keeps it in memory.
    :param ready_file: gets the URL once connections are accepted.
    :param announce: is told the URL.
    :param certificate: file with the certificate and its private key, as PEM, to speak TLS with; None speaks none.
    :raises OSError: the port is taken, or the folder cannot be used; then it has a file name.
    :raises duckdb.IOException: another emulator uses the folder.
    """
    # fakesnow fetches results in a way that DuckDB advises against
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    listener = _listener(host, port)
    url = f"{'https' if certificate else 'http'}://{host}:{listener.getsockname()[1]}"
    try:
        app = create_app(data)
    except Exception:
        listener.close()
        raise
    # uvicorn raises the signal again once it has stopped, which must not skip the clean-up below
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_keep_alive=120,
        # A request that is stalled by a fault would keep the process for ever.
        timeout_graceful_shutdown=1,
        lifespan="off",
        ssl_certfile=certificate,
    )
    server = uvicorn.Server(config)
    try:
        if ready_file is not None:
            unfinished = ready_file.with_suffix(".partial")
            unfinished.write_text(url, "utf-8")
            unfinished.replace(ready_file)
        announce(url)
        server.run(sockets=[listener])
    finally:
        app.state.account.close()


def _listener(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only for sockets that say TCP themselves
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m etl_snowflake.emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 takes a free one (default 0)")
    parser.add_argument("--data", type=Path, help="folder to keep databases and stages in (default: none is kept)")
    parser.add_argument("--ready-file", type=Path, help="file to write the URL to once connections are accepted")
    parser.add_argument(
        "--end-with-parent", action="store_true", help="end when the starting process does (default: stay)"
    )
    parser.add_argument("--remove", type=Path, help="folder to remove at the end (default: none)")
    parser.add_argument("--certificate", type=Path, help="PEM file to speak TLS with (default: none is spoken)")
    options = parser.parse_args()
    if options.end_with_parent:
        end_with_parent()
    if options.remove is not None:
        atexit.register(shutil.rmtree, options.remove, ignore_errors=True)
    serve(options.host, options.port, options.data, options.ready_file, certificate=options.certificate)


if __name__ == "__main__":
    main()
