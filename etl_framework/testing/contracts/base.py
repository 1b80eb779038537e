"""What the contracts have in common."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from etl_framework.plugins import Plugins
from etl_framework.values import Event

T = TypeVar("T")

NAMES_OF_EVENTS = (
    "run_started",
    "step_started",
    "step_finished",
    "part_started",
    "part_progress",
    "part_packed",
    "part_staged",
    "survey_changed",
    "load_waits",
    "load_proceeds",
    "load_progress",
    "earlier_ended",
    "load_again",
    "run_finished",
)
"""Those that a run has today; there may be others tomorrow."""

HOSTILE_NAMES = ("order", "Mixed Case", 'a "quoted" name', "it's; DROP TABLE x --", "naïve ☃", "%s {0} ?")
"""Names of columns and tables that are allowed and that careless SQL stumbles over."""


class PluginContract(ABC):
    """A contract of a whole plugin: a module, or an object with hooks."""

    @abstractmethod
    def plugin(self) -> object:
        """The plugin, as its entry point names it."""

    def plugins(self) -> Plugins:
        """The plugin, loaded as a run loads it, and no other."""
        plugins = Plugins()
        plugins.register(self.plugin(), name="plugin")
        return plugins


def travelled(value: T) -> T:
    """The value as it comes out in another process."""
    again: T = pickle.loads(pickle.dumps(value))  # noqa: S301 - just made
    return again


def event(name: str, **given: Any) -> Event:
    """An event of a run."""
    return Event(name=name, run="20240101-000000-literal", **given)
