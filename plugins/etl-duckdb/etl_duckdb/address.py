"""The URL of an embedded warehouse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from etl_framework import UsageError

_OPTIONS = ("memory_limit", "threads", "schema")
_MEMORY = re.compile(r"\d+(\.\d+)?\s?[KMGT]i?B", re.IGNORECASE)
_EXAMPLE = (
    "Write duckdb:PATH, for example duckdb:warehouse.duckdb or duckdb:warehouse.duckdb?memory_limit=1GB&threads=4."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database lies and how it is used.

    :param path: the database file, absolute.
    :param memory_limit: as DuckDB writes it, such as ``200MB``; None for what the load needs.
    :param threads: how many DuckDB uses; None for what the machine has.
    :param schema: where tables without a schema, and the load ledger, lie.
    """

    path: Path
    memory_limit: str | None = None
    threads: int | None = None
    schema: str = "main"

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``duckdb:PATH?option=value&…``; a relative path counts from the current folder.

        :raises UsageError: no path, a database in memory, or an option that does not exist or has an impossible value.
        """
        # Messages show the path alone: options of another kind of target may hold a secret.
        path, _, query = url.partition(":")[2].partition("?")
        options = _options(path, query)
        if path.startswith(":memory:"):
            raise UsageError(
                f"target 'duckdb:{path}' lives in memory, so nothing that is loaded would survive the run",
                advice=_EXAMPLE,
            )
        if not path or "\0" in path:
            raise UsageError("target 'duckdb:' names no file", advice=_EXAMPLE)
        threads = options.get("threads")
        return cls(
            path=Path(path).expanduser().absolute(),
            memory_limit=options.get("memory_limit"),
            threads=int(threads) if threads else None,
            schema=options.get("schema", "main"),
        )


def _options(path: str, query: str) -> dict[str, str]:
    given = parse_qsl(query, keep_blank_values=True)
    options = dict(given)
    known = f"The options are {', '.join(_OPTIONS)}."
    if unknown := sorted(options.keys() - set(_OPTIONS)):
        raise UsageError(f"target 'duckdb:{path}' has no option {unknown[0]!r}", advice=known)
    if len(options) < len(given):
        raise UsageError(f"target 'duckdb:{path}' has an option twice", advice=f"Give each one once. {known}")
    memory_limit, threads, schema = (options.get(name) for name in _OPTIONS)
    if memory_limit is not None and not _MEMORY.fullmatch(memory_limit):
        raise UsageError(f"memory_limit {memory_limit!r} is no size", advice="Write a size such as 200MB or 1.5GiB.")
    if threads is not None and not (threads.isdecimal() and threads.isascii() and 1 <= int(threads) <= 1024):
        raise UsageError(f"threads {threads!r} is no number of threads", advice="Give a number from 1 to 1024.")
    if schema == "":
        raise UsageError(f"target 'duckdb:{path}' has an empty schema", advice="Leave the option out for schema main.")
    return options
