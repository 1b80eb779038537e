"""Find and load plugins, fail-closed: a plugin works as a whole, or is named together with the reason.

Every plugin gets a pluggy manager of its own. A failure then has one possible culprit, a plugin that is refused leaves
no trace, and the order in which plugins are asked is a plain list.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from etl_framework import hookspecs
from etl_framework.errors import EtlError, PluginLoadError, UsageError
from etl_framework.plugins.blame import told
from etl_framework.plugins.plugin import Plugin, PluginInfo, broken, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings:
    """Which plugins a run has.

    :param disabled: names of plugins to leave out.
    :param files: Python files, each a plugin by the stem of its name.
    :param required: names of plugins that must be there.
    :param use: who is to answer where several could: name of the plugin by question (``analyze``, ``connect``, …).
    """

    disabled: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    required: tuple[str, ...] = ()
    use: Mapping[str, str] = field(default_factory=dict)


class _Candidate(NamedTuple):
    """A plugin that was found and not yet imported."""

    info: PluginInfo
    load: Callable[[], object]


class _UnusableFile(Exception):
    """A plugin's file that is none, in words for whoever named it."""


@dataclass(kw_only=True)
class Found:
    """What a search for plugins brought.

    :param plugins: by name, the ones that can be used, sorted.
    :param infos: by name, all of them.
    :param errors: why not all can be used.
    """

    plugins: dict[str, Plugin] = field(default_factory=dict)
    infos: dict[str, PluginInfo] = field(default_factory=dict)
    errors: list[EtlError] = field(default_factory=list)

    def in_order(self) -> tuple[PluginInfo, ...]:
        """What is known of all of them, sorted by name."""
        return tuple(info for _, info in sorted(self.infos.items()))

    def insist_on_all(self) -> None:
        """Make sure that all can be used.

        :raises EtlError: not all can; the message tells every reason.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise type(self.errors[0])("\n".join(map(str, self.errors))) from self.errors[0]

    def add(self, plugin: Plugin) -> None:
        """Take a plugin in, in its place by name."""
        self.infos[plugin.info.name] = plugin.info
        self.plugins = dict(sorted({**self.plugins, plugin.info.name: plugin}.items()))

    def missing(self, name: str) -> PluginLoadError | None:
        """The error to raise when a required plugin is not there."""
        if name in self.plugins:
            return None
        state = "disabled" if name in self.infos and self.infos[name].disabled else "not installed"
        return PluginLoadError(
            f"the plugin {name!r} is required but {state}",
            advice=f"Install or enable it, or take it out of required_plugins.{self._similar(name)}",
        )

    def unknown(self, name: str) -> UsageError | None:
        """The error to raise when a plugin to disable does not exist."""
        if name in self.infos:
            return None
        return UsageError(
            f"there is no plugin {name!r} to disable",
            advice=f"Installed plugins: {', '.join(sorted(self.infos)) or 'none'}.{self._similar(name)}",
        )

    def note(self, info: PluginInfo, error: EtlError | None) -> None:
        """Remember why a plugin cannot be used; its first reason is the one to repair."""
        if error and not info.error:
            self.infos[info.name] = replace(info, error=error.message)
            self.errors.append(error)

    def maker(self, answer: object) -> Plugin | None:
        """The plugin whose code the object's class is, as far as module names tell."""
        module = type(answer).__module__
        plugins = self.plugins.values()
        own = (plugin for plugin in plugins if f"{module}.".startswith(f"{plugin.module}."))
        package = module.partition(".")[0]
        siblings = (plugin for plugin in plugins if plugin.module.partition(".")[0] == package)
        return next(own, None) or (None if package == hookspecs.PROJECT else next(siblings, None))

    def _similar(self, name: str) -> str:
        from difflib import get_close_matches

        guesses = get_close_matches(name, self.infos.keys() - {name}, n=1)
        return f" Did you mean {guesses[0]}?" if guesses else ""


def search(settings: PluginSettings) -> Found:
    """Load every installed plugin and those in files; what fails stands among the errors."""
    found = Found()
    for candidates in _by_name(settings.files):
        info = candidates[0].info
        if info.name in settings.disabled:
            found.infos[info.name] = replace(info, disabled=True)
            continue
        try:
            found.add(_load(candidates))
        except PluginLoadError as error:
            found.note(info, error)
    for name in settings.disabled:
        found.note(found.infos.get(name, PluginInfo(name=name, origin="")), found.unknown(name))
    for name in settings.required:
        found.note(found.infos.get(name, PluginInfo(name=name, origin="")), found.missing(name))
    return found


def _by_name(files: Iterable[Path]) -> list[list[_Candidate]]:
    """What is installed and what is in files, sorted by name; more than one of a name stand together."""
    found = [_in_distribution(entry_point) for entry_point in metadata.entry_points(group=hookspecs.PROJECT)]
    found += [_in_file(path) for path in dict.fromkeys(path.resolve() for path in files)]
    named: dict[str, list[_Candidate]] = {}
    for candidate in sorted(found, key=lambda candidate: (candidate.info.name, candidate.info.provider)):
        named.setdefault(candidate.info.name, []).append(candidate)
    return list(named.values())


def _in_distribution(entry_point: metadata.EntryPoint) -> _Candidate:
    dist = entry_point.dist
    info = PluginInfo(
        name=entry_point.name,
        origin=entry_point.value,
        distribution=dist.name if dist else "",
        version=dist.version if dist else "",
    )
    return _Candidate(info, entry_point.load)


def _in_file(path: Path) -> _Candidate:
    return _Candidate(PluginInfo(name=path.stem, origin=str(path)), lambda: _import_file(path))


def _import_file(path: Path) -> ModuleType:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _UnusableFile(f"the file cannot be read: {error.strerror}") from error
    # The name follows from path and content: objects of the module travel to worker processes, where pickle looks the
    # module up by name, and a file that was edited between two runs is a new module.
    digest = sha256(b"\0".join((str(path).encode(), content))).hexdigest()[:16]
    name = f"etl_plugin_file_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _UnusableFile("it is not a Python file: its name must end with .py")
    module = sys.modules[name] = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load(candidates: list[_Candidate]) -> Plugin:
    """Import the plugin of one name.

    :raises PluginLoadError: it does not import, is not fit, or the name is taken twice.
    """
    info = candidates[0].info
    if len(candidates) > 1:
        providers = " and ".join(candidate.info.provider for candidate in candidates)
        raise PluginLoadError(
            f"the plugin name {info.name!r} is taken more than once: by {providers}",
            advice=f"Uninstall or rename all but one, or {without(info.name)}",
        )
    try:
        implementation = candidates[0].load()
    except KeyboardInterrupt:
        raise
    except _UnusableFile as error:
        raise broken(info, str(error)) from error
    except SyntaxError as error:
        raise broken(info, f"{error.filename}, line {error.lineno}: {error.msg}") from error
    except BaseException as error:  # a plugin that calls sys.exit() must not end the program
        raise broken(info, told(error)) from error
    return Plugin(implementation, info)
