"""What is wrong with the jobs of a configuration that reads well: what its own words say, and what the plugins say.

Plugins are asked as a run asks them, without a source, and without a connection to a warehouse.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from etl_framework.checks import insist_on_checks, insist_on_settings
from etl_framework.config import Config, resolve_job, stand_ins
from etl_framework.config_files import Origin
from etl_framework.config_layers import Layers
from etl_framework.config_sections import asking_for_checks, insist_on_sections, unread_sections
from etl_framework.errors import ConnectError, EtlError, HookFailed, InputError, NoSuchColumn, PluginError, UsageError
from etl_framework.sources import identify
from etl_framework.values import Check

if TYPE_CHECKING:
    from etl_framework.plugins import Plugins
    from etl_framework.values import Analysis, Job


def check_config(config: Config, plugins: Plugins) -> None:
    """Make sure that every job could run as far as its settings go.

    :raises UsageError: settings are wrong; the message tells all of them, each with its file and line.
    :raises PluginError: nothing is wrong but that nobody, or more than one plugin, answers what a job asks.
    """
    found = problems(config, plugins)
    if len(found) == 1:
        raise found[0]
    if found:
        # Wrong settings come before missing plugins.
        kind = type(min(found, key=lambda error: error.exit_code))
        raise kind("\n".join(map(str, found)))


def problems(config: Config, plugins: Plugins) -> tuple[EtlError, ...]:
    """Everything that is wrong with the jobs, each error with the file and the line of the setting.

    A job that only lacks its period is right: the period is given when it runs.

    :param plugins: whom to ask; who is to answer is set as each job says.
    """
    found = (error for name in config.jobs for error in _problems(config, name, plugins))
    # Jobs may share a default or a target.
    return tuple({str(error): error for error in found}.values())


def unproved(config: Config, plugins: Plugins) -> dict[str, str]:
    """The jobs whose checks were not wholly looked at, and why: which columns there are only their sources tell.

    :param plugins: as for :func:`problems`.
    :raises UsageError: a job is wrong.
    """
    reasons = {}
    for name in config.jobs:
        job = resolve_job(config, name, stand_ins(config, name))
        if job.check is Check.NONE or not asking_for_checks(job, plugins):
            continue
        plugins.use(job.use)
        if not job.columns:
            reasons[name] = f"job {name} declares no columns, so what its checks ask of them was not looked at"
        elif missing := _undeclared(job, plugins):
            placed = _placed(config, Layers.collect(config, name, {}), missing, name, missing.key)
            reasons[name] = f"{placed.message} among those that job {name} declares ({placed.advice.removesuffix('.')})"
    return reasons


def unread(config: Config, plugins: Plugins) -> tuple[str, ...]:
    """The sections that no installed plugin is known to read, each with its place: a sentence each.

    :raises UsageError: a job is wrong.
    """
    notes: list[str] = []
    for name in config.jobs:
        said = Layers.collect(config, name, {})
        for section in unread_sections(resolve_job(config, name, stand_ins(config, name)), plugins):
            origin = said.place(section)
            where = f"{origin.label}: {origin.key}"
            notes.append(f"{where}: no installed plugin is called so: perhaps nothing reads it here")
    return tuple(dict.fromkeys(notes))


def _undeclared(job: Job, plugins: Plugins) -> NoSuchColumn | None:
    """Why nothing more can be said of the job's checks without a source, if a column is why."""
    try:
        _make_checks(job, plugins)
    except NoSuchColumn as error:
        return error
    return None


def _problems(config: Config, name: str, plugins: Plugins) -> Iterator[EtlError]:
    try:
        job = resolve_job(config, name, stand_ins(config, name))
    except UsageError as error:
        yield error
        return
    said = Layers.collect(config, name, {})
    for key, ask in _questions(job, said, plugins).items():
        try:
            ask()
        except ConnectError:
            # Whether a cluster is there is not what the configuration says.
            continue
        except EtlError as error:
            yield _placed(config, said, error, name, error.key or key)
            if key == "use":
                # What the others say would follow from it.
                return


