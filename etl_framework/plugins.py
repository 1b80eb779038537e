"""The plugins of one run, and one typed method per hook: nothing else calls a hook.

What a plugin raises is either an answer (an :class:`EtlError`: bad input, no connection) and comes through unchanged,
or a defect, and becomes :class:`HookFailed` with the names of plugin, hook and distribution.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from etl_framework.discovery import Found, Plugin, PluginInfo, PluginSettings, broken, is_answer, search, told
from etl_framework.errors import ConnectError, EtlError, HookFailed, Locked, NoPluginError, PluginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import click

    from etl_framework.columns import Column
    from etl_framework.protocols import Codec, Executor, Profiler, Run, TableCheck, Validator, Warehouse
    from etl_framework.values import Analysis, Event, Job, PackedPart, Receipt, RunReport, Source, StagedPart

__all__ = ["PluginInfo", "PluginSettings", "Plugins"]

T = TypeVar("T")


class Plugins:
    """The plugins of one run. Built anew for each: nothing is loaded at import, nothing is shared between runs.

    Pickling keeps what was asked for, and unpickling loads it again, so that a worker process has the same plugins.
    """

    def __init__(self, found: Found | None = None, settings: PluginSettings | None = None) -> None:
        self._found = found or Found()
        self._settings = settings
        self._registered = False
        self._use: dict[str, str] = {}
        self._connected: list[tuple[Warehouse, Plugin]] = []
        self._event_lock = RLock()
        self._failed_observers: dict[str, str] = {}

    @classmethod
    def load(cls, settings: PluginSettings | None = None) -> Plugins:
        """Load every installed plugin and those in files, all or nothing.

        :raises PluginLoadError: plugins are broken, or required ones are missing; names them all.
        :raises PluginError: a plugin that is to answer cannot.
        :raises UsageError: no plugin has the name to disable.
        """
        plugins = cls._again(settings or PluginSettings())
        for info in plugins.infos:
            for warning in info.warnings:
                from etl_framework.logs import get_logger  # heavy, and mostly not needed

                get_logger().warning("plugin_deprecated", plugin=info.name, provider=info.provider, reason=warning)
        return plugins

    @classmethod
    def _again(cls, settings: PluginSettings) -> Plugins:
        """The same without a word about what is deprecated: workers load what was loaded before."""
        found = search(settings)
        if len(found.errors) == 1:
            raise found.errors[0]
        if found.errors:
            raise type(found.errors[0])("\n".join(map(str, found.errors))) from found.errors[0]
        plugins = cls(found, settings)
        plugins.use({})
        return plugins

    @classmethod
    def survey(cls, settings: PluginSettings | None = None) -> Plugins:
        """Load what can be loaded; what cannot stands in :attr:`infos` with its error. For looking, not for runs."""
        settings = settings or PluginSettings()
        return cls(search(settings), settings)

    def register(self, implementation: object, *, name: str) -> None:
        """Add a module or an object as a plugin, in its place by name.

        :raises PluginLoadError: it is not fit to be a plugin, or the name is taken.
        """
        info = PluginInfo(name=name, origin=getattr(implementation, "__name__", type(implementation).__name__))
        if name in self._found.infos:
            raise broken(info, f"the name is taken by {self._found.infos[name].provider}")
        self._found.add(Plugin(implementation, info))
        self._registered = True

    def require(self, names: Iterable[str]) -> None:
        """Make sure that plugins are there: a missing check must not go unnoticed.

        :raises PluginLoadError: one is not, or is disabled.
        """
        for name in names:
            if error := self._found.missing(name):
                raise error

    def use(self, chosen: Mapping[str, str]) -> None:
        """Say who is to answer where several could, instead of what was said before; the settings are stronger.

        :param chosen: name of the plugin by question: ``connect``, ``executor``, ``analyze``, ….
        :raises PluginError: there is no such plugin, or it does not answer that question.
        """
        self._use = {}
        for question, name in {**chosen, **(self._settings.use if self._settings else {})}.items():
            plugin = self._found.plugins.get(name)
            if plugin is None or f"etl_{question}" not in plugin.info.hooks:
                who = ", ".join(plugin.info.name for plugin in self._implementing(f"etl_{question}"))
                raise PluginError(
                    f"use.{question} names {name!r}, but no usable plugin of that name implements etl_{question}",
                    advice=f"Name one that does: {who or 'there is none'}. `etl plugins list` shows what is installed.",
                    key=f"use.{question}",
                )
            self._use[question] = name

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """Every plugin that was found, the broken and the disabled ones too, sorted by name."""
        return tuple(info for _, info in sorted(self._found.infos.items()))

    @property
    def problems(self) -> tuple[str, ...]:
        """Observers of :meth:`event` that failed, a sentence each."""
        return tuple(self._failed_observers.values())

    def connect(self, url: str) -> Warehouse:
        """Connect to a warehouse: ``etl_connect``."""
        from etl_framework.protocols import Warehouse

        plugin, answer = self._ask_one("etl_connect", _connects(url), _OTHER_TARGET, url=url)
        warehouse: Warehouse = _shaped(plugin, "etl_connect", answer, Warehouse)
        self._connected.append((warehouse, plugin))
        return warehouse

    def insist_on_target(self, url: str) -> PluginInfo:
        """Make sure that somebody connects to targets of the URL's kind with its options, but not to this one.

        :returns: who does.
        :raises NoPluginError: nobody does.
        :raises PluginError: several would, and none is named.
        :raises EtlError: an option of the URL is wrong.
        """
        scheme, colon, address = url.partition(":")
        asked = self._candidates("etl_connect")
        without_address = {plugin: _connected_to(plugin, scheme + colon) for plugin in asked}
        theirs = [plugin for plugin, answer in without_address.items() if answer]
        if len(theirs) > 1:
            raise self._several("etl_connect", _connects(url), theirs)
        if not theirs:
            raise self._nobody("etl_connect", _connects(url), _OTHER_TARGET, asked)
        _, mark, options = address.partition("?")
        answer = _connected_to(theirs[0], scheme + colon + mark + options) if options else True
        # What is said about the missing address is not about the options.
        if isinstance(answer, EtlError) and str(answer) != str(without_address[theirs[0]]):
            raise answer
        return theirs[0].info

    def executor(self, url: str) -> Executor:
        """Make what runs the parts: ``etl_executor``."""
        from etl_framework.protocols import Executor

        plugin, answer = self._ask_one(
            "etl_executor",
            f"understands the executor {url!r}",
            "Use threads: or processes:, or install a plugin for it.",
            url=url,
        )
        executor: Executor = _shaped(plugin, "etl_executor", answer, Executor)
        return executor

    def analyze(self, source: Source, job: Job) -> Analysis:
        """Find out how a source is to be split and read: ``etl_analyze``."""
        from etl_framework.protocols import Format
        from etl_framework.values import Analysis

        plugin, answer = self._ask_one(
            "etl_analyze",
            f"knows the format of {source.path}",
            "Install a plugin for the format, or take the file out of the job's source.",
            source=source,
            job=job,
        )
        analysis = _instance(plugin, "etl_analyze", answer, Analysis)
        _shaped(plugin, "etl_analyze", analysis.format, Format)
        return analysis

    def validators(self, job: Job, analysis: Analysis) -> list[tuple[str, Validator]]:
        """Everybody's checks, new accumulators at each call: ``etl_validate``.

        :returns: pairs of plugin name and validator, in name order; call the validator within :meth:`blaming`.
        """
        from etl_framework.protocols import Validator

        given: list[tuple[str, Validator]] = []
        for plugin, validator in self._ask_everyone("etl_validate", job=job, analysis=analysis):
            _shaped(plugin, "etl_validate", validator, Validator)
            given.append((plugin.info.name, validator))
        return given

    def profiler(self, job: Job, analysis: Analysis) -> Profiler:
        """What profiles the data of a part, new at each call: ``etl_profile``; use it within :meth:`blaming`."""
        from etl_framework.protocols import Profiler

        plugin, answer = self._ask_one(
            "etl_profile",
            f"profiles {analysis.source.path}",
            "Install one that does, such as etl-quality.",
            job=job,
            analysis=analysis,
        )
        profiler: Profiler = _shaped(plugin, "etl_profile", answer, Profiler)
        return profiler

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> list[tuple[str, TableCheck]]:
        """Everybody's checks of rows in a warehouse: ``etl_check``.

        :returns: pairs of plugin name and check, in name order; call the check within :meth:`blaming`.
        """
        from etl_framework.protocols import TableCheck

        given: list[tuple[str, TableCheck]] = []
        for plugin, check in self._ask_everyone("etl_check", job=job, columns=columns):
            _shaped(plugin, "etl_check", check, TableCheck)
            given.append((plugin.info.name, check))
        return given

    def codec(self, job: Job, target: str) -> Codec:
        """The codec that the job names: ``etl_compress``."""
        from etl_framework.protocols import Codec

        plugin, answer = self._ask_one(
            "etl_compress",
            f"compresses with {job.compress!r}",
            "Name another codec with --compress or compress = …, or install a plugin for this one.",
            job=job,
            target=target,
        )
        codec: Codec = _shaped(plugin, "etl_compress", answer, Codec)
        return codec

    def upload(self, part: PackedPart, warehouse: Warehouse, run: Run) -> StagedPart:
        """Bring a packed part into the staging area: ``etl_upload``."""
        from etl_framework.values import StagedPart

        plugin, answer = self._tell_one(
            "etl_upload",
            f"uploads to {warehouse.url}",
            part=part,
            warehouse=warehouse,
            run=run,
        )
        return _instance(plugin, "etl_upload", answer, StagedPart)

    def load_parts(self, parts: Sequence[StagedPart], warehouse: Warehouse, run: Run) -> Receipt:
        """Load the staged parts, all or nothing: ``etl_load``."""
        from etl_framework.values import Receipt

        plugin, answer = self._tell_one(
            "etl_load",
            f"loads into {warehouse.url}",
            parts=tuple(parts),
            warehouse=warehouse,
            run=run,
        )
        return _instance(plugin, "etl_load", answer, Receipt)

    def report(self, report: RunReport) -> tuple[str, ...]:
        """Tell every reporter how the run ended: ``etl_report``.

        :returns: a sentence for each reporter that failed; the others were told all the same.
        """
        outcomes = (_tell(plugin, "etl_report", report=report) for plugin in self._implementing("etl_report"))
        return tuple(problem for problem in outcomes if problem)

    def commands(self, taken: Iterable[str] = ()) -> dict[str, tuple[click.Command, str]]:
        """Everybody's commands by name, with the plugin's name: ``etl_commands``.

        :param taken: names that the command line uses itself.
        :raises PluginError: two commands have the same name.
        """
        import click

        owners = dict.fromkeys(taken, "the command line itself")
        found: dict[str, tuple[click.Command, str]] = {}
        for plugin, answer in self._ask_everyone("etl_commands"):
            command = _instance(plugin, "etl_commands", answer, click.Command)
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

    def event(self, event: Event) -> None:
        """Tell every observer what happened: ``etl_event``. From any thread; one call at a time.

        An observer that fails is not called again; :attr:`problems` names it.
        """
        with self._event_lock:
            for plugin in self._implementing("etl_event"):
                name = plugin.info.name
                if name not in self._failed_observers and (problem := _tell(plugin, "etl_event", event=event)):
                    self._failed_observers[name] = f"{problem}; it was not told of what came after"

    @contextmanager
    def blaming(self, culprit: object, hook: str) -> Iterator[None]:
        """Name the plugin when an object that it answered fails later, within this block.

        :param culprit: the plugin's name, or the object itself.
        :param hook: the hook that answered the object.
        :raises HookFailed: the block raised anything but an error of the project or a signal of the protocols.
        """
        try:
            yield
        except BaseException as error:
            if is_answer(error):
                raise
            plugin = self._found.plugins.get(culprit) if isinstance(culprit, str) else self._maker(culprit)
            if plugin:
                raise plugin.failure(hook, plugin.told(error)) from error
            whose = culprit if isinstance(culprit, str) else type(culprit).__qualname__
            raise HookFailed(f"{whose}, which {hook} answered, failed: {told(error)}") from error

    def __reduce__(self) -> tuple[object, ...]:
        if self._settings is None or self._registered:
            raise TypeError("plugins that were registered as objects cannot travel to another process")
        return self._again, (replace(self._settings, use=self._use),)

    def _maker(self, answer: object) -> Plugin | None:
        """The plugin whose code the object's class is, as far as module names tell."""
        module = type(answer).__module__
        plugins = self._found.plugins.values()
        own = (plugin for plugin in plugins if f"{module}.".startswith(f"{plugin.module}."))
        package = module.partition(".")[0]
        siblings = (plugin for plugin in plugins if plugin.module.partition(".")[0] == package)
        return next(own, None) or (None if package == __package__ else next(siblings, None))

    def _implementing(self, hook: str) -> Iterator[Plugin]:
        return (plugin for plugin in self._found.plugins.values() if hook in plugin.info.hooks)

    def _ask_one(self, hook: str, what: str, advice: str, **arguments: object) -> tuple[Plugin, Any]:
        """The one answer, and whose it is. Whoever could answer is asked, so that their order decides nothing."""
        return self._ask(self._candidates(hook), hook, what, advice, arguments)

    def _tell_one(self, hook: str, what: str, *, warehouse: Warehouse, **arguments: object) -> tuple[Plugin, Any]:
        """Have a warehouse changed by one plugin, since a second answer would be a second change.

        It is the one that is named, else the one that connected.
        """
        asked = self._candidates(hook)
        question = hook.removeprefix("etl_")
        if question not in self._use:
            owner = next((plugin for connected, plugin in self._connected if connected is warehouse), None)
            asked = [plugin for plugin in asked if owner in (None, plugin)]
        if len(asked) > 1:
            raise self._several(hook, what, asked)
        advice = f"Install a plugin that does, or name it: {_naming(question)}."
        return self._ask(asked, hook, what, advice, {"warehouse": warehouse, **arguments})

    def _ask(
        self, asked: Sequence[Plugin], hook: str, what: str, advice: str, arguments: Mapping[str, object]
    ) -> tuple[Plugin, Any]:
        answers: list[tuple[Plugin, Any]] = []
        try:
            for plugin in asked:
                with plugin.blamed(hook):
                    answers += ((plugin, answer) for answer in plugin.call(hook, arguments))
        except BaseException:
            _close(answer for _, answer in answers)
            raise
        if len(answers) > 1:
            _close(answer for _, answer in answers)
            raise self._several(hook, what, [plugin for plugin, _ in answers])
        if not answers:
            raise self._nobody(hook, what, advice, asked)
        return answers[0]

    def _candidates(self, hook: str) -> list[Plugin]:
        """Who may answer: the plugin that is named, else everyone who implements the hook."""
        name = self._use.get(hook.removeprefix("etl_"))
        return [self._found.plugins[name]] if name else list(self._implementing(hook))

    @staticmethod
    def _several(hook: str, what: str, plugins: Sequence[Plugin]) -> PluginError:
        question, last = hook.removeprefix("etl_"), plugins[-1].info.name
        names = ", ".join(plugin.info.name for plugin in plugins)
        return PluginError(
            f"more than one plugin {what}: {' and '.join(str(plugin.info) for plugin in plugins)}",
            advice=f"Name the one that is to answer ({names}): {_naming(question)}; "
            f"or leave others out: `etl --disable-plugin {last} …`.",
        )

    def _nobody(self, hook: str, what: str, advice: str, plugins: Sequence[Plugin]) -> NoPluginError:
        asked = ", ".join(plugin.info.name for plugin in plugins)
        others = ", ".join(plugin.info.name for plugin in self._implementing(hook) if plugin not in plugins)
        silent = ", ".join(info.name for info in self.infos if info.disabled)
        message = f"no plugin {what}; " + (f"asked: {asked}" if asked else f"none implements {hook}" * (not others))
        message += f"{', ' * bool(asked)}not asked: {others}" if others else ""
        return NoPluginError(
            message + (f"; disabled: {silent}" if silent else ""),
            advice=f"{advice} `etl plugins list` shows what is installed.",
        )

    def _ask_everyone(self, hook: str, **arguments: object) -> Iterator[tuple[Plugin, Any]]:
        """Each plugin with each item of its answer."""
        for plugin in self._implementing(hook):
            with plugin.blamed(hook):
                answers = plugin.call(hook, arguments)
                for answer in answers:
                    if not hasattr(answer, "__iter__"):
                        _wrong(plugin, hook, answer, "an iterable")
                items = [item for answer in answers for item in answer]
            yield from ((plugin, item) for item in items)


