"""One loaded plugin: what is known of it, how it is called, and the error that names it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from etl_framework import hookspecs
from etl_framework.errors import HookFailed, PluginLoadError
from etl_framework.plugins.blame import defined_at, is_answer, told

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Every hook, in pipeline order.
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("etl_"))
#: The hooks that one plugin answers, without their ``etl_``.
QUESTIONS = tuple(
    hook.removeprefix("etl_") for hook in HOOKS if getattr(hookspecs, hook).etl_framework_spec["firstresult"]
)


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
            advice=f"Report it to whoever maintains {self.info.provider}, or {without(self.info.name)}",
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
        try:
            manager.register(implementation)
        except pluggy.PluginValidationError as error:
            raise TypeError(_unknown_argument(implementation, manager) or str(error)) from error
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


def _unknown_argument(implementation: object, manager: pluggy.PluginManager) -> str:
    """The first argument that a hook does not have, in words; empty when it is not that."""
    from difflib import get_close_matches
    from inspect import Parameter, signature

    for hook in HOOKS:
        spec = getattr(manager.hook, hook).spec
        if spec is None or manager.parse_hookimpl_opts(implementation, hook) is None:
            continue
        function = getattr(implementation, hook)
        for name, argument in signature(function).parameters.items():
            if name not in spec.argnames and argument.default is Parameter.empty:
                guesses = get_close_matches(name, spec.argnames, n=1)
                hint = f"did you mean {guesses[0]!r}?" if guesses else f"it has {', '.join(spec.argnames) or 'none'}"
                return f"{hook} has no argument {name!r}; {hint}{defined_at(function)}"
    return ""


def broken(info: PluginInfo, reason: str) -> PluginLoadError:
    """The error that names a plugin which cannot be used."""
    return PluginLoadError(f"{info} cannot be loaded: {reason}", advice=f"Repair or remove it, or {without(info.name)}")


def without(name: str) -> str:
    """How to go on without a plugin."""
    from shlex import quote

    return f"do without it: `etl --disable-plugin {quote(name)} …`."
