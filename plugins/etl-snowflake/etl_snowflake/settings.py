"""What a job says of its load into Snowflake: the table ``[jobs.NAME.snowflake]``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etl_framework import Job, UsageError


class LoadSettings(BaseModel):
    """How a job is loaded.

    :param evolve: ``add-columns`` adds columns that the table lacks; ``never`` refuses.
    :param async_above_mb: from how many megabytes of staged parts on a COPY is submitted and asked for, instead of
        being waited for in one request.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    evolve: Literal["never", "add-columns"] = "never"
    async_above_mb: float = Field(default=100, ge=0)


def load_settings(job: Job) -> LoadSettings:
    """The job's section ``snowflake``, checked.

    :raises UsageError: a key is unknown or its value is not allowed.
    """
    try:
        return LoadSettings.model_validate(dict(job.section("snowflake")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["snowflake", *map(str, first["loc"][:1])])
        raise UsageError(
            f"{key}: {first['msg']}", advice=f"The keys are {', '.join(LoadSettings.model_fields)}.", key=key
        ) from error
