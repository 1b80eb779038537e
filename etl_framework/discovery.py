"""Find and load plugins, fail-closed: a plugin works as a whole, or is named together with the reason.

Every plugin gets a pluggy manager of its own. A failure then has one possible culprit, a plugin that is refused leaves
no trace, and the order in which plugins are asked is a plain list.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from etl_framework import hookspecs
from etl_framework.errors import EtlError, HookFailed, PluginLoadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Every hook, in pipeline order.
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("etl_"))
#: The hooks that one plugin answers, without their ``etl_``.
QUESTIONS = tuple(
    hook.removeprefix("etl_") for hook in HOOKS if getattr(hookspecs, hook).etl_framework_spec["firstresult"]
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """What is known of one plugin, broken ones included.

    :param name: the entry point's name, or the stem of the file's name; what ``--disable-plugin`` takes.
    :param origin: what the entry point names, or the file's path.
    :param distribution: which distribution brought it; empty for a file.
    :param version: the distribution's version; empty for a file.
    :param hooks: the hooks that it implements, in pipeline order.
    :param disabled: whether it was left out on request.
    :param error: why it cannot be used; empty when it can.
    :param warnings: what it does that a later version will not take any more, a sentence each.
    """

    name: str
    origin: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    disabled: bool = False
    error: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """Distribution and version, or the file's path: whom to ask about it."""
        return f"{self.distribution} {self.version}" if self.distribution else self.origin

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.provider})"


class _Candidate(NamedTuple):
    """A plugin that was found and not yet imported."""

    info: PluginInfo
    load: Callable[[], object]


class _UnusableFile(Exception):
    """A plugin's file that is none, in words for whoever named it."""


class Plugin:
    """One loaded plugin, and how to call it so that it answers for its own failures."""

    def __init__(self, implementation: object, info: PluginInfo) -> None:
        """Accept a module or an object with hook implementations.

        :raises PluginLoadError: it misspells a hook or an argument, or could never be called as written.
        """
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.implementation = implementation
        self.module = (
            implementation.__name__ if isinstance(implementation, ModuleType) else type(implementation).__module__
        )
        try:
            warned = _admit(implementation, self._manager)
        except (TypeError, pluggy.PluginValidationError) as error:
            raise broken(info, " ".join(str(error).split())) from error
        implemented = {caller.name for caller in self._manager.get_hookcallers(implementation) or ()}
        self.info = replace(info, hooks=tuple(hook for hook in HOOKS if hook in implemented), warnings=warned)

    def call(self, hook: str, arguments: Mapping[str, object]) -> list[Any]:
        """The plugin's answers to a hook, without None; whatever it raises comes through."""
        caller = getattr(self._manager.hook, hook)
        answer = caller(**arguments)
        if not caller.spec.opts["firstresult"]:
            return list(answer)
        return [] if answer is None else [answer]

    @contextmanager
    def blamed(self, hook: str) -> Iterator[None]:
        """Turn what the plugin's code raises within the block into :class:`HookFailed`, unless it is an answer."""
        try:
            yield
        except BaseException as error:
            if is_answer(error):
                raise
            raise self.failure(hook, self.told(error)) from error

    def told(self, error: BaseException) -> str:
        """An exception in one line, with the last place in the plugin's own code that led to it."""
        return told(error, self.module.partition(".")[0])

    def failure(self, hook: str, reason: str) -> HookFailed:
        """The error that names this plugin."""
        return HookFailed(
            f"{self.info} failed in {hook}: {reason}",
            advice=f"Report it to whoever maintains {self.info.provider}, or {_without(self.info.name)}",
        )


def _admit(implementation: object, manager: pluggy.PluginManager) -> tuple[str, ...]:
    """Register the one plugin of a manager.

    :returns: the deprecations that the hooks it implements, and their arguments, come with.
    :raises TypeError: its hooks could never be called as written.
    :raises PluginValidationError: a hook or an argument does not exist.
    """
    if isinstance(implementation, type):
        raise TypeError("it is a class; a plugin is a module or an instance")
    with warnings.catch_warnings(record=True) as caught:
        # Old plugins go on working, also for whoever makes errors of warnings.
        warnings.simplefilter("always")
        manager.register(implementation)
    misspelt = [caller for caller in manager.get_hookcallers(implementation) or () if not caller.has_spec()]
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        from difflib import get_close_matches

        guesses = sorted({guess for caller in misspelt for guess in get_close_matches(caller.name, HOOKS, n=1)})
        hint = f"; did you mean {' or '.join(guesses)}?" if guesses else f"; the hooks are {', '.join(HOOKS)}"
        raise TypeError(f"{str(error).partition(' in plugin ')[0]}{hint}") from error
    for hook in HOOKS:
        if callable(getattr(implementation, hook, None)) and manager.parse_hookimpl_opts(implementation, hook) is None:
            raise TypeError(f"{hook} is not marked with @hookimpl, so it would never be called")
    for caller in manager.get_hookcallers(implementation) or ():
        for found in caller.get_hookimpls():
            if found.wrapper or found.hookwrapper or found.tryfirst or found.trylast:
                raise TypeError(f"{caller.name} asks for a place in the call order; plugins are asked in name order")
    return tuple(dict.fromkeys(str(warning.message) for warning in caught))


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
            advice=f"Uninstall or rename all but one, or {_without(info.name)}",
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


def broken(info: PluginInfo, reason: str) -> PluginLoadError:
    """The error that names a plugin which cannot be used."""
    return PluginLoadError(
        f"{info} cannot be loaded: {reason}", advice=f"Repair or remove it, or {_without(info.name)}"
    )


def _without(name: str) -> str:
    from shlex import quote

    return f"do without it: `etl --disable-plugin {quote(name)} …`."


def is_answer(error: BaseException) -> bool:
    """Whether a plugin may raise this: an error of the project, a signal of the protocols, or somebody's Ctrl-C."""
    from etl_framework.protocols import MisplacedCut, TypesWidened

    return isinstance(error, (EtlError, MisplacedCut, TypesWidened, KeyboardInterrupt, GeneratorExit))


def told(error: BaseException, package: str = "") -> str:
    """An exception in one line, with the place where it was raised.

    :param package: the last place within it is told instead, where there is one.
    """
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place, own, trace = "", "", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith("<"):
            place = f" (at {Path(code.co_filename).name}:{trace.tb_lineno})"
            if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == package:
                own = place
        trace = trace.tb_next
    return text + (own or place)
