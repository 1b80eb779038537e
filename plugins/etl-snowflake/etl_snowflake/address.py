"""The URL of a Snowflake target."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from etl_framework import UsageError

SCHEME = "snowflake:"

OPTIONS = ("database", "schema", "warehouse", "role", "stage", "timeout", "statement_timeout")
"""What a URL may tell."""
_EXAMPLE = (
    "Write snowflake:NAME for a connection of Snowflake's connections.toml, snowflake: alone for its default one, "
    "or snowflake:NAME?database=DB&schema=SCHEMA&warehouse=WH&role=ROLE."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which connection is opened, and what is used instead of its own settings.

    :param connection: name of a connection in ``connections.toml``; None for the default one.
    :param database: where tables without a database lie; None for the connection's own, as with the others.
    :param stage: the stage that parts are uploaded to, such as ``@~`` or ``@db.schema.stage``; None for one that the
        plugin makes.
    :param statement_timeout: seconds after which Snowflake ends a statement; None for what it is set to there.
    :param timeout: seconds after which a request that gets no answer, tried again and again, is given up.
    """

    connection: str | None = None
    database: str | None = None
    schema: str | None = None
    warehouse: str | None = None
    role: str | None = None
    stage: str | None = None
    timeout: int = 300
    statement_timeout: int | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``snowflake:NAME?option=value&…``.

        :raises UsageError: an option does not exist, stands twice or is empty, or the name is no name.
        """
        name, _, query = url.removeprefix(SCHEME).partition("?")
        # Messages never show the URL: somebody may have put a password into it.
        given = parse_qsl(query, keep_blank_values=True)
        options = dict(given)
        known = f"The options are {', '.join(OPTIONS)}."
        if unknown := sorted(options.keys() - set(OPTIONS)):
            advice = f"{known} Everything else, secrets above all, belongs into connections.toml."
            raise UsageError(f"a snowflake: target has no option {unknown[0]!r}", advice=advice)
        if len(options) < len(given):
            raise UsageError("the snowflake: target has an option twice", advice=f"Give each one once. {known}")
        if empty := [option for option, value in options.items() if not value]:
            raise UsageError(f"option {empty[0]!r} of the snowflake: target is empty", advice="Leave it out.")
        name = unquote(name)
        if any(sign in name for sign in "/@:"):
            raise UsageError("a snowflake: target names a connection, nothing else", advice=_EXAMPLE)
        limit = options.get("statement_timeout")
        return cls(
            connection=name or None,
            database=options.get("database"),
            schema=options.get("schema"),
            warehouse=options.get("warehouse"),
            role=options.get("role"),
            stage=_stage(options.get("stage")),
            timeout=_seconds("timeout", options.get("timeout", "300")),
            statement_timeout=None if limit is None else _seconds("statement_timeout", limit),
        )


def _stage(name: str | None) -> str | None:
    if name is not None and not name.startswith("@"):
        raise UsageError(
            f"stage {name!r} of the snowflake: target is no stage", advice=f"Write it with its sign: ?stage=@{name}"
        )
    return name


def _seconds(option: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and int(value)):
        raise UsageError(f"{option} {value!r} is no number of seconds", advice="Give a whole number from 1 on.")
    return int(value)
