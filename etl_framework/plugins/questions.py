"""Who is asked a question, and whose answer counts: the one that is named, else the only one that has an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_framework.errors import NoPluginError, PluginError
from etl_framework.plugins.answers import close, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from etl_framework.plugins.discovery import Found
    from etl_framework.plugins.plugin import Plugin


class Questions:
    """Asks the plugins that were found.

    :ivar use: who is to answer where several could: name of the plugin by question.
    """

    def __init__(self, found: Found) -> None:
        self._found = found
        self.use: Mapping[str, str] = {}

    def choose(self, chosen: Mapping[str, str]) -> None:
        """Say who is to answer where several could, instead of what was said before.

        :param chosen: name of the plugin by question: ``connect``, ``executor``, ``analyze``, ….
        :raises PluginError: there is no such plugin, or it does not answer that question.
        """
        self.use = {}
        for question, name in chosen.items():
            plugin = self._found.plugins.get(name)
            if plugin is None or f"etl_{question}" not in plugin.info.hooks:
                who = ", ".join(plugin.info.name for plugin in self.implementing(f"etl_{question}"))
                raise PluginError(
                    f"use.{question} names {name!r}, but no usable plugin of that name implements etl_{question}",
                    advice=f"Name one that does: {who or 'there is none'}. `etl plugins list` shows what is installed.",
                    key=f"use.{question}",
                )
            self.use = {**self.use, question: name}

    def implementing(self, hook: str) -> Iterator[Plugin]:
        """Everyone who implements the hook, in name order."""
        return (plugin for plugin in self._found.plugins.values() if hook in plugin.info.hooks)

    def one(self, hook: str, what: str, advice: str, **arguments: object) -> tuple[Plugin, Any]:
        """The one answer, and whose it is. Whoever could answer is asked, so that their order decides nothing."""
        return self._ask(self.candidates(hook), hook, what, advice, arguments)

    def one_that_acts(self, hook: str, what: str, *, owner: Plugin | None, **arguments: object) -> tuple[Plugin, Any]:
        """Have a warehouse changed by one plugin, since a second answer would be a second change.

        It is the one that is named, else the one that connected.

        :param owner: who connected; None when nobody knows.
        """
        asked = self.candidates(hook)
        question = hook.removeprefix("etl_")
        if question not in self.use:
            asked = [plugin for plugin in asked if owner in (None, plugin)]
        if len(asked) > 1:
            raise self.several(hook, what, asked)
        advice = f"Install a plugin that does, or name it: {_naming(question)}."
        return self._ask(asked, hook, what, advice, arguments)

    def _ask(
        self, asked: Sequence[Plugin], hook: str, what: str, advice: str, arguments: Mapping[str, object]
    ) -> tuple[Plugin, Any]:
        answers: list[tuple[Plugin, Any]] = []
        try:
            for plugin in asked:
                with plugin.blamed(hook):
                    answers += ((plugin, answer) for answer in plugin.call(hook, arguments))
        except BaseException:
            close(answer for _, answer in answers)
            raise
        if len(answers) > 1:
            close(answer for _, answer in answers)
            raise self.several(hook, what, [plugin for plugin, _ in answers])
        if not answers:
            raise self.nobody(hook, what, advice, asked)
        return answers[0]

    def candidates(self, hook: str) -> list[Plugin]:
        """Who may answer: the plugin that is named, else everyone who implements the hook."""
        name = self.use.get(hook.removeprefix("etl_"))
        return [self._found.plugins[name]] if name else list(self.implementing(hook))

    @staticmethod
    def several(hook: str, what: str, plugins: Sequence[Plugin]) -> PluginError:
        """The error when several would answer."""
        question, last = hook.removeprefix("etl_"), plugins[-1].info.name
        names = ", ".join(plugin.info.name for plugin in plugins)
        return PluginError(
            f"more than one plugin {what}: {' and '.join(str(plugin.info) for plugin in plugins)}",
            advice=f"Name the one that is to answer ({names}): {_naming(question)}; "
            f"or leave others out: `etl --disable-plugin {last} …`.",
        )

    def nobody(self, hook: str, what: str, advice: str, plugins: Sequence[Plugin]) -> NoPluginError:
        """The error when nobody answers.

        :param plugins: those that were asked.
        """
        asked = ", ".join(plugin.info.name for plugin in plugins)
        others = ", ".join(plugin.info.name for plugin in self.implementing(hook) if plugin not in plugins)
        silent = ", ".join(info.name for info in self._found.in_order() if info.disabled)
        message = f"no plugin {what}; " + (f"asked: {asked}" if asked else f"none implements {hook}" * (not others))
        message += f"{', ' * bool(asked)}not asked: {others}" if others else ""
        return NoPluginError(
            message + (f"; disabled: {silent}" if silent else ""),
            advice=f"{advice} `etl plugins list` shows what is installed.",
        )

    def everyone(self, hook: str, **arguments: object) -> Iterator[tuple[Plugin, Any]]:
        """Each plugin with each item of its answer."""
        for plugin in self.implementing(hook):
            with plugin.blamed(hook):
                answers = plugin.call(hook, arguments)
                for answer in answers:
                    # The characters of a text are what nobody means.
                    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
                        wrong(plugin, hook, answer, "an iterable")
                items = [item for answer in answers for item in answer]
            yield from ((plugin, item) for item in items)


def _naming(question: str) -> str:
    """How to say who is to answer."""
    return f'`etl --use {question}=NAME …`, or `use = {{ {question} = "NAME" }}` in etl.toml'