def _questions(job: Job, said: Layers, plugins: Plugins) -> dict[str, Callable[[], object]]:
    """What there is to ask about a job, by the setting that it is about."""
    asked: dict[str, Callable[[], object]] = {
        "use": lambda: plugins.use(job.use),
        "required_plugins": lambda: plugins.require(said.value("required_plugins")),
        "sections": lambda: insist_on_sections(job, plugins),
        "checks": lambda: _check_nothing(job, plugins),
        "target": lambda: plugins.insist_on_target(job.target),
        "executor": lambda: plugins.executor(job.executor).close(),
        "format": lambda: _analyze_nothing(job, plugins),
    }
    if job.compress is not None:
        asked["compress"] = lambda: plugins.codec(job, job.target)
    return asked


def _check_nothing(job: Job, plugins: Plugins) -> None:
    insist_on_checks(job, plugins)
    if job.check is Check.NONE:
        return
    try:
        _make_checks(job, plugins)
    except NoSuchColumn:
        # A column that is not declared may be in the files.
        return
    except HookFailed:
        # A check that is at a loss without columns may do well with them.
        if job.columns:
            raise


def _make_checks(job: Job, plugins: Plugins) -> None:
    try:
        analyses = _analyze_nothing(job, plugins) if job.check is not Check.WAREHOUSE else ()
    except EtlError:
        # Told of the format.
        return
    insist_on_settings(job, analyses, job.columns, plugins)


def _analyze_nothing(job: Job, plugins: Plugins) -> list[Analysis]:
    """Have an empty file analyzed, which tells whether the declared format can be understood."""
    analyses = []
    with tempfile.TemporaryDirectory(prefix="etl-check-") as folder:
        for suffix in dict.fromkeys(Path(pattern).suffix for pattern in job.patterns):
            path = Path(folder, f"empty{suffix}")
            path.touch()
            try:
                analyses.append(plugins.analyze(identify(path), job))
            except HookFailed:
                raise
            except (PluginError, InputError):
                # Whose a file is may show only in its content, and an empty one may be no file of its format.
                continue
    return analyses


def placed_in_file(config: Config, job: Job, error: UsageError) -> UsageError:
    """The error about a section or a key in it, with the file and the line; any other error as it is.

    :param error: its ``key`` names the section or the key; a key stands in the message, too: ``checks.dates.every``.
    """
    name = job.name if job.name in config.jobs else None
    said, section = Layers.collect(config, name, {}), error.key.partition(".")[0]
    origin = said.place(error.key)
    is_same = section in job.sections and said.sections().get(section) == job.sections[section]
    if not origin.key or not is_same:
        return error
    placed = copy(error)
    placed.message = f"{_where(origin, error)}: {error.message}"
    placed.args = (placed.message, error.advice)
    placed.__cause__ = error
    return placed


def _placed(config: Config, said: Layers, error: EtlError, job: str, key: str) -> EtlError:
    target = config.targets.get(said.value("target")) if key == "target" else None
    origin: Origin = target.origin if target else said.place(key)
    where = _where(origin, error) if origin.key else f"job {job!r}: {key} ({origin.label})"
    # A plugin may have error classes of its own, which only it knows how to make; and a setting that nobody can use is
    # wrong, whatever it breaks.
    known = next(kind for kind in type(error).__mro__ if kind.__module__ == EtlError.__module__)
    kind = known if issubclass(known, UsageError | PluginError) else UsageError
    placed = kind(f"{where}: {error.message}", advice=error.advice, key=key)
    placed.__cause__ = error
    return placed


def _where(origin: Origin, error: EtlError) -> str:
    # Whoever names a key within a table says so in the message.
    return origin.label if "." in error.key else f"{origin.label}: {origin.key}"
