"""Zstandard, gzip and no compression for etl-framework: for staged parts, and as the command ``etl compress``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_framework import UsageError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from etl_framework import Codec, Job


@hookimpl
def etl_compress(job: Job) -> Codec | None:
    """Answer for ``zstd``, ``gzip`` and ``none``."""
    from etl_compression.codecs import CODECS, make_codec

    if job.compress not in CODECS:
        return None
    try:
        return make_codec(job.compress, job.compress_level)
    except UsageError as error:
        error.advice += " It is set with --compress-level, or compress_level in etl.toml."
        raise


@hookimpl
def etl_commands() -> Iterable[click.Command]:
    """Add ``etl compress``."""
    from etl_compression.command import compress

    return [compress]