def _tell(plugin: Plugin, hook: str, **arguments: object) -> str:
    """Call an observer; what goes wrong is answered as a sentence."""
    try:
        if answers := plugin.call(hook, arguments):
            # A stray `yield` makes a hook return a generator and do nothing: that must be seen.
            _wrong(plugin, hook, answers[0], "nothing")
    except KeyboardInterrupt:
        raise
    except HookFailed as error:
        return error.message
    except BaseException as error:  # an observer never fails a run, whatever it raises
        return plugin.failure(hook, plugin.told(error)).message
    return ""


_OTHER_TARGET = "Correct the target's URL, or install a plugin for it."


def _connects(url: str) -> str:
    scheme, colon, _ = url.partition(":")  # the rest may hold a secret
    return f"connects to a target {scheme + colon!r}" + ("" if colon else ", which has no scheme such as 'name:'")


def _connected_to(plugin: Plugin, url: str) -> bool | EtlError:
    """Whether a plugin takes a URL without an address for its own: it connects, or says what is wrong."""
    try:
        with plugin.blamed("etl_connect"):
            answers = plugin.call("etl_connect", {"url": url})
    except (UsageError, ConnectError, Locked) as error:
        return error
    _close(answers)
    return bool(answers)


def _naming(question: str) -> str:
    """How to say who is to answer."""
    return f'`etl --use {question}=NAME …`, or `use = {{ {question} = "NAME" }}` in etl.toml'


def _close(answers: Iterable[Any]) -> None:
    """Let go of connections and executors that nobody will use."""
    for answer in answers:
        with suppress(Exception):  # why nobody will use them matters more
            getattr(answer, "close", lambda: None)()


def _instance(plugin: Plugin, hook: str, answer: object, kind: type[T]) -> T:
    if not isinstance(answer, kind):
        _wrong(plugin, hook, answer, kind.__name__)
    return answer


def _shaped(plugin: Plugin, hook: str, answer: Any, protocol: Any) -> Any:
    """The answer, when it has every member of the protocol."""
    members = dict.fromkeys((*protocol.__annotations__, *vars(protocol)))
    with plugin.blamed(hook):
        missing = [name for name in members if not name.startswith("_") and not hasattr(answer, name)]
    if missing:
        _wrong(plugin, hook, answer, f"{protocol.__name__}: it lacks {', '.join(missing)}")
    return answer


def _wrong(plugin: Plugin, hook: str, answer: object, expected: str) -> NoReturn:
    raise plugin.failure(hook, f"it answered {type(answer).__name__} instead of {expected}")
