"""`etl snowflake-emulator`: rehearse a load without an account."""

import errno
from pathlib import Path

import click

from etl_framework import UsageError


@click.command("snowflake-emulator")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8085,
    show_default=True,
    help="TCP port on this machine; 0 takes a free one.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep databases and stages in.  [default: nothing is kept]",
)
def snowflake_emulator(port: int, data: Path | None) -> None:
    """Serve an emulated Snowflake account on this machine, to rehearse a load without an account.

    It prints the section of connections.toml that leads to it, and runs until it is interrupted.
    """
    try:
        from duckdb import IOException

        from etl_snowflake.emulator.__main__ import serve
    except ImportError as error:
        raise UsageError(
            f"the emulator cannot start here: {error}",
            advice="Install what it needs: pip install 'etl-snowflake[emulator]'; in a checkout, "
            "pip install './plugins/etl-snowflake[emulator]'.",
        ) from error
    try:
        serve("127.0.0.1", port, data, None, announce=lambda url: click.echo(connection_section(url)))
    except IOException as error:
        raise UsageError(
            f"cannot use what is in {data}: another emulator may be running with it",
            advice="End that one, or name another folder with --data.",
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is taken", advice="Choose another one, or --port 0 for any.") from error
        if data is None or error.filename is None:
            raise
        raise UsageError(
            f"cannot keep anything in {data}: {error.strerror}", advice="Name a folder that can be written with --data."
        ) from error


def connection_section(url: str, name: str = "rehearsal") -> str:
    """The section of connections.toml that leads to an emulator.

    :param url: where it listens, `http://HOST:PORT`.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    return f"""# the emulator listens at {url}; add this to connections.toml and load into snowflake:{name}
# (the driver wants the file to be yours alone: chmod 600 connections.toml)
[{name}]
account = "emulator"
user = "rehearsal"
password = "any"
host = "{host}"
port = {port}
protocol = "http"
database = "REHEARSAL"
schema = "PUBLIC"
warehouse = "COMPUTE_WH"
"""
