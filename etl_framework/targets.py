"""Targets: which there are, who answers for them, and whether a load could go there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.config import anchored_url, resolve_job, stand_ins
from etl_framework.config_models import similar
from etl_framework.config_secrets import holds_secret
from etl_framework.errors import EtlError, ExitCode, UsageError
from etl_framework.sources import find_sources
from etl_framework.terminal import did_you_mean

if TYPE_CHECKING:
    from etl_framework.config import Config
    from etl_framework.plugins import Plugins
    from etl_framework.values import Fact, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target.

    :param name: in ``etl.toml``; empty for one that only a job or the command line names, by its URL.
    :param url: of the warehouse.
    """

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTarget:
    """A target and who answers for it.

    :param plugin: name of the plugin that connects to it; empty when none does, or several would.
    :param error: why there is none, or what is wrong with the URL.
    :param advice: what to do about that.
    :param exit_code: of that error.
    """

    name: str
    url: str
    plugin: str = ""
    error: str = ""
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCheck:
    """What was found about a target.

    :param load_bytes: the most bytes that one of its jobs would load at once, None when that is not known.
    :param facts: what its warehouse found about itself; empty when there was no connecting.
    :param error: why it could not be looked at.
    :param advice: what to do about that.
    :param exit_code: how the command ends because of this target.
    """

    name: str
    url: str
    load_bytes: int | None
    facts: tuple[Fact, ...] = ()
    error: str = ""
    advice: str = ""
    exit_code: ExitCode = ExitCode.DONE


def targets(config: Config) -> tuple[Target, ...]:
    """The declared targets, then those that jobs name by their URL."""
    declared = {name: anchored_url(target.url, target.origin.folder) for name, target in config.targets.items()}
    urls = dict.fromkeys(job.target for job in _jobs(config) if job.target not in declared.values())
    return (
        *(Target(name=name, url=url) for name, url in declared.items()),
        *(Target(name="", url=url) for url in urls),
    )


def choose(config: Config, *named: str) -> tuple[Target, ...]:
    """The targets of those names or URLs; all of them when none is named.

    :raises UsageError: there is no such target, or a URL holds a password.
    """
    known = targets(config)
    return tuple(_chosen(known, name) for name in named) if named else known


def _chosen(known: tuple[Target, ...], named: str) -> Target:
    if holds_secret(named):
        raise UsageError(
            "the target's URL holds a password",
            advice="Put it into connections.toml or the driver's own environment.",
        )
    url = anchored_url(named, Path.cwd())
    for target in known:
        if named == target.name or (":" in named and url == target.url):
            return target
    if ":" in named:
        return Target(name="", url=url)
    meant = did_you_mean(similar(named, [target.name for target in known]))
    raise UsageError(f"{named!r} is not a target", advice=f"{meant}`etl targets list` shows them; a URL is one, too.")


def list_targets(config: Config, plugins: Plugins) -> tuple[ListedTarget, ...]:
    """Every target with the plugin that answers for it; nothing is connected to."""
    return tuple(_listed(target, plugins) for target in targets(config))


def _listed(target: Target, plugins: Plugins) -> ListedTarget:
    try:
        plugin = plugins.insist_on_target(target.url).name
    except EtlError as error:
        return ListedTarget(
            name=target.name, url=target.url, error=error.message, advice=error.advice, exit_code=error.exit_code
        )
    return ListedTarget(name=target.name, url=target.url, plugin=plugin)


def check_target(target: Target, config: Config, plugins: Plugins) -> TargetCheck:
    """Connect to a target and find out what a load would lack; what is wrong is found, not raised."""
    jobs = jobs_of(target, config)
    sizes = [size for job in jobs if (size := _size(job)) is not None]
    most = max(sizes, default=None)
    try:
        with closing(plugins.connect(target.url)) as warehouse:
            facts = warehouse.check(most, jobs)
    except EtlError as error:
        return TargetCheck(
            name=target.name,
            url=target.url,
            load_bytes=most,
            error=error.message,
            advice=error.advice,
            exit_code=error.exit_code,
        )
    sound = all(fact.ok for fact in facts)
    return TargetCheck(
        name=target.name,
        url=target.url,
        load_bytes=most,
        facts=facts,
        exit_code=ExitCode.DONE if sound else ExitCode.FAILED,
    )


def jobs_of(target: Target, config: Config) -> tuple[Job, ...]:
    """The jobs that load into a target, as far as they can be understood."""
    return tuple(job for job in _jobs(config) if job.target == target.url)


def _jobs(config: Config) -> Iterator[Job]:
    for name in config.jobs:
        # What is wrong with a job is for `etl config validate` to say.
        with suppress(EtlError):
            yield resolve_job(config, name, stand_ins(config, name))


def _size(job: Job) -> int | None:
    """Bytes that a load of the job would bring now; None when its files are not there, or depend on the period."""
    try:
        return sum(source.size for source in find_sources(job))
    except EtlError:
        return None
