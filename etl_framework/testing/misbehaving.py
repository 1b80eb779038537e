"""Plugins that misbehave, as Python source: for :class:`~etl_framework.testing.FakePlugins` and files of plugins.

>>> print(raises("etl_event"))
from etl_framework import hookimpl
@hookimpl
def etl_event(): raise ValueError('boom')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


def hook_that(hook: str, does: str) -> str:
    """A plugin with one hook, which takes no arguments.

    :param does: what stands after the colon, such as ``return None``.
    """
    return f"from etl_framework import hookimpl\n@hookimpl\ndef {hook}(): {does}\n"


def import_error(hook: str = "etl_validate") -> str:
    """A plugin whose import fails."""
    return "import a_module_that_is_not_there\n" + hook_that(hook, "return None")


def misspelt(hook: str) -> str:
    """A plugin whose hook does not exist; its name differs from a real one in its last letter."""
    return hook_that(hook[:-1] + ("e" if hook[-1] != "e" else "a"), "return None")


def wrong_argument(hook: str) -> str:
    """A plugin whose hook asks for an argument that the hook does not have."""
    return hook_that(hook, "return None").replace("()", "(no_such_argument)")


def unmarked(hook: str) -> str:
    """A plugin that forgot ``@hookimpl``."""
    return hook_that(hook, "return None").replace("@hookimpl\n", "")


def raises(hook: str) -> str:
    """A plugin whose hook raises when it is called."""
    return hook_that(hook, "raise ValueError('boom')")


def yields_then_raises(hook: str) -> str:
    """A plugin whose hook gives nothing and raises while it is asked for more."""
    return hook_that(hook, "yield from (); raise ValueError('boom')")


def exits(hook: str) -> str:
    """A plugin whose hook ends the program, as if all were well."""
    return hook_that(hook, "raise SystemExit(0)")


def answers_nonsense(hook: str) -> str:
    """A plugin whose hook answers a number, which no hook may."""
    return hook_that(hook, "return 7")


DO_NOT_LOAD: Mapping[str, Callable[[str], str]] = {
    "import error": import_error,
    "misspelt hook": misspelt,
    "wrong argument": wrong_argument,
    "unmarked hook": unmarked,
}
"""By name, what keeps a plugin from being loaded."""

FAIL_WHEN_CALLED: Mapping[str, Callable[[str], str]] = {
    "raises": raises,
    "yields, then raises": yields_then_raises,
    "exits": exits,
    "answers nonsense": answers_nonsense,
}
"""By name, what a plugin does when its hook is called."""
