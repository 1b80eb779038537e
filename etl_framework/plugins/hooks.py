"""The plugins of one run, and one typed method per hook: nothing else calls a hook.

What a plugin raises is either an answer (an :class:`EtlError`: bad input, no connection) and comes through unchanged,
or a defect, and becomes :class:`HookFailed` with the names of plugin, hook and distribution.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING, Any

from etl_framework.errors import HookFailed
from etl_framework.logs import get_logger
from etl_framework.plugins.answers import by_name, instance, shaped, tell
from etl_framework.plugins.blame import is_answer, told
from etl_framework.plugins.connecting import OTHER_TARGET, connects, owner_of
from etl_framework.plugins.discovery import Found, PluginSettings, search
from etl_framework.plugins.plugin import Plugin, PluginInfo, broken
from etl_framework.plugins.questions import Questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import click

    from etl_framework.columns import Column
    from etl_framework.protocols import Codec, Executor, Profiler, Run, TableCheck, Validator, Warehouse
    from etl_framework.values import Analysis, Event, Job, PackedPart, Receipt, RunReport, Source, StagedPart


class Plugins:
    """The plugins of one run. Built anew for each: nothing is loaded at import, nothing is shared between runs.

    Pickling keeps what was asked for, and unpickling loads it again, so that a worker process has the same plugins.
    """

    def __init__(self, found: Found | None = None, settings: PluginSettings | None = None) -> None:
        self._found = found or Found()
        self._settings = settings
        self._registered = False
        self._questions = Questions(self._found)
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
                get_logger().warning("plugin_deprecated", plugin=info.name, provider=info.provider, reason=warning)
        return plugins

    @classmethod
    def _again(cls, settings: PluginSettings) -> Plugins:
        """The same without a word about what is deprecated: workers load what was loaded before."""
        found = search(settings)
        found.insist_on_all()
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
        self._questions.choose({**chosen, **(self._settings.use if self._settings else {})})

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """Every plugin that was found, the broken and the disabled ones too, sorted by name."""
        return self._found.in_order()

    @property
    def problems(self) -> tuple[str, ...]:
        """Observers of :meth:`event` that failed, a sentence each."""
        return tuple(self._failed_observers.values())

    def configure(self, job: Job) -> list[tuple[str, str]]:
        """Have everybody look at what the job says in their sections: ``etl_configure``.

        :returns: pairs of plugin name and the name of a section that it reads, in name order.
        """
        answers = self._questions.everyone("etl_configure", job=job)
        return [(plugin.info.name, instance(plugin, "etl_configure", name, str)) for plugin, name in answers]

    def connect(self, url: str) -> Warehouse:
        """Connect to a warehouse: ``etl_connect``."""
        from etl_framework.protocols import Warehouse

        plugin, answer = self._questions.one("etl_connect", connects(url), OTHER_TARGET, url=url)
        warehouse: Warehouse = shaped(plugin, "etl_connect", answer, Warehouse)
        self._connected.append((warehouse, plugin))
        return warehouse

    def insist_on_target(self, url: str) -> PluginInfo:
        """Make sure that somebody connects to targets of the URL's kind with its options, but not to this one.

        :returns: who does.
        :raises NoPluginError: nobody does.
        :raises PluginError: several would, and none is named.
        :raises EtlError: an option of the URL is wrong.
        """
        return owner_of(url, self._questions).info

    def executor(self, url: str) -> Executor:
        """Make what runs the parts: ``etl_executor``."""
        from etl_framework.protocols import Executor

        plugin, answer = self._questions.one(
            "etl_executor",
            f"understands the executor {url!r}",
            "Use threads: or processes:, or install a plugin for it.",
            url=url,
        )
        executor: Executor = shaped(plugin, "etl_executor", answer, Executor)
        return executor

    def analyze(self, source: Source, job: Job) -> Analysis:
        """Find out how a source is to be split and read: ``etl_analyze``."""
        from etl_framework.protocols import Format
        from etl_framework.values import Analysis

        plugin, answer = self._questions.one(
            "etl_analyze",
            f"knows the format of {source.path}",
            "Install a plugin for the format, or take the file out of the job's source.",
            source=source,
            job=job,
        )
        analysis = instance(plugin, "etl_analyze", answer, Analysis)
        shaped(plugin, "etl_analyze", analysis.format, Format)
        return analysis

    def validators(self, job: Job, analysis: Analysis) -> list[tuple[str, Validator]]:
        """Everybody's checks, new accumulators at each call: ``etl_validate``.

        :returns: pairs of plugin name and validator, in name order; call the validator within :meth:`blaming`.
        """
        from etl_framework.protocols import Validator

        return self._all_shaped("etl_validate", Validator, job=job, analysis=analysis)

    def profiler(self, job: Job, analysis: Analysis) -> Profiler:
        """What profiles the data of a part, new at each call: ``etl_profile``; use it within :meth:`blaming`."""
        from etl_framework.protocols import Profiler

        plugin, answer = self._questions.one(
            "etl_profile",
            f"profiles {analysis.source.path}",
            "Install one that does, such as etl-quality.",
            job=job,
            analysis=analysis,
        )
        profiler: Profiler = shaped(plugin, "etl_profile", answer, Profiler)
        return profiler

    def table_checks(self, job: Job, columns: tuple[Column, ...]) -> list[tuple[str, TableCheck]]:
        """Everybody's checks of rows in a warehouse: ``etl_check``.

        :returns: pairs of plugin name and check, in name order; call the check within :meth:`blaming`.
        """
        from etl_framework.protocols import TableCheck

        return self._all_shaped("etl_check", TableCheck, job=job, columns=columns)

    def _all_shaped(self, hook: str, protocol: type, **asked: object) -> list[tuple[str, Any]]:
        """Everybody's answers, with the names of the plugins that gave them.

        :raises HookFailed: one is not of the protocol.
        """
        answers = self._questions.everyone(hook, **asked)
        return [(plugin.info.name, shaped(plugin, hook, answer, protocol)) for plugin, answer in answers]

    def codec(self, job: Job, target: str) -> Codec:
        """The codec that the job names: ``etl_compress``."""
        from etl_framework.protocols import Codec

        plugin, answer = self._questions.one(
            "etl_compress",
            f"compresses with {job.compress!r}",
            "Name another codec with --compress or compress = …, or install a plugin for this one.",
            job=job,
            target=target,
        )
        codec: Codec = shaped(plugin, "etl_compress", answer, Codec)
        return codec

    def upload(self, part: PackedPart, warehouse: Warehouse, run: Run) -> StagedPart:
        """Bring a packed part into the staging area: ``etl_upload``."""
        from etl_framework.values import StagedPart

        plugin, answer = self._questions.one_that_acts(
            "etl_upload",
            f"uploads to {warehouse.url}",
            owner=self._owner(warehouse),
            part=part,
            warehouse=warehouse,
            run=run,
        )
        return instance(plugin, "etl_upload", answer, StagedPart)

    def load_parts(self, parts: Sequence[StagedPart], warehouse: Warehouse, run: Run) -> Receipt:
        """Load the staged parts, all or nothing: ``etl_load``."""
        from etl_framework.values import Receipt

        plugin, answer = self._questions.one_that_acts(
            "etl_load",
            f"loads into {warehouse.url}",
            owner=self._owner(warehouse),
            parts=tuple(parts),
            warehouse=warehouse,
            run=run,
        )
        return instance(plugin, "etl_load", answer, Receipt)

    def report(self, report: RunReport) -> tuple[str, ...]:
        """Tell every reporter how the run ended: ``etl_report``.

        :returns: a sentence for each reporter that failed; the others were told all the same.
        """
        outcomes = (tell(plugin, "etl_report", report=report) for plugin in self._questions.implementing("etl_report"))
        return tuple(problem for problem in outcomes if problem)

    def commands(self, taken: Iterable[str] = ()) -> dict[str, tuple[click.Command, str]]:
        """Everybody's commands by name, with the plugin's name: ``etl_commands``.

        :param taken: names that the command line uses itself.
        :raises PluginError: two commands have the same name.
        """
        return by_name(self._questions.everyone("etl_commands"), taken)

    def event(self, event: Event) -> None:
        """Tell every observer what happened: ``etl_event``. From any thread; one call at a time.

        An observer that fails is not called again; :attr:`problems` names it.
        """
        with self._event_lock:
            for plugin in self._questions.implementing("etl_event"):
                name = plugin.info.name
                if name not in self._failed_observers and (problem := tell(plugin, "etl_event", event=event)):
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
            plugin = self._found.plugins.get(culprit) if isinstance(culprit, str) else self._found.maker(culprit)
            if plugin:
                raise plugin.failure(hook, plugin.told(error)) from error
            whose = culprit if isinstance(culprit, str) else type(culprit).__qualname__
            raise HookFailed(f"{whose}, which {hook} answered, failed: {told(error)}") from error

    def __reduce__(self) -> tuple[object, ...]:
        if self._settings is None or self._registered:
            raise TypeError("plugins that were registered as objects cannot travel to another process")
        return self._again, (replace(self._settings, use=self._questions.use),)

    def _owner(self, warehouse: Warehouse) -> Plugin | None:
        return next((plugin for connected, plugin in self._connected if connected is warehouse), None)
