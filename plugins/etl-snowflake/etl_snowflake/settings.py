"""What a job says of its load into Snowflake: the table ``[jobs.NAME.snowflake]``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etl_framework import Job, Mode, UsageError, did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SECTION = "snowflake"


class LoadSettings(BaseModel):
    """How a job is loaded.

    :param publish: ``landing`` copies into a landing table, audits it, and publishes it in one transaction; ``direct``
        copies straight into the target within that transaction, so that there is no second copy.
    :param evolve: ``add-columns`` adds columns that the table lacks; ``never`` refuses.
    :param async_above_mb: from how many megabytes of staged parts on a COPY is submitted and asked for, instead of
        being waited for in one request, as one within the publishing transaction always is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    publish: Literal["landing", "direct"] = "landing"
    evolve: Literal["never", "add-columns"] = "never"
    async_above_mb: float = Field(default=100, ge=0, strict=True)


def read_settings(job: Job) -> LoadSettings:
    """The job's section ``snowflake``, as far as it can be understood by itself.

    :raises UsageError: a key is unknown, or its value is not allowed.
    """
    said = job.sections.get(SECTION, {})
    try:
        return LoadSettings.model_validate(dict(said) if isinstance(said, Mapping) else said)
    except ValidationError as error:
        # A misspelt key comes before the value of another.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        key = ".".join([SECTION, *map(str, first["loc"][:1])])
        message, advice = _explained(first, key)
        raise UsageError(message, advice=advice, key=key) from error


def load_settings(job: Job) -> LoadSettings:
    """The job's section ``snowflake``, checked for a load into Snowflake.

    :raises UsageError: a key is unknown, its value is not allowed, or contradicts the mode.
    """
    settings = read_settings(job)
    if settings.publish == "direct" and job.mode is Mode.MERGE:
        raise UsageError(
            "snowflake.publish: a merge cannot be published directly: it has to look at the new rows first",
            advice='Leave publish = "direct" out, or choose another mode.',
            key="snowflake.publish",
        )
    return settings


def _explained(problem: ErrorDetails, key: str) -> tuple[str, str]:
    """What is wrong, and what is allowed."""
    value, kind, known = problem["input"], problem["type"], list(LoadSettings.model_fields)
    if not problem["loc"]:
        # The message names no key, so that the place is put before it.
        return "must be a table", f"The keys are {', '.join(known)}."
    if kind == "extra_forbidden":
        return f"{key} is not a known key", f"{_guess(problem['loc'][0], known)}The keys are {', '.join(known)}."
    if kind == "literal_error":
        allowed = get_args(LoadSettings.model_fields[str(problem["loc"][0])].annotation)
        return f"{key}: {value!r} is not allowed", f"{_guess(value, allowed)}Allowed: {', '.join(allowed)}."
    return f"{key}: must be a number of megabytes, 0 or more, not {value!r}", ""


def _guess(word: object, known: list[str] | tuple[str, ...]) -> str:
    return did_you_mean(get_close_matches(str(word), known, n=1))
