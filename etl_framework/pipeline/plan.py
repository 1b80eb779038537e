"""What a run needs to begin anew, and the plugins that it must have again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_framework.errors import PluginError

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.protocols import Codec, Warehouse
    from etl_framework.survey import Survey
    from etl_framework.values import Job, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run needs to begin anew, as it rests in the journal.

    :param job: what to load.
    :param sources: the files, as they were when the run began.
    :param plugins: names of the plugins that it ran with: a check must not be missing when it is resumed.
    :param survey: what is known of the sources; None before they are analyzed.
    """

    job: Job
    sources: tuple[Source, ...]
    plugins: tuple[str, ...]
    survey: Survey | None = None


def names_of(plugins: Plugins) -> tuple[str, ...]:
    """The plugins that take part in a run."""
    return tuple(info.name for info in plugins.infos if not info.disabled)


def insist_on_same_plugins(run: str, plan: Plan, plugins: Plugins) -> None:
    """Insist on the plugins that the run began with: a check must have seen all parts, or none.

    :raises PluginError: others are there, or some are not.
    """
    if gone := sorted(set(plan.plugins) - set(names_of(plugins))):
        disabled = {info.name for info in plugins.infos if info.disabled}
        states = (f"{name}, which is {'disabled' if name in disabled else 'not installed'} now" for name in gone)
        raise PluginError(
            f"run {run} began with the plugin{'s' * (len(gone) > 1)} {', and '.join(states)}",
            advice="Resume it with the plugins that it began with; with those of now, `etl load` begins anew.",
        )
    if new := sorted(set(names_of(plugins)) - set(plan.plugins)):
        raise PluginError(
            f"the run began without {', '.join(new)}, which would see only the rest of it",
            advice=f"`etl {' '.join(f'--disable-plugin {name}' for name in new)} resume {run}` goes on.",
        )


def codec_for(job: Job, warehouse: Warehouse, plugins: Plugins) -> Codec:
    """The codec of a job's staged parts: the job's own, or the warehouse's."""
    return plugins.codec(dataclasses.replace(job, compress=job.compress or warehouse.default_codec), job.target)
