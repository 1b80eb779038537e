"""The sections of a job that belong to plugins: whose they are, and those that nobody would read."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from etl_framework.config_models import KNOWN_SECTIONS
from etl_framework.errors import UsageError
from etl_framework.terminal import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl_framework.plugins import PluginInfo, Plugins
    from etl_framework.values import Job

_CHECKING = {"etl_validate", "etl_check"}


def insist_on_sections(job: Job, plugins: Plugins) -> None:
    """Have plugins look at their sections of a job, and make sure that none has a misspelt name.

    One that resembles nothing is left to whoever reads it: the same file may be used where more plugins are installed.

    :raises UsageError: a plugin does not understand its section, or nobody would read one, so that what it asks for
        would not be done; ``key`` names it.
    """
    known = [*KNOWN_SECTIONS, *job.required_plugins, *_readers(job, plugins)]
    for name in job.sections:
        if name not in known and (meant := [other for other in known if _is_slip(name, other)]):
            raise UsageError(
                "nobody reads this section: no plugin is called so",
                advice=f"{did_you_mean(meant)}A plugin that does read it has to name it in etl_configure.",
                key=name,
            )


def _is_slip(name: str, meant: str) -> bool:
    """Whether one letter is missing, too many, wrong or swapped with the next; or only case or a hyphen differ.

    Anything looser would take words such as ``exports`` for ``reports``.
    """
    one, other = (word.casefold().replace("-", "_") for word in (name, meant))
    same = _begin_alike(one, other)
    one, other = one[same:][::-1], other[same:][::-1]
    same = _begin_alike(one, other)
    one, other = one[same:], other[same:]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])


def _begin_alike(one: str, other: str) -> int:
    """The number of letters that two words begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def unread_sections(job: Job, plugins: Plugins) -> tuple[str, ...]:
    """The sections that no plugin is known to read here: none names one so, or is called so."""
    known = {*KNOWN_SECTIONS, *_readers(job, plugins)}
    return tuple(name for name in job.sections if name not in known)


def asking_for_checks(job: Job, plugins: Plugins) -> tuple[str, ...]:
    """The sections that may ask for checks: those of plugins that make some, and those that nobody names."""
    readers = _readers(job, plugins)

    def may_ask(name: str) -> bool:
        if name in KNOWN_SECTIONS:
            return name != "format"
        return name not in readers or any(_CHECKING & {*info.hooks} for info in readers[name])

    return tuple(name for name, said in job.sections.items() if said and may_ask(name))


def _readers(job: Job, plugins: Plugins) -> Mapping[str, list[PluginInfo]]:
    """The plugins that read sections, by the names of the sections, their own names among them."""
    infos = {info.name: info for info in plugins.infos}
    readers = {name: [info] for name, info in infos.items()}
    for plugin, section in plugins.configure(job):
        readers.setdefault(section, []).append(infos[plugin])
    return readers
