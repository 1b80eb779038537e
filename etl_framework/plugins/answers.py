"""What is made of a plugin's answer: it is of the right kind and shape, or the plugin is named."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from etl_framework.errors import HookFailed, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from etl_framework.plugins.plugin import Plugin

T = TypeVar("T")


def instance(plugin: Plugin, hook: str, answer: object, kind: type[T]) -> T:
    """The answer, when it is of this class.

    :raises HookFailed: it is not.
    """
    if not isinstance(answer, kind):
        wrong(plugin, hook, answer, kind.__name__)
    return answer


def shaped(plugin: Plugin, hook: str, answer: Any, protocol: Any) -> Any:
    """The answer, when it has every member of the protocol.

    :raises HookFailed: it has not.
    """
    members = dict.fromkeys((*protocol.__annotations__, *vars(protocol)))
    with plugin.blamed(hook):
        missing = [name for name in members if not name.startswith("_") and not hasattr(answer, name)]
    if missing:
        wrong(plugin, hook, answer, f"{protocol.__name__}: it lacks {', '.join(missing)}")
    return answer


def wrong(plugin: Plugin, hook: str, answer: object, expected: str) -> NoReturn:
    """:raises HookFailed: always; the message says what should have been answered."""
    raise plugin.failure(hook, f"it answered {type(answer).__name__} instead of {expected}")


def close(answers: Iterable[Any]) -> None:
    """Let go of connections and executors that nobody will use."""
    for answer in answers:
        with suppress(Exception):  # why nobody will use them matters more
            getattr(answer, "close", lambda: None)()


def tell(plugin: Plugin, hook: str, **arguments: object) -> str:
    """Call an observer; what goes wrong is answered as a sentence."""
    try:
        if answers := plugin.call(hook, arguments):
            # A stray `yield` makes a hook return a generator and do nothing: that must be seen.
            wrong(plugin, hook, answers[0], "nothing")
    except KeyboardInterrupt:
        raise
    except HookFailed as error:
        return error.message
    except BaseException as error:  # an observer never fails a run, whatever it raises
        return plugin.failure(hook, plugin.told(error)).message
    return ""


def by_name(given: Iterable[tuple[Plugin, Any]], taken: Iterable[str]) -> dict[str, tuple[click.Command, str]]:
    """Commands by name, with the plugin's name.

    :param given: plugins and their commands.
    :param taken: names that the command line uses itself.
    :raises HookFailed: one is no command, or has no name.
    :raises PluginError: two commands have the same name.
    """
    import click

    owners = dict.fromkeys(taken, "the command line itself")
    found: dict[str, tuple[click.Command, str]] = {}
    for plugin, answer in given:
        command = instance(plugin, "etl_commands", answer, click.Command)
        if not command.name:
            raise plugin.failure("etl_commands", "it answered a command without a name")
        if command.name in owners:
            raise PluginError(
                f"the command {command.name!r} is added twice: by {owners[command.name]} and by {plugin.info}",
                advice=f"Do without one of them: `etl --disable-plugin {plugin.info.name} …`.",
            )
        owners[command.name] = str(plugin.info)
        found[command.name] = command, plugin.info.name
    return found
