"""What a job says of its load into Snowflake: the table ``[jobs.NAME.snowflake]``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etl_framework import Job, Mode, UsageError


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
    async_above_mb: float = Field(default=100, ge=0)


def load_settings(job: Job) -> LoadSettings:
    """The job's section ``snowflake``, checked.

    :raises UsageError: a key is unknown, its value is not allowed, or contradicts the mode.
    """
    try:
        settings = LoadSettings.model_validate(dict(job.section("snowflake")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["snowflake", *map(str, first["loc"][:1])])
        raise UsageError(
            f"{key}: {first['msg']}", advice=f"The keys are {', '.join(LoadSettings.model_fields)}.", key=key
        ) from error
    if settings.publish == "direct" and job.mode is Mode.MERGE:
        raise UsageError(
            "snowflake.publish: a merge cannot be published directly: it has to look at the new rows first",
            advice='Leave publish = "direct" out, or choose another mode.',
            key="snowflake.publish",
        )
    return settings
